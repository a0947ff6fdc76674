/* Who we are, what we may have, and what has to be installed. */
#include <errno.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/jail.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/uid_ranges.h"

#define OPEN_FILES_SPARE 192   /* beside one for each sandbox: clients, images, links */
#define OPEN_FILES_FEW	 10000 /* the ten thousand sandboxes that a host is meant to hold */

int try_root(struct check_attempt *attempt, struct error *err)
{
	(void)err;
	return check_found(attempt, "uid 0");
}

int try_capability(struct check_attempt *attempt, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t number = attempt->check->number;

	if (syscall(SYS_capget, &header, data) < 0)
		return error_errno(err, "capget");
	if (!(data[number / 32].effective & UINT32_C(1) << number % 32))
		return error_set(err, EPERM, "missing: %s", attempt->check->text);
	return check_found(attempt, "%s", attempt->check->text);
}

int try_open_files(struct check_attempt *attempt, struct error *err)
{
	const struct rlimit sandbox = {JAIL_OPEN_FILES, JAIL_OPEN_FILES};
	struct rlimit limit;
	unsigned long long hard;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_errno(err, "getrlimit");
	hard = limit.rlim_max;
	/* A start knows its pools, which may have less. */
	if (attempt->options->is_start)
		attempt->on_failure = DOCTOR_WARN;
	if (setrlimit(RLIMIT_NOFILE, &sandbox) < 0)
		return error_errno(err, "hard limit %llu, and a sandbox has %d by default", hard,
			JAIL_OPEN_FILES);
	check_found(attempt, "hard limit %llu: at most %llu sandboxes of one instance", hard,
		hard > OPEN_FILES_SPARE ? hard - OPEN_FILES_SPARE : 0);
	if (hard >= OPEN_FILES_FEW + OPEN_FILES_SPARE)
		return 0;
	attempt->on_failure = DOCTOR_WARN;
	return error_set(err, EMFILE, "%s", attempt->result->detail);
}

int try_user(struct check_attempt *attempt, struct error *err)
{
	const char *name = attempt->options->user;
	const struct passwd *user = (errno = 0, getpwnam(name));

	if (user && user->pw_uid != 0)
		return check_found(attempt, "uid %u", user->pw_uid);
	snprintf(attempt->result->fix, sizeof(attempt->result->fix),
		"useradd --system --user-group %s", name);
	if (user)
		return error_set(err, EPERM, "user %s is root", name);
	return error_set(err, ENOENT, "there is no user %s", name);
}

int try_uid_ranges(struct check_attempt *attempt, struct error *err)
{
	uint32_t first;
	int r = uid_ranges_take(attempt->instance, 1, &first, err);

	if (r == 0)
		r = uid_ranges_drop(attempt->instance, err);
	return r < 0 ? r
		     : check_found(attempt, "uids %u to %u are free", first, first + JAIL_UIDS - 1);
}

int try_image(struct check_attempt *attempt, struct error *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s/manifest.json", attempt->options->store,
		attempt->check->text);
	if (access(path, F_OK) < 0)
		return error_errno(err, "%s", path);
	return check_found(attempt, "%s", path);
}
