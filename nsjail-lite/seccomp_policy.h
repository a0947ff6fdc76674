/*
 * seccomp_policy.h - which system calls a sandbox may make, and why: the one table.
 *
 * Default-deny: a call that no row names is answered ENOSYS, so that programs fall back. Up to
 * SECCOMP_NEWEST each call of Linux stands in a row: only newer ones have none. Calls of a foreign
 * ABI (i386, x32) end the process.
 */
#ifndef NSJAIL_LITE_SECCOMP_POLICY_H
#define NSJAIL_LITE_SECCOMP_POLICY_H
#include <stddef.h>

#define SECCOMP_NEWEST 470 /* listns, of Linux 6.19 */

enum seccomp_action {
	ACTION_ALLOW,
	ACTION_EPERM,
	ACTION_ENOSYS,
	/* allowed but for some arguments; the compiler has one function for each */
	ACTION_CHECK_CLONE,
	ACTION_CHECK_UNSHARE,
	ACTION_CHECK_SOCKET,
	ACTION_CHECK_SOCKETPAIR,
	ACTION_CHECK_SETSOCKOPT,
	ACTION_CHECK_IOCTL,
	ACTION_CHECK_PERSONALITY,
	ACTION_CHECK_OOB_ARG2, /* MSG_OOB in the flags, which are argument 2 */
	ACTION_CHECK_OOB_ARG3,
};

struct seccomp_row {
	enum seccomp_action action;
	const char *reason;
	const char *
		calls; /* names divided by blanks; "name=N" where the C library's tools may not know it */
};

extern const struct seccomp_row seccomp_policy[];
extern const size_t seccomp_policy_count;
#endif
