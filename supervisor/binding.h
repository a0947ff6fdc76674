/*
 * binding.h - what a lease has of its own (a workspace, a hostname, lower limits, an egress profile) and
 * how it is bound into a sandbox that is ready, before anybody has it.
 *
 *   judged (binding_create()) -> waits with its acquire, if none is ready -> pending: the sandbox is leased
 *   in the pool's eyes, its builder and hearth-network are asked -> LEASED is sent; it stays with the sandbox.
 *
 * What cannot be bound is refused, and that sandbox is thrown away. While a binding is pending the acquire has
 * no answer yet: whatever ends the lease refuses it.
 *
 * A workspace is one binding's at a time, until its sandbox is proven dead: two sandboxes in one directory could
 * hand each other descriptors (of /proc, of memory), which would outlive their tenant.
 */
#ifndef SUPERVISOR_BINDING_H
#define SUPERVISOR_BINDING_H
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "proto/control.h"
#include "proto/network.h"

struct acquirer;
struct client;
struct link_bound;
struct pool_host;
struct sandbox;
struct supervisor;
struct workspace_watch;

#define BINDING_NO_WORKSPACES                                                                      \
	"this instance has no workspaces: its log says why, or set [workspaces] directory"
#define BINDING_WORKSPACE_RETRY_MS 20 /* after a sandbox has most likely died */

struct binding {
	struct list list; /* of its client's that wait for a sandbox, or of a lost builder's */
	struct list by_workspace; /* of the supervisor's, if it has one */
	uint32_t what;		  /* enum link_bind_what, a set: for the builder */
	enum network_profile profile;
	char workspace[CONTROL_BIND_MAX]; /* empty: none */
	int locks_fd;			  /* that it is locked in; borrowed */
	char hostname[CONTROL_BIND_MAX];
	uint64_t memory_bytes, pids, cpu_milli; /* in force, the template's included */
	uint64_t workspace_bytes;		/* limit; 0: none */
	struct workspace_watch *watch; /* which looks after it; NULL: the file system does */
	/* while it is pending, and what came of it */
	bool is_pending, awaits_profile; /* its builder: sandbox->is_bind_asked */
	uint32_t request_id;
	enum control_rung rung;
	uint64_t arrived_ns, started_ns, bind_ns;
};

/*
 * Whether the acquire asks for anything that the pool's sandboxes have not, and whether it may have that.
 * 0: *ret_binding is it, in the client's list; NULL: it asks for nothing. -errno: refused, and answered.
 */
int binding_create(const struct acquirer *who, const struct control_acquire *acquire,
	struct binding **ret_binding);
/* Its workspace is free: no process is left that could be in it. Accepts NULL. */
void binding_destroy(struct binding *binding);
/* The sandbox goes before it is proven dead, which is when this list of its builder's is destroyed. */
void binding_keep(struct sandbox *sandbox, struct list *kept);
void binding_destroy_all(struct list *kept);
/* Whether a lease has it or waits for it, or its last sandbox is not proven dead yet. */
bool binding_is_in_use(const struct supervisor *supervisor, const char *workspace);
/* Those that still wait. */
void binding_forget_client(struct client *client);

/* The pool has leased the sandbox, which gets the binding: bind, then send LEASED. */
void binding_start(struct binding *binding, struct client *client, uint32_t request_id,
	struct sandbox *sandbox, enum control_rung rung, uint64_t arrived_ns);
bool binding_is_pending(const struct sandbox *sandbox);

/* What the builder and hearth-network answer; of a sandbox that nobody waits for any more, nothing. */
void binding_bound(struct sandbox *sandbox, const struct link_bound *bound);
void binding_failed(struct sandbox *sandbox, uint32_t error, const char *why);
void binding_profile_answered(struct sandbox *sandbox, uint32_t error, const char *why);

/* Pending, and its lease ends for that reason: the acquire is refused. */
void binding_end(struct sandbox *sandbox, enum lease_end_reason reason);
#endif
