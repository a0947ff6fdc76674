#include "pool/leases.h"

#define HELD_WEIGHT 0.125 /* of the latest lease in the average of how long they last */

/* The asked limit, but never beyond the pool's; 0 is none. */
static uint64_t limit_ms(uint32_t asked_ms, uint64_t pool_ms)
{
	if (asked_ms == 0 || (pool_ms > 0 && pool_ms < asked_ms))
		return pool_ms;
	return asked_ms;
}

/* Frozen: when it ends. Else: when it has been idle for too long. */
static uint64_t idle_until(const struct pool_sandbox *sandbox)
{
	if (sandbox->is_frozen)
		return sandbox->frozen_until_ms;
	return sandbox->idle_ms == 0 ? UINT64_MAX
				     : policy_add_ms(sandbox->touched_ms, sandbox->idle_ms);
}

uint64_t leases_due_ms(const struct pool_sandbox *sandbox)
{
	uint64_t until_ms = idle_until(sandbox);

	return until_ms < sandbox->deadline_ms ? until_ms : sandbox->deadline_ms;
}

static struct list *bucket(struct pool *pool, const void *lessee)
{
	uint64_t hash = (uint64_t)(uintptr_t)lessee * UINT64_C(0x9e3779b97f4a7c15);

	return &pool->lessees[hash >> (64 - POOL_LESSEE_BITS)];
}

void leases_start(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox, void *lessee,
	uint32_t lease_ms, uint32_t idle_ms)
{
	uint64_t longest_ms = limit_ms(lease_ms, pool->config.lease_ms);

	pool_set_state(pool, now_ms, sandbox, SANDBOX_LEASED);
	sandbox->lessee = lessee;
	list_append(bucket(pool, lessee), &sandbox->same_bucket);
	sandbox->deadline_ms = longest_ms == 0 ? UINT64_MAX : policy_add_ms(now_ms, longest_ms);
	sandbox->idle_ms = limit_ms(idle_ms, pool->config.idle_ms);
	sandbox->touched_ms = now_ms;
	due_set(&pool->due, sandbox, leases_due_ms(sandbox));
}

void leases_leave(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	double held_ms =
		now_ms > sandbox->state_since_ms ? (double)(now_ms - sandbox->state_since_ms) : 0;

	if (pool->held_ms > 0)
		held_ms = pool->held_ms + (held_ms - pool->held_ms) * HELD_WEIGHT;
	pool->held_ms = held_ms;
	pool->frozen -= sandbox->is_frozen;
	due_set(&pool->due, sandbox, UINT64_MAX);
	list_remove(&sandbox->same_bucket);
}

void leases_end(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox,
	enum lease_end_reason reason)
{
	pool->ops.ended(pool->arg, sandbox, reason);
	pool_discard(pool, now_ms, sandbox);
}

static void freeze(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	uint64_t frozen_ms = pool->config.frozen_ms > 0 ? pool->config.frozen_ms : sandbox->idle_ms;
	uint64_t due_ms;

	sandbox->is_frozen = true;
	sandbox->frozen_until_ms = policy_add_ms(now_ms, frozen_ms);
	pool->frozen++;
	due_ms = leases_due_ms(sandbox);
	due_set(&pool->due, sandbox, due_ms);
	pool->ops.freeze(pool->arg, sandbox, true, due_ms == UINT64_MAX ? due_ms : due_ms - now_ms);
}

void leases_touch(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	if (now_ms > sandbox->touched_ms)
		sandbox->touched_ms = now_ms;
	if (!sandbox->is_frozen)
		return;
	sandbox->is_frozen = false;
	pool->frozen--;
	due_set(&pool->due, sandbox, leases_due_ms(sandbox));
	pool->ops.freeze(pool->arg, sandbox, false, 0);
}

void leases_lessee_gone(struct pool *pool, uint64_t now_ms, const void *lessee)
{
	list_for_each_safe(pos, next, bucket(pool, lessee))
	{
		struct pool_sandbox *sandbox = list_entry(pos, struct pool_sandbox, same_bucket);

		if (sandbox->lessee == lessee)
			pool_discard(pool, now_ms, sandbox);
	}
}

/* One of its limits has passed. */
static void limit_passed(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox)
{
	bool can_freeze = pool->ops.freeze && !sandbox->is_frozen;

	if (can_freeze && now_ms < sandbox->deadline_ms)
		freeze(pool, now_ms, sandbox);
	else if (can_freeze || sandbox->deadline_ms <= idle_until(sandbox))
		leases_end(pool, now_ms, sandbox, LEASE_DEADLINE);
	else
		leases_end(pool, now_ms, sandbox, LEASE_IDLE);
}

void leases_expire(struct pool *pool, uint64_t now_ms)
{
	const struct due_entry *first;

	while ((first = due_first(&pool->due)) && first->ms <= now_ms) {
		struct pool_sandbox *sandbox = first->sandbox;
		uint64_t due_ms = leases_due_ms(sandbox);

		if (due_ms > now_ms)
			due_set(&pool->due, sandbox, due_ms); /* it was touched meanwhile */
		else
			limit_passed(pool, now_ms, sandbox);
	}
}
