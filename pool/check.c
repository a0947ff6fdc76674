/* The invariants of pool.h, looked at from outside the code that keeps them. */
#include <errno.h>

#include "base/error.h"
#include "pool/leases.h"
#include "pool/policy.h"

static int broken(struct error *err, const char *what)
{
	return error_set(err, EINVAL, "%s", what);
}

static int check_leased(
	const struct pool *pool, const struct pool_sandbox *sandbox, struct error *err)
{
	uint32_t index = sandbox->due_index;
	uint64_t due_ms = leases_due_ms(sandbox);

	if (list_is_empty(&sandbox->same_bucket))
		return broken(err, "a leased sandbox is not in the table of lessees");
	if (index > pool->due.count || (index > 0 && pool->due.heap[index].sandbox != sandbox))
		return broken(err, "a lease is not where it should be among those due");
	if (index > 1 && pool->due.heap[index].ms < pool->due.heap[index / 2].ms)
		return broken(err, "the first to be due does not stand first");
	if (due_ms != UINT64_MAX && (index == 0 || due_ms < pool->due.heap[index].ms))
		return broken(err, "a lease's limit would be slept through");
	if (sandbox->is_frozen && !pool->ops.freeze)
		return broken(err, "a lease is frozen where nothing can freeze");
	return 0;
}

static int check_unleased(const struct pool_sandbox *sandbox, struct error *err)
{
	if (sandbox->lessee)
		return broken(err, "a sandbox that is not leased has a lessee");
	if (!list_is_empty(&sandbox->by_lessee) || !list_is_empty(&sandbox->same_bucket))
		return broken(err, "a sandbox that is not leased is in a lessee's list");
	if (sandbox->due_index != 0)
		return broken(err, "a sandbox that is not leased has a limit of a lease");
	if (sandbox->is_frozen && sandbox->state != SANDBOX_DISCARDING)
		return broken(err, "a sandbox is frozen that was never leased");
	return 0;
}

static int check_sandbox(const struct pool *pool, const struct pool_sandbox *sandbox,
	unsigned state, struct error *err)
{
	if ((unsigned)sandbox->state != state)
		return broken(err, "a sandbox is in the list of another state");
	if (sandbox->id >= *pool->next_id)
		return broken(err, "a sandbox has an id that was never given");
	return state == SANDBOX_LEASED ? check_leased(pool, sandbox, err)
				       : check_unleased(sandbox, err);
}

static int check_frozen(const struct pool *pool, struct error *err)
{
	uint32_t frozen = 0, limited = 0;

	list_for_each(pos, &pool->sandboxes[SANDBOX_LEASED])
	{
		const struct pool_sandbox *sandbox = list_entry(pos, struct pool_sandbox, list);

		frozen += sandbox->is_frozen;
		limited += sandbox->due_index > 0;
	}
	if (frozen != pool->frozen)
		return broken(err, "the frozen leases do not match their count");
	if (limited != pool->due.count)
		return broken(err, "something is due that is not leased");
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
	if (pool->count[SANDBOX_READY] > 0 && pool_alive(pool) > pool->config.max)
		return broken(err, "a sandbox is ready beyond max");
	if (pool->count[SANDBOX_BUILDING] > pool->config.build_concurrency)
		return broken(err, "more builds are in flight than build concurrency allows");
	return check_frozen(pool, err);
}

static int check_waiters(const struct pool *pool, struct error *err)
{
	uint32_t waiting = 0, builds_wanted = 0;
	uint64_t turn = pool->turn;

	list_for_each(pos, &pool->waiters)
	{
		const struct pool_waiter *waiter = list_entry(pos, struct pool_waiter, list);

		if (++waiting > pool->waiting)
			return broken(err, "the queue is longer than its count");
		builds_wanted += waiter->wants_build;
		if (waiter->turn < turn)
			return broken(err, "the turns of those that wait are out of order");
		turn = waiter->turn;
		if (waiter->until_ms < pool->waiters_until_ms)
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

	if (pool->target < c->min || pool->target > c->max)
		return broken(err, "the target is not in min..max");
	if (pool->backing_off) {
		if (pool->backoff_ms < c->backoff_min_ms || pool->backoff_ms > c->backoff_max_ms)
			return broken(err, "the back-off is out of its range");
		return 0;
	}
	if (pool->running && !pool->stirred && !pool->starved &&
		pool->count[SANDBOX_BUILDING] < c->build_concurrency && pool_total(pool) < c->max &&
		(uint64_t)pool->count[SANDBOX_READY] + pool->count[SANDBOX_BUILDING] <
			(uint64_t)pool->target + pool->builds_wanted)
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
