/*
 * The builder's own mount tree: two mounts and no /proc. Each sandbox begins as a copy of it, so small
 * means fast; and a /proc left in it would let a fresh, uncovered one be mounted inside. On a kernel that
 * cannot clone detached mounts the templates stand in it too.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"

/* A detached tmpfs. */
static int make_tmpfs(const char *size, struct error *err)
{
	auto_close int fs = kernel_fsopen("tmpfs");
	int fd;

	if (fs < 0 || kernel_fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
		kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "tmpfs");
	fd = kernel_fsmount(fs, 0);
	return fd < 0 ? error_errno(err, "tmpfs: fsmount") : fd;
}

/* Every entry belongs to the owner, links too. */
static int fill_dev(int fd, uint32_t owner)
{
	static const struct {
		const char *name;
		unsigned minor, major;
	} nodes[] = {{"null", 3, 1}, {"zero", 5, 1}, {"full", 7, 1}, {"random", 8, 1},
		{"urandom", 9, 1}, {"tty", 0, 5}};
	static const char *const links[][2] = {{"fd", "/proc/self/fd"},
		{"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"}};
	static const char *const directories[] = {"pts", "shm", "mqueue"};

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (mknodat(fd, nodes[i].name, S_IFCHR | 0666,
			    makedev(nodes[i].major, nodes[i].minor)) < 0 ||
			fchmodat(fd, nodes[i].name, 0666, 0) < 0 ||
			fchownat(fd, nodes[i].name, owner, owner, 0) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i][1], fd, links[i][0]) < 0 ||
			fchownat(fd, links[i][0], owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	/* Nothing writable: this tmpfs may be shared by all sandboxes. shm and pts get mounts of their own. */
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (mkdirat(fd, directories[i], 0755) < 0 ||
			fchownat(fd, directories[i], owner, owner, 0) < 0)
			return -errno;
	return fchownat(fd, "", owner, owner, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int tree_make_dev(uint32_t owner, struct error *err)
{
	auto_close int fd = make_tmpfs("64k", err);
	int r;

	if (fd < 0)
		return fd;
	r = fill_dev(fd, owner);
	if (r < 0)
		return error_set(err, -r, "/dev: %s", strerror(-r));
	return take_fd(&fd);
}

static int make_templates(struct builder *b, struct error *err)
{
	struct mount_attr read_only = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};

	b->null_fd = b->empty_fd = -1;
	b->dev_fd = tree_make_dev(0, err);
	if (b->dev_fd < 0)
		return b->dev_fd;
	b->null_fd = kernel_open_tree(b->dev_fd, "null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	b->is_attached = b->null_fd < 0 || !root_takes_detached(b->dev_fd);
	if (b->is_attached) {
		fd_close(take_fd(&b->null_fd));
		b->covers.null_path = "/dev/null";
		b->covers.empty_path = "/dev/pts";
		return kernel_mount_setattr(b->dev_fd, 0, &read_only) < 0
			       ? error_errno(err, "/dev template: read-only")
			       : 0;
	}
	b->covers.null_path = b->covers.empty_path = "";
	if (kernel_mount_setattr(b->null_fd, 0, &read_only) < 0)
		return error_errno(err, "/dev template: clone of null");
	b->empty_fd = make_tmpfs("4k", err);
	if (b->empty_fd < 0)
		return b->empty_fd;
	if (kernel_mount_setattr(b->empty_fd, 0, &read_only) < 0)
		return error_errno(err, "empty directory: read-only");
	return 0;
}

/*
 * Of what may tell of the host or change it, what this kernel has. A file that only its owner may touch
 * needs no cover: its owner is the host's root, whom nobody inside is, whatever capability he has there.
 */
static void find_covers(struct builder *b)
{
	static const struct proc_cover all[] = {
		{"kcore", COVER_FILE},
		{"keys", COVER_FILE},
		{"timer_list", COVER_FILE},
		{"kallsyms", COVER_FILE},
		{"config.gz", COVER_FILE},
		{"interrupts", COVER_FILE},
		{"sched_debug", COVER_FILE},
		{"sysrq-trigger", COVER_FILE},
		{"latency_stats", COVER_FILE},
		{"kpagecount", COVER_FILE},
		{"kpageflags", COVER_FILE},
		{"kpagecgroup", COVER_FILE},
		{"cmdline", COVER_FILE},
		{"vmallocinfo", COVER_FILE},
		{"slabinfo", COVER_FILE},
		{"iomem", COVER_FILE},
		{"ioports", COVER_FILE},
		{"mtrr", COVER_FILE},
		{"diskstats", COVER_FILE},
		{"partitions", COVER_FILE},
		{"kmsg", COVER_FILE},
		{"acpi", COVER_DIRECTORY},
		{"scsi", COVER_DIRECTORY},
		{"asound", COVER_DIRECTORY},
		{"sys", COVER_READ_ONLY},
		{"bus", COVER_READ_ONLY},
		{"fs", COVER_READ_ONLY},
		{"irq", COVER_READ_ONLY},
		{"pressure", COVER_READ_ONLY},
	};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (fstatat(b->proc_fd, all[i].name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			(st.st_mode & (S_IRWXG | S_IRWXO)))
			b->covers.cover[b->covers.count++] = all[i];
}

/*
 * unshare() leaves the root directory where it was, which in a chroot is not the root of the mount
 * namespace: what lies above would come along into every sandbox. Joining the namespace moves it.
 */
static int to_namespace_root(struct builder *b, struct error *err)
{
	b->mntns_fd = openat(b->proc_fd, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (b->mntns_fd < 0 || setns(b->mntns_fd, CLONE_NEWNS) < 0)
		return error_errno(err, "root of the mount namespace");
	return 0;
}

/*
 * A mount is cloned only by the namespace that it comes from: attach what the host handed over here, for
 * a moment, and keep a clone of our own. Any directory serves; the attached one goes with the old root.
 */
static int adopt_mount(int *fd, struct error *err)
{
	int own;

	if (kernel_move_mount(*fd, AT_FDCWD, "/proc", 0) < 0)
		return error_errno(err, "attach a template's mount");
	own = kernel_open_tree(*fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (own < 0)
		return error_errno(err, "clone a template's mount");
	fd_close(*fd);
	*fd = own;
	return 0;
}

static int adopt_templates(struct builder *b, struct error *err)
{
	int r = b->workspaces_fd < 0 ? 0 : adopt_mount(&b->workspaces_fd, err);

	for (size_t i = 0; r == 0 && i < JAIL_TEMPLATES_MAX; i++) {
		struct template *t = &b->templates[i];

		if (!t->is_set)
			continue;
		r = adopt_mount(&t->image_fd, err);
		for (unsigned k = 0; r == 0 && k < t->bind_count; k++)
			r = adopt_mount(&t->bind_fds[k], err);
	}
	return r;
}

static int attach_at(int tree_fd, const char *name, int mount_fd, struct error *err)
{
	if (mkdirat(tree_fd, name, 0755) < 0 || kernel_move_mount(mount_fd, tree_fd, name, 0) < 0)
		return error_errno(err, "attach a template's mount at %s", name);
	return 0;
}

/* The tree keeps what will be cloned; the fds stay good for that. */
static int attach_templates(const struct builder *b, int tree_fd, struct error *err)
{
	char name[32];
	int r = 0;

	/* root.c's TREE_LOWER and TREE_UPPER */
	if (mkdirat(tree_fd, "lower", 0755) < 0 || mkdirat(tree_fd, "upper", 0755) < 0)
		return error_errno(err, "mkdir lower and upper");
	r = attach_at(tree_fd, "dev", b->dev_fd, err);
	if (r == 0 && b->workspaces_fd >= 0)
		r = attach_at(tree_fd, "workspaces", b->workspaces_fd, err);
	for (unsigned i = 0; r == 0 && i < JAIL_TEMPLATES_MAX; i++) {
		const struct template *t = &b->templates[i];

		if (!t->is_set)
			continue;
		snprintf(name, sizeof(name), "image%u", i);
		r = attach_at(tree_fd, name, t->image_fd, err);
		for (unsigned k = 0; r == 0 && k < t->bind_count; k++) {
			snprintf(name, sizeof(name), "bind%u-%u", i, k);
			r = attach_at(tree_fd, name, t->bind_fds[k], err);
		}
	}
	return r;
}

static int pivot_to_tiny_tree(const struct builder *b, struct error *err)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_close int fd = make_tmpfs("4k", err);
	int r = 0;

	if (fd < 0)
		return fd;
	if (kernel_move_mount(fd, AT_FDCWD, "/proc", 0) < 0)
		return error_errno(err, "attach the tiny tree");
	if (b->is_attached)
		r = attach_templates(b, fd, err);
	if (r < 0)
		return r;
	if (fchdir(fd) < 0 || kernel_pivot_root(".", ".") < 0)
		return error_errno(err, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, "leave the host's tree");
	if (kernel_mount_setattr(fd, 0, &read_only) < 0)
		return error_errno(err, "tiny tree read-only");
	return 0;
}

int tree_set_up(struct builder *b, struct error *err)
{
	int r;

	b->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (b->proc_fd < 0)
		return error_errno(err, "open /proc");
	b->host_netns_fd = openat(b->proc_fd, "self/ns/net", O_RDONLY | O_CLOEXEC);
	if (b->host_netns_fd < 0)
		return error_errno(err, "open network namespace");
	b->host_utsns_fd = openat(b->proc_fd, "self/ns/uts", O_RDONLY | O_CLOEXEC);
	if (b->host_utsns_fd < 0)
		return error_errno(err, "open uts namespace");
	find_covers(b);
	if (unshare(CLONE_NEWNS) < 0)
		return error_errno(err, "new mount namespace");
	r = to_namespace_root(b, err);
	if (r < 0)
		return r;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, "private mounts");
	r = make_templates(b, err);
	if (r == 0 && !b->is_attached)
		r = adopt_templates(b, err);
	return r < 0 ? r : pivot_to_tiny_tree(b, err);
}
