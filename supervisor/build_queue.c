#include "supervisor/build_queue.h"

#include <errno.h>

#include "base/clock.h"
#include "base/error.h"
#include "pool/pool.h"
#include "supervisor/builder_link.h"
#include "supervisor/pool_host.h"
#include "supervisor/sandbox.h"
#include "supervisor/supervisor.h"

/* The builder with the fewest builds among those that can take one, or NULL. */
static struct builder_link *choose(const struct supervisor *supervisor)
{
	struct builder_link *best = NULL;

	for (uint32_t i = 0; i < supervisor->config.builders; i++) {
		struct builder_link *builder = supervisor->builders[i];

		if (builder_link_has_room(builder) &&
			(!best || builder->building_count < best->building_count))
			best = builder;
	}
	return best;
}

/* Somebody waits, or half of what is wanted ready is gone. */
static bool is_urgent(const struct supervisor *supervisor)
{
	struct pool_counters counters;

	for (uint32_t i = 0; i < supervisor->config.pool_count; i++) {
		const struct pool *pool = supervisor->pools[i]->pool;

		pool_get_counters(pool, &counters);
		if (counters.waiting > 0 || 2 * counters.ready < pool_target(pool))
			return true;
	}
	return false;
}

/* Milliseconds until the queue may be dealt out. */
static uint64_t hold_back_ms(const struct supervisor *supervisor)
{
	uint64_t quiet_ms = (clock_now_ns() - supervisor->last_acquire_ns) / NS_PER_MS;

	if (quiet_ms >= BUILD_QUIET_MS || is_urgent(supervisor))
		return 0;
	return BUILD_QUIET_MS - quiet_ms;
}

static void on_dispatch(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *supervisor = arg;
	struct builder_link *builder;
	struct sandbox *sandbox;
	struct timeval wait = {0};

	(void)fd;
	(void)what;
	if (list_is_empty(&supervisor->build_queue))
		return;
	wait.tv_usec = (suseconds_t)(hold_back_ms(supervisor) * 1000);
	if (wait.tv_usec > 0) {
		event_add(supervisor->dispatch, &wait);
		return;
	}
	while ((sandbox = list_first(&supervisor->build_queue, struct sandbox, list)) &&
		(builder = choose(supervisor)))
		builder_link_build(builder, sandbox);
}

int build_queue_init(struct supervisor *supervisor, struct error *err)
{
	list_init(&supervisor->build_queue);
	supervisor->dispatch = event_new(supervisor->events, -1, 0, on_dispatch, supervisor);
	return supervisor->dispatch ? 0 : error_set(err, ENOMEM, "out of memory");
}

void build_queue_append(struct supervisor *supervisor, struct sandbox *sandbox)
{
	list_append(&supervisor->build_queue, &sandbox->list);
	build_queue_dispatch_soon(supervisor);
}

void build_queue_return(struct supervisor *supervisor, struct sandbox *sandbox)
{
	sandbox->builder = NULL;
	sandbox->slot = -1; /* which rests with the builder's others */
	list_remove(&sandbox->list);
	list_prepend(&supervisor->build_queue, &sandbox->list);
	build_queue_dispatch_soon(supervisor);
}

void build_queue_dispatch_soon(struct supervisor *supervisor)
{
	event_active(supervisor->dispatch, EV_TIMEOUT, 0);
}

void build_queue_fail_all(struct supervisor *supervisor, const char *why)
{
	struct sandbox *sandbox;

	while ((sandbox = list_first(&supervisor->build_queue, struct sandbox, list)))
		sandbox_build_failed(sandbox, why);
}
