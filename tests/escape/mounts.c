/*
 * The tree of mounts.
 *
 * E31 E32 new file systems   E33 what covers /proc and /dev taken away   E34 read-only made writable
 * E35 clones of mounts   E36 pivot_root   E46 FUSE   E47 idmapped mounts
 *
 * A control first makes what it attacks: its world has no covers.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define OPEN_TREE_CLONE_FLAG 1
#define AT_RECURSIVE_FLAG    0x8000
#define ATTR_RDONLY	     1
#define ATTR_NOSUID	     2
#define ATTR_NODEV	     4
#define ATTR_IDMAP	     0x100000
#define FUSE_MAJOR_MINOR     makedev(10, 229)

/* struct mount_attr */
struct attributes {
	uint64_t set, clear, propagation, userns_fd;
};

static struct attributes writable = {.clear = ATTR_RDONLY};
static struct attributes with_suid = {.clear = ATTR_NOSUID | ATTR_NODEV};

/* In the control: a mount at this path, as the builder would have made it. */
static int make_cover(const char *path)
{
	struct stat st;
	int flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;

	if (!probe_is_control || strcmp(path, "/") == 0)
		return 0;
	if (stat(path, &st) < 0)
		return -errno;
	if (mount(S_ISDIR(st.st_mode) ? path : "/dev/null", path, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return mount(NULL, path, NULL, (unsigned long)flags, NULL) < 0 ? -errno : 0;
}

static int try_umount(const struct probe *p)
{
	int r = make_cover(p->text);

	return r < 0 ? r : probe_result(umount2(p->text, (int)p->number));
}

static int try_remount(const struct probe *p)
{
	int r = make_cover(p->text);

	return r < 0 ? r : probe_result(mount(NULL, p->text, NULL, (unsigned long)p->number, NULL));
}

static int try_mount_setattr(const struct probe *p)
{
	int r = make_cover(p->text);

	if (r < 0)
		return r;
	return probe_result(syscall(SYS_mount_setattr, AT_FDCWD, p->text, p->other,
		p->number ? &with_suid : &writable, sizeof(struct attributes)));
}

/* A cover is moved away, or another mount put over it. */
static int try_move(const struct probe *p)
{
	int r = make_cover(p->text);

	if (r < 0)
		return r;
	mkdir("/moved", 0700);
	if (p->number)
		return probe_result(mount(p->text, "/moved", NULL, MS_MOVE, NULL));
	return probe_result(syscall(SYS_move_mount, AT_FDCWD, p->text, AT_FDCWD, "/moved", 0));
}

static int try_pivot(const struct probe *p)
{
	mkdir("/new", 0700);
	if (probe_is_control && mount("tmpfs", "/new", "tmpfs", 0, NULL) < 0)
		return -errno;
	if (chdir(p->text) < 0)
		return -errno;
	return probe_result(syscall(SYS_pivot_root, ".", "."));
}

static int try_fuse(const struct probe *p)
{
	char options[128];
	int fd;

	if (probe_is_control)
		mknod("/fuse", S_IFCHR | 0600, FUSE_MAJOR_MINOR);
	fd = open(probe_is_control ? "/fuse" : "/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0 && p->number == 0)
		return -errno;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0",
		fd < 0 ? 0 : fd);
	return p->number ? probe_result(mount("none", "/tmp", p->text, 0, options)) : 0;
}

/* A process in a user namespace with a map of its own; its namespace as an fd. */
static int make_userns(pid_t *ret_pid)
{
	char path[64];
	int gate[2], fd;
	char byte;

	if (pipe(gate) < 0)
		return -errno;
	*ret_pid = fork();
	if (*ret_pid == 0) {
		byte = unshare(CLONE_NEWUSER) < 0;
		if (write(gate[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	if (*ret_pid < 0 || read(gate[0], &byte, 1) != 1 || byte)
		return -EPERM;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", *ret_pid, i ? "gid_map" : "uid_map");
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0 100000 65536", 14) != 14)
			return -errno;
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", *ret_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int try_idmap(const struct probe *p)
{
	struct attributes attributes = {.set = ATTR_IDMAP};
	pid_t pid = -1;
	int fd, tree, r;

	if (probe_is_control && mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0)
		return -errno;
	fd = probe_is_control ? make_userns(&pid) : open("/proc/self/ns/user", O_RDONLY);
	if (fd < 0)
		return fd;
	attributes.userns_fd = (uint64_t)fd;
	tree = p->number ? open("/tmp", O_PATH | O_DIRECTORY)
			 : (int)syscall(SYS_open_tree, AT_FDCWD, "/tmp", OPEN_TREE_CLONE_FLAG);
	r = tree < 0 ? -errno
		     : probe_result(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes,
			       sizeof(attributes)));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return r;
}

/* clang-format off */
#define MOUNT(family, type, options, ...) \
	{.id = family, .name = "mount " type, .refused = {EPERM}, .control = {WORKED, __VA_ARGS__}, \
		.call = {SYS_mount, (long)"none", (long)"/tmp", (long)type, 0, (long)options}}
#define UMOUNT(path, flags) \
	{.id = "E33", .name = "umount " path " " #flags, .refused = {EPERM}, \
		.control = {WORKED, ENOENT}, .attempt = try_umount, .text = path, .number = flags}
#define MOVE(path, by, how) \
	{.id = "E33", .name = by " " path, .refused = {EPERM}, .control = {WORKED, ENOENT}, \
		.attempt = try_move, .text = path, .number = how}
#define REMOUNT(path, flags) \
	{.id = "E34", .name = "remount " path, .refused = {EPERM}, .control = {WORKED}, \
		.attempt = try_remount, .text = path, .number = MS_REMOUNT | (flags)}
#define SETATTR(path, title, suid, recursive) \
	{.id = "E34", .name = "mount_setattr " path ": " title, .refused = {EPERM}, \
		.control = {WORKED}, .attempt = try_mount_setattr, .text = path, .number = suid, \
		.other = recursive}
#define TREE(path, flags) \
	{.id = "E35", .name = "open_tree " path " " #flags, .refused = {EPERM}, .control = {WORKED}, \
		.call = {SYS_open_tree, AT_FDCWD, (long)path, flags}}

static const struct probe rows[] = {
	MOUNT("E31", "proc", NULL), MOUNT("E31", "sysfs", NULL), MOUNT("E31", "tmpfs", NULL),
	MOUNT("E31", "devpts", "newinstance"), MOUNT("E31", "mqueue", NULL, ENODEV),
	MOUNT("E31", "ramfs", NULL), MOUNT("E31", "overlay", "lowerdir=/etc:/usr"),
	MOUNT("E31", "binfmt_misc", NULL, ENODEV),
	{.id = "E31", .name = "mount --bind /", .refused = {EPERM}, .control = {WORKED},
		.call = {SYS_mount, (long)"/", (long)"/tmp", 0, MS_BIND | MS_REC, 0}},
	{.id = "E31", .name = "mount --make-shared /", .refused = {EPERM}, .control = {WORKED},
		.call = {SYS_mount, 0, (long)"/", 0, MS_SHARED | MS_REC, 0}},

	/* Where the kernel wants more than the right, it says so in the control. */
	MOUNT("E32", "debugfs", NULL, ENODEV), MOUNT("E32", "tracefs", NULL, ENODEV),
	MOUNT("E32", "securityfs", NULL, ENODEV), MOUNT("E32", "bpf", NULL, ENODEV),
	MOUNT("E32", "pstore", NULL, ENODEV), MOUNT("E32", "autofs", NULL, EINVAL, ENODEV),
	MOUNT("E32", "hugetlbfs", NULL, ENODEV), MOUNT("E32", "devtmpfs", NULL, ENODEV),
	MOUNT("E32", "ext4", NULL, ENOTBLK, ENOENT, ENODEV),
	MOUNT("E32", "configfs", NULL, ENODEV), MOUNT("E32", "efivarfs", NULL, ENODEV, EOPNOTSUPP),
	MOUNT("E32", "fusectl", NULL, ENODEV), MOUNT("E32", "nfsd", NULL, ENODEV),

	UMOUNT("/proc/keys", 0), UMOUNT("/proc/kallsyms", 0), UMOUNT("/proc/config.gz", 0),
	UMOUNT("/proc/interrupts", 0), UMOUNT("/proc/cmdline", 0), UMOUNT("/proc/iomem", 0),
	UMOUNT("/proc/ioports", 0), UMOUNT("/proc/mtrr", 0), UMOUNT("/proc/acpi", 0),
	UMOUNT("/proc/sys", 0), UMOUNT("/proc/bus", 0), UMOUNT("/proc/fs", 0), UMOUNT("/proc/irq", 0),
	UMOUNT("/proc/keys", MNT_DETACH), UMOUNT("/proc/sys", MNT_DETACH),
	UMOUNT("/proc/sys", MNT_FORCE), UMOUNT("/proc/cmdline", MNT_DETACH),
	UMOUNT("/proc", MNT_DETACH), UMOUNT("/dev", MNT_DETACH), UMOUNT("/dev/pts", MNT_DETACH),
	UMOUNT("/dev/shm", MNT_DETACH), UMOUNT("/", MNT_DETACH),
	MOVE("/proc/sys", "mount --move", 1), MOVE("/proc/sys", "move_mount", 0),
	MOVE("/dev", "mount --move", 1), MOVE("/dev", "move_mount", 0),

	REMOUNT("/proc/sys", MS_BIND), REMOUNT("/proc/bus", MS_BIND), REMOUNT("/proc/irq", MS_BIND),
	REMOUNT("/proc/fs", MS_BIND), REMOUNT("/dev", MS_BIND), REMOUNT("/dev", 0),
	REMOUNT("/", MS_BIND), REMOUNT("/usr", MS_BIND), REMOUNT("/proc", 0),
	SETATTR("/proc/sys", "writable", 0, 0), SETATTR("/dev", "writable", 0, 0),
	SETATTR("/proc/irq", "writable", 0, 0), SETATTR("/", "suid, devices", 1, 0),
	SETATTR("/", "suid, devices, recursively", 1, AT_RECURSIVE_FLAG),
	SETATTR("/dev", "suid, devices", 1, 0),

	TREE("/", OPEN_TREE_CLONE_FLAG), TREE("/", OPEN_TREE_CLONE_FLAG | AT_RECURSIVE_FLAG),
	TREE("/proc", OPEN_TREE_CLONE_FLAG), TREE("/dev", OPEN_TREE_CLONE_FLAG), TREE("/", 0),

	{.id = "E36", .name = "pivot_root . .", .refused = {EPERM}, .control = {WORKED},
		.attempt = try_pivot, .text = "/new"},
	{.id = "E36", .name = "pivot_root of the root itself", .refused = {EPERM},
		.control = {EBUSY, EINVAL}, .attempt = try_pivot, .text = "/"},

	{.id = "E46", .name = "open the FUSE device", .refused = {ENOENT},
		.control = {WORKED, ENODEV, ENXIO}, .attempt = try_fuse},
	{.id = "E46", .name = "mount fuse", .refused = {EPERM}, .control = {WORKED, ENODEV, EINVAL},
		.attempt = try_fuse, .text = "fuse", .number = 1},
	{.id = "E46", .name = "mount fuseblk", .refused = {EPERM},
		.control = {ENOTBLK, ENOENT, ENODEV}, .attempt = try_fuse, .text = "fuseblk", .number = 1},
	{.id = "E46", .name = "fsopen fuse", .refused = {EPERM}, .control = {WORKED, ENODEV},
		.call = {SYS_fsopen, (long)"fuse", 0}},

	{.id = "E47", .name = "idmap a clone", .refused = {EPERM}, .control = {WORKED, EINVAL},
		.attempt = try_idmap},
	{.id = "E47", .name = "idmap an attached mount", .refused = {EPERM}, .control = {EINVAL, EBUSY},
		.attempt = try_idmap, .number = 1},
};
/* clang-format on */

const struct probe_family probe_mounts = PROBE_FAMILY(rows);
