/*
 * E14 new namespaces by unshare, clone and clone3.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/families.h"

static int try_unshare(const struct probe *p)
{
	return probe_result(unshare((int)p->number));
}

static int try_clone(const struct probe *p)
{
	long pid = syscall(SYS_clone, p->number | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return probe_result(pid);
}

static int try_clone3(const struct probe *p)
{
	uint64_t arguments[11] = {(uint64_t)p->number, 0, 0, 0, SIGCHLD};
	long pid = syscall(SYS_clone3, arguments, sizeof(arguments));

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return probe_result(pid);
}

#define NAMESPACE_TIME 0x80

#define UNSHARE(flag)                                                                              \
	{                                                                                          \
		.id = "E14", .name = "unshare(" #flag ")", .attempt = try_unshare, .number = flag, \
		.refused = {EPERM}, .control = {                                                   \
			WORKED                                                                     \
		}                                                                                  \
	}
#define CLONE(flag)                                                                                \
	{                                                                                          \
		.id = "E14", .name = "clone(" #flag ")", .attempt = try_clone, .number = flag,     \
		.refused = {EPERM}, .control = {                                                   \
			WORKED                                                                     \
		}                                                                                  \
	}
#define CLONE3(flag)                                                                               \
	{                                                                                          \
		.id = "E14", .name = "clone3(" #flag ")", .attempt = try_clone3, .number = flag,   \
		.refused = {ENOSYS}, .control = {                                                  \
			WORKED                                                                     \
		}                                                                                  \
	}

static const struct probe rows[] = {
	UNSHARE(CLONE_NEWUSER),
	UNSHARE(CLONE_NEWNS),
	CLONE(CLONE_NEWUSER),
	CLONE3(CLONE_NEWUSER),
};

const struct probe_family probe_namespaces = PROBE_FAMILY(rows);
