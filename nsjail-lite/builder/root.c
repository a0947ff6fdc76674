/*
 * The private root, made before the clone from detached mounts: the image read-only and idmapped into
 * the slot's range below, a tmpfs above whose size is the disk limit. Freed by the kernel with the
 * sandbox's mount namespace: no path, no rm. On a kernel that takes no detached mounts as layers, they
 * are attached in the builder's tiny tree while the overlay is made.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"

#define DISK_DEFAULT   (UINT64_C(1) << 30)
#define INODES_DEFAULT 200000u

void root_close(struct private_root *root)
{
	fd_close(take_fd(&root->root_fd));
	fd_close(take_fd(&root->shm_fd));
	fd_close(take_fd(&root->dev_fd));
	fd_close(take_fd(&root->lower_fd));
	fd_close(take_fd(&root->upper_fd));
}

int root_idmapped_clone(int mount_fd, const char *path, int userns_fd, uint64_t attributes)
{
	struct mount_attr attr = {
		.attr_set = attributes | MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns_fd};
	auto_close int fd = kernel_open_tree(
		mount_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH));

	if (fd < 0 || kernel_mount_setattr(fd, 0, &attr) < 0)
		return -1;
	return take_fd(&fd);
}

static uint64_t disk_bytes(const struct jail_limits *limits)
{
	if (limits->disk_bytes)
		return limits->disk_bytes;
	/* tmpfs counts as memory: at half of it a full disk is ENOSPC, not an OOM kill. */
	return limits->memory_bytes ? limits->memory_bytes / 2 : DISK_DEFAULT;
}

/* The tmpfs with u (upper), w (work) and s (shm), u and s owned by root inside. */
static int make_tmpfs(const struct jail_limits *limits, uint32_t uid_base, struct error *err)
{
	auto_close int fs = kernel_fsopen("tmpfs");
	auto_close int fd = -1;
	char size[32], inodes[32];

	snprintf(size, sizeof(size), "%" PRIu64, disk_bytes(limits));
	snprintf(inodes, sizeof(inodes), "%" PRIu64,
		limits->disk_inodes ? limits->disk_inodes : INODES_DEFAULT);
	if (fs < 0 || kernel_fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "tmpfs");
	fd = kernel_fsmount(fs, 0);
	if (fd < 0)
		return error_errno(err, "tmpfs: fsmount");
	if (mkdirat(fd, "u", 0755) < 0 || mkdirat(fd, "w", 0755) < 0 ||
		mkdirat(fd, "s", 01777) < 0 || fchownat(fd, "u", uid_base, uid_base, 0) < 0 ||
		fchownat(fd, "s", uid_base, uid_base, 0) < 0)
		return error_errno(err, "tmpfs: upper and work");
	return take_fd(&fd);
}

/* Over the image's, whatever that is. Written to the upper itself: the overlay would copy first. */
static int write_resolv_conf(
	const struct builder *b, const struct template *t, uint32_t uid_base, int tmpfs_fd)
{
	const size_t size = strlen(b->resolv_conf);
	auto_close int fd = -1;

	if (mkdirat(tmpfs_fd, "u/etc", t->etc_mode) < 0 ||
		fchownat(tmpfs_fd, "u/etc", uid_base + t->etc_uid, uid_base + t->etc_gid, 0) < 0)
		return -1;
	fd = openat(tmpfs_fd, "u/etc/resolv.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || fchownat(fd, "", uid_base, uid_base, AT_EMPTY_PATH) < 0)
		return -1;
	return fd_write_full(fd, b->resolv_conf, size);
}

/* What each root has beside its image's: what a bind is mounted on is made before anything runs. */
static int make_upper(
	const struct builder *b, const struct template *t, uint32_t uid_base, struct error *err)
{
	static const char point[] = "u" JAIL_WORKSPACE_DIR;
	auto_close int fd = make_tmpfs(&t->limits, uid_base, err);

	if (fd < 0)
		return fd;
	if (b->resolv_conf[0] && t->has_etc && write_resolv_conf(b, t, uid_base, fd) < 0)
		return error_errno(err, "/etc/resolv.conf");
	if (b->workspaces_fd >= 0 && t->needs_workspace &&
		(mkdirat(fd, point, 0755) < 0 || fchownat(fd, point, uid_base, uid_base, 0) < 0))
		return error_errno(err, "mkdir %s", JAIL_WORKSPACE_DIR);
	return take_fd(&fd);
}

static int set_detached_layers(int fs, int lower_fd, int tmpfs_fd)
{
	auto_close int upper_fd = openat(tmpfs_fd, "u", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int work_fd = openat(tmpfs_fd, "w", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (upper_fd < 0 || work_fd < 0)
		return -1;
	if (kernel_fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, lower_fd) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_FD, "upperdir", NULL, upper_fd) < 0)
		return -1;
	return kernel_fsconfig(fs, FSCONFIG_SET_FD, "workdir", NULL, work_fd);
}

/* Where attach_layers() put them. */
static int set_attached_layers(int fs)
{
	if (kernel_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", TREE_LOWER, 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", TREE_UPPER "/u", 0) < 0)
		return -1;
	return kernel_fsconfig(fs, FSCONFIG_SET_STRING, "workdir", TREE_UPPER "/w", 0);
}

static int make_overlay(bool is_attached, int lower_fd, int tmpfs_fd, struct error *err)
{
	auto_close int fs = kernel_fsopen("overlay");
	int fd;

	if (fs < 0)
		return error_errno(err, "overlay: open");
	if (kernel_fsconfig(fs, FSCONFIG_SET_STRING, "source", "hearth", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "redirect_dir", "off", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "metacopy", "off", 0) < 0)
		return error_errno(err, "overlay: options");
	if ((is_attached ? set_attached_layers(fs) : set_detached_layers(fs, lower_fd, tmpfs_fd)) <
		0)
		return error_errno(err, "overlay: layers");
	if (kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "overlay: create");
	/* nosuid: a file capability beyond the bounding set would make exec fail. */
	fd = kernel_fsmount(fs, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	return fd < 0 ? error_errno(err, "overlay: fsmount") : fd;
}

bool root_takes_detached(int mount_fd)
{
	auto_close int fs = kernel_fsopen("overlay");

	return fs >= 0 && kernel_fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, mount_fd) == 0;
}

static void detach_layers(void)
{
	/* more than one, if one could not be taken away before */
	while (umount2(TREE_LOWER, MNT_DETACH) == 0)
		;
	while (umount2(TREE_UPPER, MNT_DETACH) == 0)
		;
}

static int attach_layers(int lower_fd, int tmpfs_fd, struct error *err)
{
	if (kernel_move_mount(lower_fd, AT_FDCWD, TREE_LOWER, 0) < 0 ||
		kernel_move_mount(tmpfs_fd, AT_FDCWD, TREE_UPPER, 0) < 0)
		return error_errno(err, "overlay: attach layers");
	return 0;
}

/* The overlay and /dev/shm, which is a part of its upper's tmpfs. */
static int make_root(
	bool is_attached, int lower_fd, int tmpfs_fd, struct private_root *root, struct error *err)
{
	struct mount_attr shm = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	int r = is_attached ? attach_layers(lower_fd, tmpfs_fd, err) : 0;

	if (r == 0)
		r = root->root_fd = make_overlay(is_attached, lower_fd, tmpfs_fd, err);
	if (r >= 0) {
		root->shm_fd = kernel_open_tree(tmpfs_fd, "s", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		r = root->shm_fd < 0 || kernel_mount_setattr(root->shm_fd, 0, &shm) < 0
			    ? error_errno(err, "/dev/shm")
			    : 0;
	}
	if (is_attached)
		detach_layers();
	return r;
}

/* The template's, shown as the slot's; or one of its own. */
static int make_dev(const struct builder *b, const struct slot *slot, struct error *err)
{
	const uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	struct mount_attr attr = {.attr_set = attributes};
	auto_close int fd = -1;

	if (!b->is_attached) {
		fd = root_idmapped_clone(b->dev_fd, "", slot->userns_fd, attributes);
		return fd < 0 ? error_errno(err, "/dev: idmapped clone") : take_fd(&fd);
	}
	fd = tree_make_dev(slot->uid_base, err);
	if (fd < 0)
		return fd;
	if (kernel_mount_setattr(fd, 0, &attr) < 0)
		return error_errno(err, "/dev: read-only");
	return take_fd(&fd);
}

/* Mount points that the image lacks. */
static int add_directories(
	const struct template *t, int root_fd, uint32_t uid_base, struct error *err)
{
	static const char *const names[] = {"dev", "proc"};
	const bool needed[] = {t->needs_dev, t->needs_proc};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (needed[i] && (mkdirat(root_fd, names[i], 0755) < 0 ||
					 fchownat(root_fd, names[i], uid_base, uid_base, 0) < 0))
			return error_errno(err, "mkdir /%s", names[i]);
	return 0;
}

int root_create(const struct builder *b, const struct template *t, const struct slot *slot,
	struct private_root *ret_root, struct error *err)
{
	struct private_root root = PRIVATE_ROOT_NONE;
	auto_close int tmpfs_fd = make_upper(b, t, slot->uid_base, err);
	auto_close int lower_fd = -1;
	int r;

	if (tmpfs_fd < 0)
		return tmpfs_fd;
	lower_fd = root_idmapped_clone(t->image_fd, "", slot->userns_fd,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (lower_fd < 0)
		return error_errno(err, "image: idmapped clone");
	r = make_root(b->is_attached, lower_fd, tmpfs_fd, &root, err);
	if (r == 0)
		r = root.dev_fd = make_dev(b, slot, err);
	if (r >= 0)
		r = add_directories(t, root.root_fd, slot->uid_base, err);
	if (r < 0) {
		root_close(&root);
		return r;
	}
	/* Attached mounts are gone with their place: see make_root(). */
	if (!b->is_attached) {
		root.lower_fd = take_fd(&lower_fd);
		root.upper_fd = take_fd(&tmpfs_fd);
	}
	*ret_root = root;
	return 0;
}
