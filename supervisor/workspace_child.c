#define _GNU_SOURCE 1 /* close_range */
#include "supervisor/workspace_child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/process.h"
#include "supervisor/supervisor.h"

#define LOWEST_PRIORITY 19

/* In the forked child. */
static _Noreturn void be_child(int directory_fd, int answer_fd, const struct workspace_work *work)
{
	if (dup3(directory_fd, STDIN_FILENO, O_CLOEXEC) < 0 ||
		dup3(answer_fd, STDOUT_FILENO, O_CLOEXEC) < 0 ||
		close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(1);
	setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
	alarm(work->timeout_s);
	work->work(work->arg, STDIN_FILENO, STDOUT_FILENO);
	_exit(0);
}

/* Not waited for: its signals are blocked until they are its own, for they would be told here. */
static int start(struct workspace_child *child, int directory_fd, const struct workspace_work *work,
	struct error *err)
{
	sigset_t all, before;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, "pipe");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	child->pid = process_fork();
	if (child->pid == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		be_child(directory_fd, pipe_fds[1], work);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	fd_close(pipe_fds[1]);
	child->answer_fd = pipe_fds[0];
	if (child->pid < 0)
		return error_errno(err, "fork");
	child->pidfd = pidfd_open(child->pid, 0);
	return child->pidfd < 0 ? error_errno(err, "pidfd_open") : 0;
}

int workspace_child_start(struct workspace_child *child, const struct supervisor *supervisor,
	const struct workspace_work *work, struct error *err)
{
	int r = start(child, supervisor->host.workspaces_fd, work, err);

	if (r == 0) {
		child->ended = event_new(
			supervisor->events, child->pidfd, EV_READ, work->on_end, work->arg);
		if (child->ended && event_add(child->ended, NULL) == 0)
			return 0;
		r = error_set(err, ENOMEM, "out of memory");
	}
	workspace_child_end(child);
	return r;
}

void workspace_child_end(struct workspace_child *child)
{
	if (child->ended)
		event_free(take_ptr(&child->ended));
	if (child->pid > 0) {
		kill(child->pid, SIGKILL); /* it has exited, but when this ends early */
		waitpid(child->pid, NULL, 0);
	}
	child->pid = 0;
	fd_close(take_fd(&child->pidfd));
	fd_close(take_fd(&child->answer_fd));
}
