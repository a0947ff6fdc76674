/* One sandbox's cgroups by (base fd, name). Compiled into the builder as well. */
#include "nsjail-lite/cgroup/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#define CPU_PERIOD_US  100000u
#define V1_SHARES      1024u /* of a weight of 100 */
#define REMOVE_WAIT_MS 1000u
#define KILL_WAIT_MS   5000u

void cgroup_base_close(struct cgroup_base *base)
{
	fd_close(take_fd(&base->v2_fd));
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		fd_close(take_fd(&base->v1_fd[c]));
}

void cgroup_close(struct cgroup *cgroup)
{
	fd_close(take_fd(&cgroup->v2_fd));
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		fd_close(take_fd(&cgroup->tasks_fd[c]));
	fd_close(take_fd(&cgroup->memory_events_fd));
	fd_close(take_fd(&cgroup->pids_events_fd));
}

/* IO has a directory only where it is limited: no other sandbox has to pay for it. */
static bool is_used(const struct jail_limits *limits, enum cgroup_controller c)
{
	return c != CGROUP_IO || limits->io_read_bps || limits->io_write_bps;
}

/* Directory fd of the base in the hierarchy that has this controller, or -1. */
static int controller_base(const struct cgroup_base *base, enum cgroup_controller c)
{
	switch (base->place[c]) {
	case CGROUP_V1:
		return base->v1_fd[c];
	case CGROUP_V2:
		return base->v2_fd;
	case CGROUP_ABSENT:
		break;
	}
	return -1;
}

static int write_knob(
	int base_fd, const char *name, const char *knob, const char *value, struct error *err)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", name, knob);
	return file_write_at(base_fd, path, value, err);
}

static ssize_t read_knob(int base_fd, const char *name, const char *knob, char *buffer, size_t size)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", name, knob);
	return file_read_at(base_fd, path, buffer, size, NULL);
}

/* The number behind "KEY " at the start of a line; 0 when the file or the key is absent. */
static uint64_t read_key(int base_fd, const char *name, const char *knob, const char *key)
{
	size_t length = strlen(key);
	char text[2048];
	char *save = NULL;

	if (base_fd < 0 || read_knob(base_fd, name, knob, text, sizeof(text)) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strtoull(line + length + 1, NULL, 10);
	return 0;
}

static uint64_t read_number(int base_fd, const char *name, const char *knob)
{
	char text[64];

	if (base_fd < 0 || read_knob(base_fd, name, knob, text, sizeof(text)) < 0)
		return 0;
	return strtoull(text, NULL, 10);
}

static int set_limit(const struct cgroup_base *base, const char *name, enum cgroup_controller c,
	const char *v1_knob, const char *v2_knob, const char *value, struct error *err)
{
	int fd = controller_base(base, c);

	if (fd < 0)
		return 0; /* absent: said once at start */
	return write_knob(fd, name, base->place[c] == CGROUP_V1 ? v1_knob : v2_knob, value, err);
}

static int limit_cpu(const struct cgroup_base *base, const char *name,
	const struct jail_limits *limits, struct error *err)
{
	bool is_v2 = base->place[CGROUP_CPU] == CGROUP_V2;
	uint64_t weight = limits->cpu_weight ? limits->cpu_weight : JAIL_CPU_WEIGHT;
	char value[64];
	int r = 0;

	if (limits->cpu_milli) {
		uint64_t quota_us = limits->cpu_milli * CPU_PERIOD_US / 1000;

		if (is_v2)
			snprintf(value, sizeof(value), "%" PRIu64 " %u", quota_us, CPU_PERIOD_US);
		else
			snprintf(value, sizeof(value), "%" PRIu64, quota_us);
		r = set_limit(base, name, CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max", value, err);
	}
	if (r == 0 && weight != JAIL_CPU_WEIGHT) {
		snprintf(value, sizeof(value), "%" PRIu64,
			is_v2 ? weight : weight * V1_SHARES / JAIL_CPU_WEIGHT);
		r = set_limit(base, name, CGROUP_CPU, "cpu.shares", "cpu.weight", value, err);
	}
	return r;
}

static int limit_io(const struct cgroup_base *base, const char *name,
	const struct jail_limits *limits, struct error *err)
{
	const struct {
		uint64_t bps;
		const char *v1_knob, *v2_key;
	} ways[] = {
		{limits->io_read_bps, "blkio.throttle.read_bps_device", "rbps="},
		{limits->io_write_bps, "blkio.throttle.write_bps_device", "wbps="},
	};
	bool is_v2 = base->place[CGROUP_IO] == CGROUP_V2;
	char value[96];
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		if (ways[i].bps == 0 || limits->io_major == 0)
			continue; /* on no disk: said once at start */
		snprintf(value, sizeof(value), "%u:%u %s%" PRIu64, limits->io_major,
			limits->io_minor, is_v2 ? ways[i].v2_key : "", ways[i].bps);
		r = set_limit(base, name, CGROUP_IO, ways[i].v1_knob, "io.max", value, err);
	}
	return r;
}

static int set_limits(const struct cgroup_base *base, const char *name,
	const struct jail_limits *limits, struct error *err)
{
	char value[64];
	int r = 0;

	if (limits->memory_bytes) {
		snprintf(value, sizeof(value), "%" PRIu64, limits->memory_bytes);
		r = set_limit(base, name, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max",
			value, err);
		/* No swap instead of memory, where the kernel accounts swap at all. */
		if (r == 0 && base->place[CGROUP_MEMORY] == CGROUP_V2)
			write_knob(base->v2_fd, name, "memory.swap.max", "0", NULL);
	}
	if (r == 0 && limits->pids) {
		snprintf(value, sizeof(value), "%" PRIu64, limits->pids);
		r = set_limit(base, name, CGROUP_PIDS, "pids.max", "pids.max", value, err);
	}
	if (r == 0)
		r = limit_cpu(base, name, limits, err);
	return r < 0 ? r : limit_io(base, name, limits, err);
}

static int make_directories(const struct cgroup_base *base, const char *name,
	const struct jail_limits *limits, struct error *err)
{
	if (base->v2_fd >= 0 && mkdirat(base->v2_fd, name, 0755) < 0)
		return error_errno(err, "cgroup %s: mkdir in the v2 tree", name);
	/* Two controllers may share one v1 hierarchy: the second finds what the first made. */
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (base->v1_fd[c] >= 0 && is_used(limits, c) &&
			mkdirat(base->v1_fd[c], name, 0755) < 0 && (errno != EEXIST || c == 0))
			return error_errno(err, "cgroup %s: mkdir", name);
	return 0;
}

static int open_knob(int base_fd, const char *name, const char *knob, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", name, knob);
	return openat(base_fd, path, flags | O_CLOEXEC);
}

/* On v1 an eventfd is rung when the limit is hit and nothing could be reclaimed. */
static int open_v1_memory_events(int base_fd, const char *name, int *ret_fd)
{
	auto_close int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	auto_close int oom_fd = open_knob(base_fd, name, "memory.oom_control", O_RDONLY);
	char line[32];
	int r;

	if (event_fd < 0 || oom_fd < 0)
		return -errno;
	snprintf(line, sizeof(line), "%d %d", event_fd, oom_fd);
	r = write_knob(base_fd, name, "cgroup.event_control", line, NULL);
	if (r == 0)
		*ret_fd = take_fd(&event_fd);
	return r;
}

/* What the guest learns of its limits. A kernel without these files is none to fail for. */
static int open_events(const struct cgroup_base *base, struct cgroup *cgroup, struct error *err)
{
	int memory = controller_base(base, CGROUP_MEMORY);
	int pids = controller_base(base, CGROUP_PIDS);
	int r = 0;

	if (base->place[CGROUP_MEMORY] == CGROUP_V1)
		r = open_v1_memory_events(memory, cgroup->name, &cgroup->memory_events_fd);
	else if (memory >= 0)
		cgroup->memory_events_fd =
			open_knob(memory, cgroup->name, "memory.events", O_RDONLY);
	if (pids >= 0)
		cgroup->pids_events_fd = open_knob(pids, cgroup->name, "pids.events", O_RDONLY);
	if (r < 0 && r != -ENOENT)
		return error_set(
			err, -r, "cgroup %s: memory events: %s", cgroup->name, strerror(-r));
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
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (base->v1_fd[c] < 0 || !is_used(limits, c))
			continue;
		cgroup->tasks_fd[c] = open_knob(base->v1_fd[c], cgroup->name, "tasks", O_WRONLY);
		if (cgroup->tasks_fd[c] < 0)
			return error_errno(err, "cgroup %s: open tasks", cgroup->name);
	}
	return open_events(base, cgroup, err);
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
		r = set_limits(base, name, limits, err);
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

int cgroup_join_self(const struct cgroup *cgroup)
{
	/*
	 * `tasks`, not cgroup.procs: the latter takes the thread-group lock and waits out an RCU grace
	 * period, 5-15 ms on a machine that has been idle.
	 */
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (cgroup->tasks_fd[c] >= 0 && write(cgroup->tasks_fd[c], "0", 1) != 1)
			return -errno;
	return 0;
}

uint64_t cgroup_read_memory(const struct cgroup_base *base, const char *name)
{
	return read_number(controller_base(base, CGROUP_MEMORY), name,
		base->place[CGROUP_MEMORY] == CGROUP_V1 ? "memory.usage_in_bytes"
							: "memory.current");
}

int cgroup_read_usage(
	const struct cgroup_base *base, const char *name, struct cgroup_usage *ret_usage)
{
	int memory = controller_base(base, CGROUP_MEMORY);
	int pids = controller_base(base, CGROUP_PIDS);
	int cpu = controller_base(base, CGROUP_CPU);
	bool memory_v1 = base->place[CGROUP_MEMORY] == CGROUP_V1;

	*ret_usage = (struct cgroup_usage){
		.memory_peak_bytes = read_number(
			memory, name, memory_v1 ? "memory.max_usage_in_bytes" : "memory.peak"),
		.oom_kills = read_key(memory, name,
			memory_v1 ? "memory.oom_control" : "memory.events", "oom_kill"),
		.pids_peak = read_number(pids, name, "pids.peak"),
		.pids_refused = read_key(pids, name, "pids.events", "max"),
		.cpu_throttled = read_key(cpu, name, "cpu.stat", "nr_throttled"),
		/* The v2 tree counts time whatever controllers it has. */
		.cpu_ns = read_key(base->v2_fd, name, "cpu.stat", "usage_usec") * NS_PER_US,
	};
	return 0;
}

/* Any hierarchy that lists the members. */
static int member_base(const struct cgroup_base *base)
{
	if (base->v2_fd >= 0)
		return base->v2_fd;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (base->v1_fd[c] >= 0)
			return base->v1_fd[c];
	return -1;
}

int cgroup_freeze(const struct cgroup_base *base, const char *name, bool on, struct error *err)
{
	if (base->v2_fd < 0)
		return error_set(err, EOPNOTSUPP, "cgroup %s: freeze needs a v2 tree", name);
	return write_knob(base->v2_fd, name, "cgroup.freeze", on ? "1" : "0", err);
}

int cgroup_is_empty(const struct cgroup_base *base, const char *name)
{
	char text[64];
	ssize_t n = read_knob(member_base(base), name, "cgroup.procs", text, sizeof(text));

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

	if (base->v2_fd < 0 || write_knob(base->v2_fd, name, "cgroup.kill", "1", NULL) < 0)
		signal_members(fd, name);
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

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
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
	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
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
