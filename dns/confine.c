#include "dns/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define FILES_MAX  32
#define MEMORY_MAX (UINT64_C(256) << 20)

/* unshare() leaves the root where it was, which in a chroot is not the root of the mount namespace. */
static int enter_own_mounts(struct error *err)
{
	auto_close int fd = -1;

	if (unshare(CLONE_NEWNS) < 0)
		return error_errno(err, "new mount namespace");
	fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
		return error_errno(err, "root of the mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, "private mounts");
	return 0;
}

static int empty_root(struct error *err)
{
	/* Any directory serves as the place; it goes with the old root. */
	if (mount("none", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    "size=4k,mode=0555") < 0)
		return error_errno(err, "empty directory");
	if (chdir("/proc") < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return error_errno(err, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, "leave the host's tree");
	return 0;
}

static int drop(uid_t uid, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return error_errno(err, "become uid %u", uid);
	if (setresuid(0, 0, 0) == 0)
		return error_set(err, EPERM, "become uid %u: root comes back", uid);
	if (syscall(SYS_capset, &header, none) < 0)
		return error_errno(err, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_errno(err, "set no_new_privs");
	return 0;
}

static int bound(struct error *err)
{
	static const struct {
		int what;
		struct rlimit limit;
	} bounds[] = {
		{RLIMIT_NOFILE, {FILES_MAX, FILES_MAX}},
		{RLIMIT_AS, {MEMORY_MAX, MEMORY_MAX}},
		{RLIMIT_NPROC, {0, 0}},
		{RLIMIT_CORE, {0, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		if (setrlimit((__rlimit_resource_t)bounds[i].what, &bounds[i].limit) < 0)
			return error_errno(err, "limits");
	return 0;
}

int confine(uid_t uid, struct error *err)
{
	int r = enter_own_mounts(err);

	if (r == 0)
		r = empty_root(err);
	if (r == 0)
		r = bound(err);
	if (r == 0)
		r = drop(uid, err);
	return r;
}
