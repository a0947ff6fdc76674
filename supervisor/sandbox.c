#include "supervisor/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "nsjail-lite/builder/link.h"
#include "pool/pool.h"
#include "supervisor/admission.h"
#include "supervisor/binding.h"
#include "supervisor/build_queue.h"
#include "supervisor/builder_link.h"
#include "supervisor/lease.h"
#include "supervisor/pool_host.h"
#include "supervisor/slots.h"
#include "supervisor/supervisor.h"

struct sandbox_table {
	uint32_t mask;
	struct list buckets[];
};

/* Ids are counted up, so their low bits spread evenly: no hash is better. */
static struct list *bucket(const struct sandbox_table *table, uint64_t id)
{
	return (struct list *)(uintptr_t)&table->buckets[id & table->mask];
}

struct sandbox_table *sandbox_table_create(uint32_t live)
{
	struct sandbox_table *table;
	uint32_t size = 16;

	while (size < live)
		size *= 2;
	table = malloc(sizeof(*table) + size * sizeof(table->buckets[0]));
	if (!table)
		return NULL;
	table->mask = size - 1;
	for (uint32_t i = 0; i < size; i++)
		list_init(&table->buckets[i]);
	return table;
}

void sandbox_table_destroy(struct sandbox_table *table)
{
	free(table);
}

struct sandbox *sandbox_find(const struct supervisor *supervisor, uint64_t id)
{
	struct list *head = bucket(supervisor->sandboxes, id);

	list_for_each(pos, head)
	{
		struct sandbox *sandbox = list_entry(pos, struct sandbox, by_id);

		if (sandbox->core->id == id)
			return sandbox;
	}
	return NULL;
}

struct sandbox *sandbox_create(struct pool_host *pool, struct pool_sandbox *core)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox)
		return NULL;
	sandbox->core = core;
	sandbox->pool = pool;
	sandbox->slot = -1;
	sandbox->channel_fd = -1;
	list_init(&sandbox->list);
	list_init(&sandbox->by_id);
	list_init(&sandbox->handed_out);
	list_init(&sandbox->lease.due);
	list_append(bucket(pool->supervisor->sandboxes, core->id), &sandbox->by_id);
	core->data = sandbox;
	return sandbox;
}

void sandbox_destroy(struct sandbox *sandbox)
{
	fd_close(sandbox_take_channel(sandbox));
	list_remove(&sandbox->list);
	list_remove(&sandbox->by_id);
	list_remove(&sandbox->lease.due);
	binding_destroy(sandbox->binding);
	free(sandbox);
}

/* The pool's half has gone already. */
static void finish(struct sandbox *sandbox)
{
	struct supervisor *supervisor = sandbox->pool->supervisor;

	sandbox_destroy(sandbox);
	supervisor_sandbox_gone(supervisor);
}

/* It hung up while it was ready: the pool must not hand it out. Its builder will report the end. */
static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	struct sandbox *sandbox = arg;

	(void)fd;
	(void)what;
	if (binding_is_pending(sandbox))
		return;	      /* as below, but its channel is still to be handed out */
	if (sandbox->owner) { /* the owner sees it too; the builder says the rest */
		fd_close(sandbox_take_channel(sandbox));
		return;
	}
	pool_suspect(sandbox->pool->pool, clock_now_ms(), sandbox->core);
	pool_host_changed(sandbox->pool);
}

/* Without the event the death of a ready one is still told by its builder, only later. */
static void watch(struct sandbox *sandbox)
{
	sandbox->hangup = event_new(sandbox->pool->supervisor->events, sandbox->channel_fd,
		EV_CLOSED, on_hangup, sandbox);
	if (sandbox->hangup)
		event_add(sandbox->hangup, NULL);
}

static bool has_hung_up(const struct sandbox *sandbox)
{
	struct pollfd p = {.fd = sandbox->channel_fd};

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

void sandbox_drop_dead(struct pool_host *pool)
{
	struct pool_sandbox *core;

	while ((core = pool_oldest_ready(pool->pool)) && has_hung_up(core->data))
		pool_suspect(pool->pool, clock_now_ms(), core);
}

int sandbox_take_channel(struct sandbox *sandbox)
{
	list_remove(&sandbox->handed_out);
	if (sandbox->hangup)
		event_free(sandbox->hangup);
	sandbox->hangup = NULL;
	return take_fd(&sandbox->channel_fd);
}

static bool awaits_profile(const struct sandbox *sandbox)
{
	return slots_awaits_profile(sandbox->pool->supervisor->slots, (uint32_t)sandbox->slot);
}

static void become_ready(struct sandbox *sandbox)
{
	struct pool_host *pool = sandbox->pool;

	pool_host_build_succeeded(pool, sandbox->build_ns);
	pool_built(pool->pool, clock_now_ms(), sandbox->core, sandbox->build_ns);
	if (sandbox->core->state == SANDBOX_READY)
		watch(sandbox);
	pool_host_changed(pool);
}

/* Its build has failed although it lives: its end is what the pool is told of. */
static void end_condemned(struct sandbox *sandbox)
{
	fd_close(sandbox_take_channel(sandbox));
	builder_link_kill(sandbox->builder, sandbox);
}

void sandbox_built(struct sandbox *sandbox, int channel_fd, const struct link_built *built)
{
	sandbox->channel_fd = channel_fd;
	sandbox->is_built = true;
	sandbox->build_ns = built->stages.total_ns;
	admission_measured(sandbox->pool, built->memory_bytes);
	if (sandbox->is_condemned)
		end_condemned(sandbox);
	else if (!awaits_profile(sandbox))
		become_ready(sandbox);
}

void sandbox_profile_answered(struct sandbox *sandbox, uint32_t error, const char *why)
{
	if (sandbox->core->state != SANDBOX_BUILDING) {
		binding_profile_answered(sandbox, error, why);
	} else if (why && !sandbox->is_condemned) {
		sandbox->is_condemned = true;
		stats_failed(&sandbox->pool->supervisor->stats, STATS_FAILED_NETWORK, error);
		pool_host_build_failed(sandbox->pool, why);
		if (sandbox->is_built)
			end_condemned(sandbox);
	} else if (!why && sandbox->is_built && !sandbox->is_condemned &&
		   !awaits_profile(sandbox)) {
		become_ready(sandbox);
	}
}

void sandbox_build_failed(struct sandbox *sandbox, const char *why)
{
	struct pool_host *pool = sandbox->pool;

	pool_host_build_failed(pool, why);
	pool_build_failed(pool->pool, clock_now_ms(), sandbox->core);
	pool_host_changed(pool);
	finish(sandbox);
}

static void sandbox_dead(struct sandbox *sandbox, enum lease_end_reason reason)
{
	struct pool_host *pool = sandbox->pool;
	uint64_t now_ms = clock_now_ms();

	if (sandbox->core->state == SANDBOX_DISCARDING)
		pool_gone(pool->pool, now_ms, sandbox->core);
	else
		pool_died(pool->pool, now_ms, sandbox->core, reason);
	lease_settle(sandbox);
	if (reason == LEASE_BUILDER_LOST) /* its processes end with the builder's replacement */
		binding_keep(sandbox, &sandbox->builder->bindings);
	pool_host_changed(pool);
	finish(sandbox);
}

void sandbox_ended(struct sandbox *sandbox, const struct link_ended *ended)
{
	/* PID 1 may have outlived an OOM and died later of something else; nobody inside can kill it. */
	bool is_oom = ended->limits_hit & LIMIT_HIT_MEMORY && ended->wait_status == SIGKILL;

	sandbox->limits_hit = ended->limits_hit;
	sandbox->usage = ended->usage;
	sandbox_dead(sandbox, is_oom ? LEASE_OOM : LEASE_GUEST_DIED);
}

void sandbox_builder_lost(struct sandbox *sandbox)
{
	struct supervisor *supervisor = sandbox->pool->supervisor;

	if (supervisor->network && sandbox->lease.id != 0)
		slots_set_dirty(supervisor->slots, (uint32_t)sandbox->slot);
	if (sandbox->core->state != SANDBOX_BUILDING) {
		supervisor->stats.orphans++;
		sandbox_dead(sandbox, LEASE_BUILDER_LOST);
	} else if (sandbox->is_retried || sandbox->is_condemned || supervisor->is_draining) {
		if (!sandbox->is_condemned) /* which was counted */
			stats_failed(&supervisor->stats, STATS_FAILED_BUILD, 0);
		sandbox_build_failed(sandbox, "the builder died while building it");
	} else {
		sandbox->is_retried = true;
		sandbox->awaits_netns = sandbox->is_built = false;
		fd_close(sandbox_take_channel(sandbox));
		build_queue_return(supervisor, sandbox);
	}
}

void sandbox_discard(struct sandbox *sandbox)
{
	lease_over(sandbox, LEASE_OWNER_GONE); /* unless it is over for another reason */
	fd_close(sandbox_take_channel(sandbox));
	builder_link_kill(sandbox->builder, sandbox);
}
