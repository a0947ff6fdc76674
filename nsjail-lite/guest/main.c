/*
 * main.c - the loop of PID 1.
 *
 * One thread, one epoll set. It holds the channel, SIGCHLD, the reports of runners, stdin pipes that
 * are full, and a second set with all output streams: while the channel takes no more packets the
 * second set is not watched, and that is the whole of the back-pressure. The channel is always read,
 * so a CANCEL always arrives. Nothing here touches a file or waits for a process: request.c says
 * where a request is in its life, job.c knows the processes, tree.c ends them.
 *
 * Objects are freed at the end of a turn, because an event of the same turn may still point at them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "nsjail-lite/guest/exec.h"
#include "nsjail-lite/guest/job.h"
#include "nsjail-lite/guest/limits.h"
#include "nsjail-lite/guest/outbox.h"
#include "nsjail-lite/guest/place.h"
#include "nsjail-lite/guest/request.h"
#include "nsjail-lite/guest/spare.h"
#include "proto/channel.h"

#define PACKETS_PER_TURN 64
#define SAVED_GID	 65534
#define LAST_SIGNAL	 31 /* no one sets a real-time one before */

static void on_input(
	struct guest *guest, struct request *request, const struct guest_input *message)
{
	uint32_t size = message->header.size - (uint32_t)sizeof(*message);
	int r;

	if (request->state == REQUEST_QUEUED) {
		if (guest->queued_bytes + size > GUEST_QUEUED_MAX) {
			request_abort(guest, request, GUEST_END_FAILED, EBUSY,
				"too much input is waiting");
			return;
		}
	} else if (request->state != REQUEST_RUNNING) {
		return;
	}
	r = input_receive(
		guest, &request->input, (const char *)(message + 1), size, message->is_end);
	if (r < 0)
		request_abort(guest, request, GUEST_END_FAILED, -r,
			r == -EPROTO ? "input that was not asked for" : "input: out of memory");
	else if (request->state == REQUEST_QUEUED)
		guest->queued_bytes += size;
}

/* Of a request in flight; one that has ended meanwhile is no offence. */
static void on_follow_up(struct guest *guest, const struct message_header *h)
{
	const void *message = h;
	const struct guest_signal *signal = message;
	const struct guest_resize *resize = message;
	struct request *request = request_find(guest, h->id);

	if (!request)
		return;
	switch (h->type) {
	case GUEST_INPUT:
		on_input(guest, request, message);
		break;
	case GUEST_SIGNAL:
		exec_signal(request, (int)signal->signal);
		break;
	case GUEST_RESIZE:
		exec_resize(request, resize->rows, resize->columns);
		break;
	case GUEST_CANCEL:
		request_cancel(guest, request);
		break;
	}
}

/* False: nothing is there. A client that breaks the protocol has no guest any more. */
static bool receive(struct guest *guest)
{
	int fds[CHANNEL_FDS_MAX];
	const struct message_rule *rule;
	const struct message_header *h = (const void *)guest->packet;
	size_t count;
	ssize_t n;

	n = channel_receive(guest->channel.fd, guest->packet, sizeof(guest->packet), fds, &count);
	if (n == -EAGAIN)
		return false;
	if (n <= 0)
		guest_exit(guest);
	if (check_message(&guest_protocol, MESSAGE_TO_SERVER, guest->packet, (size_t)n, count,
		    &rule, NULL) < 0 ||
		guest_fd_count(h) != count)
		guest_exit(guest);
	if (h->type >= GUEST_INPUT)
		on_follow_up(guest, h);
	else if (request_create(guest, h, fds) < 0)
		guest_exit(guest);
	return true;
}

static void on_channel(struct guest *guest, struct source *source, uint32_t events)
{
	(void)source;
	if (events & EPOLLOUT)
		outbox_flush(guest);
	for (int i = 0; i < PACKETS_PER_TURN; i++)
		if (!receive(guest))
			return;
}

static void on_children(struct guest *guest, struct source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) > 0)
		;
	guest->has_more_children = true;
}

static void on_streams(struct guest *guest, struct source *source, uint32_t events)
{
	(void)events;
	source_dispatch(guest, source->fd, 0);
}

static void free_dead(struct guest *guest)
{
	list_for_each_safe(l, next, &guest->dead_requests)
		free(list_entry(l, struct request, member));
	list_init(&guest->dead_requests);
	list_for_each_safe(l, next, &guest->dead_jobs) free(list_entry(l, struct job, member));
	list_init(&guest->dead_jobs);
}

/* What the builder set up for itself must not reach PID 1, whose handlers would make it killable. */
static int open_children(sigset_t *blocked)
{
	for (int signal_number = 1; signal_number <= LAST_SIGNAL; signal_number++)
		signal(signal_number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(blocked);
	sigaddset(blocked, SIGCHLD);
	sigprocmask(SIG_SETMASK, blocked, NULL);
	return signalfd(-1, blocked, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* 0, 1 and 2 are taken, so that no pipe is ever one of them. */
static void hold_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	fd_close(fd);
}

/*
 * prlimit(2) of another process asks whether all three of its ids are the caller's (or for
 * CAP_SYS_RESOURCE, which nobody inside has). With a saved one of its own no sandbox root can give
 * PID 1, a runner or a worker a CPU limit to die of. execve() makes it the effective one again.
 */
static void guard_limits(void)
{
	if (setresgid((gid_t)-1, (gid_t)-1, SAVED_GID) < 0)
		return; /* no root, so no sandbox: a unit test */
}

static struct guest *create(int channel, const struct guest_defaults *defaults)
{
	struct guest *guest = mmap(
		NULL, sizeof(*guest), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t blocked;

	if (guest == MAP_FAILED)
		_exit(1);
	guest->defaults = defaults;
	guest->self = getpid();
	list_init(&guest->queued);
	list_init(&guest->pending);
	list_init(&guest->jobs);
	list_init(&guest->dead_requests);
	list_init(&guest->dead_jobs);
	hold_stdio();
	fd_set_nonblocking(channel, true);
	source_init(&guest->channel, on_channel);
	source_init(&guest->children, on_children);
	source_init(&guest->streams, on_streams);
	guest->epoll = epoll_create1(EPOLL_CLOEXEC);
	guest->channel.fd = channel;
	guest->children.fd = open_children(&blocked);
	guest->streams.fd = guest->stream_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (source_watch(&guest->channel, guest->epoll, EPOLLIN) < 0 ||
		source_watch(&guest->children, guest->epoll, EPOLLIN) < 0 ||
		source_watch(&guest->streams, guest->epoll, EPOLLIN) < 0)
		_exit(1);
	return guest;
}

/* Elsewhere than as PID 1, whose end is the end of all. */
static void kill_all(struct guest *guest)
{
	list_for_each(l, &guest->jobs)
	{
		struct job *job = list_entry(l, struct job, member);

		job->request = NULL; /* nobody to reply to */
		job_kill(guest, job);
	}
	while (job_reap(guest)) {
		tree_kill_strays(guest);
		guest->tree.next_pass_ns = 1;
		tree_pass(guest);
		usleep(1000);
	}
}

void guest_exit(struct guest *guest)
{
	if (guest->self != 1)
		kill_all(guest);
	_exit(0);
}

void guest_main(
	int channel, const struct guest_events *events, const struct guest_defaults *defaults)
{
	struct guest *guest = create(channel, defaults);

	place_init();
	limits_open(guest, events);
	guard_limits();
	if (guest->self != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (;;) {
		source_dispatch(guest, guest->epoll, job_next_timeout_ms(guest));
		if (guest->has_more_children)
			job_reap(guest);
		job_check_deadlines(guest);
		stream_end_rest(guest);
		tree_pass(guest);
		request_start_queued(guest);
		spare_renew(guest);
		free_dead(guest);
	}
}
