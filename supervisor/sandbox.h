/*
 * sandbox.h - the supervisor's half of one sandbox: which slot, whose builder, its channel and owner.
 *
 * Born by the pool's build(), freed when the pool's half is. Builders report here; from here it goes
 * to the pool, which decides.
 */
#ifndef SUPERVISOR_SANDBOX_H
#define SUPERVISOR_SANDBOX_H
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "proto/control.h"
#include "supervisor/lease.h"

struct binding;
struct builder_link;
struct client;
struct link_built;
struct link_ended;
struct pool_host;
struct pool_sandbox;
struct supervisor;

struct sandbox {
	struct pool_sandbox *core; /* whose data this is */
	struct pool_host *pool;
	struct list list;	      /* in the queue of builds, or among its builder's */
	struct list by_id;	      /* in the table */
	struct builder_link *builder; /* NULL: waits for one */
	int slot;		      /* -1: none yet */
	int channel_fd;		      /* of a ready one; -1 a little after it is handed out */
	struct list handed_out;	      /* until then: of the supervisor */
	struct event *hangup;	      /* of the channel, while ready */
	struct client *owner;	      /* LEASED */
	struct lease lease;	      /* the one that it had or has */
	struct binding *binding;      /* what that lease has of its own; NULL: nothing */
	bool awaits_netns;	      /* its slot is to be made once its namespace has come */
	bool is_built;		      /* and ready once its slot has its egress profile */
	bool is_condemned;	      /* which it cannot have: it ends, and its build has failed */
	bool is_killed;		      /* its builder was told */
	bool is_bind_asked;	      /* likewise to bind, and has not answered */
	uint64_t build_ns;
	bool is_retried;	  /* a builder died while building it */
	uint32_t limits_hit;	  /* known when it has ended */
	struct lease_usage usage; /* likewise */
};

/* For at least `live` sandboxes at a time. NULL: out of memory. */
struct sandbox_table *sandbox_table_create(uint32_t live);
void sandbox_table_destroy(struct sandbox_table *table);
/* By id, or NULL. */
struct sandbox *sandbox_find(const struct supervisor *supervisor, uint64_t id);

/* For a core in state BUILDING; becomes core->data. NULL: out of memory. */
struct sandbox *sandbox_create(struct pool_host *pool, struct pool_sandbox *core);

/* Frees this half only, at the end of the supervisor; its builder ends the sandbox itself. */
void sandbox_destroy(struct sandbox *sandbox);

/*
 * What its builder reports. All but built() free it, and the pool's half; but a build whose builder died is
 * tried once more.
 */
void sandbox_built(struct sandbox *sandbox, int channel_fd, const struct link_built *built);
void sandbox_build_failed(struct sandbox *sandbox, const char *why);
void sandbox_ended(struct sandbox *sandbox, const struct link_ended *ended);
void sandbox_builder_lost(struct sandbox *sandbox);

/* Its slot has the profile that was asked for last, or (why, and the errno) cannot have it. */
void sandbox_profile_answered(struct sandbox *sandbox, uint32_t error, const char *why);

/* The pool throws it away: let go of the channel, have it killed. */
void sandbox_discard(struct sandbox *sandbox);
/*
 * Those that are next to be leased, but hung up a moment ago: they are not handed out, although their end has not
 * been noticed yet.
 */
void sandbox_drop_dead(struct pool_host *pool);
/* Its channel goes to an owner: stop watching it. The fd is the caller's. */
int sandbox_take_channel(struct sandbox *sandbox);
#endif
