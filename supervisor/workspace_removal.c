#define _GNU_SOURCE 1 /* renameat2, O_PATH */
#include "supervisor/workspace_removal.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "nsjail-lite/jail.h"
#include "proto/control.h"
#include "supervisor/supervisor.h"
#include "supervisor/workspace_child.h"
#include "supervisor/workspace_tree.h"

struct workspace_removal {
	struct supervisor *supervisor;
	struct workspace_child child;
	uint64_t count; /* of this life: names differ by it */
	bool is_due;	/* once more, for what came too late for the child that runs */
	struct event *retry;
};

/* What a child says. */
struct answer {
	uint32_t left;		  /* directories that could not be removed whole */
	char why[ERROR_TEXT_MAX]; /* of the last */
};

static bool is_removed(const struct dirent *entry)
{
	return strncmp(entry->d_name, REMOVAL_PREFIX, strlen(REMOVAL_PREFIX)) == 0;
}

/* A reading position of its own: the supervisor, its builders and children share that of workspaces_fd. */
static DIR *open_stream(int directory_fd)
{
	auto_close int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		take_fd(&fd);
	return dir;
}

/* In the child. */
static void remove_all(void *arg, int directory_fd, int answer_fd)
{
	struct answer answer = {0};
	const struct dirent *entry;
	DIR *dir = open_stream(directory_fd);
	struct error err;

	(void)arg;
	if (!dir)
		_exit(1);
	while ((entry = readdir(dir))) {
		if (!is_removed(entry) ||
			workspace_tree_remove(directory_fd, entry->d_name, &err) == 0)
			continue;
		answer.left++;
		text_copy(answer.why, sizeof(answer.why), err.text);
	}
	closedir(dir);
	if (fd_write_full(answer_fd, &answer, sizeof(answer)) < 0)
		_exit(1);
}

static void start(struct workspace_removal *removal);

static void retry_later(struct workspace_removal *removal, const char *why)
{
	const struct timeval wait = {.tv_sec = REMOVAL_RETRY_S};

	log_warning(
		"removed workspaces are still on the disk: %s: more in %d s", why, REMOVAL_RETRY_S);
	event_add(removal->retry, &wait);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct workspace_removal *removal = arg;
	struct answer answer;
	bool is_told =
		fd_read_full(removal->child.answer_fd, &answer, sizeof(answer)) == sizeof(answer);

	(void)fd;
	(void)what;
	workspace_child_end(&removal->child);
	if (!is_told)
		retry_later(removal, "their removal took too long or was killed");
	else if (answer.left > 0)
		log_warning("removed workspaces: %" PRIu32 " cannot be removed whole: %s",
			answer.left, answer.why);
	if (is_told && removal->is_due)
		start(removal);
}

static void start(struct workspace_removal *removal)
{
	const struct workspace_work work = {.work = remove_all,
		.on_end = on_end,
		.arg = removal,
		.timeout_s = REMOVAL_TIMEOUT_S};
	struct error err;

	removal->is_due = removal->child.pid > 0;
	if (removal->is_due || removal->supervisor->is_draining)
		return;
	if (workspace_child_start(&removal->child, removal->supervisor, &work, &err) < 0)
		retry_later(removal, err.text);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start(arg);
}

int workspace_removal_create(
	struct supervisor *supervisor, struct workspace_removal **ret_removal, struct error *err)
{
	struct workspace_removal *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return error_set(err, ENOMEM, "workspaces: out of memory");
	*ret_removal = removal;
	removal->supervisor = supervisor;
	removal->child = (struct workspace_child)WORKSPACE_CHILD_INIT;
	removal->retry = evtimer_new(supervisor->events, on_retry, removal);
	return removal->retry ? 0 : error_set(err, ENOMEM, "workspaces: out of memory");
}

void workspace_removal_destroy(struct workspace_removal *removal)
{
	if (!removal)
		return;
	workspace_child_end(&removal->child);
	if (removal->retry)
		event_free(removal->retry);
	free(removal);
}

/* Looked for here, so that no child is started for nothing. */
void workspace_removal_resume(struct workspace_removal *removal)
{
	int directory_fd = removal->supervisor->host.workspaces_fd;
	DIR *dir = directory_fd < 0 ? NULL : open_stream(directory_fd);
	const struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (is_removed(entry))
			break;
	closedir(dir);
	if (entry)
		start(removal);
}

/* Whether it is a workspace. 1: it was an empty directory of root's, no workspace yet, and has gone. */
static int judge(int at, const char *name, uid_t first_uid, struct error *err)
{
	auto_close int fd = workspace_tree_open(at, name, O_PATH);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(
			err, EPERM, "workspace %s: it is not one: %s", name, strerror(errno));
	if (st.st_uid - first_uid < JAIL_UIDS)
		return 0;
	if (st.st_uid == 0 && unlinkat(at, name, AT_REMOVEDIR) == 0)
		return 1;
	return error_set(
		err, EPERM, "workspace %s: it is not one: it belongs to uid %u", name, st.st_uid);
}

int workspace_removal_begin(struct workspace_removal *removal, const char *name, struct error *err)
{
	const struct supervisor *supervisor = removal->supervisor;
	const int at = supervisor->host.workspaces_fd;
	char new_name[sizeof(REMOVAL_PREFIX) + 21 + CONTROL_BIND_MAX];
	int r = judge(at, name, supervisor->host.workspace_uid, err);

	if (r != 0)
		return r < 0 ? r : 0;
	snprintf(new_name, sizeof(new_name), REMOVAL_PREFIX "%" PRIu64 "-%s",
		supervisor->epoch + removal->count++, name);
	if (renameat2(at, name, at, new_name, RENAME_NOREPLACE) < 0)
		return error_errno(err, "workspace %s: rename", name);
	log_event(LOG_LEVEL_INFO, "workspace_removed", "workspace", name, NULL);
	start(removal);
	return 0;
}
