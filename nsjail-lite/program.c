#include "nsjail-lite/program.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/kernel.h"
#include "proto/channel.h"

int program_find(const char *name, char *ret_path, size_t size, struct error *err)
{
	/* from bin or sbin; from libexec/hearth itself */
	static const char *const beside[] = {"/../libexec/hearth/", "/"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; slash && i < ARRAY_SIZE(beside); i++)
		if (snprintf(ret_path, size, "%s%s%s", self, beside[i], name) < (int)size &&
			access(ret_path, X_OK) == 0)
			return 0;
	snprintf(ret_path, size, "%s/%s", HEARTH_LIBEXECDIR, name);
	if (access(ret_path, X_OK) < 0)
		return error_errno(err, "program %s: install hearth whole", ret_path);
	return 0;
}

/* In the forked child: nothing but 0..2 and the link survives the exec. */
static _Noreturn void exec_program(const char *path, char *const argv[], int link_fd)
{
	char *const envp[] = {NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (link_fd == PROGRAM_LINK_FD ? fcntl(link_fd, F_SETFD, 0) < 0
				       : dup2(link_fd, PROGRAM_LINK_FD) < 0)
		_exit(127);
	kernel_close_range(PROGRAM_LINK_FD + 1, ~0U, 0);
	/* Signals of a terminal are for those who talk to people. */
	setsid();
	execve(path, argv, envp);
	_exit(127);
}

int program_start(
	const char *path, char *const argv[], struct program *ret_program, struct error *err)
{
	auto_close int link_fd = -1, their_fd = -1;
	char found[PATH_MAX];
	int pair[2], pidfd, r = 0;
	pid_t pid;

	if (!path) {
		r = program_find(argv[0], found, sizeof(found), err);
		path = found;
	}
	if (r == 0)
		r = channel_pair(pair, err);
	if (r < 0)
		return r;
	link_fd = pair[0];
	their_fd = pair[1];
	pid = fork();
	if (pid == 0)
		exec_program(path, argv, their_fd);
	if (pid < 0)
		return error_errno(err, "fork");
	pidfd = kernel_pidfd_open(pid);
	if (pidfd < 0) {
		r = error_errno(err, "pidfd_open");
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	*ret_program = (struct program){.pid = pid, .pidfd = pidfd, .link_fd = take_fd(&link_fd)};
	return 0;
}
