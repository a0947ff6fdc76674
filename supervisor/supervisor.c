#include "supervisor/supervisor.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pool/pool.h"
#include "supervisor/admission.h"
#include "supervisor/build_queue.h"
#include "supervisor/builder_link.h"
#include "supervisor/control.h"
#include "supervisor/network.h"
#include "supervisor/pool_host.h"
#include "supervisor/sandbox.h"
#include "supervisor/slots.h"
#include "supervisor/workspace_lock.h"
#include "supervisor/workspace_removal.h"
#include "supervisor/workspace_watch.h"

#define TIDY_US 1000 /* after a hand-over */

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *supervisor = arg;
	struct sandbox *sandbox;

	(void)fd;
	(void)what;
	while ((sandbox = list_first(&supervisor->handed_out, struct sandbox, handed_out))) {
		fd_close(sandbox_take_channel(sandbox));
		pool_host_changed(sandbox->pool);
	}
}

void supervisor_tidy_later(struct supervisor *supervisor, struct sandbox *sandbox)
{
	struct timeval later = {0, TIDY_US};

	if (list_is_empty(&supervisor->handed_out))
		event_add(supervisor->tidy, &later);
	list_append(&supervisor->handed_out, &sandbox->handed_out);
}

static void on_drain_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *supervisor = arg;

	(void)fd;
	(void)what;
	log_warning("drain: sandboxes are left after %d ms: ending all the same", DRAIN_MS);
	event_base_loopbreak(supervisor->events);
}

static int create_memory(struct supervisor *supervisor, struct error *err)
{
	uint32_t slots = supervisor_config_slots(&supervisor->config);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	supervisor->epoch = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	supervisor->next_sandbox = 1;
	supervisor->workspace_locks_fd = -1;
	supervisor->budget.limit_bytes = supervisor->config.memory_budget;
	list_init(&supervisor->build_queue);
	list_init(&supervisor->handed_out);
	list_init(&supervisor->workspaces);
	supervisor->events = event_base_new();
	supervisor->slot_count = slots;
	supervisor->stats.orphans = supervisor->host.orphans;
	supervisor->slots = slots_create(slots, supervisor->config.builders);
	supervisor->sandboxes = sandbox_table_create(slots);
	if (!supervisor->events || !supervisor->slots || !supervisor->sandboxes)
		return error_set(err, ENOMEM, "out of memory");
	supervisor->drain_deadline = evtimer_new(supervisor->events, on_drain_deadline, supervisor);
	supervisor->tidy = evtimer_new(supervisor->events, on_tidy, supervisor);
	if (!supervisor->drain_deadline || !supervisor->tidy)
		return error_set(err, ENOMEM, "out of memory");
	return build_queue_init(supervisor, err);
}

static int create_parts(struct supervisor *supervisor, struct error *err)
{
	int r = create_memory(supervisor, err);

	if (r == 0 && supervisor->config.network.is_on)
		r = network_create(supervisor, &supervisor->network, err);
	if (r == 0)
		r = workspace_watch_create(supervisor, &supervisor->workspace_watch, err);
	if (r == 0)
		r = workspace_removal_create(supervisor, &supervisor->workspace_removal, err);
	if (r == 0 && supervisor->host.workspaces_fd >= 0) {
		r = workspace_locks_open(supervisor->host.workspaces_fd, err);
		supervisor->workspace_locks_fd = r;
		r = r < 0 ? r : 0;
	}
	for (uint32_t i = 0; r == 0 && i < supervisor->config.pool_count; i++)
		r = pool_host_create(supervisor, i, &supervisor->pools[i], err);
	for (uint32_t i = 0; r == 0 && i < supervisor->config.builders; i++)
		r = builder_link_create(supervisor, i, &supervisor->builders[i], err);
	return r;
}

int supervisor_create(const struct supervisor_config *config, const struct supervisor_host *host,
	int listener, struct supervisor **ret_supervisor, struct error *err)
{
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
	int r;

	if (!supervisor) {
		fd_close(listener);
		return error_set(err, ENOMEM, "out of memory");
	}
	supervisor->config = *config;
	supervisor->host = *host;
	r = create_parts(supervisor, err);
	if (r == 0)
		r = control_create(supervisor, take_fd(&listener), &supervisor->control, err);
	fd_close(listener);
	if (r < 0) {
		supervisor_destroy(supervisor);
		return r;
	}
	*ret_supervisor = supervisor;
	return 0;
}

int supervisor_start(struct supervisor *supervisor, struct error *err)
{
	int r = supervisor->network ? network_start(supervisor->network, err) : 0;

	for (uint32_t i = 0; r == 0 && i < supervisor->config.builders; i++)
		r = builder_link_start(supervisor->builders[i], err);
	if (r < 0)
		return r;
	admission_report(supervisor);
	workspace_removal_resume(supervisor->workspace_removal);
	for (uint32_t i = 0; i < supervisor->config.pool_count; i++) {
		pool_start(supervisor->pools[i]->pool, clock_now_ms());
		pool_host_changed(supervisor->pools[i]);
	}
	return 0;
}

int supervisor_run(struct supervisor *supervisor)
{
	int flags = EVLOOP_ONCE;

	while (event_base_loop(supervisor->events, flags) == 0 &&
		!event_base_got_break(supervisor->events)) {
		bool is_awake = clock_now_ns() < supervisor->awake_until_ns;

		flags = EVLOOP_ONCE | (is_awake ? EVLOOP_NONBLOCK : 0);
		if (is_awake)
			sched_yield(); /* on one core the client runs now */
	}
	return supervisor->failure;
}

static bool is_empty(const struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		if (!pool_is_empty(supervisor->pools[i]->pool))
			return false;
	return true;
}

void supervisor_sandbox_gone(struct supervisor *supervisor)
{
	if (supervisor->is_draining && is_empty(supervisor))
		event_base_loopbreak(supervisor->events);
}

void supervisor_drain(struct supervisor *supervisor)
{
	struct timeval deadline = {DRAIN_MS / 1000, DRAIN_MS % 1000 * 1000};

	if (supervisor->is_draining) {
		event_base_loopbreak(supervisor->events);
		return;
	}
	log_info("drain: no more leases, all sandboxes end");
	supervisor->is_draining = true;
	control_stop(supervisor->control);
	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		pool_drain(supervisor->pools[i]->pool, clock_now_ms());
	build_queue_fail_all(supervisor, "the supervisor is stopping");
	event_add(supervisor->drain_deadline, &deadline);
	supervisor_sandbox_gone(supervisor); /* there may be none */
}

void supervisor_fail(struct supervisor *supervisor, int failure, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_error("%s", text);
	if (supervisor->failure == 0) {
		supervisor->failure = failure;
		memcpy(supervisor->failure_text, text, sizeof(text));
	}
	if (!supervisor->is_draining)
		supervisor_drain(supervisor);
	event_base_loopbreak(supervisor->events);
}

void supervisor_destroy(struct supervisor *supervisor)
{
	if (!supervisor)
		return;
	supervisor->is_draining = true;
	control_destroy(supervisor->control);
	for (uint32_t i = 0; i < supervisor->config.builders; i++)
		if (supervisor->builders[i])
			builder_link_hang_up(supervisor->builders[i]);
	/* Sandboxes stand in their builders' lists: first they, then the builders. */
	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		pool_host_destroy(supervisor->pools[i]);
	for (uint32_t i = 0; i < supervisor->config.builders; i++)
		builder_link_destroy(supervisor->builders[i]);
	network_destroy(supervisor->network); /* nothing lives in its networks any more */
	workspace_watch_destroy(supervisor->workspace_watch);
	workspace_removal_destroy(supervisor->workspace_removal);
	fd_close(supervisor->workspace_locks_fd);
	if (supervisor->dispatch)
		event_free(supervisor->dispatch);
	if (supervisor->drain_deadline)
		event_free(supervisor->drain_deadline);
	if (supervisor->tidy)
		event_free(supervisor->tidy);
	slots_destroy(supervisor->slots);
	sandbox_table_destroy(supervisor->sandboxes);
	if (supervisor->events)
		event_base_free(supervisor->events);
	free(supervisor);
}
