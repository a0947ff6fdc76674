/* One sandbox's cgroups by (base fd, name). Compiled into the builder as well. */
#include "nsjail-lite/cgroup/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/cgroup/knobs.h"

#define REMOVE_WAIT_MS 1000u
#define KILL_WAIT_MS   5000u

void cgroup_base_close(struct cgroup_base *base)
{
	fd_close(take_fd(&base->v2_fd));
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		fd_close(take_fd(&base->v1_fd[c]));
}

void cgroup_close(struct cgroup *cgroup)
{
	fd_close(take_fd(&cgroup->v2_fd));
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		fd_close(take_fd(&cgroup->tasks_fd[c]));
	fd_close(take_fd(&cgroup->memory_events_fd));
	fd_close(take_fd(&cgroup->pids_events_fd));
}

static int make_directories(const struct cgroup_base *base, const char *name,
	const struct jail_limits *limits, struct error *err)
{
	if (base->v2_fd >= 0 && mkdirat(base->v2_fd, name, 0755) < 0)
		return error_errno(err, "cgroup %s: mkdir in the v2 tree", name);
	/* Two controllers may share one v1 hierarchy: the second finds what the first made. */
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		if (base->v1_fd[c] >= 0 && knobs_use(limits, c) &&
			mkdirat(base->v1_fd[c], name, 0755) < 0 && (errno != EEXIST || c == 0))
			return error_errno(err, "cgroup %s: mkdir", name);
	return 0;
}

static int open_for_birth(const struct cgroup_base *base, const struct jail_limits *limits,
	struct cgroup *cgroup, struct error *err)
{
	if (base->v2_fd >= 0) {
		cgroup->v2_fd =
			openat(base->v2_fd, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (cgroup->v2_fd < 0)
			return error_errno(err, "cgroup %s: open", cgroup->name);
	}
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++) {
		if (base->v1_fd[c] < 0 || !knobs_use(limits, c))
			continue;
		cgroup->tasks_fd[c] = knobs_open(base->v1_fd[c], cgroup->name, "tasks", O_WRONLY);
		if (cgroup->tasks_fd[c] < 0)
			return error_errno(err, "cgroup %s: open tasks", cgroup->name);
	}
	return knobs_open_events(base, cgroup, err);
}

int cgroup_create(const struct cgroup_base *base, const char *name,
	const struct jail_limits *limits, struct cgroup *ret_cgroup, struct error *err)
{
	struct cgroup cgroup = CGROUP_INIT;
	int r;

	if (snprintf(cgroup.name, sizeof(cgroup.name), "%s", name) >= (int)sizeof(cgroup.name))
		return error_set(err, ENAMETOOLONG, "cgroup %s: name too long", name);
	r = make_directories(base, name, limits, err);
	if (r == 0)
		r = knobs_limit(base, name, limits, err);
	if (r == 0)
		r = open_for_birth(base, limits, &cgroup, err);
	if (r < 0) {
		cgroup_close(&cgroup);
		cgroup_remove(base, name, NULL);
		return r;
	}
	*ret_cgroup = cgroup;
	return 0;
}

int cgroup_limit(const struct cgroup_base *base, const char *name, const struct jail_limits *limits,
	struct error *err)
{
	return knobs_limit(base, name, limits, err);
}

int cgroup_join_self(const struct cgroup *cgroup)
{
	/*
	 * `tasks`, not cgroup.procs: the latter takes the thread-group lock and waits out an RCU grace
	 * period, 5-15 ms on a machine that has been idle.
	 */
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		if (cgroup->tasks_fd[c] >= 0 && write(cgroup->tasks_fd[c], "0", 1) != 1)
			return -errno;
	return 0;
}

/* Any hierarchy that lists the members. */
static int member_base(const struct cgroup_base *base)
{
	if (base->v2_fd >= 0)
		return base->v2_fd;
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++)
		if (base->v1_fd[c] >= 0)
			return base->v1_fd[c];
	return -1;
}

int cgroup_freeze(const struct cgroup_base *base, const char *name, bool on, struct error *err)
{
	int v1_fd = base->v1_fd[CGROUP_FREEZER];

	if (base->v2_fd >= 0)
		return knobs_write(base->v2_fd, name, "cgroup.freeze", on ? "1" : "0", err);
	if (v1_fd >= 0)
		return knobs_write(v1_fd, name, "freezer.state", on ? "FROZEN" : "THAWED", err);
	return error_set(
		err, EOPNOTSUPP, "cgroup %s: freeze needs a v2 tree or v1's freezer", name);
}

int cgroup_is_empty(const struct cgroup_base *base, const char *name)
{
	char text[64];
	ssize_t n = knobs_read(member_base(base), name, "cgroup.procs", text, sizeof(text));

	if (n == -EFBIG)
		return 0;
	return n < 0 ? (int)n : n == 0;
}

/* SIGKILL to each member once. Returns how many there were, or -errno. */
static int signal_members(int base_fd, const char *name)
{
	char path[128];
	FILE *members;
	int fd, pid, count = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	fd = openat(base_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	members = fdopen(fd, "r");
	if (!members) {
		fd_close(fd);
		return -ENOMEM;
	}
	while (fscanf(members, "%d", &pid) == 1) {
		if (pid > 0)
			kill(pid, SIGKILL);
		count++;
	}
	fclose(members);
	return count;
}

static void nap_ms(long ms)
{
	struct timespec nap = {.tv_nsec = ms * 1000000};

	nanosleep(&nap, NULL);
}

int cgroup_kill(const struct cgroup_base *base, const char *name, struct error *err)
{
	uint64_t until = clock_now_ms() + KILL_WAIT_MS;
	int fd = member_base(base);
	int count;

	if (base->v2_fd < 0 || knobs_write(base->v2_fd, name, "cgroup.kill", "1", NULL) < 0)
		signal_members(fd, name);
	if (base->v2_fd < 0)
		cgroup_freeze(base, name, false, NULL);
	while ((count = signal_members(fd, name)) > 0) {
		if (clock_now_ms() > until)
			return error_set(
				err, ETIMEDOUT, "cgroup %s: %d processes do not die", name, count);
		nap_ms(1);
	}
	return count == -ENOENT || count == 0 ? 0 : error_set(err, -count, "cgroup %s: kill", name);
}

static int remove_in(int base_fd, const char *name, uint64_t until, struct error *err)
{
	while (unlinkat(base_fd, name, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || clock_now_ms() > until)
			return error_errno(err, "cgroup %s: rmdir", name);
		nap_ms(1);
	}
	return 0;
}

int cgroup_remove(const struct cgroup_base *base, const char *name, struct error *err)
{
	uint64_t until = clock_now_ms() + REMOVE_WAIT_MS;
	int result = 0;

	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++) {
		int r = base->v1_fd[c] < 0 ? 0 : remove_in(base->v1_fd[c], name, until, err);

		result = r < 0 ? r : result;
	}
	if (base->v2_fd >= 0) {
		int r = remove_in(base->v2_fd, name, until, err);

		result = r < 0 ? r : result;
	}
	return result;
}

static int remove_matching_in(
	const struct cgroup_base *base, int base_fd, const char *prefix, struct error *err)
{
	int copy = openat(base_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int result = 0;

	if (!dir) {
		fd_close(copy);
		return error_errno(err, "cgroup: list");
	}
	while ((entry = readdir(dir))) {
		int r;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
			strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		r = cgroup_kill(base, entry->d_name, err);
		if (r == 0)
			r = cgroup_remove(base, entry->d_name, err);
		result = r < 0 ? r : result;
	}
	closedir(dir);
	return result;
}

int cgroup_remove_matching(const struct cgroup_base *base, const char *prefix, struct error *err)
{
	int result = 0;

	/* Each hierarchy has its own list: an earlier run may have died between two mkdirs. */
	for (int c = 0; c < CGROUP_V1_HIERARCHIES; c++) {
		int r = base->v1_fd[c] < 0 ? 0
					   : remove_matching_in(base, base->v1_fd[c], prefix, err);

		result = r < 0 ? r : result;
	}
	if (base->v2_fd >= 0) {
		int r = remove_matching_in(base, base->v2_fd, prefix, err);

		result = r < 0 ? r : result;
	}
	return result;
}

const char *cgroup_describe(const struct cgroup_base *base, char *buffer, unsigned size)
{
	static const char *const places[] = {"absent", "v1", "v2"};

	snprintf(buffer, size, "memory %s, pids %s, cpu %s, io %s, kill and freeze %s",
		places[base->place[CGROUP_MEMORY]], places[base->place[CGROUP_PIDS]],
		places[base->place[CGROUP_CPU]], places[base->place[CGROUP_IO]],
		base->v2_fd >= 0 ? "v2" : "by signals");
	return buffer;
}
