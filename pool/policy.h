/*
 * policy.h - the inside of a pool: its state, and the decisions about builds.
 *
 * pool.c moves sandboxes between states and tells the others what happened; policy.c decides when to
 * build, when to leave off after failures, which ready ones to give up; waiters.c who is served next;
 * leases.c when a lease ends. Nobody outside pool/ includes this.
 */
#ifndef POOL_POLICY_H
#define POOL_POLICY_H
#include "pool/demand.h"
#include "pool/due.h"
#include "pool/pool.h"

#define POOL_STATES	 (SANDBOX_DISCARDING + 1)
#define POOL_LESSEE_BITS 10

struct pool {
	struct pool_config config; /* defaults filled in */
	struct pool_ops ops;
	void *arg;
	uint64_t *next_id;
	bool running; /* between pool_start() and pool_drain() */
	bool stirred; /* since the last tick: builds may be due that are not started yet */

	struct list sandboxes[POOL_STATES]; /* by state, the longest in it first */
	uint32_t count[POOL_STATES];

	struct due due;				    /* leased ones that have a limit */
	struct list lessees[1 << POOL_LESSEE_BITS]; /* leased ones, by a hash of their lessee */
	uint32_t frozen;
	double held_ms; /* how long a lease lasts, averaged; 0: unknown */

	struct list waiters; /* in the order in which they will be served */
	uint32_t waiting;
	uint32_t builds_wanted;	   /* waiters with wants_build: builds to start beyond the target */
	uint64_t turn;		   /* of the waiter served last */
	uint64_t waiters_until_ms; /* no waiter's time is over before it; may itself be too early */

	struct demand demand;
	uint32_t target;    /* as of the last tick */
	uint64_t shrink_ms; /* when the next one beyond the target goes; UINT64_MAX: not known */
	uint64_t look_ms;   /* when policy_refill() has to look again, though nothing happens */

	bool backing_off; /* as of the last look at the clock */
	uint64_t backoff_ms;
	uint64_t backoff_until_ms;
	uint32_t failures_in_row;
	bool starved; /* as of the last refill */

	struct pool_counters counters; /* its gauges are filled in when asked for */
};

/* Of the budget, where there is one. */
void budget_promise(struct pool *pool, uint64_t bytes);
void budget_release(struct pool *pool, uint64_t bytes);
bool budget_fits(const struct pool *pool, uint64_t bytes);
/* What a ready one counts once it is leased: never less than now. */
uint64_t budget_lease_cost(const struct pool *pool, const struct pool_sandbox *sandbox);

/* a + b, or UINT64_MAX, which everywhere means never. */
uint64_t policy_add_ms(uint64_t a, uint64_t b);

/* The back-off may be over. */
void policy_look_at_clock(struct pool *pool, uint64_t now_ms);

/* The target, as of now. */
void policy_aim(struct pool *pool, uint64_t now_ms);

/* After policy_aim(): start what builds are due, renew what is old, give up what is too many. */
void policy_refill(struct pool *pool, uint64_t now_ms);
/* Give up ready ones while more live than max. */
void policy_keep_max(struct pool *pool, uint64_t now_ms);

/* A build has failed or could not start: back off, refuse whom nothing in flight can serve. */
void policy_build_failed(struct pool *pool, uint64_t now_ms);
void policy_build_succeeded(struct pool *pool, uint64_t now_ms, const struct pool_sandbox *sandbox);
/* One more acquire would find nothing in flight for it, and nothing will be started. */
bool policy_is_broken(const struct pool *pool);

/* When to try again: what is known of builds and leases, else a guess; never 0. */
uint32_t policy_retry_ms(const struct pool *pool, uint64_t now_ms);
/* The same for whom only the end of a lease helps. */
uint32_t policy_retry_lease_ms(const struct pool *pool, uint64_t now_ms);

/* In pool.c: out of its present list, to the tail of the state's. */
void pool_set_state(
	struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox, enum sandbox_state state);
/* In pool.c: from READY or LEASED to DISCARDING. */
void pool_discard(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);
/* In pool.c: out of every list, freed; not LEASED but where the pool itself ends. */
void pool_forget(struct pool *pool, struct pool_sandbox *sandbox);
/* In pool.c: sandboxes in all, whatever state. */
uint32_t pool_total(const struct pool *pool);
/* In pool.c: those that are not being discarded. */
uint32_t pool_alive(const struct pool *pool);
#endif
