/*
 * Late binding: what a lease has of its own is given to a sandbox that is ready. The workspace's mount is
 * made here and moved by this process itself, from within the sandbox's mount namespace: it shares its root
 * and its working directory with nobody, nothing foreign runs in there yet, and joining its own namespace
 * again leads both back to the root of the tiny tree, where they were.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/quota.h>
#include <poll.h>
#include <stdalign.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/builder/builder.h"
#include "nsjail-lite/kernel.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

/* Of a workspace's limit: files are bounded too, empty ones fill a disk's tables as well. */
#define BYTES_PER_FILE 4096u
#define FILES_AT_LEAST 64u

static int open_directory(const struct builder *b, const char *id)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, b->workspaces_fd, id, &how, sizeof(how));
}

/* Of the quota: a directory's own number, which no other one has. 0: it has none that fits. */
static uint32_t project_of(const struct stat *st)
{
	return st->st_ino <= INT32_MAX ? (uint32_t)st->st_ino : 0;
}

/* A new one is counted from its first file on, where the file system counts at all; then its owner's. */
static int give_away(int fd, const struct stat *st)
{
	struct fsxattr attr;

	if (project_of(st) != 0 && ioctl(fd, FS_IOC_FSGETXATTR, &attr) == 0) {
		attr.fsx_xflags |= FS_XFLAG_PROJINHERIT;
		attr.fsx_projid = project_of(st);
		ioctl(fd, FS_IOC_FSSETXATTR, &attr);
	}
	return fchown(fd, JAIL_WORKSPACE_UID, JAIL_WORKSPACE_UID);
}

/* Another builder may make the same one at the same time. */
static int make_directory(struct builder *b, const char *id)
{
	b->wants_spare = true;
	if (syscall(SYS_renameat2, b->workspaces_fd, b->spare, b->workspaces_fd, id,
		    RENAME_NOREPLACE) == 0 ||
		errno == EEXIST)
		return 0;
	return mkdirat(b->workspaces_fd, id, 0755) == 0 || errno == EEXIST ? 0 : -1;
}

void bind_make_spare(struct builder *b)
{
	auto_close int fd = -1;
	struct stat st;

	b->wants_spare = false;
	if (mkdirat(b->workspaces_fd, b->spare, 0755) < 0 && errno != EEXIST)
		return;
	fd = open_directory(b, b->spare);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0)
		give_away(fd, &st);
}

/* 1: nothing is in it but itself and its parent; 0: something is; -1 with errno. */
static int is_empty(int fd)
{
	alignas(struct dirent) char buffer[512]; /* one entry of any length at least */
	long n;

	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent *entry = (const void *)(buffer + at);

			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				return 0;
			at += entry->d_reclen;
		}
	return n < 0 ? -1 : 1;
}

/* A directory of root's is new, or whoever made it came no further: then nothing is in it. */
static int claim(int fd, const char *id, struct stat *ret_st, struct error *err)
{
	int r;

	if (fstat(fd, ret_st) < 0)
		return error_errno(err, "workspace %s", id);
	if (ret_st->st_uid == 0) {
		r = is_empty(fd);
		if (r > 0)
			r = give_away(fd, ret_st) == 0 ? 1 : -1;
		if (r != 0)
			return r < 0 ? error_errno(err, "workspace %s: owner", id) : 0;
		/* Another builder may have given it away meanwhile, and its sandbox have written. */
		if (fstat(fd, ret_st) < 0)
			return error_errno(err, "workspace %s", id);
	}
	if (ret_st->st_uid == 0)
		return error_set(err, EPERM,
			"workspace %s: a directory of root's that is not empty: it is not a "
			"workspace",
			id);
	/* Root inside may have given it to another user inside. */
	if (ret_st->st_uid - JAIL_WORKSPACE_UID >= JAIL_UIDS)
		return error_set(err, EPERM, "workspace %s: belongs to uid %u", id, ret_st->st_uid);
	return 0;
}

static int open_workspace(struct builder *b, const char *id, struct stat *ret_st, struct error *err)
{
	auto_close int fd = open_directory(b, id);
	int r;

	if (fd < 0 && errno == ENOENT && make_directory(b, id) == 0)
		fd = open_directory(b, id);
	if (fd < 0)
		return error_errno(err, "workspace %s", id);
	r = claim(fd, id, ret_st, err);
	return r < 0 ? r : take_fd(&fd);
}

/* Whether the file system has counted all that is in it, and now holds it to so many bytes; 0: to none. */
static bool hold_size(int fd, const struct stat *st, uint64_t bytes)
{
	const struct if_dqblk limit = {.dqb_bhardlimit = bytes / 1024 + (bytes % 1024 != 0),
		.dqb_ihardlimit = bytes ? bytes / BYTES_PER_FILE + FILES_AT_LEAST : 0,
		.dqb_valid = QIF_LIMITS};
	struct fs_quota_stat state = {.qs_version = FS_QSTAT_VERSION};
	struct fsxattr attr;

	if (project_of(st) == 0 || ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0 ||
		attr.fsx_projid != project_of(st) || !(attr.fsx_xflags & FS_XFLAG_PROJINHERIT))
		return false;
	if (syscall(SYS_quotactl_fd, fd, QCMD(Q_XGETQSTAT, PRJQUOTA), 0, &state) < 0 ||
		!(state.qs_flags & FS_QUOTA_PDQ_ENFD))
		return false;
	return syscall(SYS_quotactl_fd, fd, QCMD(Q_SETQUOTA, PRJQUOTA), attr.fsx_projid, &limit) ==
	       0;
}

/* Its mount, on which root inside is the owner of its files. */
static int mount_workspace(struct builder *b, const struct slot *slot, const struct link_bind *m,
	uint32_t *ret_is_soft, struct error *err)
{
	struct stat st;
	auto_close int fd = -1;
	int mount_fd;

	if (b->workspaces_fd < 0)
		return error_set(
			err, EOPNOTSUPP, "workspace %s: there are no workspaces", m->workspace);
	fd = open_workspace(b, m->workspace, &st, err);
	if (fd < 0)
		return fd;
	*ret_is_soft = !hold_size(fd, &st, m->workspace_bytes) && m->workspace_bytes;
	mount_fd = root_idmapped_clone(
		fd, "", slot->workspace_userns_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount_fd < 0 && errno == EINVAL)
		return error_set(err, EOPNOTSUPP,
			"workspace %s: this kernel cannot idmap its file system (EOPNOTSUPP): "
			"keep the workspaces on ext4, xfs or btrfs",
			m->workspace);
	return mount_fd < 0 ? error_errno(err, "workspace %s: idmapped clone", m->workspace)
			    : mount_fd;
}

static void leave(const struct builder *b, int namespaces)
{
	if (setns(b->mntns_fd, CLONE_NEWNS) < 0 ||
		(namespaces & CLONE_NEWUTS && setns(b->host_utsns_fd, CLONE_NEWUTS) < 0))
		_exit(1); /* never go on with a sandbox's root */
}

/* What only those inside can do: from there. mount_fd -1: nothing to mount. */
static int bind_inside(const struct builder *b, const struct slot *slot, const struct link_bind *m,
	int mount_fd, struct error *err)
{
	const int namespaces = CLONE_NEWNS | (m->what & BIND_HOSTNAME ? CLONE_NEWUTS : 0);
	int r = 0;

	if (setns(slot->pidfd, namespaces) < 0)
		return error_errno(err, "bind: namespaces of the sandbox");
	if (mount_fd >= 0 && kernel_move_mount(mount_fd, AT_FDCWD, JAIL_WORKSPACE_DIR, 0) < 0)
		r = error_errno(err, "workspace %s: mount", m->workspace);
	if (r == 0 && m->what & BIND_HOSTNAME && sethostname(m->hostname, strlen(m->hostname)) < 0)
		r = error_errno(err, "hostname");
	leave(b, namespaces);
	return r;
}

static bool is_dead(const struct slot *slot)
{
	struct pollfd p = {.fd = slot->pidfd, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

static int apply(struct builder *b, const struct slot *slot, const struct link_bind *m,
	uint32_t *ret_is_soft, struct error *err)
{
	auto_close int mount_fd = -1;
	int r;

	if (m->what & BIND_WORKSPACE) {
		mount_fd = mount_workspace(b, slot, m, ret_is_soft, err);
		if (mount_fd < 0)
			return mount_fd;
	}
	if (m->what & (BIND_WORKSPACE | BIND_HOSTNAME)) {
		r = bind_inside(b, slot, m, mount_fd, err);
		if (r < 0)
			return r;
	}
	r = cgroup_limit(&b->base, slot->cgroup, &m->limits, err);
	return r < 0 ? error_prefix(err, r, "limits") : 0;
}

int bind_sandbox(struct builder *b, struct slot *slot, const struct link_bind *message,
	struct link_bound *ret_bound, struct error *err)
{
	const uint64_t before = clock_now_ns();
	uint32_t is_soft = 0;
	int r;

	if (slot->is_bound)
		return error_set(err, EALREADY, "bind: the sandbox has been bound before");
	if (is_dead(slot))
		return error_set(err, ESRCH, "bind: the sandbox is dead");
	slot->is_bound = true;
	r = apply(b, slot, message, &is_soft, err);
	if (r < 0)
		return r;
	ret_bound->is_soft = is_soft;
	ret_bound->bind_ns = clock_now_ns() - before;
	return 0;
}
