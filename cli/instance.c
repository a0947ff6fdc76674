/* instance.c - programs, listeners, starting and stopping. */
#include "cli/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/drop.h"
#include "base/error.h"
#include "base/unix_socket.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "proto/instance.h"

#define KILLED_MS     5000
#define REAPED_MS     5000
#define LOOK_EVERY_MS 5
#define KEY_NAME_MAX  256

int instance_program(const char *relative, const char *installed, char ret_path[INSTANCE_PATH_MAX],
	struct error *err)
{
	char self[INSTANCE_PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length > 0) {
		char *slash;

		self[length] = '\0';
		slash = strstr(self, "/bin/");
		if (slash && !strchr(slash + 5, '/')) {
			*slash = '\0';
			if (snprintf(ret_path, INSTANCE_PATH_MAX, "%s/%s", self, relative) <
					INSTANCE_PATH_MAX &&
				access(ret_path, X_OK) == 0)
				return 0;
		}
	}
	if (access(installed, X_OK) < 0)
		return error_errno(err, "program %s", installed);
	snprintf(ret_path, INSTANCE_PATH_MAX, "%s", installed);
	return 0;
}

int instance_supervisor_program(char ret_path[INSTANCE_PATH_MAX], struct error *err)
{
	return instance_program(
		"sbin/hearth-supervisor", HEARTH_SBINDIR "/hearth-supervisor", ret_path, err);
}

/* True when the connection's other end is gone. */
static bool is_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

int instance_listener(const char *directory, const char *name, int type, struct error *err)
{
	struct unix_socket_peer peer;
	auto_close int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -1, pidfd = -1;
	int r;

	if (dirfd < 0)
		return error_errno(err, "%s", directory);
	fd = unix_socket_connect(dirfd, name, type, err);
	if (fd < 0)
		return fd;
	r = unix_socket_peer(fd, &peer, err);
	if (r < 0)
		return r;
	pidfd = pidfd_open(peer.pid, 0);
	if (pidfd < 0 && errno != ESRCH)
		return error_errno(err, "pidfd of %d", peer.pid);
	/* It may have died and its pid been taken before the pidfd was there: its socket tells. */
	if (pidfd < 0 || is_hung_up(fd))
		return error_set(err, ECONNREFUSED, "%s/%s: nobody answers", directory, name);
	return take_fd(&pidfd);
}

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

int instance_run_program(char *const argv[], struct error *err)
{
	char said[ERROR_TEXT_MAX / 2] = "";
	size_t used = 0;
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int output[2], status;
	ssize_t n;
	pid_t pid;

	if (null < 0 || pipe2(output, O_CLOEXEC) < 0)
		return error_errno(err, "start %s", argv[0]);
	pid = fork();
	if (pid == 0) {
		dup2(null, STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	close(output[1]);
	while (pid > 0 && (n = read(output[0], said + used, sizeof(said) - 1 - used)) > 0) {
		used += (size_t)n;
		if (used == sizeof(said) - 1)
			used = 0; /* the end of what it says is what matters */
		said[used] = '\0';
	}
	close(output[0]);
	if (pid < 0)
		return error_errno(err, "start %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, "wait for %s", argv[0]);
	said[strcspn(said, "\n")] = '\0';
	if (status != 0)
		error_set(err, ECHILD, "%s: %s", argv[0], said);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
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

int instance_stop(const char *directory, unsigned *ret_stopped, struct error *err)
{
	auto_close int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int agentd = -1, supervisor = -1;
	int r;

	if (dirfd < 0)
		return error_errno(err, "%s", directory);
	r = stop_daemon(directory, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, INSTANCE_AGENTD_STOP_MS,
		&agentd, err);
	if (r == 0)
		r = stop_daemon(directory, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET,
			INSTANCE_SUPERVISOR_STOP_MS, &supervisor, err);
	if (r == 0)
		r = recover(directory, err);
	if (r < 0)
		return r;
	unlinkat(dirfd, INSTANCE_AGENTD_SOCKET, 0);
	unlinkat(dirfd, INSTANCE_API_SOCKET, 0);
	unlinkat(dirfd, INSTANCE_MODEL_SOCKET, 0);
	unlinkat(dirfd, INSTANCE_METRICS_SOCKET, 0);
	unlinkat(dirfd, INSTANCE_CONTROL_SOCKET, 0);
	wait_until_reaped(agentd);
	wait_until_reaped(supervisor);
	if (ret_stopped)
		*ret_stopped = (agentd >= 0 ? 1u : 0u) + (supervisor >= 0 ? 1u : 0u);
	return 0;
}

/* Standard streams, and the one more that it inherits; everything else is closed by exec. */
static int set_up_fds(const struct instance_child *child, int log)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
		dup2(log, STDERR_FILENO) < 0 || chdir("/") < 0)
		return -errno;
	if (child->fd == INSTANCE_CHILD_FD)
		return fcntl(child->fd, F_SETFD, 0);
	return child->fd < 0 ? 0 : dup2(child->fd, INSTANCE_CHILD_FD);
}

void instance_forget_keys(void)
{
	static const char end[] = "_API_KEY";

	for (char **variable = environ; *variable;) {
		size_t length = strcspn(*variable, "=");
		char name[KEY_NAME_MAX];

		snprintf(name, sizeof(name), "%.*s", (int)length, *variable);
		if (length < sizeof(name) && length >= strlen(end) &&
			strcmp(name + length - strlen(end), end) == 0 && unsetenv(name) == 0)
			variable = environ; /* they have moved up */
		else
			variable++;
	}
}

static int join_cgroup(const char *id, struct error *err)
{
	struct cgroup_base base;
	int r = cgroup_base_open(id, NULL, &base, err);

	if (r < 0)
		return r;
	r = cgroup_join_daemon(&base, err);
	cgroup_base_close(&base);
	return r;
}

/* In the child: what failed is told by the exit of a program that never ran, and by the log. */
_Noreturn static void become_daemon(char *const argv[], const struct instance_child *child, int log)
{
	struct error err;
	sigset_t none;
	int r = 0;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (set_up_fds(child, log) < 0)
		_exit(126);
	if (!child->has_keys)
		instance_forget_keys();
	if (child->cgroup_id)
		r = join_cgroup(child->cgroup_id, &err);
	if (r == 0 && child->is_dropped)
		r = drop_privileges(&err);
	if (r < 0) {
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], err.text);
		_exit(126);
	}
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int instance_start(char *const argv[], const struct instance_child *child, struct error *err)
{
	auto_close int fd =
		open(child->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	int pidfd, r;
	pid_t pid;

	if (fd < 0)
		return error_errno(err, "%s", child->log);
	pid = fork();
	if (pid < 0)
		return error_errno(err, "start %s", argv[0]);
	if (pid == 0)
		become_daemon(argv, child, fd);
	pidfd = pidfd_open(pid, 0); /* our child, not yet reaped: it is this one */
	if (pidfd >= 0)
		return pidfd;
	r = error_errno(err, "pidfd of %s", argv[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}
