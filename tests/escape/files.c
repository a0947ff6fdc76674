/*
 * Files and devices.
 *
 * E37 out of a chroot   E38 files by handle   E39 device nodes made   E40 devices opened
 * E41 trusted attributes   E42 the overlay's own attributes   E44 immutable files   E45 ioctls of file systems
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define NODE(major, minor) ((major) << 8 | (minor)) /* as mknod(2) wants it */
#define DEPTH		   64			    /* of "..": more than any path here has */

/*
 * Another file system's root is a way out: the marker itself cannot be seen from there, because the
 * control's world has let go of what was mounted on the host's root.
 */
static int is_another_root(int fd, const struct stat *own)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_dev != own->st_dev ? 0 : -UNCHANGED;
}

static int chroot_here(const struct stat *own)
{
	int fd;

	if (chroot(".") < 0)
		return -errno;
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : is_another_root(fd, own);
}

static void climb(void)
{
	for (int i = 0; i < DEPTH; i++)
		if (chdir("..") < 0)
			return;
}

/* The oldest way out: a directory that stayed open outside the new root. */
static int try_fchdir(const struct probe *p)
{
	int fd = probe_is_control ? PROBE_HOST_FD : open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat own;

	(void)p;
	mkdir("/cell", 0700);
	if (stat("/", &own) < 0 || fd < 0 || chroot("/cell") < 0 || fchdir(fd) < 0)
		return -errno;
	climb();
	return chroot_here(&own);
}

/* A working directory that is moved out of the new root; in the control, one that never was below it. */
static int try_rename(const struct probe *p)
{
	struct stat own;

	(void)p;
	mkdir("/cell", 0700);
	mkdir("/cell/in", 0700);
	if (stat("/", &own) < 0 || chdir("/cell/in") < 0 || rename("/cell/in", "/out") < 0 ||
		(probe_is_control && fchdir(PROBE_HOST_FD) < 0) || chroot("/cell") < 0)
		return -errno;
	climb();
	return chroot_here(&own);
}

/* A path that a kernel or a careless builder could let lead to the host's root. */
static int try_root_path(const struct probe *p)
{
	char path[64];
	struct stat own;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/", PROBE_HOST_FD);
	fd = open(probe_is_control ? path : p->text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || stat("/", &own) < 0)
		return -errno;
	return is_another_root(fd, &own);
}

/* By a handle made by hand, as root inode of a file system whose generation nobody checks. */
static int try_handle(const struct probe *p)
{
	struct {
		struct file_handle handle;
		uint32_t words[32];
	} h = {.handle = {.handle_bytes = 8, .handle_type = 1}, .words = {(uint32_t)p->number}};
	int fd = probe_is_control ? PROBE_HOST_FD : open(p->text, O_RDONLY | O_CLOEXEC), mount_id;

	if (p->other) {
		h.handle.handle_bytes = sizeof(h.words);
		if (name_to_handle_at(fd, "", &h.handle, &mount_id, AT_EMPTY_PATH) < 0 &&
			errno != EOPNOTSUPP)
			return -errno;
	}
	return probe_result(open_by_handle_at(fd, &h.handle, O_RDONLY | O_CLOEXEC));
}

/* In the control the node is made first; the driver may be absent. */
static int try_open_device(const struct probe *p)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", p->text);
	if (probe_is_control) {
		mkdir("/dev/net", 0755);
		mkdir("/dev/mapper", 0755);
		if (mknod(path, (mode_t)p->number, (dev_t)p->other) < 0)
			return -errno;
	}
	return probe_result(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

static int try_attribute(const struct probe *p)
{
	int fd = open("/dev/shm/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return probe_result(fsetxattr(fd, p->text, "/../../etc", 10, 0));
}

/* In the control such an attribute stands in an upper layer of an overlay that believes in it. */
static int overlay_believes(const char *name, const char *value)
{
	if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0 || mkdir("/tmp/l", 0755) < 0 ||
		mkdir("/tmp/l/d", 0755) < 0 || mkdir("/tmp/l/d/below", 0755) < 0 ||
		mkdir("/tmp/l/secret", 0755) < 0 || mkdir("/tmp/l/secret/found", 0755) < 0 ||
		mkdir("/tmp/u", 0755) < 0 || mkdir("/tmp/u/d", 0755) < 0 ||
		mkdir("/tmp/w", 0755) < 0 || mkdir("/tmp/m", 0755) < 0)
		return -errno;
	if (setxattr("/tmp/u/d", name, value, strlen(value), 0) < 0)
		return -errno;
	if (mount("overlay", "/tmp/m", "overlay", 0,
		    "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w,redirect_dir=on") < 0)
		return -errno;
	/* redirected, or opaque */
	return access("/tmp/m/d/found", F_OK) == 0 || access("/tmp/m/d/below", F_OK) < 0
		       ? 0
		       : -UNCHANGED;
}

static int try_overlay_attribute(const struct probe *p)
{
	char name[64];
	const char *value = strcmp(p->text, "opaque") == 0 ? "y" : "/secret";

	snprintf(name, sizeof(name), "%s.overlay.%s", probe_is_control ? "trusted" : "user",
		p->text);
	if (probe_is_control)
		return overlay_believes(name, value);
	mkdir("/secret", 0700);
	mkdir("/secret/found", 0700);
	mkdir("/etc/found-not", 0700);
	if (setxattr("/etc", name, value, strlen(value), 0) < 0)
		return -errno;
	return access("/etc/found", F_OK) == 0 || access("/etc/passwd", F_OK) < 0 ? 0 : -UNCHANGED;
}

static int try_flags(const struct probe *p)
{
	int fd = open(p->text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int flags = (int)p->number, r;

	if (fd < 0)
		return -errno;
	r = probe_result(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	flags = 0;
	if (r == 0)
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	return r;
}

static int try_project(const struct probe *p)
{
	struct fsxattr attributes = {.fsx_projid = 7};
	int fd = open(p->text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : probe_result(ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
}

/* Of the root; in the control, of the host's. The arguments are such that nothing comes of it. */
static int try_ioctl(const struct probe *p)
{
	static union {
		struct fiemap map;
		struct fstrim_range range;
		int number;
		char bytes[4096];
	} argument;
	int fd = probe_is_control ? openat(PROBE_HOST_FD, p->text, O_RDONLY | O_CLOEXEC)
				  : open(p->text, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (p->number == (long)FS_IOC_FIEMAP)
		argument.map.fm_length = UINT64_MAX;
	return probe_result(ioctl(fd, (unsigned long)p->number, &argument));
}

static int try_clone(const struct probe *p)
{
	int from = open(PROBE_PROGRAM, O_RDONLY | O_CLOEXEC);
	int to = open("/dev/shm/x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (from < 0 || to < 0)
		return -errno;
	return probe_result(ioctl(to, (unsigned long)p->number, from));
}

/* clang-format off */
#define MKNOD(title, path, kind, major, minor) \
	{.id = "E39", .name = "mknod " path " " title, .refused = {EPERM}, .control = {WORKED}, \
		.call = {SYS_mknod, (long)path, (kind) | 0600, NODE(major, minor)}}
#define DEVICE(path, kind, major, minor) \
	{.id = "E40", .name = "open /dev/" path, .refused = {ENOENT}, \
		.control = {WORKED, ENXIO, ENODEV, EPERM, EBUSY}, .attempt = try_open_device, \
		.text = path, .number = (kind) | 0600, .other = NODE(major, minor)}
#define ROOT_PATH(path) \
	{.id = "E37", .name = "by " path, .refused = {UNCHANGED, ENOENT, EACCES}, \
		.control = {WORKED}, .attempt = try_root_path, .text = path}
#define HANDLE(path, inode, own) \
	{.id = "E38", .name = "handle of " path " " #inode, .refused = {EPERM}, \
		.control = {WORKED, ESTALE, EOPNOTSUPP, ELOOP}, .attempt = try_handle, .text = path, \
		.number = inode, .other = own}
#define ATTRIBUTE(attribute) \
	{.id = "E41", .name = "set " attribute, .refused = {EPERM}, .control = {WORKED}, \
		.attempt = try_attribute, .text = attribute}
#define OVERLAY(attribute) \
	{.id = "E42", .name = "user.overlay." attribute, .refused = {UNCHANGED, EOPNOTSUPP, EPERM}, \
		.control = {WORKED}, .attempt = try_overlay_attribute, .text = attribute}
#define FLAGS(path, flag) \
	{.id = "E44", .name = #flag " of " path, .refused = {EPERM}, .control = {WORKED}, \
		.attempt = try_flags, .text = path, .number = flag}
#define IOCTL(path, request) \
	{.id = "E45", .name = #request " of " path, .refused = {EPERM, ENOTTY, EOPNOTSUPP}, \
		.control = {WORKED, EINVAL, EOPNOTSUPP, ENOTTY}, .may_be_absent = true, \
		.attempt = try_ioctl, .text = path, .number = (long)request}

static const struct probe rows[] = {
	{.id = "E37", .name = "chroot, fchdir, climb", .refused = {UNCHANGED}, .control = {WORKED},
		.attempt = try_fchdir},
	{.id = "E37", .name = "chroot, rename, climb", .refused = {UNCHANGED}, .control = {WORKED},
		.attempt = try_rename},
	ROOT_PATH("/proc/self/root/../../.."), ROOT_PATH("/proc/1/root"), ROOT_PATH("/proc/1/cwd"),
	ROOT_PATH("/proc/1/task/1/root"), ROOT_PATH("/proc/self/cwd/../../../.."),
	ROOT_PATH("/proc/1/fd/0/.."), ROOT_PATH("/proc/1/fd/3/.."), ROOT_PATH("/../../../.."),
	ROOT_PATH("/dev/fd/../../../.."),

	HANDLE("/", 0, 1), HANDLE("/", 2, 0), HANDLE("/", 1, 0), HANDLE("/", 11, 0),
	HANDLE("/dev", 1, 0), HANDLE("/dev/shm", 1, 0), HANDLE("/dev/shm", 0, 1),
	HANDLE("/proc", 1, 0), HANDLE("/dev/pts", 1, 0),

	MKNOD("of the disk", "/x", S_IFBLK, 254, 0), MKNOD("of a SCSI disk", "/x", S_IFBLK, 8, 0),
	MKNOD("of a loop device", "/x", S_IFBLK, 7, 0), MKNOD("of memory", "/x", S_IFCHR, 1, 1),
	MKNOD("of ports", "/x", S_IFCHR, 1, 4), MKNOD("of the kernel's log", "/x", S_IFCHR, 1, 11),
	MKNOD("of tun", "/x", S_IFCHR, 10, 200), MKNOD("of FUSE", "/x", S_IFCHR, 10, 229),
	MKNOD("of KVM", "/x", S_IFCHR, 10, 232), MKNOD("of the console", "/x", S_IFCHR, 5, 1),
	MKNOD("of a serial line", "/x", S_IFCHR, 4, 64), MKNOD("of null", "/x", S_IFCHR, 1, 3),
	MKNOD("of the disk", "/dev/shm/x", S_IFBLK, 254, 0),
	MKNOD("of memory", "/dev/shm/x", S_IFCHR, 1, 1),

	DEVICE("mem", S_IFCHR, 1, 1), DEVICE("port", S_IFCHR, 1, 4), DEVICE("kmsg", S_IFCHR, 1, 11),
	DEVICE("kvm", S_IFCHR, 10, 232), DEVICE("fuse", S_IFCHR, 10, 229),
	DEVICE("loop-control", S_IFCHR, 10, 237), DEVICE("loop0", S_IFBLK, 7, 0),
	DEVICE("vda", S_IFBLK, 254, 0), DEVICE("sda", S_IFBLK, 8, 0),
	DEVICE("net/tun", S_IFCHR, 10, 200), DEVICE("vsock", S_IFCHR, 10, 121),
	DEVICE("userfaultfd", S_IFCHR, 10, 126), DEVICE("console", S_IFCHR, 5, 1),
	DEVICE("ttyS0", S_IFCHR, 4, 64), DEVICE("hpet", S_IFCHR, 10, 228),
	DEVICE("btrfs-control", S_IFCHR, 10, 234), DEVICE("mapper/control", S_IFCHR, 10, 236),
	DEVICE("cpu_dma_latency", S_IFCHR, 10, 124), DEVICE("hwrng", S_IFCHR, 10, 183),
	DEVICE("snapshot", S_IFCHR, 10, 231), DEVICE("vhost-net", S_IFCHR, 10, 238),

	ATTRIBUTE("trusted.x"), ATTRIBUTE("trusted.overlay.opaque"),
	ATTRIBUTE("trusted.overlay.redirect"), ATTRIBUTE("trusted.overlay.metacopy"),
	ATTRIBUTE("trusted.overlay.origin"), ATTRIBUTE("trusted.overlay.protattr"),

	OVERLAY("redirect"), OVERLAY("opaque"),

	FLAGS("/dev/shm/x", FS_IMMUTABLE_FL), FLAGS("/dev/shm/x", FS_APPEND_FL),
	FLAGS("/x", FS_IMMUTABLE_FL), FLAGS("/x", FS_APPEND_FL),
	{.id = "E44", .name = "project of a file", .refused = {EPERM, EOPNOTSUPP, ENOTTY, EINVAL},
		.control = {WORKED, EOPNOTSUPP, ENOTTY, EINVAL}, .may_be_absent = true,
		.attempt = try_project, .text = "/dev/shm/x"},

	IOCTL("/", FITRIM), IOCTL("/", FS_IOC_GETFSLABEL), IOCTL("/etc/passwd", FS_IOC_FIEMAP),
	IOCTL("/etc/passwd", FIBMAP),
	{.id = "E45", .name = "FICLONE of the image's file", .refused = {EXDEV, EOPNOTSUPP, ENOTTY},
		.control = {WORKED, EXDEV, EOPNOTSUPP, ENOTTY}, .may_be_absent = true,
		.attempt = try_clone, .number = (long)FICLONE},
};
/* clang-format on */

const struct probe_family probe_files = PROBE_FAMILY(rows);
