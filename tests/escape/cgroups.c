/*
 * E11 cgroup v1 mounted   E12 release_agent, which the kernel runs as the host's root
 * E22 the parent's cgroup.procs   E23 cgroup v2 mounted   E24 new cgroups
 *
 * The controls stay in the initial cgroup namespace, as the kernel wants it of who mounts version 1,
 * and write back what is there. EBUSY: the host has that controller in version 2; EINVAL, ENOENT: not
 * at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define MOUNT_POINT "/tmp/cgroup"

static int mount_cgroup(const char *type, const char *options)
{
	mkdir(MOUNT_POINT, 0755);
	return probe_result(mount("cgroup", MOUNT_POINT, type, 0, options));
}

static int try_mount(const struct probe *p)
{
	return mount_cgroup(p->number ? "cgroup2" : "cgroup", p->text);
}

/*
 * Mount it or not, as p->number says, then read the file and write it back. The control finds one where
 * the host would have it.
 */
static int try_write_back(const struct probe *p)
{
	char text[256];
	ssize_t n;
	int fd, r = p->number ? mount_cgroup("cgroup", "pids") : 0;

	if (probe_is_control && !p->number)
		r = probe_result(mount("cgroup", "/sys/fs/cgroup", "cgroup", 0, "pids"));
	if (r < 0)
		return r;
	fd = open(p->text, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return -errno;
	return probe_result(pwrite(fd, n ? text : "\n", n ? (size_t)n : 1, 0));
}

/* Where a cgroup file system would be seen. */
static int try_find(const struct probe *p)
{
	char line[1024];
	FILE *mounts = fopen(p->text, "re");
	int r = -UNCHANGED;

	if (!mounts)
		return -errno;
	while (fgets(line, sizeof(line), mounts))
		if (strstr(line, "cgroup"))
			r = 0;
	fclose(mounts);
	return r;
}

/* Into the cgroup that one is in, or the one above. */
static int try_move(const struct probe *p)
{
	int fd, r = p->number ? mount_cgroup("cgroup2", NULL) : 0;

	if (r < 0)
		return r;
	fd = open(p->text, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : probe_result(write(fd, "0", 1));
}

static int try_mkdir(const struct probe *p)
{
	int r = p->number ? mount_cgroup("cgroup2", NULL) : 0;

	if (r < 0)
		return r;
	r = probe_result(mkdir(p->text, 0755));
	rmdir(p->text);
	return r;
}

/* clang-format off */
#define MOUNT(title, options) {.id = "E11", .name = "mount of " title, .attempt = try_mount, \
	.text = options, .refused = {EPERM}, .in_host_cgroups = true, \
	.control = {WORKED, EBUSY, EINVAL, ENOENT}}
#define AGENT(title, path, mounts, ...) {.id = "E12", .name = title, .attempt = try_write_back, \
	.text = path, .number = mounts, .refused = {__VA_ARGS__}, .in_host_cgroups = true, \
	.control = {WORKED, EBUSY, EINVAL}}
/* EBUSY: version 2 lets nobody into a cgroup that gives controllers to others. */
#define MOVE(family, title, path, mounts, ...) {.id = family, .name = title, .attempt = try_move, \
	.text = path, .number = mounts, .refused = {__VA_ARGS__}, .in_host_cgroups = true, \
	.control = {WORKED, EBUSY}}

static const struct probe rows[] = {
	MOUNT("cgroup memory", "memory"), MOUNT("cgroup cpu", "cpu"), MOUNT("cgroup cpuacct", "cpuacct"),
	MOUNT("cgroup cpuset", "cpuset"), MOUNT("cgroup pids", "pids"), MOUNT("cgroup blkio", "blkio"),
	MOUNT("cgroup devices", "devices"), MOUNT("cgroup freezer", "freezer"),
	MOUNT("cgroup net_cls", "net_cls"), MOUNT("cgroup perf_event", "perf_event"),
	MOUNT("a named hierarchy", "none,name=hearth-escape"),
	MOUNT("everything in one hierarchy", "all"),

	AGENT("release_agent of a mount", MOUNT_POINT "/release_agent", 1, EPERM),
	AGENT("notify_on_release of a mount", MOUNT_POINT "/notify_on_release", 1, EPERM),
	AGENT("release_agent where it is found", "/sys/fs/cgroup/release_agent", 0, ENOENT),
	AGENT("notify_on_release where it is found", "/sys/fs/cgroup/notify_on_release", 0,
		ENOENT),

	{.id = "E22", .name = "find a cgroup file system", .attempt = try_find,
		.text = "/proc/self/mountinfo", .refused = {UNCHANGED}, .control = {WORKED}},
	{.id = "E22", .name = "find one of PID 1", .attempt = try_find, .text = "/proc/1/mountinfo",
		.refused = {EACCES, EPERM, UNCHANGED}, .control = {WORKED}},
	MOVE("E22", "write cgroup.procs", "/sys/fs/cgroup/cgroup.procs", 0, ENOENT),
	MOVE("E22", "write the parent's cgroup.procs", "/sys/fs/cgroup/../cgroup/cgroup.procs", 0,
		ENOENT),
	MOVE("E22", "write cgroup.procs by PID 1's root", "/proc/1/root/sys/fs/cgroup/cgroup.procs", 0,
		EACCES),

	{.id = "E23", .name = "mount of cgroup2", .attempt = try_mount, .number = 1,
		.refused = {EPERM}, .control = {WORKED}},
	MOVE("E23", "mount of cgroup2 and a move to its top", MOUNT_POINT "/cgroup.procs", 1, EPERM),

	{.id = "E24", .name = "mkdir in a cgroup file system", .attempt = try_mkdir,
		.text = "/sys/fs/cgroup/hearth-escape", .refused = {ENOENT}, .control = {WORKED}},
	{.id = "E24", .name = "mount of cgroup2 and mkdir", .attempt = try_mkdir, .number = 1,
		.text = MOUNT_POINT "/hearth-escape", .refused = {EPERM}, .control = {WORKED}},
};
/* clang-format on */

const struct probe_family probe_cgroups = PROBE_FAMILY(rows);
