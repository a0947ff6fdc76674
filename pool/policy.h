/*
 * policy.h - the inside of a pool: its state, and the decisions about builds and waiting acquires.
 *
 * pool.c moves sandboxes between states and tells policy.c what happened; policy.c decides when to
 * build, when to leave off after failures, and who waits. Nobody outside pool/ includes this.
 */
#ifndef POOL_POLICY_H
#define POOL_POLICY_H
#include "pool/pool.h"

#define POOL_STATES (SANDBOX_DISCARDING + 1)

struct pool {
	struct pool_config config; /* defaults filled in */
	struct pool_ops ops;
	void *arg;
	uint64_t *next_id;
	bool running; /* between pool_start() and pool_drain() */

	struct list sandboxes[POOL_STATES]; /* by state, the longest in it first */
	uint32_t count[POOL_STATES];

	struct list waiters; /* first come, first served */
	uint32_t waiting;
	uint32_t builds_wanted; /* waiters with wants_build: builds to start beyond min */

	bool backing_off; /* as of the last look at the clock */
	uint64_t backoff_ms;
	uint64_t backoff_until_ms;
	uint32_t failures_in_row;
	bool starved; /* as of the last refill */

	uint64_t wake_ms; /* no deadline lies before it; may itself be stale and too early */

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

/* A deadline has come into being. */
void policy_wake_at(struct pool *pool, uint64_t ms);

/* Start what builds are due. */
void policy_refill(struct pool *pool, uint64_t now_ms);

/* A build has failed or could not start: back off, refuse whom nothing in flight can serve. */
void policy_build_failed(struct pool *pool, uint64_t now_ms);
void policy_build_succeeded(struct pool *pool);

/* No sandbox is ready: 0 when it waits now, else as pool_acquire(). */
int policy_wait(struct pool *pool, uint64_t now_ms, const struct pool_request *request,
	enum control_refusal *ret_refusal, uint32_t *ret_retry_ms);

/* The budget has not so much: refused LIMIT. As pool_acquire(). */
int policy_refuse_limit(
	struct pool *pool, enum control_refusal *ret_refusal, uint32_t *ret_retry_ms);

/* Out of the queue with what it was promised, unanswered and not freed. */
void policy_take_waiter(struct pool *pool, struct pool_waiter *waiter);
/* Out of the queue, unanswered, freed. */
void policy_forget_waiter(struct pool *pool, struct pool_waiter *waiter);
/* Out of the queue, answered, freed. */
void policy_refuse(struct pool *pool, struct pool_waiter *waiter, enum control_refusal refusal,
	uint32_t retry_ms);
/* Refuse those whose time is over. */
void policy_expire_waiters(struct pool *pool, uint64_t now_ms);

/* In pool.c: out of its present list, to the tail of the state's. */
void pool_set_state(
	struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox, enum sandbox_state state);
/* In pool.c: out of every list, freed. */
void pool_forget(struct pool *pool, struct pool_sandbox *sandbox);
/* In pool.c: sandboxes in all, whatever state. */
uint32_t pool_total(const struct pool *pool);
#endif
