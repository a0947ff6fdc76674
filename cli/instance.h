/*
 * instance.h - starting and stopping the daemons of an instance, and finding Hearth's own programs.
 *
 * There are no pid files: who listens on a socket is asked of the kernel (SO_PEERCRED) and held by
 * a pidfd, so that no signal reaches a stranger that got the same pid.
 */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H
#include <limits.h>
#include <stdbool.h>

struct error;

#define INSTANCE_MODEL_SOCKET "model.sock" /* of the script of hearth start */

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

/*
 * Open the directory, which must be ours alone to change: who else puts sockets there chooses whom we signal. Returns an fd
 * (O_PATH); -EPERM: it is not; other -errno.
 */
int instance_open(const char *directory, struct error *err);

/* The pid of the supervisor, by the lock that it has as long as it lives; 0: there is none; or -errno. */
int instance_holder(int dirfd, struct error *err);

/*
 * Be the one that starts a supervisor there, as long as the fd that is returned stays open; -EBUSY: somebody else does;
 * -EEXIST: one runs, whatever its socket says; other -errno.
 */
int instance_reserve(const char *directory, struct error *err);

/* Who listens on DIRECTORY/name: a pidfd, or -ENOENT or -ECONNREFUSED: nobody. type: SOCK_*. */
int instance_listener(const char *directory, const char *name, int type, struct error *err);

/*
 * Run argv, without keys of models, and wait for its end. Its exit status (128 + signal when killed), or -errno. Output is
 * dropped unless it fails: then *err has the reason that it gave.
 */
int instance_run_program(char *const argv[], struct error *err);

/* SIGTERM, and SIGKILL when it has not ended after timeout_ms. A child of ours is reaped. 0 or -errno. */
int instance_end(int pidfd, int timeout_ms, struct error *err);

/*
 * End both daemons and all that they made, whatever state they are in; returns when nothing is
 * left. Idempotent. 0 or -errno; *ret_stopped (may be NULL) counts the daemons that ran.
 */
int instance_stop(const char *directory, unsigned *ret_stopped, struct error *err);

/* Remove what a supervisor that ended has left, and all sockets. 0 or -errno: -EEXIST: another one serves it. */
int instance_clear(const char *directory, struct error *err);

/* Takes what is called ..._API_KEY out of the environment: in a child, whose program has no use for it. */
void instance_forget_keys(void);

#define INSTANCE_CHILD_FD 3 /* the number that struct instance_child's fd has in the child */

struct instance_child {
	const char *log;       /* output is appended to this file */
	const char *cgroup_id; /* NULL, or the instance whose daemon cgroup it joins first */
	int fd;		       /* -1, or what it inherits */
	bool has_keys;	       /* variables that hold keys of models are left to it */
	bool is_dropped; /* it becomes user hearth without capabilities before it is executed */
};

/* Start argv in the background: a session of its own, stdin empty. Returns a pidfd or -errno. */
int instance_start(char *const argv[], const struct instance_child *child, struct error *err);
#endif
