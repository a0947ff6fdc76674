/* The invariants of pool.h, looked at from outside the code that keeps them. */
#include <errno.h>

#include "base/error.h"
#include "pool/policy.h"

static int broken(struct error *err, const char *what)
{
	return error_set(err, EINVAL, "%s", what);
}

static int check_sandbox(const struct pool *pool, const struct pool_sandbox *sandbox,
	unsigned state, struct error *err)
{
	if ((unsigned)sandbox->state != state)
		return broken(err, "a sandbox is in the list of another state");
	if (sandbox->id >= *pool->next_id)
		return broken(err, "a sandbox has an id that was never given");
	if (state != SANDBOX_LEASED) {
		if (sandbox->lessee)
			return broken(err, "a sandbox that is not leased has a lessee");
		if (!list_is_empty(&sandbox->by_lessee))
			return broken(err, "a sandbox that is not leased is in a lessee's list");
		return 0;
	}
	if (sandbox->deadline_ms < pool->wake_ms)
		return broken(err, "a lease's deadline would be slept through");
	if (sandbox->idle_ms > 0 &&
		policy_add_ms(sandbox->touched_ms, sandbox->idle_ms) < pool->wake_ms)
		return broken(err, "a lease's idle limit would be slept through");
	return 0;
}

static int check_sandboxes(const struct pool *pool, struct error *err)
{
	for (unsigned state = 0; state < POOL_STATES; state++) {
		uint32_t count = 0;
		int r;

		list_for_each(pos, &pool->sandboxes[state])
		{
			if (++count > pool->count[state])
				return broken(err, "a state's list is longer than its count");
			r = check_sandbox(
				pool, list_entry(pos, struct pool_sandbox, list), state, err);
			if (r < 0)
				return r;
		}
		if (count != pool->count[state])
			return broken(err, "a state's list is shorter than its count");
	}
	if (pool_total(pool) > pool->config.max)
		return broken(err, "there are more sandboxes than max");
	if (pool->count[SANDBOX_BUILDING] > pool->config.build_concurrency)
		return broken(err, "more builds are in flight than build concurrency allows");
	return 0;
}

static int check_waiters(const struct pool *pool, struct error *err)
{
	uint32_t waiting = 0, builds_wanted = 0;

	list_for_each(pos, &pool->waiters)
	{
		const struct pool_waiter *waiter = list_entry(pos, struct pool_waiter, list);

		if (++waiting > pool->waiting)
			return broken(err, "the queue is longer than its count");
		builds_wanted += waiter->wants_build;
		if (waiter->until_ms < pool->wake_ms)
			return broken(err, "a waiter's deadline would be slept through");
	}
	if (waiting != pool->waiting || builds_wanted != pool->builds_wanted)
		return broken(err, "the queue does not match its counts");
	if (waiting > pool->config.waiters_max)
		return broken(err, "more acquires wait than may");
	if (waiting > 0 && pool->count[SANDBOX_READY] > 0)
		return broken(err, "an acquire waits while a sandbox is ready");
	if (waiting > 0 && !pool->running)
		return broken(err, "an acquire waits for a pool that stops");
	if (pool->backing_off && waiting > pool->count[SANDBOX_BUILDING])
		return broken(err, "an acquire waits in vain during the back-off");
	return 0;
}

static int check_refill(const struct pool *pool, struct error *err)
{
	const struct pool_config *c = &pool->config;

	if (pool->backing_off) {
		if (pool->backoff_ms < c->backoff_min_ms || pool->backoff_ms > c->backoff_max_ms)
			return broken(err, "the back-off is out of its range");
		if (pool->backoff_until_ms < pool->wake_ms)
			return broken(err, "the end of the back-off would be slept through");
		return 0;
	}
	if (pool->running && !pool->starved &&
		pool->count[SANDBOX_BUILDING] < c->build_concurrency && pool_total(pool) < c->max &&
		(uint64_t)pool->count[SANDBOX_READY] + pool->count[SANDBOX_BUILDING] <
			(uint64_t)c->min + pool->builds_wanted)
		return broken(err, "a build is due and not started");
	return 0;
}

static int check_budget(const struct pool *pool, struct error *err)
{
	uint64_t promised = 0;

	if (!pool->config.budget)
		return 0;
	for (unsigned state = 0; state < POOL_STATES; state++)
		list_for_each(pos, &pool->sandboxes[state]) promised +=
			list_entry(pos, struct pool_sandbox, list)->promised_bytes;
	list_for_each(pos, &pool->waiters) promised +=
		list_entry(pos, struct pool_waiter, list)->promised_bytes;
	if (promised > pool->config.budget->promised_bytes)
		return broken(err, "more is promised than the budget counts");
	return 0;
}

int pool_check(const struct pool *pool, struct error *err)
{
	int r;

	r = check_sandboxes(pool, err);
	if (r < 0)
		return r;
	r = check_waiters(pool, err);
	if (r < 0)
		return r;
	r = check_refill(pool, err);
	return r < 0 ? r : check_budget(pool, err);
}
