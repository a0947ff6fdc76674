/* The mounts of a private root, each detached: they end with the last fd, so that nothing is left. */
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/doctor/world.h"
#include "nsjail-lite/kernel.h"

#define SMALL_BYTES  65536
#define SMALL	     "64k"
#define SMALL_INODES 16

int world_tmpfs(const char *size, struct error *err)
{
	auto_close int fs = kernel_fsopen("tmpfs");
	char inodes[16];
	int fd;

	snprintf(inodes, sizeof(inodes), "%d", SMALL_INODES);
	if (fs < 0)
		return error_errno(err, "tmpfs: fsopen");
	if (kernel_fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "tmpfs: fsconfig");
	fd = kernel_fsmount(fs, 0);
	return fd < 0 ? error_errno(err, "tmpfs: fsmount") : fd;
}

int try_tmpfs(struct check_attempt *attempt, struct error *err)
{
	auto_close int fd = world_tmpfs(SMALL, err);
	struct statfs fs;

	(void)attempt;
	if (fd < 0)
		return fd;
	if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
		return error_set(err, EBADMSG, "tmpfs: another file system was mounted");
	return 0;
}

int try_disk_limit(struct check_attempt *attempt, struct error *err)
{
	static const char block[4096];
	auto_close int fd = world_tmpfs(SMALL, err);
	auto_close int file = -1;
	int i;

	if (fd < 0)
		return fd;
	file = openat(fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (file < 0)
		return error_errno(err, "tmpfs: new file");
	for (i = 0; i < 2 * SMALL_BYTES / (int)sizeof(block); i++)
		if (write(file, block, sizeof(block)) != (ssize_t)sizeof(block))
			break;
	if (i > SMALL_BYTES / (int)sizeof(block))
		return error_set(err, EFBIG, "tmpfs: more bytes than size= allows");
	if (errno != ENOSPC)
		return error_errno(err, "tmpfs: write");
	for (i = 0; i < 2 * SMALL_INODES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%d", i);
		if (mkdirat(fd, name, 0700) < 0)
			break;
	}
	if (i >= SMALL_INODES)
		return error_set(err, EFBIG, "tmpfs: more files than nr_inodes= allows");
	return check_found(attempt, "a full tmpfs is ENOSPC, in bytes and in files");
}

/* upper, work and lower in one tmpfs */
static int make_layers(struct error *err)
{
	auto_close int fd = world_tmpfs(SMALL, err);

	if (fd < 0)
		return fd;
	if (mkdirat(fd, "u", 0755) < 0 || mkdirat(fd, "w", 0755) < 0 || mkdirat(fd, "l", 0755) < 0)
		return error_errno(err, "tmpfs: layers");
	return take_fd(&fd);
}

static int finish_overlay(int fs, struct error *err)
{
	auto_close int fd = -1;

	if (kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "overlay: create");
	fd = kernel_fsmount(fs, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	if (fd < 0)
		return error_errno(err, "overlay: fsmount");
	return mkdirat(fd, "made", 0700) < 0 ? error_errno(err, "overlay: write") : 0;
}

static int overlay_by_fds(struct error *err)
{
	auto_close int layers = make_layers(err);
	auto_close int fs = kernel_fsopen("overlay");
	auto_close int lower = kernel_open_tree(layers, "l", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	auto_close int upper = openat(layers, "u", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int work = openat(layers, "w", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (layers < 0)
		return layers;
	if (fs < 0)
		return error_errno(err, "overlay: fsopen");
	if (lower < 0 || upper < 0 || work < 0)
		return error_errno(err, "overlay: layers");
	if (kernel_fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, lower) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_FD, "upperdir", NULL, upper) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_FD, "workdir", NULL, work) < 0)
		return error_errno(err, "overlay: layers by fd");
	return finish_overlay(fs, err);
}

/* Attached for the moment, in a mount namespace that ends with this process. */
static int overlay_by_paths(struct error *err)
{
	auto_close int layers = make_layers(err);
	auto_close int fs = kernel_fsopen("overlay");

	if (layers < 0)
		return layers;
	if (fs < 0)
		return error_errno(err, "overlay: fsopen");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, "overlay: private mounts");
	if (kernel_move_mount(layers, AT_FDCWD, "/proc", 0) < 0)
		return error_errno(err, "overlay: attach the layers");
	if (kernel_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", "/proc/l", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", "/proc/u", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "workdir", "/proc/w", 0) < 0)
		return error_errno(err, "overlay: layers by path");
	return finish_overlay(fs, err);
}

int try_overlay_fds(struct check_attempt *attempt, struct error *err)
{
	(void)attempt;
	return overlay_by_fds(err);
}

int try_overlay(struct check_attempt *attempt, struct error *err)
{
	int r;

	if (overlay_by_fds(NULL) == 0)
		return check_found(attempt, "layers by fd");
	r = overlay_by_paths(err);
	return r < 0 ? r : check_found(attempt, "layers by path");
}

/* A clone of the mount, mapped as a slot would. */
int world_try_idmap(int dir_fd, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	auto_close int tree =
		kernel_open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	auto_close int userns = -1;
	struct world_userns holder;
	int r;

	if (tree < 0)
		return error_errno(err, "open_tree");
	r = world_userns_start(&holder, err);
	if (r == 0)
		userns = world_userns_open(&holder, err);
	if (r == 0 && userns < 0)
		r = userns;
	attr.userns_fd = (unsigned)userns;
	if (r == 0 && kernel_mount_setattr(tree, 0, &attr) < 0)
		r = error_errno(err, "mount_setattr");
	world_userns_stop(&holder);
	return r;
}

int world_open_nearest(const char *path, char found[WORLD_PATH_MAX], struct error *err)
{
	int fd;

	snprintf(found, WORLD_PATH_MAX, "%s", path);
	while ((fd = open(found, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 && errno == ENOENT) {
		char *slash = strrchr(found, '/');

		if (!slash)
			break;
		slash[slash == found] = '\0';
	}
	return fd < 0 ? error_errno(err, "%s", found) : fd;
}

int try_image_idmap(struct check_attempt *attempt, struct error *err)
{
	char path[WORLD_PATH_MAX];
	auto_close int fd = world_open_nearest(attempt->options->store, path, err);
	int r = fd < 0 ? fd : world_try_idmap(fd, err);

	return r < 0 ? error_prefix(err, r, "%s", path) : check_found(attempt, "%s", path);
}

int try_tmpfs_idmap(struct check_attempt *attempt, struct error *err)
{
	auto_close int fd = world_tmpfs(SMALL, err);

	(void)attempt;
	return fd < 0 ? fd : world_try_idmap(fd, err);
}
