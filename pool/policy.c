#include "pool/policy.h"

#include <errno.h>
#include <stdlib.h>

/* To whom nothing better can be told: a build takes far less, a lease far longer. */
#define RETRY_MS 100

uint64_t policy_add_ms(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void policy_wake_at(struct pool *pool, uint64_t ms)
{
	if (ms < pool->wake_ms)
		pool->wake_ms = ms;
}

static uint32_t retry_ms(const struct pool *pool, uint64_t now_ms)
{
	uint64_t left;

	if (!pool->backing_off)
		return RETRY_MS;
	if (pool->backoff_until_ms <= now_ms)
		return 1;
	left = pool->backoff_until_ms - now_ms;
	return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

/* One more acquire would find nothing in flight for it, and nothing will be started. */
static bool is_broken(const struct pool *pool)
{
	return pool->backing_off && pool->count[SANDBOX_BUILDING] <= pool->waiting;
}

/* The first in the queue keep the builds in flight; the others must not wait for a lost cause. */
static void refuse_stranded(struct pool *pool, uint64_t now_ms)
{
	uint32_t served = pool->count[SANDBOX_BUILDING];

	list_for_each_safe(pos, next, &pool->waiters)
	{
		if (served > 0) {
			served--;
			continue;
		}
		policy_refuse(pool, list_entry(pos, struct pool_waiter, list), REFUSED_BROKEN,
			retry_ms(pool, now_ms));
	}
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
		policy_wake_at(pool, pool->backoff_until_ms);
	}
	refuse_stranded(pool, now_ms);
}

void policy_build_succeeded(struct pool *pool)
{
	pool->backing_off = false;
	pool->backoff_ms = 0;
	pool->failures_in_row = 0;
}

/* More wait for builds than are under way. */
static bool is_for_waiter(const struct pool *pool)
{
	return pool->builds_wanted > pool->count[SANDBOX_BUILDING];
}

/* Whoever will lease what is begun now waits already; one that comes just now is not yet in the queue. */
static bool is_promised(const struct pool *pool)
{
	return is_for_waiter(pool) || pool->waiting > pool->count[SANDBOX_BUILDING];
}

/* 0 or -errno: memory, or what ops.build() said. */
static int start_build(struct pool *pool, uint64_t now_ms)
{
	struct pool_sandbox *sandbox = calloc(1, sizeof(*sandbox));
	int r;

	if (!sandbox)
		return -ENOMEM;
	list_init(&sandbox->list);
	list_init(&sandbox->by_lessee);
	sandbox->id = (*pool->next_id)++;
	sandbox->created_ms = now_ms;
	sandbox->deadline_ms = UINT64_MAX;
	sandbox->for_waiter = is_for_waiter(pool);
	sandbox->promised_bytes = pool->config.idle_bytes;
	budget_promise(pool, sandbox->promised_bytes);
	pool_set_state(pool, now_ms, sandbox, SANDBOX_BUILDING);

	r = pool->ops.build(pool->arg, sandbox);
	if (r < 0)
		pool_forget(pool, sandbox);
	return r;
}

void policy_refill(struct pool *pool, uint64_t now_ms)
{
	const struct pool_config *c = &pool->config;
	uint64_t coming;

	if (pool->backing_off && now_ms >= pool->backoff_until_ms)
		pool->backing_off = false;

	pool->starved = false;
	while (pool->running && !pool->backing_off &&
		pool->count[SANDBOX_BUILDING] < c->build_concurrency && pool_total(pool) < c->max) {
		coming = (uint64_t)pool->count[SANDBOX_READY] + pool->count[SANDBOX_BUILDING];
		if (coming >= (uint64_t)c->min + pool->builds_wanted)
			return;
		if (!is_promised(pool) && !budget_fits(pool, pool_lease_bytes(pool))) {
			pool->starved = true;
			return;
		}
		if (start_build(pool, now_ms) < 0)
			policy_build_failed(pool, now_ms);
	}
}

static int refused(struct pool *pool, uint64_t now_ms, enum control_refusal refusal,
	enum control_refusal *ret_refusal, uint32_t *ret_retry_ms)
{
	pool->counters.refused++;
	*ret_refusal = refusal;
	*ret_retry_ms = retry_ms(pool, now_ms);
	return -EAGAIN;
}

int policy_refuse_limit(
	struct pool *pool, enum control_refusal *ret_refusal, uint32_t *ret_retry_ms)
{
	bool is_hopeless = pool_lease_bytes(pool) > pool->config.budget->limit_bytes;

	pool->counters.refused++;
	*ret_refusal = REFUSED_LIMIT;
	*ret_retry_ms = is_hopeless ? 0 : RETRY_MS;
	return -EAGAIN;
}

static struct pool_waiter *waiter_new(const struct pool *pool, uint64_t now_ms,
	const struct pool_request *request, enum control_on_empty on_empty)
{
	struct pool_waiter *waiter = calloc(1, sizeof(*waiter));
	uint64_t wait_ms = pool->config.wait_ms;

	if (!waiter)
		return NULL;
	if (request->wait_ms > 0 && request->wait_ms < wait_ms)
		wait_ms = request->wait_ms;
	waiter->lessee = request->lessee;
	waiter->request_id = request->request_id;
	waiter->asked_ms = now_ms;
	waiter->arrived_ns = request->arrived_ns;
	waiter->data = request->data;
	waiter->until_ms = policy_add_ms(now_ms, wait_ms);
	waiter->lease_ms = request->lease_ms;
	waiter->idle_ms = request->idle_ms;
	waiter->wants_build = on_empty == ON_EMPTY_BUILD;
	waiter->promised_bytes = pool_lease_bytes(pool);
	return waiter;
}

int policy_wait(struct pool *pool, uint64_t now_ms, const struct pool_request *request,
	enum control_refusal *ret_refusal, uint32_t *ret_retry_ms)
{
	enum control_on_empty on_empty =
		request->on_empty == ON_EMPTY_DEFAULT ? pool->config.on_empty : request->on_empty;
	struct pool_waiter *waiter;

	policy_refill(pool, now_ms); /* the back-off may be over */
	if (is_broken(pool))
		return refused(pool, now_ms, REFUSED_BROKEN, ret_refusal, ret_retry_ms);
	if (on_empty == ON_EMPTY_FAIL || pool->waiting >= pool->config.waiters_max)
		return refused(pool, now_ms, REFUSED_EMPTY, ret_refusal, ret_retry_ms);
	if (!budget_fits(pool, pool_lease_bytes(pool)))
		return policy_refuse_limit(pool, ret_refusal, ret_retry_ms);

	waiter = waiter_new(pool, now_ms, request, on_empty);
	if (!waiter) {
		pool->counters.refused++;
		*ret_retry_ms = RETRY_MS;
		return -ENOMEM;
	}

	/* It joins the queue after its build has started: refuse() must not come from within. */
	budget_promise(pool, waiter->promised_bytes);
	pool->builds_wanted += waiter->wants_build;
	policy_refill(pool, now_ms);
	if (is_broken(pool)) {
		budget_release(pool, waiter->promised_bytes);
		pool->builds_wanted -= waiter->wants_build;
		free(waiter);
		return refused(pool, now_ms, REFUSED_BROKEN, ret_refusal, ret_retry_ms);
	}
	list_append(&pool->waiters, &waiter->list);
	pool->waiting++;
	policy_wake_at(pool, waiter->until_ms);
	return 0;
}

void policy_take_waiter(struct pool *pool, struct pool_waiter *waiter)
{
	list_remove(&waiter->list);
	pool->waiting--;
	pool->builds_wanted -= waiter->wants_build;
	budget_release(pool, waiter->promised_bytes);
}

void policy_forget_waiter(struct pool *pool, struct pool_waiter *waiter)
{
	policy_take_waiter(pool, waiter);
	free(waiter);
}

void policy_refuse(struct pool *pool, struct pool_waiter *waiter, enum control_refusal refusal,
	uint32_t retry_after_ms)
{
	policy_take_waiter(pool, waiter);
	pool->counters.refused++;
	pool->ops.refuse(pool->arg, waiter, refusal, retry_after_ms);
	free(waiter);
}

void policy_expire_waiters(struct pool *pool, uint64_t now_ms)
{
	list_for_each_safe(pos, next, &pool->waiters)
	{
		struct pool_waiter *waiter = list_entry(pos, struct pool_waiter, list);

		if (now_ms < waiter->until_ms)
			policy_wake_at(pool, waiter->until_ms);
		else if (waiter->until_ms != UINT64_MAX)
			policy_refuse(pool, waiter, REFUSED_TIMEOUT, retry_ms(pool, now_ms));
	}
}
