#include "agentd/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CAPABILITY_COUNT 64 /* more than any kernel has */

int privilege_find(const char *name, struct privilege_user *ret_user, struct error *err)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return error_set(err, errno ? errno : ENOENT,
			"there is no user %s to become: make it with: useradd --system "
			"--no-create-home --shell /usr/sbin/nologin %s",
			name, name);
	ret_user->uid = user->pw_uid;
	ret_user->gid = user->pw_gid;
	return 0;
}

/* With CAP_SETPCAP, so while still root: what is not in the bounding set, no exec brings back. */
static int empty_bounding_set(struct error *err)
{
	for (unsigned long cap = 0; cap < CAPABILITY_COUNT; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return error_errno(err, "drop capability %lu from the bounding set", cap);
	return 0;
}

static int become(const struct privilege_user *user, struct error *err)
{
	if (user->uid == 0)
		return error_set(err, EINVAL, "the user to become must not be root");
	if (setgroups(1, &user->gid) < 0)
		return error_errno(err, "setgroups");
	if (setresgid(user->gid, user->gid, user->gid) < 0)
		return error_errno(err, "setresgid");
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		return error_errno(err, "setresuid");
	return 0;
}

/* libcap's header pulls in its library; the system call is enough for "none". */
static int clear_capabilities(struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_errno(err, "clear the ambient capabilities");
	if (syscall(SYS_capset, &header, none) < 0)
		return error_errno(err, "capset");
	return 0;
}

static int verify_ids(uid_t uid, gid_t gid, struct error *err)
{
	uid_t uids[3];
	gid_t gids[3];

	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
		getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		return error_errno(err, "read the ids back");
	for (int i = 0; i < 3; i++)
		if (uids[i] != uid || gids[i] != gid)
			return error_set(err, EPERM, "the ids have not become %u:%u", uid, gid);
	if (setuid(0) == 0)
		return error_set(err, EPERM, "root can be regained");
	return 0;
}

static int verify_capabilities(struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct own[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, own) < 0)
		return error_errno(err, "capget");
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i].effective || own[i].permitted || own[i].inheritable)
			return error_set(err, EPERM, "capabilities are left");
	return 0;
}

int privilege_drop(const struct privilege_user *user, struct error *err)
{
	int r = 0;

	if (geteuid() == 0) {
		r = empty_bounding_set(err);
		if (r == 0)
			r = become(user, err);
	}
	if (r == 0)
		r = clear_capabilities(err);
	if (r < 0)
		return error_prefix(err, r, "drop privileges");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, "drop privileges: PR_SET_NO_NEW_PRIVS");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_errno(err, "drop privileges: PR_SET_DUMPABLE");
	r = verify_ids(geteuid(), getegid(), err);
	if (r == 0)
		r = verify_capabilities(err);
	return r < 0 ? error_prefix(err, r, "drop privileges") : 0;
}
