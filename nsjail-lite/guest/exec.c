#include "nsjail-lite/guest/exec.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "nsjail-lite/guest/child_fds.h"
#include "nsjail-lite/guest/place.h"
#include "nsjail-lite/guest/request.h"
#include "nsjail-lite/guest/runner.h"
#include "nsjail-lite/guest/spare.h"
#include "proto/control.h"

#define TERMINAL_ROWS	 24
#define TERMINAL_COLUMNS 80

static void on_report(struct guest *guest, struct source *source, uint32_t events);

static int open_output(struct guest *guest, struct stream *stream, int *theirs)
{
	int ours, r;

	if (*theirs >= 0)
		return 0; /* the client's own */
	r = child_fds_pipe(0, &ours, theirs);
	return r < 0 ? r : stream_open(guest, stream, ours, false);
}

static int open_pipes(struct guest *guest, struct job *job, struct child_fds *theirs)
{
	struct request *request = job->request;
	int in, r;

	theirs->in = take_fd(&request->stdio[0]);
	theirs->out = take_fd(&request->stdio[1]);
	theirs->err = take_fd(&request->stdio[2]);
	r = open_output(guest, &job->out, &theirs->out);
	if (r == 0)
		r = open_output(guest, &job->err, &theirs->err);
	if (r < 0 || !request->input.is_wanted)
		return r;
	r = child_fds_pipe(1, &in, &theirs->in);
	if (r == 0)
		input_open(guest, &request->input, in, false);
	return r;
}

static int set_size(int fd, uint16_t rows, uint16_t columns)
{
	struct winsize size = {
		.ws_row = rows ? rows : TERMINAL_ROWS,
		.ws_col = columns ? columns : TERMINAL_COLUMNS,
	};

	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

static int open_terminal(struct guest *guest, struct job *job, const struct guest_exec *message,
	struct child_fds *theirs)
{
	struct request *request = job->request;
	auto_close int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int unlocked = 0, in, r;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return -errno;
	/* By the master, not by a name under /dev/pts. */
	theirs->out = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	theirs->in = theirs->out < 0 ? -1 : fcntl(theirs->out, F_DUPFD_CLOEXEC, 3);
	if (theirs->in < 0)
		return -errno;
	r = request->rows ? set_size(master, request->rows, request->columns)
			  : set_size(master, message->rows, message->columns);
	if (r < 0)
		return r;
	if (request->input.is_wanted) {
		in = fcntl(master, F_DUPFD_CLOEXEC, 3); /* epoll knows it as another one */
		if (in < 0)
			return -errno;
		input_open(guest, &request->input, in, true);
	}
	return stream_open(guest, &job->out, take_fd(&master), true);
}

static int open_stdio(struct guest *guest, struct job *job, const struct guest_exec *message,
	struct child_fds *theirs)
{
	if (message->flags & GUEST_EXEC_PTY)
		return open_terminal(guest, job, message, theirs);
	return open_pipes(guest, job, theirs);
}

static_assert(GUEST_RUNNING_MAX <= 64, "a bit of mailboxes_taken for each");

int exec_open_mailboxes(struct guest *guest)
{
	size_t size = GUEST_RUNNING_MAX * sizeof(*guest->mailboxes);
	void *memory;

	if (guest->mailboxes)
		return 0;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	guest->mailboxes = memory;
	return 0;
}

static int take_mailbox(struct guest *guest, struct job *job)
{
	unsigned free_one = (unsigned)__builtin_ctzll(~guest->mailboxes_taken);
	int r = exec_open_mailboxes(guest);

	if (r < 0)
		return r;
	guest->mailboxes_taken |= UINT64_C(1) << free_one;
	job->mailbox = &guest->mailboxes[free_one];
	job->mailbox->command = 0;
	job->mailbox->signals = job->request->signals;
	return 0;
}

void exec_give_mailbox_back(struct guest *guest, struct job *job)
{
	if (!job->mailbox)
		return;
	guest->mailboxes_taken &= ~(UINT64_C(1) << (job->mailbox - guest->mailboxes));
	job->mailbox = NULL;
}

int exec_start(struct guest *guest, struct job *job, const struct guest_exec *message)
{
	struct child_fds theirs = CHILD_FDS_NONE;
	int r;

	job->is_command = true;
	job->report.on_ready = on_report;
	job->output_max = message->output_max;
	r = take_mailbox(guest, job);
	if (r == 0)
		r = open_stdio(guest, job, message, &theirs);
	if (r == 0)
		r = spare_start(guest, job, &message->header, &theirs);
	child_fds_close(&theirs);
	if (r == 0 && message->timeout_ms)
		job->deadline_ns = clock_now_ns() + message->timeout_ms * NS_PER_MS;
	return r;
}

static void on_exited(struct job *job, const struct runner_report *report)
{
	struct guest_reply *reply = &job->request->reply;

	request_set_usage(job->request, &report->usage);
	if (WIFSIGNALED(report->status)) {
		reply->signal = (uint32_t)WTERMSIG(report->status);
		reply->exit_status = 128 + reply->signal;
	} else {
		reply->signal = 0;
		reply->exit_status = (uint32_t)WEXITSTATUS(report->status);
	}
}

static void on_not_started(struct job *job, const struct runner_report *report)
{
	struct request *request = job->request;
	int error = report->error > 0 ? report->error : EIO;

	if (error == EAGAIN)
		request->reply.limits_hit |= LIMIT_HIT_PIDS;
	if (request->state != REQUEST_RUNNING)
		return;
	request->reply.exit_status = report->status == 127 ? 127 : 126;
	request_fail(request, error, "%.*s: %s", (int)sizeof(report->text) - 1, report->text,
		strerror(error));
}

static void handle_report(struct guest *guest, struct job *job, const struct runner_report *report)
{
	struct request *request = job->request;

	job->is_idle = report->is_idle;
	if (!request) {
		job_release(guest, job);
		return;
	}
	job->mailbox->command = 0;
	if (report->kind == RUNNER_EXITED)
		on_exited(job, report);
	else if (report->kind == RUNNER_FAILED)
		on_not_started(job, report);
	if (request->state == REQUEST_RUNNING)
		request_drain(guest, request);
}

static void on_report(struct guest *guest, struct source *source, uint32_t events)
{
	struct job *job = list_entry(source, struct job, report);
	struct runner_report report;
	ssize_t n;

	(void)events;
	place_anywhere(); /* see place_guest_here() */
	/* Each report is one packet; after that of an idle one there is none until its next command. */
	while ((n = read(source->fd, &report, sizeof(report))) == (ssize_t)sizeof(report)) {
		handle_report(guest, job, &report);
		if (report.is_idle)
			return;
	}
	if (n < 0)
		return;
	spare_dismiss(guest, job);
	source_close(source);
}

void exec_on_runner_gone(struct guest *guest, struct job *job, int status)
{
	struct request *request;

	if (job->report.fd >= 0)
		on_report(guest, &job->report, 0);
	if (job->mailbox)
		job->mailbox->command = 0;
	if (WIFSIGNALED(status))
		tree_kill_strays(guest);
	request = job->request;
	if (!request)
		return;
	if (request->state == REQUEST_RUNNING && WIFSIGNALED(status)) {
		/* `kill -9 -1` and the like: what the command did to its tree it did to itself. */
		request->reply.signal = (uint32_t)WTERMSIG(status);
		request->reply.exit_status = 128 + request->reply.signal;
		request->state = REQUEST_KILLING;
	} else if (request->state == REQUEST_RUNNING) {
		request_fail(request, EIO, "the runner ended without a report");
		request->state = REQUEST_KILLING;
	}
	if (request->state == REQUEST_KILLING && !guest->tree.strays.is_on)
		request_drain(guest, request);
}

void exec_on_strays_gone(struct guest *guest)
{
	list_for_each_safe(l, next, &guest->jobs)
	{
		struct job *job = list_entry(l, struct job, member);

		if (job->is_command && job->pid == 0 && job->request &&
			job->request->state == REQUEST_KILLING)
			request_drain(guest, job->request);
	}
}

void exec_signal(struct request *request, int signal)
{
	struct job *job = request->job;
	uint64_t bit = UINT64_C(1) << (signal - 1);

	if (job && job->mailbox) {
		atomic_fetch_or(&job->mailbox->signals, bit);
		runner_deliver(job->mailbox);
	} else if (request->state == REQUEST_QUEUED) {
		request->signals |= bit;
	}
}

void exec_resize(struct request *request, uint16_t rows, uint16_t columns)
{
	struct job *job = request->job;

	if (request->state == REQUEST_QUEUED) {
		request->rows = rows;
		request->columns = columns;
	} else if (job && job->out.is_terminal && job->out.source.fd >= 0) {
		set_size(job->out.source.fd, rows, columns);
	}
}
