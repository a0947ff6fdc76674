/*
 * guest.h - PID 1 of a sandbox: runs commands and does file work on request (proto/guest.h).
 *
 * Runs inside, as the sandbox's root, behind seccomp, without exec: protected from what it runs by
 * having been born before the user namespace was joined. Small, static, single-threaded; links base
 * and proto only. It only dispatches: files are touched by short-lived workers, and each command has
 * a runner of its own that is the subreaper of its tree.
 */
#ifndef NSJAIL_LITE_GUEST_GUEST_H
#define NSJAIL_LITE_GUEST_GUEST_H
#include <stdint.h>

/* What the image's manifest says; applied where a request is silent. */
struct guest_defaults {
	const char *cwd;	/* never NULL */
	const char *const *env; /* "K=V", NULL-terminated; never NULL */
};

/* How the kernel tells of limits that were hit, and whom it is to end then; -1: not at all. */
struct guest_events {
	int memory_fd;	  /* memory.events, or an eventfd that an OOM rings */
	int pids_fd;	  /* pids.events */
	int oom_score_fd; /* the guest's own oom_score_adj, which it could not open itself */
};

/*
 * Serve the channel until its other end closes, then exit: the kernel ends the rest with PID 1. Where
 * it is not PID 1 (unit tests) it makes itself a subreaper and kills its own tree before it exits.
 */
_Noreturn void guest_main(
	int channel, const struct guest_events *events, const struct guest_defaults *defaults);
#endif
