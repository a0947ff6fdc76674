/* instance_stop.c - ending the daemons of an instance, in whatever state they are, and removing what they made. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/instance.h"
#include "proto/instance.h"

#define KILLED_MS     5000
#define REAPED_MS     5000
#define RECOVERY_MS   2000
#define LOOK_EVERY_MS 5

static bool has_ended(int pidfd, int timeout_ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) > 0;
}

int instance_end(int pidfd, int timeout_ms, struct error *err)
{
	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return error_errno(err, "signal");
	if (!has_ended(pidfd, timeout_ms)) {
		if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
			return error_errno(err, "kill");
		if (!has_ended(pidfd, KILLED_MS))
			return error_set(err, ETIMEDOUT, "it does not end, although it was killed");
	}
	waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
	return 0;
}

/* *ret_pidfd: of what was ended; -1 when nothing answered. */
static int stop_daemon(const char *directory, const char *name, int type, int timeout_ms,
	int *ret_pidfd, struct error *err)
{
	auto_close int pidfd = instance_listener(directory, name, type, err);
	int r;

	if (pidfd == -ENOENT || pidfd == -ECONNREFUSED)
		return 0;
	if (pidfd < 0)
		return pidfd;
	r = instance_end(pidfd, timeout_ms, err);
	if (r < 0)
		return error_prefix(err, r, "the daemon of %s/%s", directory, name);
	*ret_pidfd = take_fd(&pidfd);
	return 0;
}

/* Until its parent has taken note of its end, so that not even its number is left: not every init is quick. */
static void wait_until_reaped(int pidfd)
{
	for (int waited_ms = 0; pidfd >= 0 && waited_ms < REAPED_MS; waited_ms += LOOK_EVERY_MS) {
		if (pidfd_send_signal(pidfd, 0, NULL, 0) < 0)
			return;
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

/* What a supervisor that was killed could not do itself, and the cgroup that it sat in. */
static int recover(const char *directory, struct error *err)
{
	char program[INSTANCE_PATH_MAX];
	char *argv[] = {program, (char *)"--dir", (char *)directory, (char *)"--recover", NULL};
	int r = instance_supervisor_program(program, err);

	if (r < 0)
		return r;
	r = instance_run_program(argv, err);
	if (r > 0)
		return -ECHILD; /* its own words are in *err */
	return r;
}

/*
 * A supervisor whose socket was removed, by the lock that it has. The recovery of another hearth down has it too: that
 * ends by itself.
 */
static int stop_holder(int dirfd, int *ret_pidfd, struct error *err)
{
	int holder = instance_holder(dirfd, err);
	auto_close int pidfd = holder > 0 ? pidfd_open(holder, 0) : -1;
	int r;

	if (holder <= 0)
		return holder;
	/* It may have ended before the pidfd was there: then the number is not its own any more. */
	if (pidfd < 0 || instance_holder(dirfd, err) != holder || has_ended(pidfd, RECOVERY_MS))
		return 0;
	r = instance_end(pidfd, INSTANCE_SUPERVISOR_STOP_MS, err);
	if (r < 0)
		return error_prefix(err, r, "supervisor %d", holder);
	*ret_pidfd = take_fd(&pidfd);
	return 0;
}

int instance_clear(const char *directory, struct error *err)
{
	static const char *const names[] = {INSTANCE_AGENTD_SOCKET, INSTANCE_API_SOCKET,
		INSTANCE_MODEL_SOCKET, INSTANCE_METRICS_SOCKET, INSTANCE_CONTROL_SOCKET};
	auto_close int dirfd = instance_open(directory, err);
	int r = dirfd < 0 ? dirfd : instance_holder(dirfd, err);

	if (r > 0)
		return error_set(err, EEXIST, "instance %s: another supervisor serves it (pid %d)",
			directory, r);
	if (r == 0)
		r = recover(directory, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		unlinkat(dirfd, names[i], 0);
	return r;
}

/* Whether anybody ever started a supervisor there. */
static bool is_instance(int dirfd)
{
	return faccessat(dirfd, INSTANCE_LOCK, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       faccessat(dirfd, INSTANCE_CONFIG, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int instance_stop(const char *directory, unsigned *ret_stopped, struct error *err)
{
	auto_close int dirfd = instance_open(directory, err);
	auto_close int agentd = -1, supervisor = -1;
	int r;

	if (dirfd < 0)
		return dirfd;
	r = stop_daemon(directory, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, INSTANCE_AGENTD_STOP_MS,
		&agentd, err);
	if (r == 0)
		r = stop_daemon(directory, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET,
			INSTANCE_SUPERVISOR_STOP_MS, &supervisor, err);
	if (r == 0 && supervisor < 0)
		r = stop_holder(dirfd, &supervisor, err);
	if (r == 0 && is_instance(dirfd))
		r = instance_clear(directory, err);
	if (r < 0)
		return r;
	wait_until_reaped(agentd);
	wait_until_reaped(supervisor);
	if (ret_stopped)
		*ret_stopped = (agentd >= 0 ? 1u : 0u) + (supervisor >= 0 ? 1u : 0u);
	return 0;
}
