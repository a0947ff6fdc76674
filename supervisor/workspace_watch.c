#define _GNU_SOURCE 1 /* close_range */
#include "supervisor/workspace_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "proto/control.h"
#include "supervisor/supervisor.h"
#include "supervisor/workspace_size.h"

#define LOWEST_PRIORITY 19

struct workspace {
	struct list list;
	char name[CONTROL_BIND_MAX];
	uint32_t users; /* leases */
	bool is_due;	/* to be measured */
	bool is_over;
};

struct workspace_watch {
	struct supervisor *supervisor;
	struct list workspaces;	   /* in use, or over their limit */
	struct workspace *current; /* being measured; NULL: none */
	pid_t pid;
	int pidfd, result_fd;
	struct event *measured, *minute;
};

static struct workspace *find(const struct workspace_watch *watch, const char *name)
{
	list_for_each(pos, &watch->workspaces)
	{
		struct workspace *workspace = list_entry(pos, struct workspace, list);

		if (strcmp(workspace->name, name) == 0)
			return workspace;
	}
	return NULL;
}

static uint64_t limit_of(const struct workspace_watch *watch)
{
	return watch->supervisor->config.workspaces.limit_bytes;
}

/* In the forked child. No descriptor of a client or sandbox may live on in it. */
static _Noreturn void measure(const struct workspace_watch *watch, int result_fd)
{
	int directory_fd = watch->supervisor->host.workspaces_fd;
	uint64_t bytes;

	if (dup3(directory_fd, STDIN_FILENO, O_CLOEXEC) < 0 ||
		dup3(result_fd, STDOUT_FILENO, O_CLOEXEC) < 0 ||
		close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
	alarm(MEASURE_TIMEOUT_S);
	bytes = workspace_size(STDIN_FILENO, watch->current->name, limit_of(watch));
	_exit(fd_write_full(STDOUT_FILENO, &bytes, sizeof(bytes)) < 0);
}

/* Not waited for: its signals are blocked until they are its own, for they would be told here. */
static int start_child(struct workspace_watch *watch, struct error *err)
{
	sigset_t all, before;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, "pipe");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	watch->pid = fork();
	if (watch->pid == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		measure(watch, pipe_fds[1]);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	fd_close(pipe_fds[1]);
	watch->result_fd = pipe_fds[0];
	if (watch->pid < 0)
		return error_errno(err, "fork");
	watch->pidfd = pidfd_open(watch->pid, 0);
	return watch->pidfd < 0 ? error_errno(err, "pidfd_open") : 0;
}

static void end_child(struct workspace_watch *watch)
{
	if (watch->measured)
		event_free(watch->measured);
	watch->measured = NULL;
	if (watch->pid > 0) {
		kill(watch->pid, SIGKILL); /* it has exited, but when this ends early */
		waitpid(watch->pid, NULL, 0);
	}
	watch->pid = 0;
	watch->current = NULL;
	fd_close(take_fd(&watch->pidfd));
	fd_close(take_fd(&watch->result_fd));
}

static void start_next(struct workspace_watch *watch);

static void note_size(struct workspace_watch *watch, struct workspace *workspace, uint64_t bytes)
{
	bool is_over = bytes > limit_of(watch);
	char limit[24];

	snprintf(limit, sizeof(limit), "%" PRIu64, limit_of(watch));
	if (is_over != workspace->is_over)
		log_event(is_over ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			is_over ? "workspace_over_limit" : "workspace_below_limit", "workspace",
			workspace->name, "limit_bytes", limit, "why",
			bytes == UINT64_MAX ? "it cannot be measured" : "", NULL);
	workspace->is_over = is_over;
	if (workspace->users > 0 || is_over || workspace->is_due)
		return;
	list_remove(&workspace->list);
	free(workspace);
}

static void on_measured(evutil_socket_t fd, short what, void *arg)
{
	struct workspace_watch *watch = arg;
	struct workspace *workspace = watch->current;
	uint64_t bytes;

	(void)fd;
	(void)what;
	if (fd_read_full(watch->result_fd, &bytes, sizeof(bytes)) != sizeof(bytes))
		bytes = UINT64_MAX; /* it took too long */
	end_child(watch);
	note_size(watch, workspace, bytes);
	start_next(watch);
}

static struct workspace *next_due(const struct workspace_watch *watch)
{
	list_for_each(pos, &watch->workspaces)
	{
		struct workspace *workspace = list_entry(pos, struct workspace, list);

		if (workspace->is_due)
			return workspace;
	}
	return NULL;
}

static void start_next(struct workspace_watch *watch)
{
	struct error err;

	if (watch->current || watch->supervisor->is_draining)
		return;
	watch->current = next_due(watch);
	if (!watch->current)
		return;
	watch->current->is_due = false;
	if (start_child(watch, &err) == 0) {
		watch->measured = event_new(
			watch->supervisor->events, watch->pidfd, EV_READ, on_measured, watch);
		if (watch->measured && event_add(watch->measured, NULL) == 0)
			return;
		error_set(&err, ENOMEM, "out of memory");
	}
	log_warning("workspace %s cannot be measured: %s", watch->current->name, err.text);
	end_child(watch);
}

void workspace_watch_look(struct workspace_watch *watch)
{
	const struct timeval period = {MEASURE_PERIOD_S, 0};

	list_for_each(pos, &watch->workspaces) list_entry(pos, struct workspace, list)->is_due =
		true;
	if (!list_is_empty(&watch->workspaces))
		event_add(watch->minute, &period);
	start_next(watch);
}

static void on_minute(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	workspace_watch_look(arg);
}

void workspace_watch_begin(struct workspace_watch *watch, const char *name)
{
	const struct timeval period = {MEASURE_PERIOD_S, 0};
	struct workspace *workspace = find(watch, name);

	if (!workspace) {
		workspace = calloc(1, sizeof(*workspace));
		if (!workspace)
			return;
		text_copy(workspace->name, sizeof(workspace->name), name);
		list_append(&watch->workspaces, &workspace->list);
	}
	workspace->users++;
	if (!event_pending(watch->minute, EV_TIMEOUT, NULL))
		event_add(watch->minute, &period);
}

static void measure_soon(struct workspace_watch *watch, struct workspace *workspace)
{
	workspace->is_due = true;
	start_next(watch);
}

void workspace_watch_end(struct workspace_watch *watch, const char *name)
{
	struct workspace *workspace = find(watch, name);

	if (!workspace || workspace->users == 0)
		return;
	workspace->users--;
	measure_soon(watch, workspace);
}

bool workspace_watch_is_over(struct workspace_watch *watch, const char *name)
{
	struct workspace *workspace = find(watch, name);

	if (!workspace || !workspace->is_over)
		return false;
	measure_soon(watch, workspace); /* somebody may have made room */
	return true;
}

int workspace_watch_create(
	struct supervisor *supervisor, struct workspace_watch **ret_watch, struct error *err)
{
	struct workspace_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return error_set(err, ENOMEM, "workspaces: out of memory");
	*ret_watch = watch;
	watch->supervisor = supervisor;
	watch->pidfd = watch->result_fd = -1;
	list_init(&watch->workspaces);
	watch->minute = evtimer_new(supervisor->events, on_minute, watch);
	return watch->minute ? 0 : error_set(err, ENOMEM, "workspaces: out of memory");
}

void workspace_watch_destroy(struct workspace_watch *watch)
{
	struct workspace *workspace;

	if (!watch)
		return;
	end_child(watch);
	while ((workspace = list_first(&watch->workspaces, struct workspace, list))) {
		list_remove(&workspace->list);
		free(workspace);
	}
	if (watch->minute)
		event_free(watch->minute);
	free(watch);
}
