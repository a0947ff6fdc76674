/* instance.c - programs, who serves a directory, starting. */
#include "cli/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/drop.h"
#include "base/error.h"
#include "base/unix_socket.h"
#include "cli/log_reason.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "proto/instance.h"

#define KEY_NAME_MAX 256

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

int instance_open(const char *directory, struct error *err)
{
	auto_close int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dirfd < 0 || fstat(dirfd, &st) < 0)
		return error_errno(err, "%s", directory);
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(err, EPERM,
			"instance %.120s: others than root may change it (owner %u, mode %03o): "
			"chown it to root and chmod go-w, or choose another",
			directory, st.st_uid, st.st_mode & 0777u);
	return take_fd(&dirfd);
}

int instance_holder(int dirfd, struct error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	auto_close int fd = openat(dirfd, INSTANCE_LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
		return error_errno(err, "look at " INSTANCE_LOCK);
	if (lock.l_type != F_UNLCK && lock.l_pid <= 0)
		return error_set(err, EBUSY,
			INSTANCE_LOCK ": a supervisor that is not to be seen from here has it");
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

/*
 * A lock of flock(2) on the file that the supervisor locks by fcntl(2): neither knows of the other, so that it can be held
 * while the supervisor takes its own.
 */
int instance_reserve(const char *directory, struct error *err)
{
	auto_close int dirfd = instance_open(directory, err);
	auto_close int fd = -1;
	int r;

	if (dirfd < 0)
		return dirfd;
	fd = openat(dirfd, INSTANCE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "%s/" INSTANCE_LOCK, directory);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(err, EBUSY, "instance %s: somebody else starts it",
					 directory)
			       : error_errno(err, "%s/" INSTANCE_LOCK, directory);
	r = instance_holder(dirfd, err);
	if (r > 0)
		return error_set(
			err, EEXIST, "instance %s: it runs already (pid %d)", directory, r);
	return r < 0 ? error_prefix(err, r, "%s", directory) : take_fd(&fd);
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
	struct stat st;
	int r;

	if (dirfd < 0 || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "%s/%s", directory, name);
	if (!S_ISSOCK(st.st_mode)) /* a link would lead to somebody else */
		return error_set(err, ENOTSOCK, "%s/%s: it is no socket", directory, name);
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

int instance_run_program(char *const argv[], struct error *err)
{
	char reason[ERROR_TEXT_MAX] = "";
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int output[2], status;
	pid_t pid;

	if (null < 0 || pipe2(output, O_CLOEXEC) < 0)
		return error_errno(err, "start %s", argv[0]);
	pid = fork();
	if (pid == 0) {
		dup2(null, STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		instance_forget_keys();
		execv(argv[0], argv);
		_exit(127);
	}
	close(output[1]);
	if (pid > 0)
		log_reason_of_pipe(output[0], reason, sizeof(reason));
	close(output[0]);
	if (pid < 0)
		return error_errno(err, "start %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, "wait for %s", argv[0]);
	if (status == 0)
		return 0;
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (*reason)
		error_set(err, ECHILD, "%s", reason);
	else
		error_set(err, ECHILD, "%s: status %d", argv[0], status);
	return status;
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
