/*
 * runner.h - the parent of one command: subreaper of its tree, so that the tree can be found.
 *
 * Forked by PID 1, without exec: as little open to what it runs as PID 1 is. It starts the command,
 * reports its end, and stays as long as it has a child.
 */
#ifndef NSJAIL_LITE_GUEST_RUNNER_H
#define NSJAIL_LITE_GUEST_RUNNER_H
#include <stdint.h>
#include <sys/resource.h>

#include "nsjail-lite/guest/child_fds.h"
#include "nsjail-lite/guest/guest.h"
#include "proto/guest.h"

enum runner_report_kind {
	RUNNER_STARTED = 1, /* command */
	RUNNER_FAILED = 2,  /* error, text; status: 126 or 127 */
	RUNNER_EXITED = 3,  /* status and usage */
};

struct runner_report {
	uint32_t kind;
	int32_t command;
	int32_t error;
	int32_t status;	     /* EXITED: as wait4() gives it */
	struct rusage usage; /* EXITED */
	char text[96];
};

_Noreturn void runner_main(const struct guest_exec *message, const struct guest_defaults *defaults,
	const struct child_fds *fds);
#endif
