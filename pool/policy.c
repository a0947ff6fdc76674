#include "pool/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "pool/waiters.h"

/* To whom nothing better can be told: a build takes far less, a lease far longer. */
#define RETRY_MS     100
#define RETRY_MAX_MS 60000 /* a lease may end long before its time */

/*
 * More ready ones than the target go when nobody has come for a while, a few at a time: whoever
 * comes meanwhile takes what is too many, and what is kept a little longer costs less than builds.
 */
#define SHRINK_QUIET_MS 5000
#define SHRINK_STEP_MS	1000
#define SHRINK_PART	64 /* and at least one */

#define LOOK_MS 1000 /* while demand fades, or an old one cannot be renewed */

uint64_t policy_add_ms(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint32_t clamp_ms(uint64_t ms, uint32_t most)
{
	return ms == 0 ? 1 : ms > most ? most : (uint32_t)ms;
}

uint32_t policy_retry_lease_ms(const struct pool *pool, uint64_t now_ms)
{
	const struct due_entry *first = due_first(&pool->due);
	uint64_t ms = RETRY_MS;

	if (pool->held_ms > 0 && pool->count[SANDBOX_LEASED] > 0)
		ms = (uint64_t)(pool->held_ms * (pool->waiting + 1) / pool->count[SANDBOX_LEASED]);
	if (first && first->ms < policy_add_ms(now_ms, ms))
		ms = first->ms > now_ms ? first->ms - now_ms : 1;
	return clamp_ms(ms, RETRY_MAX_MS);
}

uint32_t policy_retry_ms(const struct pool *pool, uint64_t now_ms)
{
	uint32_t turns = pool->waiting / pool->config.build_concurrency + 1;

	if (pool->backing_off)
		return clamp_ms(
			pool->backoff_until_ms > now_ms ? pool->backoff_until_ms - now_ms : 1,
			UINT32_MAX);
	if (pool_total(pool) >= pool->config.max && pool->count[SANDBOX_BUILDING] == 0 &&
		pool->count[SANDBOX_DISCARDING] == 0)
		return policy_retry_lease_ms(pool, now_ms);
	if (pool->demand.build_s > 0)
		return clamp_ms((uint64_t)(pool->demand.build_s * 1000 * turns) + 1, RETRY_MAX_MS);
	return RETRY_MS;
}

bool policy_is_broken(const struct pool *pool)
{
	return pool->backing_off && pool->count[SANDBOX_BUILDING] <= pool->waiting;
}

void policy_build_failed(struct pool *pool, uint64_t now_ms)
{
	const struct pool_config *c = &pool->config;

	pool->counters.build_failures++;
	pool->failures_in_row++;

	/* Builds of one wave fail together: only a failure after the pause was over doubles it. */
	if (!pool->backing_off || now_ms >= pool->backoff_until_ms) {
		if (pool->backoff_ms == 0)
			pool->backoff_ms = c->backoff_min_ms;
		else
			pool->backoff_ms = pool->backoff_ms > c->backoff_max_ms / 2
						   ? c->backoff_max_ms
						   : pool->backoff_ms * 2;
		pool->backoff_until_ms = policy_add_ms(now_ms, pool->backoff_ms);
		pool->backing_off = true;
	}
	waiters_refuse_stranded(pool, now_ms);
}

void policy_build_succeeded(struct pool *pool, uint64_t now_ms, const struct pool_sandbox *sandbox)
{
	uint64_t queued_ms = now_ms > sandbox->created_ms ? now_ms - sandbox->created_ms : 0;
	uint64_t queued_ns = queued_ms > UINT64_MAX / 1000000 ? UINT64_MAX : queued_ms * 1000000;

	/* The embedder may let a build wait before it begins: that counts. */
	demand_built(&pool->demand, queued_ns > sandbox->build_ns ? queued_ns : sandbox->build_ns);
	pool->backing_off = false;
	pool->backoff_ms = 0;
	pool->failures_in_row = 0;
}

void policy_look_at_clock(struct pool *pool, uint64_t now_ms)
{
	if (pool->backing_off && now_ms >= pool->backoff_until_ms)
		pool->backing_off = false;
}

void policy_aim(struct pool *pool, uint64_t now_ms)
{
	const struct pool_config *c = &pool->config;
	uint32_t most = c->target_max > 0 && c->target_max < c->max ? c->target_max : c->max;

	demand_look(&pool->demand, now_ms);
	pool->target = demand_wanted(&pool->demand, most);
	if (pool->target < c->min)
		pool->target = c->min;
}

static uint64_t coming(const struct pool *pool)
{
	return (uint64_t)pool->count[SANDBOX_READY] + pool->count[SANDBOX_BUILDING];
}

static uint64_t wanted(const struct pool *pool)
{
	return (uint64_t)pool->target + pool->builds_wanted;
}

static bool may_build(const struct pool *pool)
{
	return pool->running && !pool->backing_off &&
	       pool->count[SANDBOX_BUILDING] < pool->config.build_concurrency &&
	       pool_total(pool) < pool->config.max;
}

/* When it fails, that is said and the back-off has begun. */
static void start_build(struct pool *pool, uint64_t now_ms)
{
	struct pool_sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox) {
		policy_build_failed(pool, now_ms);
		return;
	}
	list_init(&sandbox->list);
	list_init(&sandbox->by_lessee);
	list_init(&sandbox->same_bucket);
	sandbox->id = (*pool->next_id)++;
	sandbox->created_ms = now_ms;
	sandbox->deadline_ms = UINT64_MAX;
	/* More wait for builds than are under way. */
	sandbox->for_waiter = pool->builds_wanted > pool->count[SANDBOX_BUILDING];
	sandbox->promised_bytes = pool->config.idle_bytes;
	budget_promise(pool, sandbox->promised_bytes);
	pool_set_state(pool, now_ms, sandbox, SANDBOX_BUILDING);

	if (pool->ops.build(pool->arg, sandbox) < 0) {
		pool_forget(pool, sandbox);
		policy_build_failed(pool, now_ms);
	}
}

static void build_missing(struct pool *pool, uint64_t now_ms)
{
	pool->starved = false;
	while (may_build(pool) && coming(pool) < wanted(pool)) {
		/* Of who waits already, the lease is promised. */
		if (pool->waiting <= pool->count[SANDBOX_BUILDING] &&
			!budget_fits(pool, pool_lease_bytes(pool))) {
			pool->starved = true;
			return;
		}
		start_build(pool, now_ms);
	}
}

static uint64_t old_from_ms(const struct pool *pool, const struct pool_sandbox *sandbox)
{
	return pool->config.ttl_ms == 0
		       ? UINT64_MAX
		       : policy_add_ms(sandbox->state_since_ms, pool->config.ttl_ms);
}

static struct pool_sandbox *old_one(const struct pool *pool, uint64_t now_ms)
{
	struct pool_sandbox *oldest = pool_oldest_ready(pool);

	return oldest && now_ms >= old_from_ms(pool, oldest) ? oldest : NULL;
}

/*
 * One old one after the other: what shall replace it is built first. Where there is no room for both
 * it goes first, when nothing else is on its way.
 */
static void renew_old(struct pool *pool, uint64_t now_ms)
{
	struct pool_sandbox *old = old_one(pool, now_ms);

	if (old && pool->count[SANDBOX_READY] > pool->target) {
		pool_discard(pool, now_ms, old);
		old = old_one(pool, now_ms);
	}
	if (!old || coming(pool) > wanted(pool))
		return;
	if (may_build(pool) && budget_fits(pool, pool_lease_bytes(pool))) {
		start_build(pool, now_ms);
		return;
	}
	if (pool->count[SANDBOX_BUILDING] == 0 && pool->count[SANDBOX_DISCARDING] == 0 &&
		budget_fits(pool, budget_lease_cost(pool, old) - old->promised_bytes)) {
		pool_discard(pool, now_ms, old);
		build_missing(pool, now_ms); /* it cannot, before that one is gone: it notes why */
	}
}

static void shrink(struct pool *pool, uint64_t now_ms)
{
	uint32_t too_many;

	if (pool->count[SANDBOX_READY] <= pool->target) {
		pool->shrink_ms = UINT64_MAX;
		return;
	}
	if (pool->shrink_ms == UINT64_MAX)
		pool->shrink_ms = policy_add_ms(now_ms, SHRINK_QUIET_MS);
	if (now_ms < pool->shrink_ms)
		return;
	too_many = pool->count[SANDBOX_READY] - pool->target;
	for (uint32_t left = 1 + (too_many - 1) / SHRINK_PART; left > 0; left--)
		pool_discard(pool, now_ms, pool_oldest_ready(pool));
	pool->shrink_ms = policy_add_ms(now_ms, SHRINK_STEP_MS);
}

static void look_at(struct pool *pool, uint64_t ms)
{
	if (ms < pool->look_ms)
		pool->look_ms = ms;
}

void policy_refill(struct pool *pool, uint64_t now_ms)
{
	struct pool_sandbox *oldest;

	build_missing(pool, now_ms);
	pool->look_ms = UINT64_MAX;
	if (!pool->running)
		return;
	if (pool->backing_off) { /* while builds fail, nothing is given up that works */
		look_at(pool, pool->backoff_until_ms);
		return;
	}
	shrink(pool, now_ms);
	renew_old(pool, now_ms);

	look_at(pool, pool->shrink_ms);
	if (pool->target > pool->config.min)
		look_at(pool, policy_add_ms(now_ms, LOOK_MS));
	oldest = pool_oldest_ready(pool);
	if (oldest)
		look_at(pool, old_one(pool, now_ms) ? policy_add_ms(now_ms, LOOK_MS)
						    : old_from_ms(pool, oldest));
}

void policy_keep_max(struct pool *pool, uint64_t now_ms)
{
	struct pool_sandbox *oldest;

	while (pool_alive(pool) > pool->config.max && (oldest = pool_oldest_ready(pool)))
		pool_discard(pool, now_ms, oldest);
}
