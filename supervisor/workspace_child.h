/*
 * workspace_child.h - a child process of low priority that works in the directory of the workspaces, for what takes
 * longer than a callback of the event loop may.
 *
 * It has that directory, a pipe for its answer and the log: no descriptor of a client or sandbox. It dies with
 * the supervisor.
 */
#ifndef SUPERVISOR_WORKSPACE_CHILD_H
#define SUPERVISOR_WORKSPACE_CHILD_H
#include <event2/event.h>
#include <sys/types.h>

struct error;
struct supervisor;

struct workspace_child {
	pid_t pid; /* 0: none runs */
	int pidfd, answer_fd;
	struct event *ended;
};
#define WORKSPACE_CHILD_INIT                                                                       \
	{                                                                                          \
		.pidfd = -1, .answer_fd = -1                                                       \
	}

struct workspace_work {
	/* In the child. What it writes to answer_fd has to fit into a pipe. */
	void (*work)(void *arg, int directory_fd, int answer_fd);
	/* In the event loop, once the child has ended: read child->answer_fd, then workspace_child_end(). */
	event_callback_fn on_end;
	void *arg;
	unsigned timeout_s; /* after which it is killed, and has no answer */
};

/* None may run. 0 or -errno; on_end comes later. */
int workspace_child_start(struct workspace_child *child, const struct supervisor *supervisor,
	const struct workspace_work *work, struct error *err);
/* Kills it if it runs. */
void workspace_child_end(struct workspace_child *child);
#endif
