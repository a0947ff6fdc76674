/*
 * workspace_watch.h - workspaces in use whose size limit their file system does not hold: what is in them.
 *
 * Each is measured once a minute and after each of its leases, by a child process of low priority, one at
 * a time. When it holds more than its limit the log says so, and nobody else gets it until it holds less; to
 * ask for it makes it be measured again. What cannot be measured within MEASURE_TIMEOUT_S holds too much.
 */
#ifndef SUPERVISOR_WORKSPACE_WATCH_H
#define SUPERVISOR_WORKSPACE_WATCH_H
#include <stdbool.h>

struct error;
struct supervisor;
struct workspace_watch;

#define MEASURE_PERIOD_S  60
#define MEASURE_TIMEOUT_S 30 /* of one workspace */

/* 0 or -ENOMEM. */
int workspace_watch_create(
	struct supervisor *supervisor, struct workspace_watch **ret_watch, struct error *err);
/* Accepts NULL and half-built ones. */
void workspace_watch_destroy(struct workspace_watch *watch);

/* A lease has it; has it no more. Out of memory it is not watched. */
void workspace_watch_begin(struct workspace_watch *watch, const char *name);
void workspace_watch_end(struct workspace_watch *watch, const char *name);

/* It is removed, and no lease has it: what was found in it is forgotten. */
void workspace_watch_forget(struct workspace_watch *watch, const char *name);

/* Once a minute: measure all. */
void workspace_watch_look(struct workspace_watch *watch);

/* Whether it held too much when it was measured last. */
bool workspace_watch_is_over(struct workspace_watch *watch, const char *name);
#endif
