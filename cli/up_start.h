/*
 * up_start.h - from a directory to an instance that serves: what `hearth up` and `hearth start` share.
 *
 * One at a time in a process: signals that interrupt it are the process's. Whatever fails on the way is
 * taken back by the caller with up_start_take_back().
 */
#ifndef CLI_UP_START_H
#define CLI_UP_START_H
#include <stdbool.h>
#include <sys/types.h>

#include "cli/instance.h"
#include "proto/instance.h"

struct cli;
struct error;
struct up_config;

#define UP_START_AGENTD_OPTIONS_MAX 8
#define UP_START_ENDS_MS	    1000 /* for a daemon that serves no more to end */

struct up_daemon {
	const char *name, *log;
	off_t log_start; /* what stands before it is of an earlier run */
	int pidfd;	 /* -1: not started */
};

struct up_start {
	const struct cli *cli;
	const struct up_config *config;	   /* borrowed */
	char directory[INSTANCE_PATH_MAX]; /* real path */
	char id[INSTANCE_ID_SIZE];
	int lock_fd; /* -1, or instance_reserve()'s: until take_back() or the process's end */
	struct up_daemon supervisor, agentd;
	struct up_daemon model; /* hearth start's script */
	bool has_keys;		/* agentd is given the keys of models in the environment */
};

void up_start_init(struct up_start *up, const struct cli *cli, const struct up_config *config);

/* SIGINT, SIGTERM and SIGHUP make the next up_start_look() fail with -EINTR. */
void up_start_catch_signals(void);

/* Make the directory when it is missing, and see that it is ours; fill in directory and id. 0 or -errno. */
int up_start_find_directory(struct up_start *up, struct error *err);

/* Whether somebody listens on the directory's socket of this name: 1, 0 or -errno. type: SOCK_*. */
int up_start_is_answered(const struct up_start *up, const char *name, int type, struct error *err);

/* Build the configuration's image where the store has none. 0 or -errno. */
int up_start_image(const struct up_start *up, struct error *err);

/*
 * Write hearth.conf, start the supervisor, wait until it listens. 0 or -errno: -EEXIST: one runs there, -EBUSY: somebody
 * else starts one.
 */
int up_start_supervisor(struct up_start *up, struct error *err);

/* Start agentd beside a supervisor that listens, with these options (NULL-terminated) after --dir; wait likewise. */
int up_start_agentd(struct up_start *up, const char *const *options, struct error *err);

/* Until the configuration's pool is full. 0 or -errno. */
int up_start_wait_ready(const struct up_start *up, struct error *err);

/* Where daemon's log will be, and note how long it is now. */
void up_start_log_path(
	const struct up_start *up, struct up_daemon *daemon, char *path, size_t size);

/*
 * Let timeout_ms pass, or less: 0. When a daemon ends, -ECHILD with the signal that killed it, or with
 * the reason that it logged; after a signal -EINTR. -1: until one of these.
 */
int up_start_look(const struct up_start *up, int timeout_ms, struct error *err);

/*
 * End what this process started, agentd first, and remove what it made. What fails here fails again, and is said, at the
 * next hearth down. r, as which *err is set, is returned; what fails here is added to that, or is it when r is 0.
 */
int up_start_take_back(struct up_start *up, int r, struct error *err);
#endif
