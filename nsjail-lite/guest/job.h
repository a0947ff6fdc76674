/*
 * job.h - a process of ours that serves one request: the runner of a command, or a file worker.
 *
 * A job lives until its request is replied, its process is reaped and its pipes are closed,
 * whichever comes last: a command's children may outlive the request. A runner that has nothing left
 * below it stays as the spare, a job without a request, until it is handed one. In PID 1 only.
 */
#ifndef NSJAIL_LITE_GUEST_JOB_H
#define NSJAIL_LITE_GUEST_JOB_H
#include <sys/resource.h>

#include "nsjail-lite/guest/loop.h"
#include "nsjail-lite/guest/stream.h"

struct job {
	struct list member;		/* of guest->jobs, or guest->dead_jobs */
	struct request *request;	/* NULL once replied */
	bool is_command;		/* a runner; else a worker */
	bool is_idle;			/* a runner with nothing below it: waits for a command */
	pid_t pid;			/* 0 once reaped, or handed over */
	struct runner_mailbox *mailbox; /* of a command while it has its request */
	struct stream out, err;		/* a worker's data comes as out */
	struct source report;		/* what the worker says; the link with the runner */
	struct tree_kill kill;
	uint64_t deadline_ns; /* 0: none */
	uint64_t output_max;  /* 0: none */
};

/* For a request that starts now, or for none yet. NULL: out of memory. */
struct job *job_create(struct guest *guest, struct request *request);

/* fork() of its process, which the kernel is to end rather than PID 1. */
pid_t job_fork(const struct guest *guest);

/* Free it at the end of the turn if nothing is left of it; an idle runner is kept (spare.h). */
void job_release(struct guest *guest, struct job *job);

/* The request is replied: pipes that are still held are read on for nothing. */
void job_leave_request(struct guest *guest, struct job *job);

/* End its processes; job_on_reaped() or the runner's exit follows. */
void job_kill(struct guest *guest, struct job *job);

/* Reap children, ours and orphans; a bounded number a turn. False: there is none at all. */
bool job_reap(struct guest *guest);

/* Abort what has run out of time. */
void job_check_deadlines(struct guest *guest);

/* Milliseconds until the next deadline, kill pass or end of the streams' rest; -1: none. */
int job_next_timeout_ms(const struct guest *guest);
#endif
