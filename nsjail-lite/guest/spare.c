#include "nsjail-lite/guest/spare.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "nsjail-lite/guest/exec.h"
#include "nsjail-lite/guest/runner.h"
#include "proto/channel.h"

void spare_keep(struct guest *guest, struct job *job)
{
	if (!guest->spare && !job->kill.is_on && job->report.fd >= 0)
		guest->spare = job;
	else if (guest->spare != job)
		spare_dismiss(guest, job);
}

void spare_dismiss(struct guest *guest, struct job *job)
{
	if (guest->spare == job)
		guest->spare = NULL;
	job->is_idle = false;
	if (job->report.fd >= 0)
		shutdown(job->report.fd, SHUT_WR); /* what it has to report still comes */
}

/* 0: the spare process has it. Otherwise there is none, or it is of no use any more. */
static int hand_over(struct guest *guest, struct job *job, const struct message_header *message,
	const struct child_fds *theirs)
{
	struct job *spare = guest->spare;
	const struct runner_order order = {
		.mailbox = job->mailbox ? (uint32_t)(job->mailbox - guest->mailboxes) : 0,
		.has_stdin = theirs->in >= 0,
	};
	const int fds[RUNNER_ORDER_FDS] = {
		theirs->in < 0 ? theirs->out : theirs->in,
		theirs->out,
		theirs->err < 0 ? theirs->out : theirs->err,
	};
	int r;

	if (!spare)
		return -ENOENT;
	r = channel_send(spare->report.fd, &order, sizeof(order), message, message->size, fds,
		RUNNER_ORDER_FDS);
	if (r < 0) {
		spare_dismiss(guest, spare);
		return r;
	}
	guest->spare = NULL;
	job->pid = spare->pid;
	spare->pid = 0;
	source_move(&spare->report, &job->report);
	job_release(guest, spare);
	return 0;
}

static int fork_runner(struct guest *guest, struct job *job, const struct message_header *message,
	struct child_fds *theirs)
{
	int ends[2], r;

	r = channel_pair(ends, NULL);
	if (r < 0)
		return r;
	theirs->report = ends[1];
	job->report.fd = ends[0];
	r = fd_set_nonblocking(ends[0], true);
	if (r == 0)
		r = source_watch(&job->report, guest->epoll, EPOLLIN);
	if (r < 0)
		return r;
	job->pid = job_fork(guest);
	if (job->pid == 0)
		runner_main(guest, message, theirs, job->mailbox);
	if (job->pid > 0)
		return 0;
	job->pid = 0;
	return -errno;
}

int spare_start(struct guest *guest, struct job *job, const struct message_header *message,
	struct child_fds *theirs)
{
	if (hand_over(guest, job, message, theirs) == 0)
		return 0;
	return fork_runner(guest, job, message, theirs);
}

static void on_end(struct guest *guest, struct source *source, uint32_t events)
{
	(void)events;
	spare_dismiss(guest, list_entry(source, struct job, report));
	source_close(source);
}

void spare_renew(struct guest *guest)
{
	struct child_fds theirs = CHILD_FDS_NONE;
	struct job *job;

	if (!guest->wants_spare || guest->spare || guest->running_count > 0)
		return;
	guest->wants_spare = false;
	job = exec_open_mailboxes(guest) == 0 ? job_create(guest, NULL) : NULL;
	if (!job)
		return;
	job->is_command = true;
	job->report.on_ready = on_end;
	job->is_idle = fork_runner(guest, job, NULL, &theirs) == 0;
	child_fds_close(&theirs);
	job_release(guest, job);
}
