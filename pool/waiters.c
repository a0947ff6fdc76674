#include "pool/waiters.h"

#include <errno.h>
#include <stdlib.h>

static int refused(enum control_refusal refusal, uint32_t retry_ms,
	enum control_refusal *ret_refusal, uint32_t *ret_retry_ms)
{
	*ret_refusal = refusal;
	*ret_retry_ms = retry_ms;
	return -EAGAIN;
}

int waiters_refuse_limit(struct pool *pool, uint64_t now_ms, enum control_refusal *ret_refusal,
	uint32_t *ret_retry_ms)
{
	bool is_hopeless = pool_lease_bytes(pool) > pool->config.budget->limit_bytes;

	return refused(REFUSED_LIMIT, is_hopeless ? 0 : policy_retry_lease_ms(pool, now_ms),
		ret_refusal, ret_retry_ms);
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

static struct pool_waiter *of(struct list *pos)
{
	return list_entry(pos, struct pool_waiter, list);
}

/* The turn after its lessee's last one that waits, else after the one that was served last. */
static uint64_t next_turn(const struct pool *pool, const void *lessee)
{
	for (struct list *pos = pool->waiters.prev; pos != &pool->waiters; pos = pos->prev)
		if (of(pos)->lessee == lessee)
			return of(pos)->turn + 1;
	return pool->turn + 1;
}

static void enqueue(struct pool *pool, struct pool_waiter *waiter)
{
	struct list *before = pool->waiters.prev;

	waiter->turn = next_turn(pool, waiter->lessee);
	while (before != &pool->waiters && of(before)->turn > waiter->turn)
		before = before->prev;
	list_prepend(before, &waiter->list);
	pool->waiting++;
	pool->builds_wanted += waiter->wants_build;
	budget_promise(pool, waiter->promised_bytes);
	if (waiter->until_ms < pool->waiters_until_ms)
		pool->waiters_until_ms = waiter->until_ms;
}

int waiters_add(struct pool *pool, uint64_t now_ms, const struct pool_request *request,
	enum control_refusal *ret_refusal, uint32_t *ret_retry_ms)
{
	enum control_on_empty on_empty =
		request->on_empty == ON_EMPTY_DEFAULT ? pool->config.on_empty : request->on_empty;
	struct pool_waiter *waiter;

	policy_look_at_clock(pool, now_ms);
	if (policy_is_broken(pool))
		return refused(
			REFUSED_BROKEN, policy_retry_ms(pool, now_ms), ret_refusal, ret_retry_ms);
	if (on_empty == ON_EMPTY_FAIL || pool->waiting >= pool->config.waiters_max)
		return refused(
			REFUSED_EMPTY, policy_retry_ms(pool, now_ms), ret_refusal, ret_retry_ms);
	if (!budget_fits(pool, pool_lease_bytes(pool)))
		return waiters_refuse_limit(pool, now_ms, ret_refusal, ret_retry_ms);

	waiter = waiter_new(pool, now_ms, request, on_empty);
	if (!waiter) {
		*ret_retry_ms = policy_retry_ms(pool, now_ms);
		return -ENOMEM;
	}
	enqueue(pool, waiter);
	return 0;
}

struct pool_waiter *waiters_first(const struct pool *pool)
{
	return list_first(&pool->waiters, struct pool_waiter, list);
}

static void leave(struct pool *pool, struct pool_waiter *waiter)
{
	list_remove(&waiter->list);
	pool->waiting--;
	pool->builds_wanted -= waiter->wants_build;
	budget_release(pool, waiter->promised_bytes);
}

void waiters_take(struct pool *pool, struct pool_waiter *waiter)
{
	leave(pool, waiter);
	pool->turn = waiter->turn;
}

static void refuse(struct pool *pool, struct pool_waiter *waiter, enum control_refusal refusal,
	uint32_t retry_ms)
{
	leave(pool, waiter);
	pool->ops.refuse(pool->arg, waiter, refusal, retry_ms);
	free(waiter);
}

void waiters_lessee_gone(struct pool *pool, const void *lessee)
{
	list_for_each_safe(pos, next, &pool->waiters)
	{
		if (of(pos)->lessee != lessee)
			continue;
		leave(pool, of(pos));
		free(of(pos));
	}
}

void waiters_destroy(struct pool *pool)
{
	list_for_each_safe(pos, next, &pool->waiters)
	{
		leave(pool, of(pos));
		free(of(pos));
	}
}

void waiters_expire(struct pool *pool, uint64_t now_ms)
{
	if (now_ms < pool->waiters_until_ms)
		return;
	pool->waiters_until_ms = UINT64_MAX;
	list_for_each_safe(pos, next, &pool->waiters)
	{
		uint64_t until_ms = of(pos)->until_ms;

		if (now_ms >= until_ms)
			refuse(pool, of(pos), REFUSED_TIMEOUT, policy_retry_ms(pool, now_ms));
		else if (until_ms < pool->waiters_until_ms)
			pool->waiters_until_ms = until_ms;
	}
}

void waiters_refuse_stranded(struct pool *pool, uint64_t now_ms)
{
	uint32_t served = pool->count[SANDBOX_BUILDING];

	list_for_each_safe(pos, next, &pool->waiters)
	{
		if (served > 0)
			served--;
		else
			refuse(pool, of(pos), REFUSED_BROKEN, policy_retry_ms(pool, now_ms));
	}
}

void waiters_refuse_all(struct pool *pool, enum control_refusal refusal)
{
	list_for_each_safe(pos, next, &pool->waiters) refuse(pool, of(pos), refusal, 0);
}
