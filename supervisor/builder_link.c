#define _GNU_SOURCE 1 /* SCHED_IDLE */
#include "supervisor/builder_link.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "nsjail-lite/builder/link.h"
#include "pool/pool.h"
#include "supervisor/binding.h"
#include "supervisor/build_queue.h"
#include "supervisor/builder_messages.h"
#include "supervisor/network.h"
#include "supervisor/pool_host.h"
#include "supervisor/sandbox.h"
#include "supervisor/slots.h"
#include "supervisor/supervisor.h"

static const char *state_name(enum builder_state state)
{
	switch (state) {
	case BUILDER_DOWN:
		return "down";
	case BUILDER_STARTING:
		return "starting";
	case BUILDER_RUNNING:
		return "running";
	case BUILDER_ENDING:
		return "ending";
	}
	return "?";
}

static void arm(struct event *timer, uint64_t ms)
{
	struct timeval wait = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(timer, &wait);
}

void builder_link_set_state(struct builder_link *builder, enum builder_state state)
{
	char index[12], pid[12];

	builder->state = state;
	snprintf(index, sizeof(index), "%u", builder->index);
	snprintf(pid, sizeof(pid), "%d", builder->process.pid);
	log_event(LOG_LEVEL_INFO, "builder", "builder", index, "pid", pid, "state",
		state_name(state), NULL);
}

/* Close what belongs to the process. */
static void forget_process(struct builder_link *builder)
{
	if (builder->readable)
		event_free(builder->readable);
	if (builder->exited)
		event_free(builder->exited);
	builder->readable = builder->exited = NULL;
	outbox_finish(&builder->outbox);
	fd_close(take_fd(&builder->process.link_fd));
	fd_close(take_fd(&builder->process.pidfd));
}

/* The process may still run: kill it; what it held ends now, and its death is awaited. */
static void lose(struct builder_link *builder, const char *why)
{
	struct sandbox *sandbox;

	log_error("builder %u (pid %d) is lost: %s%s%s", builder->index, builder->process.pid, why,
		builder->why[0] ? ": " : "", builder->why);
	builder_link_set_state(builder, BUILDER_ENDING);
	event_free(builder->readable);
	builder->readable = NULL;
	event_del(builder->late);
	outbox_finish(&builder->outbox);
	fd_close(take_fd(&builder->process.link_fd));
	pidfd_send_signal(builder->process.pidfd, SIGKILL, NULL, 0);
	slots_builder_lost(builder->supervisor->slots, builder->index);
	builder->building_count = builder->asked_count = builder->bind_orphans = 0;
	while ((sandbox = list_first(&builder->building, struct sandbox, list)))
		sandbox_builder_lost(sandbox);
	while ((sandbox = list_first(&builder->alive, struct sandbox, list)))
		sandbox_builder_lost(sandbox);
}

/* Read what is there. -errno: the link is of no more use, with the reason in *err. */
static int drain_link(struct builder_link *builder, struct error *err)
{
	int r;

	if (builder->is_broken)
		return error_set(err, EPIPE, "its link takes no more messages");
	do
		r = builder_messages_receive(builder, err);
	while (r == 0);
	return r == -EAGAIN ? 0 : r;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct builder_link *builder = arg;
	struct error err;

	(void)fd;
	(void)what;
	if (drain_link(builder, &err) < 0)
		lose(builder, err.text);
}

/* Losses so far within the window, this one included. */
static uint32_t note_loss(struct builder_link *builder)
{
	uint64_t now_ms = clock_now_ms();
	uint32_t recent = 1;

	for (uint32_t i = 0; i < RESTARTS_MAX && i < builder->lost_count; i++)
		if (now_ms - builder->lost_ms[i] < RESTARTS_WINDOW_MS)
			recent++;
	builder->lost_ms[builder->lost_count++ % RESTARTS_MAX] = now_ms;
	return recent;
}

/* The first replacement comes at once, the next ones after 100 ms, 200, 400, 800. */
static uint64_t restart_pause_ms(uint32_t recent_losses)
{
	return recent_losses < 2 ? 0 : UINT64_C(100) << (recent_losses - 2);
}

static void on_exited(evutil_socket_t fd, short what, void *arg)
{
	struct builder_link *builder = arg;
	char why[64];
	struct error err;
	uint32_t recent;
	int status = 0;

	(void)fd;
	(void)what;
	waitpid(builder->process.pid, &status, 0);
	snprintf(why, sizeof(why), "it %s %d",
		WIFSIGNALED(status) ? "died of signal" : "exited with",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	if (builder->state != BUILDER_ENDING) {
		/* What it said last, of a failed START for instance, may still be in the socket. */
		drain_link(builder, &err);
		lose(builder, why);
	}
	forget_process(builder);
	builder_link_set_state(builder, BUILDER_DOWN);
	if (builder->supervisor->is_draining)
		return;
	recent = note_loss(builder);
	if (recent > RESTARTS_MAX) {
		supervisor_fail(builder->supervisor, -ECHILD,
			"builder %u was lost %u times within %d s, at last: %s", builder->index,
			recent, RESTARTS_WINDOW_MS / 1000, why);
		return;
	}
	arm(builder->restart, restart_pause_ms(recent));
}

static void set_hurried(struct builder_link *builder, bool is_hurried)
{
	const struct sched_param none = {0};

	/* Where it cannot be changed the builder is only slower. */
	sched_setscheduler(builder->process.pid, is_hurried ? SCHED_OTHER : SCHED_IDLE, &none);
	builder->is_hurried = is_hurried;
}

/*
 * A builder is single-threaded and does one thing at a time. No answer means that it gets no
 * processor, or, once it has normal priority, that it hangs.
 */
static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct builder_link *builder = arg;
	char why[80];

	(void)fd;
	(void)what;
	if (builder->state == BUILDER_RUNNING && !builder->is_hurried) {
		set_hurried(builder, true);
		arm(builder->late, BUILD_TIMEOUT_MS);
		return;
	}
	snprintf(why, sizeof(why), "no answer for %d ms",
		builder->state == BUILDER_STARTING ? START_TIMEOUT_MS : BUILD_TIMEOUT_MS);
	lose(builder, why);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct builder_link *builder = arg;
	struct error err;
	int r;

	(void)fd;
	(void)what;
	if (builder->supervisor->is_draining)
		return;
	r = builder_link_start(builder, &err);
	if (r < 0) {
		supervisor_fail(builder->supervisor, r, "builder %u cannot be started again: %s",
			builder->index, err.text);
	}
}

int builder_link_create(struct supervisor *supervisor, uint32_t index,
	struct builder_link **ret_builder, struct error *err)
{
	struct builder_link *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return error_set(err, ENOMEM, "out of memory");
	*ret_builder = builder;
	builder->supervisor = supervisor;
	builder->index = index;
	builder->process.pidfd = builder->process.link_fd = -1;
	list_init(&builder->building);
	list_init(&builder->alive);
	list_init(&builder->bindings);
	builder->late = evtimer_new(supervisor->events, on_late, builder);
	builder->restart = evtimer_new(supervisor->events, on_restart, builder);
	if (!builder->late || !builder->restart)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

/* Watch a process that runs. */
static int attach(struct builder_link *builder, struct error *err)
{
	struct event_base *events = builder->supervisor->events;
	struct builder *process = &builder->process;
	int r;

	r = fd_set_nonblocking(process->link_fd, true);
	if (r == 0)
		r = outbox_init(&builder->outbox, events, process->link_fd, LINK_QUEUE_MAX);
	if (r < 0)
		return error_set(err, -r, "builder %u: its link", builder->index);
	builder->readable =
		event_new(events, process->link_fd, EV_READ | EV_PERSIST, on_readable, builder);
	builder->exited = event_new(events, process->pidfd, EV_READ, on_exited, builder);
	if (!builder->readable || !builder->exited || event_add(builder->readable, NULL) < 0 ||
		event_add(builder->exited, NULL) < 0)
		return error_set(err, ENOMEM, "builder %u: out of memory", builder->index);
	return 0;
}

int builder_link_start(struct builder_link *builder, struct error *err)
{
	const struct supervisor_host *host = &builder->supervisor->host;
	int r;

	r = host->start_builder(host->arg, builder->index, &builder->process, err);
	if (r < 0)
		return error_prefix(err, r, "builder %u", builder->index);
	builder->is_broken = builder->is_hurried = false;
	builder->why[0] = '\0';
	r = attach(builder, err);
	if (r < 0)
		return r;
	builder_link_set_state(builder, BUILDER_STARTING);
	arm(builder->late, START_TIMEOUT_MS);
	return 0;
}

void builder_link_hang_up(struct builder_link *builder)
{
	if (builder->process.link_fd < 0)
		return;
	set_hurried(builder, true);
	outbox_finish(&builder->outbox);
	fd_close(take_fd(&builder->process.link_fd));
}

static void await_exit(struct builder_link *builder)
{
	struct pollfd pidfd = {.fd = builder->process.pidfd, .events = POLLIN};

	if (poll(&pidfd, 1, STOP_MS) <= 0) {
		log_error("builder %u (pid %d) does not end: killed", builder->index,
			builder->process.pid);
		pidfd_send_signal(builder->process.pidfd, SIGKILL, NULL, 0);
	}
	waitpid(builder->process.pid, NULL, 0);
}

void builder_link_destroy(struct builder_link *builder)
{
	if (!builder)
		return;
	builder_link_hang_up(builder);
	if (builder->process.pidfd >= 0)
		await_exit(builder);
	forget_process(builder);
	binding_destroy_all(&builder->bindings);
	if (builder->late)
		event_free(builder->late);
	if (builder->restart)
		event_free(builder->restart);
	free(builder);
}

bool builder_link_has_room(const struct builder_link *builder)
{
	return builder->state == BUILDER_RUNNING && !builder->is_broken &&
	       builder->building_count < BUILDS_PER_BUILDER &&
	       slots_has_free(builder->supervisor->slots, builder->index);
}

void builder_link_progress(struct builder_link *builder)
{
	if (builder->asked_count > 0) {
		arm(builder->late, builder->is_hurried ? BUILD_TIMEOUT_MS : HURRY_MS);
	} else {
		event_del(builder->late);
		if (builder->is_hurried)
			set_hurried(builder, false);
	}
	build_queue_dispatch_soon(builder->supervisor);
}

/*
 * Something that is not answered. Never gives the builder up itself: the caller may stand in the middle of a
 * pool's step.
 */
static void post(struct builder_link *builder, const void *message, size_t size, int fd)
{
	if (outbox_send(&builder->outbox, message, size, fd) < 0) {
		builder->is_broken = true;
		event_active(builder->readable, EV_READ, 0);
	}
}

/* Something that is. */
static void send_message(struct builder_link *builder, const void *message, size_t size, int fd)
{
	builder->asked_count++;
	post(builder, message, size, fd);
	if (!builder->is_broken && !event_pending(builder->late, EV_TIMEOUT, NULL))
		arm(builder->late, HURRY_MS);
}

void builder_link_send_build(struct builder_link *builder, struct sandbox *sandbox)
{
	struct link_build m = {
		.sandbox = sandbox->core->id,
		.slot = (uint32_t)sandbox->slot,
		.template_index = sandbox->pool->index,
	};

	link_header(&m.header, LINK_BUILD, sizeof(m));
	send_message(builder, &m, sizeof(m), -1);
}

void builder_link_make_slot(struct builder_link *builder, struct sandbox *sandbox, int netns_fd)
{
	struct link_slot m = {.slot = (uint32_t)sandbox->slot};

	m.uid_base = builder->supervisor->host.first_uid + m.slot * JAIL_UIDS;
	link_header(&m.header, LINK_SLOT, sizeof(m));
	send_message(builder, &m, sizeof(m), netns_fd);
}

void builder_link_build(struct builder_link *builder, struct sandbox *sandbox)
{
	struct supervisor *supervisor = builder->supervisor;
	struct network *network = supervisor->network;

	sandbox->slot = slots_take(supervisor->slots, builder->index, sandbox);
	sandbox->builder = builder;
	list_remove(&sandbox->list);
	list_append(&builder->building, &sandbox->list);
	builder->building_count++;
	if (slots_is_made(supervisor->slots, (uint32_t)sandbox->slot)) {
		builder_link_send_build(builder, sandbox);
	} else if (network) {
		sandbox->awaits_netns = true;
		network_make_slot(network, sandbox);
	} else {
		builder_link_make_slot(builder, sandbox, -1);
	}
	if (network)
		network_want_profile(
			network, (uint32_t)sandbox->slot, sandbox->pool->section->profile);
}

void builder_link_build_failed(
	struct builder_link *builder, struct sandbox *sandbox, const char *why)
{
	builder->building_count--;
	slots_give(builder->supervisor->slots, (uint32_t)sandbox->slot);
	sandbox_build_failed(sandbox, why);
}

void builder_link_kill(struct builder_link *builder, struct sandbox *sandbox)
{
	struct link_kill m = {.sandbox = sandbox->core->id};

	sandbox->is_killed = true;
	link_header(&m.header, LINK_KILL, sizeof(m));
	send_message(builder, &m, sizeof(m), -1);
}

void builder_link_freeze(struct builder_link *builder, struct sandbox *sandbox, bool is_frozen)
{
	struct link_freeze m = {.sandbox = sandbox->core->id, .is_frozen = is_frozen};

	link_header(&m.header, LINK_FREEZE, sizeof(m));
	post(builder, &m, sizeof(m), -1);
}

void builder_link_bind(
	struct builder_link *builder, struct sandbox *sandbox, struct link_bind *bind)
{
	bind->sandbox = sandbox->core->id;
	sandbox->is_bind_asked = true;
	link_header(&bind->header, LINK_BIND, sizeof(*bind));
	if (!builder->is_hurried) {
		set_hurried(builder, true); /* before it wakes up */
		arm(builder->late, BUILD_TIMEOUT_MS);
	}
	send_message(builder, bind, sizeof(*bind), -1);
}
