/*
 * spare.h - the process that waits for the next request, because a fork of PID 1 takes as long as all the rest.
 *
 * It is a runner: one that has nothing left below it is kept. A file request takes it too, and its worker ends
 * with that, so another is forked as soon as nothing is asked of PID 1. In PID 1 only.
 */
#ifndef NSJAIL_LITE_GUEST_SPARE_H
#define NSJAIL_LITE_GUEST_SPARE_H
#include "nsjail-lite/guest/child_fds.h"
#include "nsjail-lite/guest/job.h"

/*
 * A process for the job, whose report.on_ready is set: it gets the message (EXEC or a file's) and these fds, of
 * which the caller still closes its own. 0 or -errno; -EAGAIN: the pids limit.
 */
int spare_start(struct guest *guest, struct job *job, const struct message_header *message,
	struct child_fds *theirs);

/* An idle runner, without a request: it is the spare one; a second one goes. */
void spare_keep(struct guest *guest, struct job *job);

/* A runner: no other request; it exits as soon as it has nothing below it. */
void spare_dismiss(struct guest *guest, struct job *job);

/* At the end of a turn: fork one where a worker was the last, unless a request would have to wait for that. */
void spare_renew(struct guest *guest);
#endif
