#include "pool/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "pool/leases.h"
#include "pool/policy.h"
#include "pool/waiters.h"

#define WAIT_MS	       UINT64_C(10000)
#define BACKOFF_MIN_MS UINT64_C(100)
#define BACKOFF_MAX_MS UINT64_C(30000)

/* Fill in what was left 0, then look whether it makes sense. */
static int config_complete(struct pool_config *c, struct error *err)
{
	if (c->wait_ms == 0)
		c->wait_ms = WAIT_MS;
	if (c->backoff_min_ms == 0)
		c->backoff_min_ms = BACKOFF_MIN_MS;
	if (c->backoff_max_ms == 0)
		c->backoff_max_ms =
			c->backoff_min_ms > BACKOFF_MAX_MS ? c->backoff_min_ms : BACKOFF_MAX_MS;
	if (c->on_empty == ON_EMPTY_DEFAULT)
		c->on_empty = ON_EMPTY_BUILD;

	if (c->max < 1 || c->max > POOL_SANDBOXES_MAX)
		return error_set(err, EINVAL, "max %u is not in 1..%u", c->max, POOL_SANDBOXES_MAX);
	if (c->min > c->max)
		return error_set(err, EINVAL, "min %u is more than max %u", c->min, c->max);
	if (c->build_concurrency < 1)
		return error_set(err, EINVAL, "build concurrency is 0");
	if (c->on_empty != ON_EMPTY_BUILD && c->on_empty != ON_EMPTY_WAIT &&
		c->on_empty != ON_EMPTY_FAIL)
		return error_set(err, EINVAL, "on-empty %u is unknown", (unsigned)c->on_empty);
	if (c->backoff_min_ms > c->backoff_max_ms)
		return error_set(err, EINVAL, "the shortest back-off is longer than the longest");
	return 0;
}

int pool_create(const struct pool_config *config, const struct pool_ops *ops, void *arg,
	uint64_t *next_id, struct pool **ret_pool, struct error *err)
{
	struct pool_config complete = *config;
	struct pool *pool;
	int r;

	r = config_complete(&complete, err);
	if (r < 0)
		return error_prefix(err, r, "pool");

	pool = calloc(1, sizeof(*pool));
	if (!pool || due_init(&pool->due) < 0) {
		free(pool);
		return error_set(err, ENOMEM, "pool: out of memory");
	}
	pool->config = complete;
	pool->ops = *ops;
	pool->arg = arg;
	pool->next_id = next_id;
	pool->target = complete.min;
	pool->waiters_until_ms = pool->shrink_ms = pool->look_ms = UINT64_MAX;
	list_init(&pool->waiters);
	for (unsigned state = 0; state < POOL_STATES; state++)
		list_init(&pool->sandboxes[state]);
	for (unsigned i = 0; i < 1 << POOL_LESSEE_BITS; i++)
		list_init(&pool->lessees[i]);
	*ret_pool = pool;
	return 0;
}

int pool_set_limits(
	struct pool *pool, uint64_t now_ms, uint32_t min, uint32_t max, struct error *err)
{
	struct pool_config changed = pool->config;
	int r;

	changed.min = min;
	changed.max = max;
	r = config_complete(&changed, err);
	if (r < 0)
		return error_prefix(err, r, "pool");
	pool->config = changed;
	pool->stirred = true;
	policy_aim(pool, now_ms);
	policy_keep_max(pool, now_ms);
	return 0;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	for (unsigned state = 0; state < POOL_STATES; state++)
		list_for_each_safe(pos, next, &pool->sandboxes[state])
			pool_forget(pool, list_entry(pos, struct pool_sandbox, list));
	waiters_destroy(pool);
	due_finish(&pool->due);
	free(pool);
}

uint32_t pool_total(const struct pool *pool)
{
	return pool->count[SANDBOX_BUILDING] + pool->count[SANDBOX_READY] +
	       pool->count[SANDBOX_LEASED] + pool->count[SANDBOX_DISCARDING];
}

uint32_t pool_alive(const struct pool *pool)
{
	return pool_total(pool) - pool->count[SANDBOX_DISCARDING];
}

struct pool_sandbox *pool_oldest_ready(const struct pool *pool)
{
	return list_first(&pool->sandboxes[SANDBOX_READY], struct pool_sandbox, list);
}

void pool_set_state(
	struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox, enum sandbox_state state)
{
	if (!list_is_empty(&sandbox->list))
		pool->count[sandbox->state]--;
	list_remove(&sandbox->list);
	list_append(&pool->sandboxes[state], &sandbox->list);
	pool->count[state]++;
	sandbox->state = state;
	sandbox->state_since_ms = now_ms;
}

void pool_discard(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	if (sandbox->state == SANDBOX_LEASED)
		leases_leave(pool, now_ms, sandbox);
	list_remove(&sandbox->by_lessee);
	sandbox->lessee = NULL;
	pool_set_state(pool, now_ms, sandbox, SANDBOX_DISCARDING);
	pool->stirred = true;
	pool->ops.discard(pool->arg, sandbox);
}

void pool_forget(struct pool *pool, struct pool_sandbox *sandbox)
{
	pool->count[sandbox->state]--;
	pool->stirred = true;
	budget_release(pool, sandbox->promised_bytes);
	list_remove(&sandbox->list);
	list_remove(&sandbox->by_lessee);
	list_remove(&sandbox->same_bucket);
	free(sandbox);
}

/* From now on it counts with what its lease was promised. */
static void promise_lease(struct pool *pool, struct pool_sandbox *sandbox, uint64_t bytes)
{
	budget_release(pool, sandbox->promised_bytes);
	budget_promise(pool, bytes);
	sandbox->promised_bytes = bytes;
}

void pool_start(struct pool *pool, uint64_t now_ms)
{
	pool->running = true;
	pool->stirred = true;
	policy_aim(pool, now_ms);
}

int pool_acquire(struct pool *pool, uint64_t now_ms, const struct pool_request *request,
	struct pool_sandbox **ret_sandbox, enum control_refusal *ret_refusal,
	uint32_t *ret_retry_ms)
{
	struct pool_sandbox *sandbox = pool_oldest_ready(pool);
	uint64_t lease_bytes;
	int r;

	if (!pool->running) {
		*ret_refusal = REFUSED_STOPPING;
		*ret_retry_ms = 0;
		return -EAGAIN;
	}
	pool->demand.arrived++;
	pool->shrink_ms = UINT64_MAX;
	pool->stirred = true;
	if (!sandbox) {
		pool->counters.misses++;
		r = waiters_add(pool, now_ms, request, ret_refusal, ret_retry_ms);
		return r < 0 ? r : -EINPROGRESS;
	}
	lease_bytes = budget_lease_cost(pool, sandbox);
	if (!budget_fits(pool, lease_bytes - sandbox->promised_bytes))
		return waiters_refuse_limit(pool, now_ms, ret_refusal, ret_retry_ms);

	promise_lease(pool, sandbox, lease_bytes);
	leases_start(pool, now_ms, sandbox, request->lessee, request->lease_ms, request->idle_ms);
	*ret_sandbox = sandbox;
	return 0;
}

void pool_release(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	/* The lease may have ended by itself a moment before. */
	if (sandbox->state == SANDBOX_LEASED)
		pool_discard(pool, now_ms, sandbox);
}

int pool_kill(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	if (sandbox->state != SANDBOX_LEASED)
		return -ESTALE;
	leases_end(pool, now_ms, sandbox, LEASE_KILLED);
	return 0;
}

void pool_touch(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	if (sandbox->state == SANDBOX_LEASED)
		leases_touch(pool, now_ms, sandbox);
}

void pool_lessee_gone(struct pool *pool, uint64_t now_ms, void *lessee)
{
	waiters_lessee_gone(pool, lessee);
	leases_lessee_gone(pool, now_ms, lessee);
}

static void grant(struct pool *pool, uint64_t now_ms, struct pool_waiter *waiter,
	struct pool_sandbox *sandbox)
{
	enum control_rung rung = sandbox->for_waiter ? RUNG_BUILT : RUNG_WAITED;

	waiters_take(pool, waiter);
	promise_lease(pool, sandbox, waiter->promised_bytes);
	leases_start(pool, now_ms, sandbox, waiter->lessee, waiter->lease_ms, waiter->idle_ms);
	pool->ops.grant(pool->arg, waiter, sandbox, rung);
	free(waiter);
}

void pool_built(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox, uint64_t build_ns)
{
	struct pool_waiter *waiter = waiters_first(pool);

	if (sandbox->state != SANDBOX_BUILDING)
		return;
	pool->stirred = true;
	sandbox->build_ns = build_ns;
	policy_build_succeeded(pool, now_ms, sandbox);
	pool_set_state(pool, now_ms, sandbox, SANDBOX_READY);
	if (!pool->running)
		pool_discard(pool, now_ms, sandbox);
	else if (waiter)
		grant(pool, now_ms, waiter, sandbox);
	else
		policy_keep_max(pool, now_ms);
}

void pool_build_failed(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	pool_forget(pool, sandbox);
	policy_build_failed(pool, now_ms);
}

void pool_died(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox,
	enum lease_end_reason reason)
{
	switch (sandbox->state) {
	case SANDBOX_BUILDING:
		pool_build_failed(pool, now_ms, sandbox);
		return;
	case SANDBOX_LEASED:
		pool->ops.ended(pool->arg, sandbox, reason);
		leases_leave(pool, now_ms, sandbox);
		pool->counters.deaths++;
		break;
	case SANDBOX_READY:
		pool->counters.deaths++;
		break;
	case SANDBOX_DISCARDING:
		break;
	}
	pool_forget(pool, sandbox);
}

void pool_gone(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	(void)now_ms;
	pool_forget(pool, sandbox);
}

void pool_suspect(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	if (sandbox->state != SANDBOX_READY)
		return;
	pool->counters.deaths++;
	pool_discard(pool, now_ms, sandbox);
}

uint64_t pool_tick(struct pool *pool, uint64_t now_ms)
{
	const struct due_entry *first;
	uint64_t next_ms;

	policy_look_at_clock(pool, now_ms);
	leases_expire(pool, now_ms);
	waiters_expire(pool, now_ms);
	policy_aim(pool, now_ms);
	policy_refill(pool, now_ms);
	pool->stirred = false;

	first = due_first(&pool->due);
	next_ms = first && first->ms < pool->look_ms ? first->ms : pool->look_ms;
	if (pool->waiters_until_ms < next_ms)
		next_ms = pool->waiters_until_ms;
	return next_ms == UINT64_MAX ? UINT64_MAX : next_ms - now_ms;
}

void pool_drain(struct pool *pool, uint64_t now_ms)
{
	pool->running = false;
	waiters_refuse_all(pool, REFUSED_STOPPING);
	list_for_each_safe(pos, next, &pool->sandboxes[SANDBOX_LEASED]) leases_end(
		pool, now_ms, list_entry(pos, struct pool_sandbox, list), LEASE_SHUTDOWN);
	list_for_each_safe(pos, next, &pool->sandboxes[SANDBOX_READY])
		pool_discard(pool, now_ms, list_entry(pos, struct pool_sandbox, list));
	/* What is being built is discarded when it is: a builder cannot be interrupted halfway. */
}

bool pool_is_empty(const struct pool *pool)
{
	return pool_total(pool) == 0;
}

void pool_get_counters(const struct pool *pool, struct pool_counters *ret_counters)
{
	*ret_counters = pool->counters;
	ret_counters->building = pool->count[SANDBOX_BUILDING];
	ret_counters->ready = pool->count[SANDBOX_READY];
	ret_counters->leased = pool->count[SANDBOX_LEASED];
	ret_counters->discarding = pool->count[SANDBOX_DISCARDING];
	ret_counters->waiting = pool->waiting;
	ret_counters->frozen = pool->frozen;
}

uint32_t pool_target(const struct pool *pool)
{
	return pool->target;
}

void pool_for_each(
	struct pool *pool, void (*visit)(void *arg, struct pool_sandbox *sandbox), void *arg)
{
	for (unsigned state = 0; state < POOL_STATES; state++)
		list_for_each(pos, &pool->sandboxes[state])
			visit(arg, list_entry(pos, struct pool_sandbox, list));
}

uint32_t pool_failures_in_row(const struct pool *pool)
{
	return pool->failures_in_row;
}
