/* The budget of memory that an instance's pools share: see struct pool_budget. */
#include "pool/policy.h"

bool pool_budget_has(const struct pool_budget *budget, uint64_t bytes)
{
	return budget->limit_bytes == 0 || bytes == 0 ||
	       (budget->promised_bytes <= budget->limit_bytes &&
		       bytes <= budget->limit_bytes - budget->promised_bytes);
}

bool budget_fits(const struct pool *pool, uint64_t bytes)
{
	return !pool->config.budget || pool_budget_has(pool->config.budget, bytes);
}

void budget_promise(struct pool *pool, uint64_t bytes)
{
	if (pool->config.budget)
		pool->config.budget->promised_bytes += bytes;
}

void budget_release(struct pool *pool, uint64_t bytes)
{
	if (pool->config.budget)
		pool->config.budget->promised_bytes -= bytes;
}

uint64_t budget_lease_cost(const struct pool *pool, const struct pool_sandbox *sandbox)
{
	uint64_t bytes = pool_lease_bytes(pool);

	return bytes > sandbox->promised_bytes ? bytes : sandbox->promised_bytes;
}

void pool_set_idle_bytes(struct pool *pool, uint64_t idle_bytes)
{
	pool->config.idle_bytes = idle_bytes;
}

uint64_t pool_idle_bytes(const struct pool *pool)
{
	return pool->config.idle_bytes;
}

uint64_t pool_lease_bytes(const struct pool *pool)
{
	const struct pool_config *c = &pool->config;

	return c->lease_bytes > c->idle_bytes ? c->lease_bytes : c->idle_bytes;
}

bool pool_is_starved(const struct pool *pool)
{
	return pool->starved;
}
