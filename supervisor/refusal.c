#include "supervisor/refusal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "supervisor/client.h"
#include "supervisor/pool_host.h"
#include "supervisor/supervisor.h"

static void send_refused(struct client *client, uint32_t request_id, enum control_refusal refusal,
	uint32_t retry_ms, const char *format, va_list ap)
{
	struct control_refused m = {.refusal = refusal, .retry_ms = retry_ms};

	control_header(&m.header, CONTROL_REFUSED, sizeof(m), request_id);
	vsnprintf(m.text, sizeof(m.text), format, ap);
	client_send(client, &m, sizeof(m));
}

void refuse(struct client *client, uint32_t request_id, enum control_refusal refusal,
	uint32_t retry_ms, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	send_refused(client, request_id, refusal, retry_ms, format, ap);
	va_end(ap);
}

void refuse_acquire(const struct acquirer *who, enum control_refusal refusal, uint32_t retry_ms,
	const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	send_refused(who->client, who->request_id, refusal, retry_ms, format, ap);
	va_end(ap);
	stats_refused(&who->pool->supervisor->stats, who->pool->index, refusal,
		clock_now_ns() - who->arrived_ns);
}

/* In bytes: what does not fit must be seen not to. */
static void refuse_limit(const struct acquirer *who, uint32_t retry_ms)
{
	const struct pool_host *pool = who->pool;
	const struct pool_budget *budget = &pool->supervisor->budget;

	refuse_acquire(who, REFUSED_LIMIT, retry_ms,
		"memory_budget %" PRIu64 ", promised %" PRIu64 ", a lease of %s counts %" PRIu64
		": release leases, raise memory_budget, lower overcommit or the pool's memory",
		budget->limit_bytes, budget->promised_bytes, pool->section->name,
		pool_lease_bytes(pool->pool));
}

void refuse_by_pool(const struct acquirer *who, enum control_refusal refusal, uint32_t retry_ms)
{
	const struct pool_host *pool = who->pool;
	const struct pool_section *section = pool->section;

	switch (refusal) {
	case REFUSED_EMPTY:
		refuse_acquire(who, refusal, retry_ms,
			"pool %s: no sandbox is ready (max %u, %u may wait)", section->name,
			section->max, section->waiters_max);
		return;
	case REFUSED_TIMEOUT:
		refuse_acquire(who, refusal, retry_ms,
			"pool %s: none became ready in time (max %u)", section->name, section->max);
		return;
	case REFUSED_BROKEN:
		refuse_acquire(who, refusal, retry_ms, "pool %s: builds fail: %s", section->name,
			pool->broken[0] ? pool->broken : "the last one was lost");
		return;
	case REFUSED_STOPPING:
		refuse_acquire(who, refusal, retry_ms, "the supervisor is stopping");
		return;
	case REFUSED_LIMIT:
		refuse_limit(who, retry_ms);
		return;
	case REFUSED_DENIED:
	case REFUSED_NO_TEMPLATE:
	case REFUSED_STALE:
	case REFUSED_UNSUPPORTED:
		refuse_acquire(who, refusal, retry_ms, "pool %s: refused", section->name);
		return;
	}
}
