/* The sandbox's file systems, by fd only: nothing here resolves a name that the image could twist. */
#include "nsjail-lite/child/child.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <linux/openat2.h>

#include "base/fd.h"
#include "nsjail-lite/kernel.h"

#define PTYS_MAX "1024"

/* A fresh file system of this type with "key=value" options; the detached mount or -errno. */
static int mount_fresh(const char *type, const char *const *options, unsigned attributes)
{
	auto_close int fs = kernel_fsopen(type);
	int fd;

	if (fs < 0)
		return -errno;
	for (; options && options[0]; options += 2)
		if (kernel_fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0) < 0)
			return -errno;
	if (kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = kernel_fsmount(fs, attributes);
	return fd < 0 ? -errno : fd;
}

static int mount_fresh_at(const char *type, const char *const *options, unsigned attributes,
	int dirfd, const char *name)
{
	auto_close int fd = mount_fresh(type, options, attributes);

	if (fd < 0)
		return fd;
	return kernel_move_mount(fd, dirfd, name, 0) < 0 ? -errno : 0;
}

static int mount_devpts(const struct child_plan *plan)
{
	char gid[16];
	const char *const options[] = {
		"gid", gid, "mode", "0620", "ptmxmode", "0666", "max", PTYS_MAX, NULL};

	snprintf(gid, sizeof(gid), "%u", plan->uid_base + 5); /* group tty */
	return mount_fresh_at(
		"devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, plan->dev_fd, "pts");
}

/* mkdir -p below the new root, never following a link out of it. The last directory as O_PATH fd. */
static int open_destination(int root_fd, const char *destination)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	char partial[JAIL_PATH_MAX];
	int fd = -EINVAL;

	for (size_t i = 1; i <= strlen(destination); i++) {
		auto_close int parent = fd;
		const char *name;

		if (destination[i] != '/' && destination[i] != '\0') {
			take_fd(&parent);
			continue;
		}
		memcpy(partial, destination, i);
		partial[i] = '\0';
		fd = (int)syscall(SYS_openat2, root_fd, partial, &how, sizeof(how));
		if (fd >= 0)
			continue;
		name = strrchr(partial, '/') + 1;
		if (errno != ENOENT || mkdirat(parent < 0 ? root_fd : parent, name, 0755) < 0)
			return -errno;
		fd = (int)syscall(SYS_openat2, root_fd, partial, &how, sizeof(how));
		if (fd < 0)
			return -errno;
	}
	return fd;
}

static int mount_binds(const struct child_plan *plan)
{
	for (unsigned i = 0; i < plan->bind_count; i++) {
		auto_close int at = open_destination(plan->root_fd, plan->binds[i].destination);

		if (at < 0)
			return at;
		if (kernel_move_mount(plan->binds[i].mount_fd, at, "", MOVE_MOUNT_T_EMPTY_PATH) < 0)
			return -errno;
	}
	return 0;
}

int child_mount_all(const struct child_plan *plan, int *ret_proc_fd, const char **ret_what)
{
	auto_close int proc_fd = -1;
	int r;

	*ret_what = "root";
	if (kernel_move_mount(plan->root_fd, AT_FDCWD, "/mnt", 0) < 0 || fchdir(plan->root_fd) < 0)
		return -errno;
	*ret_what = "binds";
	r = mount_binds(plan);
	if (r < 0)
		return r;
	*ret_what = "/dev";
	if (kernel_move_mount(plan->dev_fd, plan->root_fd, "dev", 0) < 0)
		return -errno;
	*ret_what = "/proc";
	proc_fd =
		mount_fresh("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (proc_fd < 0)
		return proc_fd;
	if (kernel_move_mount(proc_fd, plan->root_fd, "proc", 0) < 0)
		return -errno;
	*ret_what = "/dev/pts";
	r = mount_devpts(plan);
	if (r < 0)
		return r;
	*ret_what = "/dev/mqueue";
	r = mount_fresh_at("mqueue", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		plan->dev_fd, "mqueue");
	if (r < 0)
		return r;
	*ret_what = "/dev/shm";
	if (kernel_move_mount(plan->shm_fd, plan->dev_fd, "shm", 0) < 0)
		return -errno;
	*ret_proc_fd = take_fd(&proc_fd);
	return 0;
}

static int cover_read_only(int proc_fd, const char *name)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_close int fd = kernel_open_tree(proc_fd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || kernel_mount_setattr(fd, 0, &read_only) < 0 ||
		kernel_move_mount(fd, proc_fd, name, 0) < 0)
		return -errno;
	return 0;
}

static int cover_with(int source_fd, const char *source, int proc_fd, const char *name)
{
	auto_close int fd = kernel_open_tree(
		source_fd, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (fd < 0 || kernel_move_mount(fd, proc_fd, name, 0) < 0)
		return -errno;
	return 0;
}

int child_cover_proc(const struct child_plan *plan, int proc_fd, const char **ret_what)
{
	for (unsigned i = 0; i < plan->covers->count; i++) {
		const struct proc_cover *c = &plan->covers->cover[i];
		int r = 0;

		*ret_what = c->name;
		switch (c->kind) {
		case COVER_FILE:
			r = cover_with(plan->null_fd, plan->covers->null_path, proc_fd, c->name);
			break;
		case COVER_DIRECTORY:
			r = cover_with(plan->empty_fd, plan->covers->empty_path, proc_fd, c->name);
			break;
		case COVER_READ_ONLY:
			r = cover_read_only(proc_fd, c->name);
			break;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int child_pivot(const char **ret_what)
{
	*ret_what = "pivot_root";
	if (kernel_pivot_root(".", ".") < 0)
		return -errno;
	*ret_what = "umount of the builder's tree";
	if (umount2(".", MNT_DETACH) < 0)
		return -errno;
	*ret_what = "chdir /";
	return chdir("/") < 0 ? -errno : 0;
}
