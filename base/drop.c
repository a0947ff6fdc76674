/* drop.c - the order matters: groups while we may, then ids, then what is left of capabilities. */
#include "base/drop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

static int become(const struct passwd *user, struct error *err)
{
	if (setgroups(0, NULL) < 0)
		return error_errno(err, "drop groups");
	if (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0)
		return error_errno(err, "become group of %s", DROP_USER);
	if (setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return error_errno(err, "become user %s", DROP_USER);
	if (setresuid(0, 0, 0) == 0)
		return error_set(err, EPERM, "become user %s: root comes back", DROP_USER);
	return 0;
}

/* A system's user stands in this file, which asks nobody else; else whoever may know him. */
static const struct passwd *find_user(void)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;

	if (!file)
		return getpwnam(DROP_USER);
	do
		user = fgetpwent(file);
	while (user && strcmp(user->pw_name, DROP_USER) != 0);
	fclose(file);
	return user ? user : getpwnam(DROP_USER);
}

int drop_privileges(struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	int r = 0;

	if (geteuid() == 0) {
		const struct passwd *user = (errno = 0, find_user());

		if (!user)
			return error_set(
				err, errno ? errno : ENOENT, "there is no user %s", DROP_USER);
		if (user->pw_uid == 0)
			return error_set(err, EPERM, "user %s is root", DROP_USER);
		r = become(user, err);
	}
	if (r == 0 && syscall(SYS_capset, &header, none) < 0)
		r = error_errno(err, "drop capabilities");
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = error_errno(err, "set no_new_privs");
	return r;
}
