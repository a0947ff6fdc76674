/* exec.h - EXEC in PID 1: pipes or a pty, a runner, and what it reports. */
#ifndef NSJAIL_LITE_GUEST_EXEC_H
#define NSJAIL_LITE_GUEST_EXEC_H
#include "nsjail-lite/guest/job.h"

/* 0 or -errno; -EAGAIN: the pids limit. The job is the caller's to release either way. */
int exec_start(struct guest *guest, struct job *job, const struct guest_exec *message);

/* Before a runner is forked that is to take commands. 0 or -errno. */
int exec_open_mailboxes(struct guest *guest);

/* The request is replied: no signal is for this command any more. */
void exec_give_mailbox_back(struct guest *guest, struct job *job);

/* The runner has been reaped with this status. */
void exec_on_runner_gone(struct guest *guest, struct job *job, int status);

/* Nothing is left of those that had lost their runner: reply what waited for it. */
void exec_on_strays_gone(struct guest *guest);

/* To the command's process group, at once or when it has started: a runner_mailbox. */
void exec_signal(struct request *request, int signal);
void exec_resize(struct request *request, uint16_t rows, uint16_t columns);
#endif
