/*
 * pool.h - all sandboxes of one template: when to build, whom to serve, what to discard.
 *
 * PURE: no system call, no libevent, no log; time is a parameter and acts go through struct pool_ops.
 * The supervisor embeds it; the simulator in tests turns the clock by hand.
 *
 *   BUILDING -> READY -> LEASED -> DISCARDING -> gone; never LEASED -> READY.
 *   BUILDING -> gone (failed); READY -> DISCARDING (suspect, drained); any state -> gone (died).
 *
 * Time goes forward, but a call may bring a time that lies a little before an earlier call's;
 * UINT64_MAX is never. An op must not call back into the pool: it sends or notes, and reports
 * later. refuse() of earlier waiters may come from within any call.
 *
 * After any call the embedder calls pool_tick() soon. Builds start there only, so that whoever acquires
 * waits for none of that.
 *
 * Refill: builds are started while building + ready < target + the waiters that asked for a build, at
 * most build_concurrency at once and never beyond max in all. So a leased sandbox is replaced at
 * once, not when it is released. The target is min, or what the acquires of late ask for (demand.h).
 * Ready ones beyond it are given up a few at a time once nobody has come for some seconds. One that
 * has been ready for ttl_ms is renewed, one at a time.
 *
 * Back-off: a build that fails, dies or cannot start stops new builds for backoff_min; each failure
 * after such a pause doubles the next one up to backoff_max; a build that succeeds ends it. While it
 * lasts, the first of the queue wait for the builds still in flight, one each; everybody else is
 * refused BROKEN at once with the time that is left.
 *
 * Invariants (pool_check): a sandbox is in exactly one state list; a ready or leased one was built
 * once and handed out at most once; no build starts with which building + ready + leased + discarding
 * were more than max; a waiter is granted or refused exactly once; no waiter waits while a sandbox is
 * ready; the turns of those that wait are in order; nothing that is due is slept through.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "proto/control.h"

struct error;
struct pool;

#define POOL_SANDBOXES_MAX 16384u /* of one pool; as many as an instance can have slots */

/*
 * What an instance's pools may promise of the host's memory, together. A sandbox that is building or
 * ready counts with its pool's idle_bytes; one that is leased with lease_bytes (idle_bytes where that is
 * more) until it is gone, and so does each acquire that waits. What is beyond the limit is not promised:
 * an acquire is refused LIMIT, also while a sandbox is ready; the refill builds only what could be leased.
 * A build for an acquire that waits is started all the same: its lease is promised already.
 */
struct pool_budget {
	uint64_t limit_bytes; /* 0: none */
	uint64_t promised_bytes;
};

/* Whether so much more may be promised. */
bool pool_budget_has(const struct pool_budget *budget, uint64_t bytes);

struct pool_config {
	uint32_t min;	     /* ready sandboxes to keep; 0..max */
	uint32_t max;	     /* sandboxes in all, whatever state; 1..POOL_SANDBOXES_MAX */
	uint32_t target_max; /* ready ones that demand may ask for; 0: max. min goes before */
	uint32_t build_concurrency; /* builds in flight; 1.. */
	uint32_t waiters_max;	    /* acquires that may wait; one more is refused EMPTY */
	/*
	 * BUILD: wait for a build of its own or any that comes first; WAIT: wait, without starting
	 * builds beyond the refill; FAIL. DEFAULT: BUILD.
	 */
	enum control_on_empty on_empty;
	uint64_t wait_ms;	    /* longest wait; 0: 10 s */
	uint64_t lease_ms;	    /* longest lease; 0: none */
	uint64_t idle_ms;	    /* longest time without touch; 0: none */
	uint64_t frozen_ms;	    /* longest time frozen after that; 0: as the lease's idle_ms */
	uint64_t ttl_ms;	    /* longest time ready; 0: none */
	uint64_t backoff_min_ms;    /* after a failed build, doubling; 0: 100 ms */
	uint64_t backoff_max_ms;    /* 0: 30 s, or backoff_min_ms where that is more */
	struct pool_budget *budget; /* shared, outlives the pool; NULL: none */
	uint64_t idle_bytes, lease_bytes; /* see struct pool_budget */
};

/* One sandbox. The pool allocates and owns it, from build() to pool_gone() or pool_build_failed(). */
struct pool_sandbox {
	struct list list; /* in its state's list */
	uint64_t id;	  /* unique in this pool's life: from config's counter, see pool_create */
	enum sandbox_state state;
	uint64_t state_since_ms;
	uint64_t created_ms;
	uint64_t build_ns;    /* as reported by pool_built() */
	uint64_t deadline_ms; /* of the lease; UINT64_MAX: none */
	uint64_t idle_ms;     /* limit; 0: none */
	uint64_t touched_ms;
	bool is_frozen; /* its lease was idle for too long; stays as it is when discarded */
	uint64_t frozen_until_ms;
	uint32_t due_index;    /* LEASED: the pool's; so is same_bucket */
	void *lessee;	       /* LEASED: whose it is, opaque */
	struct list by_lessee; /* LEASED: for the embedder's own list of that lessee's leases */
	struct list same_bucket;
	void *data;		 /* the embedder's */
	bool for_waiter;	 /* when it was begun, more waited for builds than were in flight */
	uint64_t promised_bytes; /* of the budget */
};

/* One acquire that waits. The pool owns it. */
struct pool_waiter {
	struct list list;
	void *lessee;
	uint32_t request_id;
	uint64_t asked_ms, until_ms;
	uint32_t lease_ms, idle_ms;
	uint64_t turn; /* see waiters.h */
	bool wants_build;
	uint64_t arrived_ns;	 /* of the request */
	void *data;		 /* likewise */
	uint64_t promised_bytes; /* of the budget */
};

struct pool_request {
	void *lessee;
	uint32_t request_id;
	enum control_on_empty on_empty;	     /* DEFAULT: the pool's */
	uint32_t wait_ms, lease_ms, idle_ms; /* 0: the pool's; never beyond the pool's */
	uint64_t arrived_ns;		     /* the embedder's; copied to the waiter, as is */
	void *data;			     /* this */
};

struct pool_ops {
	/* Start building. 0: pool_built() or pool_build_failed() will follow, never from within. -errno: cannot. */
	int (*build)(void *arg, struct pool_sandbox *sandbox);
	/* Kill it; pool_gone() will follow, never from within. */
	void (*discard)(void *arg, struct pool_sandbox *sandbox);
	/*
	 * A waiter's turn: the sandbox is LEASED to waiter->lessee. The waiter is freed afterwards.
	 * RUNG_BUILT when, as this build was begun, more acquires waited for builds than were in
	 * flight: it was begun for one of them. RUNG_WAITED: the refill had begun it anyway.
	 * Whoever is first in the queue takes whichever is finished first. The queue is fair by lessee:
	 * see waiters.h.
	 */
	void (*grant)(void *arg, const struct pool_waiter *waiter, struct pool_sandbox *sandbox,
		enum control_rung rung);
	void (*refuse)(void *arg, const struct pool_waiter *waiter, enum control_refusal refusal,
		uint32_t retry_ms);
	/*
	 * A lease ended for `reason`, before its discard (or before its end, when it died): the last
	 * time that lessee and by_lessee hold. Not called for pool_release() and pool_lessee_gone().
	 */
	void (*ended)(void *arg, struct pool_sandbox *sandbox, enum lease_end_reason reason);
	/*
	 * A lease was idle for too long: freeze it and tell the lessee that it ends in left_ms without
	 * a touch (UINT64_MAX: never); or is touched again: thaw it, left_ms is 0. One that is frozen is
	 * discarded without being thawed. NULL: this host freezes nothing; leases end when they were
	 * idle for too long.
	 */
	void (*freeze)(void *arg, struct pool_sandbox *sandbox, bool is_frozen, uint64_t left_ms);
};

struct pool_counters {
	uint64_t build_failures, deaths;
	uint64_t misses; /* acquires that found none ready, whatever became of them */
	uint32_t building, ready, leased, discarding, waiting;
	uint32_t frozen; /* of leased */
};

/* next_id: shared by the instance's pools so that ids are unique; advanced at each build. */
int pool_create(const struct pool_config *config, const struct pool_ops *ops, void *arg,
	uint64_t *next_id, struct pool **ret_pool, struct error *err);
/*
 * Other limits from now on. -EINVAL, and nothing has changed, when they make no sense. With a lower
 * max leases live on, and ready ones beyond it are discarded.
 */
int pool_set_limits(
	struct pool *pool, uint64_t now_ms, uint32_t min, uint32_t max, struct error *err);
/* Frees memory only; all sandboxes must be gone or are forgotten. Accepts NULL. */
void pool_destroy(struct pool *pool);

/* Start refilling. Call once after create; until then acquires are refused STOPPING. */
void pool_start(struct pool *pool, uint64_t now_ms);

/*
 * 0: *ret_sandbox is LEASED to request->lessee now (rung ready). -EINPROGRESS: grant() or refuse()
 * will follow, never from within. Otherwise refused: -EAGAIN (*ret_refusal: EMPTY, BROKEN,
 * STOPPING, LIMIT: the budget), -ENOMEM. *ret_retry_ms is set when refused; 0: no use, as when stopping
 * or where the budget is less than one lease. It is the end of the back-off, or made of what builds and
 * leases took so far. Nothing is built from within: one that is ready costs a look at no other.
 */
int pool_acquire(struct pool *pool, uint64_t now_ms, const struct pool_request *request,
	struct pool_sandbox **ret_sandbox, enum control_refusal *ret_refusal,
	uint32_t *ret_retry_ms);

/* The one that pool_acquire() would lease, or NULL: none is ready. */
struct pool_sandbox *pool_oldest_ready(const struct pool *pool);
/* The lessee gives it back: it is discarded. Nothing, when its lease has ended by itself already. */
void pool_release(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);
/* Somebody in charge ends a lease: ended() with KILLED, then it is discarded. -ESTALE: not leased. */
int pool_kill(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);
/* What sandboxes built from now on count while nobody leases them, once that is measured. */
void pool_set_idle_bytes(struct pool *pool, uint64_t idle_bytes);
uint64_t pool_idle_bytes(const struct pool *pool);
uint64_t pool_lease_bytes(const struct pool *pool);
/* The budget keeps it from its refill. Whoever sees that there is room again, by another pool, calls pool_tick(). */
bool pool_is_starved(const struct pool *pool);
/* The lessee is busy: its idle time starts anew; thawed, when it was frozen. */
void pool_touch(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);
/* The lessee's connection is gone: its waiters vanish without an answer, its leases are discarded. */
void pool_lessee_gone(struct pool *pool, uint64_t now_ms, void *lessee);

/* What the embedder reports, once for each build: finished. After pool_drain() it is discarded. */
void pool_built(
	struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox, uint64_t build_ns);
/* Or failed. Freed. */
void pool_build_failed(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);
/*
 * It died by itself in whatever state and is proven dead; a lease ends with `reason`, a build has
 * failed. Freed.
 */
void pool_died(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox,
	enum lease_end_reason reason);
/* A discarded one is proven dead. Freed. */
void pool_gone(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);
/* A ready one is known to be dead but not yet reaped: never hand it out. It is discarded. */
void pool_suspect(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);

/*
 * Deadlines, idle limits, waiters, refill, back-off, what is old or too many. Returns ms until it wants
 * to be called again, at the latest; UINT64_MAX: never. Any other call may bring that nearer: tick
 * after a round of calls; it costs next to nothing when no time is up.
 */
uint64_t pool_tick(struct pool *pool, uint64_t now_ms);

/*
 * No more builds or grants; waiters refused STOPPING; leases end SHUTDOWN; everything discarded,
 * what is being built as soon as it is built.
 */
void pool_drain(struct pool *pool, uint64_t now_ms);
bool pool_is_empty(const struct pool *pool);

void pool_get_counters(const struct pool *pool, struct pool_counters *ret_counters);
/* Ready sandboxes that are wanted, as of the last tick: min, or more by demand. */
uint32_t pool_target(const struct pool *pool);
/* Each sandbox in turn, oldest first within a state. */
void pool_for_each(
	struct pool *pool, void (*visit)(void *arg, struct pool_sandbox *sandbox), void *arg);
/* Build failures in a row; 0: builds work. */
uint32_t pool_failures_in_row(const struct pool *pool);

/* 0, or -EINVAL with the broken invariant in err. For tests. */
int pool_check(const struct pool *pool, struct error *err);
#endif
