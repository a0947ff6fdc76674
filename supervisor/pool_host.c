#include "supervisor/pool_host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/log.h"
#include "pool/pool.h"
#include "supervisor/admission.h"
#include "supervisor/binding.h"
#include "supervisor/build_queue.h"
#include "supervisor/builder_link.h"
#include "supervisor/client.h"
#include "supervisor/lease.h"
#include "supervisor/refusal.h"
#include "supervisor/sandbox.h"
#include "supervisor/supervisor.h"

static int op_build(void *arg, struct pool_sandbox *core)
{
	struct pool_host *pool = arg;
	struct sandbox *sandbox = sandbox_create(pool, core);

	if (!sandbox)
		return -ENOMEM;
	build_queue_append(pool->supervisor, sandbox);
	return 0;
}

static void op_discard(void *arg, struct pool_sandbox *core)
{
	(void)arg;
	sandbox_discard(core->data);
}

static void op_grant(void *arg, const struct pool_waiter *waiter, struct pool_sandbox *core,
	enum control_rung rung)
{
	struct client *client = waiter->lessee;

	(void)arg;
	client->waiter_count--;
	if (waiter->data)
		binding_start(waiter->data, client, waiter->request_id, core->data, rung,
			waiter->arrived_ns);
	else
		lease_start(client, waiter->request_id, core->data, rung, waiter->arrived_ns);
}

static void op_refuse(void *arg, const struct pool_waiter *waiter, enum control_refusal refusal,
	uint32_t retry_ms)
{
	struct client *client = waiter->lessee;
	const struct acquirer who = {client, arg, waiter->request_id, waiter->arrived_ns};

	client->waiter_count--;
	binding_destroy(waiter->data);
	refuse_by_pool(&who, refusal, retry_ms);
}

static void op_ended(void *arg, struct pool_sandbox *core, enum lease_end_reason reason)
{
	(void)arg;
	lease_end(core->data, reason);
}

static void op_freeze(void *arg, struct pool_sandbox *core, bool is_frozen, uint64_t left_ms)
{
	struct sandbox *sandbox = core->data;

	(void)arg;
	if (binding_is_pending(sandbox))
		return; /* nobody can have touched it yet: it counts as touched when it is told */
	builder_link_freeze(sandbox->builder, sandbox, is_frozen);
	if (is_frozen)
		lease_frozen(sandbox, left_ms);
}

static const struct pool_ops ops = {
	.build = op_build,
	.discard = op_discard,
	.grant = op_grant,
	.refuse = op_refuse,
	.ended = op_ended,
	.freeze = op_freeze,
};

/* Whatever is due now; then sleep until the next deadline. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct pool_host *pool = arg;
	uint64_t next_ms = pool_tick(pool->pool, clock_now_ms());
	struct timeval wait;

	(void)fd;
	(void)what;
	build_queue_dispatch_soon(pool->supervisor);
	admission_wake_others(pool);
	if (next_ms == UINT64_MAX)
		return;
	wait.tv_sec = (time_t)(next_ms / 1000);
	wait.tv_usec = (suseconds_t)(next_ms % 1000 * 1000);
	event_add(pool->tick, &wait);
}

void pool_host_changed(struct pool_host *pool)
{
	event_active(pool->tick, EV_TIMEOUT, 0);
}

int pool_host_create(struct supervisor *supervisor, uint32_t index, struct pool_host **ret_pool,
	struct error *err)
{
	const struct pool_section *section = &supervisor->config.pools[index];
	struct pool_config config = {
		.min = section->min,
		.max = section->max,
		.target_max = section->target_max,
		.build_concurrency = section->build_concurrency,
		.waiters_max = section->waiters_max,
		.on_empty = section->on_empty,
		.wait_ms = section->wait_ms,
		.lease_ms = section->lease_ms,
		.idle_ms = section->idle_ms,
		.frozen_ms = section->frozen_ms,
		.ttl_ms = section->ttl_ms,
		.budget = &supervisor->budget,
		.idle_bytes = ADMISSION_UNMEASURED_BYTES + ADMISSION_OUTSIDE_BYTES,
		.lease_bytes = admission_lease_bytes(&supervisor->config, section),
	};
	struct pool_ops ways = ops;
	struct pool_host *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return error_set(err, ENOMEM, "pool %s: out of memory", section->name);
	if (!supervisor->host.can_freeze)
		ways.freeze = NULL;
	*ret_pool = pool;
	pool->supervisor = supervisor;
	pool->section = section;
	pool->index = index;
	pool->build_times = histogram_create();
	pool->tick = event_new(supervisor->events, -1, 0, on_tick, pool);
	if (!pool->build_times || !pool->tick)
		return error_set(err, ENOMEM, "pool %s: out of memory", section->name);
	return pool_create(&config, &ways, pool, &supervisor->next_sandbox, &pool->pool, err);
}

static void destroy_sandbox(void *arg, struct pool_sandbox *core)
{
	(void)arg;
	sandbox_destroy(core->data);
}

void pool_host_destroy(struct pool_host *pool)
{
	if (!pool)
		return;
	if (pool->pool)
		pool_for_each(pool->pool, destroy_sandbox, NULL);
	if (pool->tick)
		event_free(pool->tick);
	histogram_destroy(pool->build_times);
	pool_destroy(pool->pool);
	free(pool);
}

struct pool_host *pool_host_find(const struct supervisor *supervisor, const char *template_name)
{
	uint32_t count = supervisor->config.pool_count;

	if (template_name[0] == '\0')
		return supervisor->pools[0];
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(supervisor->pools[i]->section->name, template_name) == 0)
			return supervisor->pools[i];
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(supervisor->pools[i]->section->image, template_name) == 0)
			return supervisor->pools[i];
	return NULL;
}

void pool_host_build_succeeded(struct pool_host *pool, uint64_t build_ns)
{
	histogram_record(pool->build_times, build_ns);
	if (pool->broken[0] != '\0')
		log_event(LOG_LEVEL_INFO, "builds_work_again", "pool", pool->section->name, NULL);
	pool->broken[0] = '\0';
}

void pool_host_build_failed(struct pool_host *pool, const char *why)
{
	if (pool->supervisor->is_draining)
		return;
	/* Each failure of one wave says the same: log the change, count the rest (POOLS tells). */
	if (strncmp(pool->broken, why, sizeof(pool->broken) - 1) != 0)
		log_event(LOG_LEVEL_ERROR, "build_failed", "pool", pool->section->name, "why", why,
			NULL);
	memset(pool->broken, 0, sizeof(pool->broken));
	memcpy(pool->broken, why, strnlen(why, sizeof(pool->broken) - 1));
}
