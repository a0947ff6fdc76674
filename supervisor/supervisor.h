/*
 * supervisor.h - one running instance: its event loop, pools, builders and clients, and how they end.
 *
 * What needs a host (cgroups, uid ranges, images, the start of a builder) is given by the embedder:
 * main.c, or a test with builders that only pretend.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/list.h"
#include "nsjail-lite/builder_host.h"
#include "pool/pool.h"
#include "supervisor/config.h"
#include "supervisor/stats.h"

struct builder_link;
struct control;
struct network;
struct program;
struct sandbox;
struct pool_host;
struct sandbox_table;
struct slots;
struct workspace_removal;
struct workspace_watch;

struct supervisor_host {
	/* Start builder `index`; as builder_start(). */
	int (*start_builder)(
		void *arg, uint32_t index, struct builder *ret_builder, struct error *err);
	/*
	 * Start hearth-network and send START with that id; as network_process_start(). May be NULL where the
	 * configuration has no network.
	 */
	int (*start_network)(
		void *arg, uint32_t id, struct program *ret_process, struct error *err);
	void *arg;
	int workspaces_fd;   /* their directory, which the builders have; -1: none; borrowed */
	uid_t workspace_uid; /* the first of JAIL_UIDS ids that own what is in them */
	uint32_t first_uid;  /* of slot 0's range */
	uid_t user_uid;	     /* may use control.sock besides root */
	bool can_freeze;     /* else a lease that is idle for too long ends */
	uint64_t orphans;    /* sandboxes of an earlier run that recovery has ended */
};

struct supervisor {
	struct event_base *events;
	struct supervisor_config config;
	struct supervisor_host host;
	struct pool_budget budget;
	uint64_t epoch;	       /* of this life, in every handle */
	uint64_t next_sandbox; /* id of the next sandbox of any pool */
	struct slots *slots;
	uint32_t slot_count; /* of the configuration at the start, whatever POOL_SET says later */
	struct stats stats;
	struct network *network; /* NULL: sandboxes have their own loopback only */
	struct workspace_watch *workspace_watch;
	struct workspace_removal *workspace_removal;
	int workspace_locks_fd; /* workspace_lock.h; -1: there are no workspaces */
	struct list workspaces; /* in use: the bindings that have one */
	struct sandbox_table *sandboxes;
	struct pool_host *pools[JAIL_TEMPLATES_MAX]; /* as in config */
	struct builder_link *builders[BUILDERS_MAX];
	struct list build_queue; /* sandboxes that no builder has taken yet */
	struct event *dispatch;
	uint64_t last_acquire_ns;
	uint32_t acquires_in_a_row; /* each soon after the one before */
	uint64_t awake_until_ns;    /* until then the loop looks for the next without sleeping */
	struct list handed_out;	    /* sandboxes whose channel is still open here */
	struct event *tidy;
	struct control *control;
	struct event *drain_deadline;
	bool is_draining;
	int failure; /* negative errno when it ends because something gave out */
	char failure_text[ERROR_TEXT_MAX];
};

/*
 * All objects, nothing running. config is copied, listener is taken over in any case. On failure -errno.
 */
int supervisor_create(const struct supervisor_config *config, const struct supervisor_host *host,
	int listener, struct supervisor **ret_supervisor, struct error *err);

/* Start the network and the builders, and fill the pools. */
int supervisor_start(struct supervisor *supervisor, struct error *err);

/* Serve until the end of a drain. 0, or the negative errno of what gave out, which failure_text names. */
int supervisor_run(struct supervisor *supervisor);

/*
 * No more connections and leases; what is leased ends SHUTDOWN. supervisor_run() returns when every
 * sandbox is gone, at the latest after DRAIN_MS. The second call: at once.
 */
void supervisor_drain(struct supervisor *supervisor);
#define DRAIN_MS 10000

/* Something that cannot be repaired: log what, tell the clients, then supervisor_run() returns failure. The first one counts. */
void supervisor_fail(struct supervisor *supervisor, int failure, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A sandbox has gone: while draining, it may have been the last. */
void supervisor_sandbox_gone(struct supervisor *supervisor);

/* End the builders, free everything. Accepts NULL and half-built ones. */
void supervisor_destroy(struct supervisor *supervisor);

/*
 * A sandbox has just been handed out: close our copy of its channel and look at its pool, but not now. The
 * client's wake-up comes first: on one core it runs as soon as this process sleeps.
 */
void supervisor_tidy_later(struct supervisor *supervisor, struct sandbox *sandbox);
#endif
