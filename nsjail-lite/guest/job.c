#include "nsjail-lite/guest/job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "nsjail-lite/guest/exec.h"
#include "nsjail-lite/guest/place.h"
#include "nsjail-lite/guest/request.h"
#include "nsjail-lite/guest/spare.h"
#include "nsjail-lite/guest/worker.h"
#include "proto/control.h"

#define REAPED_PER_TURN 256
#define OOM_SCORE_FIRST "1000"
#define DRAIN_AGAIN_NS	(5 * NS_PER_MS)
#define WORKER_GRACE_NS NS_PER_S /* for the two system calls that are not to be parted */

struct job *job_create(struct guest *guest, struct request *request)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	stream_init(&job->out, job, GUEST_STDOUT);
	stream_init(&job->err, job, GUEST_STDERR);
	source_init(&job->report, NULL);
	job->request = request;
	if (request)
		request->job = job;
	list_append(&guest->jobs, &job->member);
	return job;
}

static void set_oom_score(const struct guest *guest, const char *score)
{
	if (guest->oom_score_fd >= 0 && pwrite(guest->oom_score_fd, score, strlen(score), 0) < 0)
		return; /* then the kernel picks whom it likes */
}

/*
 * PID 1 is as small as its commands when what fills the memory is the kernel's: pipes, sockets. A child
 * begins with its parent's score. Nobody is asked for a right: it goes up, and down to where it was.
 */
pid_t job_fork(const struct guest *guest)
{
	pid_t pid;

	set_oom_score(guest, OOM_SCORE_FIRST);
	pid = fork();
	if (pid == 0)
		return 0;
	set_oom_score(guest, "0");
	return pid;
}

void job_release(struct guest *guest, struct job *job)
{
	if (job->request || job->out.source.fd >= 0 || job->err.source.fd >= 0)
		return;
	if (job->pid && job->is_idle)
		spare_keep(guest, job);
	if (job->pid)
		return;
	source_close(&job->report);
	list_remove(&job->member);
	list_append(&guest->dead_jobs, &job->member);
}

void job_leave_request(struct guest *guest, struct job *job)
{
	job->request->job = NULL;
	job->request = NULL;
	exec_give_mailbox_back(guest, job);
	job->deadline_ns = 0;
	if (job->is_idle || !job->is_command) { /* nobody is left who would write */
		source_close(&job->out.source);
		source_close(&job->err.source);
	} else {
		stream_discard(guest, &job->out);
		stream_discard(guest, &job->err);
	}
	job_release(guest, job);
}

void job_kill(struct guest *guest, struct job *job)
{
	if (!job->pid)
		return;
	if (job->is_command) {
		if (!job->is_idle)
			tree_kill_start(guest, &job->kill);
		spare_dismiss(guest, job);
		return;
	}
	kill(job->pid, SIGTERM); /* see work_commit() */
	job->deadline_ns = clock_now_ns() + WORKER_GRACE_NS;
}

static struct job *find(const struct guest *guest, pid_t pid)
{
	list_for_each(l, &guest->jobs)
	{
		struct job *job = list_entry(l, struct job, member);

		if (job->pid == pid)
			return job;
	}
	return NULL;
}

static void on_reaped(struct guest *guest, struct job *job, int status, const struct rusage *usage)
{
	job->pid = 0;
	job->kill.is_on = false;
	if (guest->spare == job)
		spare_dismiss(guest, job);
	if (job->is_command)
		exec_on_runner_gone(guest, job, status);
	else
		worker_on_gone(guest, job, status, usage);
	job_release(guest, job);
}

bool job_reap(struct guest *guest)
{
	struct rusage usage;
	int status;

	for (int i = 0; i < REAPED_PER_TURN; i++) {
		pid_t pid = wait4(-1, &status, WNOHANG | WUNTRACED, &usage);
		struct job *job;

		guest->has_more_children = pid > 0;
		if (pid <= 0)
			return pid == 0;
		job = find(guest, pid);
		if (!job)
			continue; /* an orphan */
		/* Whoever stops a runner or worker would make its request wait for ever. */
		if (WIFSTOPPED(status))
			kill(pid, SIGCONT);
		else
			on_reaped(guest, job, status, &usage);
	}
	return true;
}

static void check_deadline(struct guest *guest, struct job *job, uint64_t now)
{
	if (job->deadline_ns == 0 || job->deadline_ns > now)
		return;
	job->deadline_ns = 0;
	if (job->request && job->request->state == REQUEST_RUNNING) {
		job->request->reply.limits_hit |= LIMIT_HIT_TIME;
		request_abort(guest, job->request, GUEST_END_TIMEOUT, 0, "");
	} else if (!job->is_command && job->pid) {
		kill(job->pid, SIGKILL);
	}
}

static bool is_draining(const struct guest *guest, const struct job *job)
{
	return !guest->is_blocked && job->request && job->request->state == REQUEST_DRAINING;
}

void job_check_deadlines(struct guest *guest)
{
	uint64_t now = clock_now_ns();

	list_for_each_safe(l, next, &guest->jobs)
	{
		struct job *job = list_entry(l, struct job, member);

		check_deadline(guest, job, now);
		if (!is_draining(guest, job))
			continue;
		/* The bytes that are waited for can have been read by somebody else, who has the pipe too. */
		stream_drain_again(&job->out);
		stream_drain_again(&job->err);
		request_on_drained(guest, job->request);
	}
}

int job_next_timeout_ms(const struct guest *guest)
{
	uint64_t next = guest->tree.next_pass_ns ? guest->tree.next_pass_ns : UINT64_MAX;
	bool is_waited_for = false;
	uint64_t now;

	if (guest->has_more_children)
		return 0;
	if (guest->rest_ns && guest->rest_ns < next)
		next = guest->rest_ns;
	list_for_each(l, &guest->jobs)
	{
		const struct job *job = list_entry(l, struct job, member);

		if (job->deadline_ns && job->deadline_ns < next)
			next = job->deadline_ns;
		is_waited_for |= is_draining(guest, job);
	}
	if (next == UINT64_MAX && !is_waited_for)
		return -1;
	now = clock_now_ns();
	if (is_waited_for && next > now + DRAIN_AGAIN_NS)
		next = now + DRAIN_AGAIN_NS;
	return next <= now ? 0 : (int)((next - now + NS_PER_MS - 1) / NS_PER_MS);
}
