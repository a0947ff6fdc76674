#include "supervisor/refusal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "supervisor/client.h"
#include "supervisor/pool_host.h"
#include "supervisor/supervisor.h"

void refuse(struct client *client, uint32_t request_id, enum control_refusal refusal,
	uint32_t retry_ms, const char *format, ...)
{
	struct control_refused m = {.refusal = refusal, .retry_ms = retry_ms};
	va_list ap;

	control_header(&m.header, CONTROL_REFUSED, sizeof(m), request_id);
	va_start(ap, format);
	vsnprintf(m.text, sizeof(m.text), format, ap);
	va_end(ap);
	client_send(client, &m, sizeof(m));
}

/* In bytes: what does not fit must be seen not to. */
static void refuse_limit(
	struct client *client, uint32_t request_id, const struct pool_host *pool, uint32_t retry_ms)
{
	const struct pool_budget *budget = &client->supervisor->budget;

	refuse(client, request_id, REFUSED_LIMIT, retry_ms,
		"memory_budget %" PRIu64 ", promised %" PRIu64 ", a lease of %s counts %" PRIu64
		": release leases, raise memory_budget, lower overcommit or the pool's memory",
		budget->limit_bytes, budget->promised_bytes, pool->section->name,
		pool_lease_bytes(pool->pool));
}

void refuse_acquire(struct client *client, uint32_t request_id, const struct pool_host *pool,
	enum control_refusal refusal, uint32_t retry_ms)
{
	const struct pool_section *section = pool->section;

	switch (refusal) {
	case REFUSED_EMPTY:
		refuse(client, request_id, refusal, retry_ms,
			"pool %s: no sandbox is ready (max %u, %u may wait)", section->name,
			section->max, section->waiters_max);
		return;
	case REFUSED_TIMEOUT:
		refuse(client, request_id, refusal, retry_ms,
			"pool %s: none became ready in time (max %u)", section->name, section->max);
		return;
	case REFUSED_BROKEN:
		refuse(client, request_id, refusal, retry_ms, "pool %s: builds fail: %s",
			section->name, pool->broken[0] ? pool->broken : "the last one was lost");
		return;
	case REFUSED_STOPPING:
		refuse(client, request_id, refusal, retry_ms, "the supervisor is stopping");
		return;
	case REFUSED_LIMIT:
		refuse_limit(client, request_id, pool, retry_ms);
		return;
	case REFUSED_DENIED:
	case REFUSED_NO_TEMPLATE:
	case REFUSED_STALE:
	case REFUSED_UNSUPPORTED:
		refuse(client, request_id, refusal, retry_ms, "pool %s: refused", section->name);
		return;
	}
}
