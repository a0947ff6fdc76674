/*
 * runner.h - the parent of one command: subreaper of its tree, so that the tree can be found.
 *
 * Forked by PID 1, without exec: as little open to what it runs as PID 1 is. It starts the command,
 * reports its end, and stays as long as it has a child. Then it waits for another request (spare.h); with that
 * for a file it becomes a worker (worker.h). PID 1 is woken for a command's output and its end, for nothing else:
 * on a busy host each time may cost it a turn.
 */
#ifndef NSJAIL_LITE_GUEST_RUNNER_H
#define NSJAIL_LITE_GUEST_RUNNER_H
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "nsjail-lite/guest/child_fds.h"
#include "proto/guest.h"

struct guest;

enum runner_report_kind {
	RUNNER_FAILED = 1, /* error, text; status: 126 or 127 */
	RUNNER_EXITED = 2, /* status and usage */
	RUNNER_ALONE = 3,  /* what had outlived the command has ended too */
};

struct runner_report {
	uint16_t kind;
	uint16_t is_idle; /* nothing is left below it: it takes an order */
	int32_t error;
	int32_t status;	     /* EXITED: as wait4() gives it */
	struct rusage usage; /* EXITED */
	char text[96];
};

/* PID 1 to an idle runner, one packet: this, the request's message, and what become fds 0, 1 and 2. */
struct runner_order {
	uint32_t mailbox;   /* of an EXEC: index of guest->mailboxes */
	uint32_t has_stdin; /* 0: it is /dev/null, and fd 0 of no meaning */
};
#define RUNNER_ORDER_FDS 3

/* In memory that PID 1 and the runner share: signals for a command that may not have started yet. */
struct runner_mailbox {
	_Atomic pid_t command;	  /* leader of its session; 0: not started, or gone */
	_Atomic uint64_t signals; /* bit n - 1: signal n is wanted */
};

/* Send what is wanted if the command has started. Whoever changed the mailbox calls it. */
void runner_deliver(struct runner_mailbox *mailbox);

/* In the forked child, with its first request, or NULL: it waits for one. */
_Noreturn void runner_main(const struct guest *guest, const struct message_header *message,
	const struct child_fds *fds, struct runner_mailbox *mailbox);
#endif
