/* What is written into a cgroup: limits; what is read: events and usage. Compiled into the builder as well. */
#include "nsjail-lite/cgroup/knobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#define CPU_PERIOD_US 100000u
#define V1_SHARES     1024u /* of a weight of 100 */

bool knobs_use(const struct jail_limits *limits, enum cgroup_controller c)
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

int knobs_write(
	int base_fd, const char *name, const char *knob, const char *value, struct error *err)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", name, knob);
	return file_write_at(base_fd, path, value, err);
}

ssize_t knobs_read(int base_fd, const char *name, const char *knob, char *buffer, size_t size)
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

	if (base_fd < 0 || knobs_read(base_fd, name, knob, text, sizeof(text)) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strtoull(line + length + 1, NULL, 10);
	return 0;
}

static uint64_t read_number(int base_fd, const char *name, const char *knob)
{
	char text[64];

	if (base_fd < 0 || knobs_read(base_fd, name, knob, text, sizeof(text)) < 0)
		return 0;
	return strtoull(text, NULL, 10);
}

static int set_limit(const struct cgroup_base *base, const char *name, enum cgroup_controller c,
	const char *v1_knob, const char *v2_knob, const char *value, struct error *err)
{
	int fd = controller_base(base, c);

	if (fd < 0)
		return 0; /* absent: said once at start */
	return knobs_write(fd, name, base->place[c] == CGROUP_V1 ? v1_knob : v2_knob, value, err);
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

int knobs_limit(const struct cgroup_base *base, const char *name, const struct jail_limits *limits,
	struct error *err)
{
	char value[64];
	int r = 0;

	if (limits->memory_bytes) {
		snprintf(value, sizeof(value), "%" PRIu64, limits->memory_bytes);
		r = set_limit(base, name, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max",
			value, err);
		/* v1 counts the buffers of sockets apart, and only with a limit of their own. */
		if (r == 0 && base->place[CGROUP_MEMORY] == CGROUP_V1)
			knobs_write(base->v1_fd[CGROUP_MEMORY], name,
				"memory.kmem.tcp.limit_in_bytes", value, NULL);
		/* No swap instead of memory, where the kernel accounts swap at all. */
		if (r == 0 && base->place[CGROUP_MEMORY] == CGROUP_V2)
			knobs_write(base->v2_fd, name, "memory.swap.max", "0", NULL);
	}
	if (r == 0 && limits->pids) {
		snprintf(value, sizeof(value), "%" PRIu64, limits->pids);
		r = set_limit(base, name, CGROUP_PIDS, "pids.max", "pids.max", value, err);
	}
	if (r == 0)
		r = limit_cpu(base, name, limits, err);
	return r < 0 ? r : limit_io(base, name, limits, err);
}

int knobs_open(int base_fd, const char *name, const char *knob, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", name, knob);
	return openat(base_fd, path, flags | O_CLOEXEC);
}

/* On v1 an eventfd is rung when the limit is hit and nothing could be reclaimed. */
static int open_v1_memory_events(int base_fd, const char *name, int *ret_fd)
{
	auto_close int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	auto_close int oom_fd = knobs_open(base_fd, name, "memory.oom_control", O_RDONLY);
	char line[32];
	int r;

	if (event_fd < 0 || oom_fd < 0)
		return -errno;
	snprintf(line, sizeof(line), "%d %d", event_fd, oom_fd);
	r = knobs_write(base_fd, name, "cgroup.event_control", line, NULL);
	if (r == 0)
		*ret_fd = take_fd(&event_fd);
	return r;
}

/* A kernel without these files is none to fail for. */
int knobs_open_events(const struct cgroup_base *base, struct cgroup *cgroup, struct error *err)
{
	int memory = controller_base(base, CGROUP_MEMORY);
	int pids = controller_base(base, CGROUP_PIDS);
	int r = 0;

	if (base->place[CGROUP_MEMORY] == CGROUP_V1)
		r = open_v1_memory_events(memory, cgroup->name, &cgroup->memory_events_fd);
	else if (memory >= 0)
		cgroup->memory_events_fd =
			knobs_open(memory, cgroup->name, "memory.events", O_RDONLY);
	if (pids >= 0)
		cgroup->pids_events_fd = knobs_open(pids, cgroup->name, "pids.events", O_RDONLY);
	if (r < 0 && r != -ENOENT)
		return error_set(
			err, -r, "cgroup %s: memory events: %s", cgroup->name, strerror(-r));
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
	if (ret_usage->oom_kills > 0)
		ret_usage->has_hit_memory =
			memory_v1 ? read_number(memory, name, "memory.failcnt") > 0
				  : read_key(memory, name, "memory.events", "oom") > 0;
	return 0;
}
