#include "nsjail-lite/image_mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"
#include "nsjail-lite/kernel.h"

#define PROBE_MAP "0 1048576 65536"

/* In the forked child: a user namespace to map with, until it is killed. */
static _Noreturn void hold_userns(int ready_fd)
{
	char result = 0;

	auto_close int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	/* In a chroot none may be made; joining one's own mount namespace leads back to its root. */
	if (fd < 0 || setns(fd, CLONE_NEWNS) < 0 || unshare(CLONE_NEWUSER) < 0)
		result = (char)errno;
	fd_write_full(ready_fd, &result, 1);
	for (;;)
		pause();
}

/* Map the clone by the child's namespace. 0: it works; -EINVAL: this file system cannot; other -errno. */
static int try_map(int tree_fd, pid_t pid, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	auto_close int userns_fd = -1;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	r = file_write_at(AT_FDCWD, path, PROBE_MAP, err);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (r == 0)
		r = file_write_at(AT_FDCWD, path, PROBE_MAP, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	userns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (userns_fd < 0)
		return error_errno(err, "open user namespace");
	attr.userns_fd = (unsigned)userns_fd;
	return kernel_mount_setattr(tree_fd, 0, &attr) < 0 ? error_errno(err, "idmapped mount") : 0;
}

/* Those that have been able to for long; others are tried. */
static bool is_known_to_map(int fd)
{
	static const unsigned long known[] = {0xef53 /* ext4 */, 0x58465342 /* xfs */,
		0x9123683e /* btrfs */, 0xe0f5e1e2 /* erofs */};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if ((unsigned long)fs.f_type == known[i])
			return true;
	return false;
}

static int probe(int root_fd, struct error *err)
{
	auto_close int tree_fd =
		kernel_open_tree(root_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int pipe_fds[2], r;
	char result = EIO;
	pid_t pid;

	if (tree_fd < 0)
		return error_errno(err, "open_tree");
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");
	pid = process_fork();
	if (pid == 0)
		hold_userns(pipe_fds[1]);
	fd_close(pipe_fds[1]);
	if (pid < 0) {
		r = error_errno(err, "fork");
	} else {
		fd_read_full(pipe_fds[0], &result, 1);
		r = result ? error_set(err, result, "user namespace: %s", strerror(result))
			   : try_map(tree_fd, pid, err);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	fd_close(pipe_fds[0]);
	return r;
}

static int make_tmpfs(struct error *err)
{
	auto_close int fs = kernel_fsopen("tmpfs");
	int fd;

	if (fs < 0 || kernel_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "tmpfs");
	fd = kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return fd < 0 ? error_errno(err, "tmpfs: fsmount") : fd;
}

/* For a copy; an older kernel cannot idmap it either. */
static int mappable_tmpfs(struct error *err)
{
	auto_close int fd = make_tmpfs(err);
	int r = fd < 0 ? fd : probe(fd, err);

	if (r == -EINVAL)
		return error_set(err, EOPNOTSUPP,
			"this kernel can idmap neither its file system nor a copy in memory "
			"(EOPNOTSUPP): keep the images on ext4, xfs or btrfs");
	return r < 0 ? r : take_fd(&fd);
}

/* cp keeps owners, modes, links and file capabilities; both trees are reached by fd. */
static int copy_tree(int from_fd, int to_fd, struct error *err)
{
	char from[64], to[64];
	char *const argv[] = {(char *)"cp", (char *)"-a", from, to, NULL};
	pid_t pid;
	int status;

	snprintf(from, sizeof(from), "/proc/self/fd/%d/.", from_fd);
	snprintf(to, sizeof(to), "/proc/self/fd/%d/.", to_fd);
	pid = process_fork();
	if (pid == 0) {
		if (fcntl(from_fd, F_SETFD, 0) == 0 && fcntl(to_fd, F_SETFD, 0) == 0)
			execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return error_errno(err, "cp");
	if (status != 0)
		return error_set(err, EIO, "copy of the image into memory: cp failed");
	return 0;
}

int image_mount(int root_fd, int *ret_fd, bool *ret_is_copy, struct error *err)
{
	auto_close int fd = -1;
	int r = is_known_to_map(root_fd) ? 0 : probe(root_fd, err);

	*ret_is_copy = r == -EINVAL;
	if (r == 0) {
		fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return error_errno(err, "image");
	} else if (r == -EINVAL) {
		fd = mappable_tmpfs(err);
		r = fd < 0 ? fd : copy_tree(root_fd, fd, err);
	}
	if (r < 0)
		return error_prefix(err, r, "image");
	*ret_fd = take_fd(&fd);
	return 0;
}
