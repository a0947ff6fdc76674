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

/*
 * Semaphores and messages of System V outlive whoever made them, so that the end of no command frees them, and to
 * free them with the sandbox is the kernel's own work, which no quota holds. So there are few of them.
 */
static int limit_system_v(int proc_fd)
{
	static const struct {
		const char *name, *value;
	} settings[] = {
		{"sys/kernel/sem", "250 32000 500 1024"}, /* of a set, of all, of a call; sets */
		{"sys/kernel/msgmni", "16"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		auto_close int fd = openat(proc_fd, settings[i].name, O_WRONLY | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			continue; /* a kernel without System V */
		if (fd < 0 || write(fd, settings[i].value, strlen(settings[i].value)) < 0)
			return -errno;
	}
	return 0;
}

/* A fresh /proc of this pid namespace, over the image's, whatever that is; read-only yet. The mount or -errno. */
static int mount_proc(int root_fd)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_close int fs = kernel_fsopen("proc");
	auto_close int fd = -1;
	int r;

	if (fs < 0 || kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return -errno;
	r = limit_system_v(fd);
	if (r < 0)
		return r;
	if (kernel_mount_setattr(fd, 0, &read_only) < 0 ||
		kernel_move_mount(fd, root_fd, "proc", 0) < 0)
		return -errno;
	return take_fd(&fd);
}

/* In /dev, whose names are ours. */
static int mount_devpts(const struct child_plan *plan)
{
	char options[64];

	/* group tty */
	snprintf(options, sizeof(options), "gid=%u,mode=0620,ptmxmode=0666,max=" PTYS_MAX,
		plan->uid_base + 5);
	return mount("devpts", "pts", "devpts", MS_NOSUID | MS_NOEXEC, options) < 0 ? -errno : 0;
}

/* mkdir -p below the new root, never following a link out of it, for root inside. The last directory as O_PATH fd. */
static int open_destination(int root_fd, const char *destination, uid_t owner)
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
		if (fd < 0 || fchownat(fd, "", owner, owner, AT_EMPTY_PATH) < 0)
			return -errno;
	}
	return fd;
}

static int mount_binds(const struct child_plan *plan, const char **ret_what)
{
	for (unsigned i = 0; i < plan->bind_count; i++) {
		auto_close int at =
			open_destination(plan->root_fd, plan->binds[i].destination, plan->uid_base);

		*ret_what = plan->binds[i].destination;
		if (at < 0)
			return at;
		if (kernel_move_mount(plan->binds[i].mount_fd, at, "", MOVE_MOUNT_T_EMPTY_PATH) < 0)
			return -errno;
	}
	return 0;
}

/*
 * Over the root of the builder's tree; its layers below it, where nobody comes, and all go together: to drop a
 * layer that is attached nowhere is a grace period of the kernel.
 */
static int mount_root(const struct child_plan *plan)
{
	for (size_t i = 0; i < ARRAY_SIZE(plan->layer_fds); i++)
		if (plan->layer_fds[i] >= 0 &&
			kernel_move_mount(plan->layer_fds[i], AT_FDCWD, "/", 0) < 0)
			return -errno;
	return kernel_move_mount(plan->root_fd, AT_FDCWD, "/", 0) < 0 ? -errno : 0;
}

int child_mount_all(const struct child_plan *plan, int *ret_proc_fd, const char **ret_what)
{
	auto_close int proc_fd = -1;
	int r;

	*ret_what = "root";
	r = mount_root(plan);
	if (r < 0)
		return r;
	r = mount_binds(plan, ret_what);
	if (r < 0)
		return r;
	*ret_what = "/dev";
	if (kernel_move_mount(plan->dev_fd, plan->root_fd, "dev", 0) < 0 ||
		fchdir(plan->dev_fd) < 0)
		return -errno;
	*ret_what = "/dev/pts";
	r = mount_devpts(plan);
	if (r < 0)
		return r;
	*ret_what = "/dev/mqueue";
	if (mount("mqueue", "mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	*ret_what = "/dev/shm";
	if (kernel_move_mount(plan->shm_fd, AT_FDCWD, "shm", 0) < 0)
		return -errno;
	*ret_what = "/proc";
	proc_fd = mount_proc(plan->root_fd);
	if (proc_fd < 0)
		return proc_fd;
	*ret_proc_fd = take_fd(&proc_fd);
	return 0;
}

/* By a clone of the template's mount; or, since one has been, by what covers that one. */
static int cover_with(int source_fd, const char *source, const char **covered, const char *name)
{
	auto_close int fd = -1;

	if (*covered)
		return mount(*covered, name, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
	fd = kernel_open_tree(
		source_fd, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0 || kernel_move_mount(fd, AT_FDCWD, name, 0) < 0)
		return -errno;
	*covered = name;
	return 0;
}

/* From within /proc, whose names are the kernel's. */
int child_cover_proc(const struct child_plan *plan, int proc_fd, const char **ret_what)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};
	const char *file = NULL, *directory = NULL;

	*ret_what = "/proc";
	if (fchdir(proc_fd) < 0)
		return -errno;
	for (unsigned i = 0; i < plan->covers->count; i++) {
		const struct proc_cover *c = &plan->covers->cover[i];
		int r = 0;

		*ret_what = c->name;
		switch (c->kind) {
		case COVER_FILE:
			r = cover_with(plan->null_fd, plan->covers->null_path, &file, c->name);
			break;
		case COVER_DIRECTORY:
			r = cover_with(
				plan->empty_fd, plan->covers->empty_path, &directory, c->name);
			break;
		case COVER_READ_ONLY:
			/* A bind is born as read-only as what it shows. */
			r = mount(c->name, c->name, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
			break;
		}
		if (r < 0)
			return r;
	}
	*ret_what = "/proc: writable";
	return kernel_mount_setattr(proc_fd, 0, &writable) < 0 ? -errno : 0;
}

int child_enter_root(const struct child_plan *plan, const char **ret_what)
{
	*ret_what = "root directory";
	return fchdir(plan->root_fd) < 0 || chroot(".") < 0 ? -errno : 0;
}
