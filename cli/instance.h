/*
 * instance.h - starting and stopping the daemons of an instance, and finding Hearth's own programs.
 *
 * There are no pid files: who listens on a socket is asked of the kernel (SO_PEERCRED) and held by
 * a pidfd, so that no signal reaches a stranger that got the same pid.
 */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H
#include <limits.h>

struct error;

#define INSTANCE_PATH_MAX	    PATH_MAX
#define INSTANCE_AGENTD_STOP_MS	    5000  /* it only has to close sockets and a store */
#define INSTANCE_SUPERVISOR_STOP_MS 30000 /* it drains thousands of sandboxes */

/*
 * Full path of one of Hearth's programs: PREFIX/relative when bin/ of that prefix holds the running
 * program, else installed. -ENOENT when neither can be run.
 */
int instance_program(const char *relative, const char *installed, char ret_path[INSTANCE_PATH_MAX],
	struct error *err);

/* The supervisor's path. */
int instance_supervisor_program(char ret_path[INSTANCE_PATH_MAX], struct error *err);

/* Who listens on DIRECTORY/name: a pidfd, or -ENOENT or -ECONNREFUSED: nobody. type: SOCK_*. */
int instance_listener(const char *directory, const char *name, int type, struct error *err);

/* Run argv and wait for its end. Its exit status (128 + signal when killed), or -errno. Output is dropped unless it fails. */
int instance_run_program(char *const argv[], struct error *err);

/* SIGTERM, and SIGKILL when it has not ended after timeout_ms. A child of ours is reaped. 0 or -errno. */
int instance_end(int pidfd, int timeout_ms, struct error *err);

/*
 * End both daemons and all that they made, whatever state they are in; returns when nothing is
 * left. Idempotent. 0 or -errno; *ret_stopped (may be NULL) counts the daemons that ran.
 */
int instance_stop(const char *directory, unsigned *ret_stopped, struct error *err);

/*
 * Start argv in the background: a session of its own, stdin empty, output appended to the file log.
 * cgroup_id: NULL, or the instance whose daemon cgroup it joins first. Returns a pidfd or -errno.
 */
int instance_start(char *const argv[], const char *log, const char *cgroup_id, struct error *err);
#endif
