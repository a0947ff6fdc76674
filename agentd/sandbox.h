/*
 * sandbox.h - a leased sandbox: its channel, its owner, the calls that work in it.
 *
 * From LEASED to its end, which is one of: released (by its owner, by root, because its owner has
 * gone), LEASE_ENDED from the supervisor, or a channel that has hung up without the supervisor saying
 * why. Then every call in it is answered with the reason, exactly once, and the owner is told.
 */
#ifndef AGENTD_SANDBOX_H
#define AGENTD_SANDBOX_H
#include <jansson.h>
#include <stdbool.h>

#include "agentd/fault.h"
#include "base/list.h"
#include "proto/control.h"
#include "proto/guest_client.h"

#define SANDBOX_HANGUP_MS 2000 /* how long LEASE_ENDED may come after the channel's end */

struct call;
struct error;
struct event;
struct owner;
struct release;
struct server;

struct sandbox {
	struct list in_server; /* in a bucket */
	struct list of_owner;
	struct list calls;
	struct server *server;
	struct owner *owner;
	struct control_leased lease;
	struct guest_client *guest;
	struct release *release;	   /* by which it goes back */
	struct event *readable, *writable; /* of the channel */
	struct event *touch_timer;	   /* NULL: the lease has no idle limit */
	struct event *hangup_timer;
	uint64_t touched_ms;
	unsigned slow_calls; /* whose client does not read: the channel waits */
	bool is_kept;	     /* touched although no call works in it: its owner goes on soon */
	bool has_bash;
	bool is_shell_asked;
	bool is_hung_up;
};

/* Why it ended, for the answers and the owner. */
struct sandbox_end {
	const char *reason; /* a word: control_reason_name(), "supervisor_lost" */
	const char *text;   /* for people; NULL: the word */
	uint32_t limits_hit;
	uint64_t limit;
};

/* The channel becomes the sandbox's also on failure; the release, by which it goes back, on success. 0 or -errno. */
int sandbox_create(struct owner *owner, const struct control_leased *lease, int channel,
	struct release *release, struct sandbox **ret_sandbox, struct error *err);

/* Answer all calls in it, tell the owner (when is_told), free it. Not from within a guest's callback. */
void sandbox_end(struct sandbox *sandbox, const struct sandbox_end *end, bool is_told);
/* The same, and give it back; answer (may be NULL): see release_start(). */
void sandbox_release(struct sandbox *sandbox, bool is_told, struct call *answer);

/* LEASE_ENDED: the control client's callback; arg is the server. */
void sandbox_on_lease_ended(void *arg, const struct control_lease_ended *ended);

/* LEASE_FROZEN: likewise. */
void sandbox_on_lease_frozen(void *arg, const struct control_lease_frozen *frozen);

struct sandbox *sandbox_find(struct server *server, uint64_t id);

/* After requests were sent, or a call began or ended: watch what there is to watch. */
void sandbox_update(struct sandbox *sandbox);
/* A call works here: the lease's idle time begins anew. */
void sandbox_touch(struct sandbox *sandbox);
/* At the first use of a shell: whether there is bash. The answer is in has_bash, later. */
void sandbox_ask_shell(struct sandbox *sandbox);

/* {"id", "epoch"} */
json_t *sandbox_handle(const struct control_handle *handle);
#endif
