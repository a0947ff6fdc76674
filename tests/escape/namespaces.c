/*
 * E14 new namespaces by unshare, clone and clone3
 * E15 the new mount calls
 * E21 other namespaces, and one's own again, by setns
 * E25 offsets of a time namespace
 * E26 the map of ids written anew
 * E27 setgroups switched off, or on again
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define NEWTIME 0x80 /* CLONE_NEWTIME, which not every header has */

static int wait_and_result(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return probe_result(pid);
}

static int try_clone(const struct probe *p)
{
	return wait_and_result(syscall(SYS_clone, p->number | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int try_clone3(const struct probe *p)
{
	uint64_t arguments[11] = {(uint64_t)p->number, 0, 0, 0, SIGCHLD};

	return wait_and_result(syscall(SYS_clone3, arguments, sizeof(arguments)));
}

/* A mount made without a path, as far as p->number: 1 open, 2 configure, 3 mount. */
static int try_fsopen(const struct probe *p)
{
	long fs = syscall(SYS_fsopen, "tmpfs", 0);
	long r = fs;

	if (p->number > 1)
		r = syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0);
	if (p->number > 2)
		r = syscall(SYS_fsmount, fs, 0, 0);
	return probe_result(r);
}

static int try_move_mount(const struct probe *p)
{
	long tree = syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1 /* OPEN_TREE_CLONE */);

	(void)p;
	return probe_result(syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp", 4));
}

static int open_namespace(const char *process, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int try_setns_own(const struct probe *p)
{
	return probe_result(setns(open_namespace("self", p->text), 0));
}

static int try_setns_target(const struct probe *p)
{
	char process[16];
	int fd;

	snprintf(process, sizeof(process), "%d", probe_target);
	fd = open_namespace(process, p->text);
	return fd < 0 ? -errno : probe_result(setns(fd, 0));
}

static int try_setns_pidfd(const struct probe *p)
{
	long fd = syscall(SYS_pidfd_open, probe_target, 0);

	return fd < 0 ? -errno : probe_result(setns((int)fd, (int)p->number));
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return probe_result(write(fd, text, strlen(text)));
}

/* In the control the file of a namespace that has just been made, as it would be inside, had it one. */
static int try_write_own(const struct probe *p)
{
	if (probe_is_control && unshare(CLONE_NEWUSER) < 0)
		return -errno;
	/* Or nobody may write gid_map. */
	if (probe_is_control && write_file("/proc/self/setgroups", "deny") < 0)
		return -errno;
	return write_file(p->text, "0 0 1");
}

static int try_write_setgroups(const struct probe *p)
{
	if (probe_is_control && unshare(CLONE_NEWUSER) < 0)
		return -errno;
	return write_file("/proc/self/setgroups", p->text);
}

static int try_time_offset(const struct probe *p)
{
	(void)p;
	if (probe_is_control && unshare(NEWTIME) < 0)
		return -errno;
	return write_file("/proc/self/timens_offsets", "monotonic 1000 0\n");
}

/* clang-format off */
#define UNSHARE(flag) {.id = "E14", .name = "unshare(" #flag ")", .call = {SYS_unshare, flag}, \
	.refused = {EPERM}, .control = {WORKED}}
#define CLONE(flag) {.id = "E14", .name = "clone(" #flag ")", .attempt = try_clone, \
	.number = flag, .refused = {EPERM}, .control = {WORKED}}
#define CLONE3(flag) {.id = "E14", .name = "clone3(" #flag ")", .attempt = try_clone3, \
	.number = flag, .refused = {ENOSYS}, .control = {WORKED}}
#define MOUNT_CALL(title, ...) {.id = "E15", .name = title, .refused = {EPERM}, \
	.control = {WORKED}, __VA_ARGS__}
/* The kernel lets nobody join the user namespace that he is in: EINVAL. */
#define SETNS(type, ...) \
	{.id = "E21", .name = "setns(/proc/self/ns/" type ")", .attempt = try_setns_own, \
		.text = type, .refused = {EPERM}, .control = {__VA_ARGS__}}, \
	{.id = "E21", .name = "setns(/proc/1/ns/" type ")", .attempt = try_setns_target, \
		.text = type, .refused = {EACCES}, .control = {__VA_ARGS__}}

static const struct probe rows[] = {
	UNSHARE(CLONE_NEWUSER), UNSHARE(CLONE_NEWNS), UNSHARE(CLONE_NEWPID), UNSHARE(CLONE_NEWNET),
	UNSHARE(CLONE_NEWIPC), UNSHARE(CLONE_NEWUTS), UNSHARE(CLONE_NEWCGROUP), UNSHARE(NEWTIME),
	UNSHARE(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET), UNSHARE(CLONE_NEWUSER | CLONE_FS),
	CLONE(CLONE_NEWUSER), CLONE(CLONE_NEWNS), CLONE(CLONE_NEWPID), CLONE(CLONE_NEWNET),
	CLONE(CLONE_NEWIPC), CLONE(CLONE_NEWUTS), CLONE(CLONE_NEWCGROUP),
	CLONE(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET),
	CLONE3(CLONE_NEWUSER), CLONE3(CLONE_NEWNS), CLONE3(CLONE_NEWPID), CLONE3(CLONE_NEWNET),
	CLONE3(NEWTIME), CLONE3(0),

	MOUNT_CALL("fsopen", .attempt = try_fsopen, .number = 1),
	MOUNT_CALL("fsconfig", .attempt = try_fsopen, .number = 2),
	MOUNT_CALL("fsmount", .attempt = try_fsopen, .number = 3),
	MOUNT_CALL("fspick", .call = {SYS_fspick, AT_FDCWD, (long)"/tmp/..", 0}),
	MOUNT_CALL("open_tree and move_mount", .attempt = try_move_mount),

	SETNS("mnt", WORKED), SETNS("pid", WORKED), SETNS("net", WORKED), SETNS("ipc", WORKED),
	SETNS("uts", WORKED), SETNS("cgroup", WORKED), SETNS("time", WORKED), SETNS("user", EINVAL),
	{.id = "E21", .name = "setns(pidfd of PID 1, mount and pid)", .attempt = try_setns_pidfd,
		.number = CLONE_NEWNS | CLONE_NEWPID, .refused = {EPERM}, .control = {WORKED}},
	{.id = "E21", .name = "setns(pidfd of PID 1, network)", .attempt = try_setns_pidfd,
		.number = CLONE_NEWNET, .refused = {EPERM}, .control = {WORKED}},

	{.id = "E25", .name = "write timens_offsets", .attempt = try_time_offset,
		.refused = {EACCES, EPERM}, .control = {WORKED}},
	{.id = "E26", .name = "write uid_map again", .attempt = try_write_own,
		.text = "/proc/self/uid_map", .refused = {EPERM}, .control = {WORKED}},
	{.id = "E26", .name = "write gid_map again", .attempt = try_write_own,
		.text = "/proc/self/gid_map", .refused = {EPERM}, .control = {WORKED}},
	{.id = "E26", .name = "write projid_map", .attempt = try_write_own,
		.text = "/proc/self/projid_map", .refused = {EPERM}, .control = {WORKED}},
	{.id = "E27", .name = "write deny to setgroups", .attempt = try_write_setgroups,
		.text = "deny", .refused = {EACCES}, .control = {WORKED}},
};
/* clang-format on */

const struct probe_family probe_namespaces = PROBE_FAMILY(rows);
