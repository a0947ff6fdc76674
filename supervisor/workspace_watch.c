#include "supervisor/workspace_watch.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "proto/control.h"
#include "supervisor/supervisor.h"
#include "supervisor/workspace_child.h"
#include "supervisor/workspace_size.h"

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
	bool is_stale; /* that one has gone meanwhile, and nothing is in its place yet */
	struct workspace_child child;
	struct event *minute;
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

/* In the child. */
static void measure(void *arg, int directory_fd, int answer_fd)
{
	const struct workspace_watch *watch = arg;
	uint64_t bytes = workspace_size(directory_fd, watch->current->name, limit_of(watch));

	if (fd_write_full(answer_fd, &bytes, sizeof(bytes)) < 0)
		_exit(1);
}

static void end_child(struct workspace_watch *watch)
{
	workspace_child_end(&watch->child);
	watch->current = NULL;
	watch->is_stale = false;
}

static void start_next(struct workspace_watch *watch);

static void free_unused(struct workspace *workspace)
{
	if (workspace->users > 0 || workspace->is_over || workspace->is_due)
		return;
	list_remove(&workspace->list);
	free(workspace);
}

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
	free_unused(workspace);
}

static void on_measured(evutil_socket_t fd, short what, void *arg)
{
	struct workspace_watch *watch = arg;
	struct workspace *workspace = watch->current;
	uint64_t bytes;

	(void)fd;
	(void)what;
	if (fd_read_full(watch->child.answer_fd, &bytes, sizeof(bytes)) != sizeof(bytes))
		bytes = UINT64_MAX; /* it took too long */
	if (watch->is_stale)
		bytes = 0;
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
	const struct workspace_work work = {.work = measure,
		.on_end = on_measured,
		.arg = watch,
		.timeout_s = MEASURE_TIMEOUT_S};
	struct error err;

	if (watch->current || watch->supervisor->is_draining)
		return;
	watch->current = next_due(watch);
	if (!watch->current)
		return;
	/* Behind the others, however soon it is due again: none is passed over for one that is slow. */
	list_remove(&watch->current->list);
	list_append(&watch->workspaces, &watch->current->list);
	watch->current->is_due = false;
	if (workspace_child_start(&watch->child, watch->supervisor, &work, &err) == 0)
		return;
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

void workspace_watch_forget(struct workspace_watch *watch, const char *name)
{
	struct workspace *workspace = find(watch, name);

	if (!workspace)
		return;
	workspace->is_over = false;
	workspace->is_due = false;
	if (watch->current == workspace)
		watch->is_stale = true;
	else
		free_unused(workspace);
}

int workspace_watch_create(
	struct supervisor *supervisor, struct workspace_watch **ret_watch, struct error *err)
{
	struct workspace_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return error_set(err, ENOMEM, "workspaces: out of memory");
	*ret_watch = watch;
	watch->supervisor = supervisor;
	watch->child = (struct workspace_child)WORKSPACE_CHILD_INIT;
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
