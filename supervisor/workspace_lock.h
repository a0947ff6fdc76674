/*
 * workspace_lock.h - instances may share a folder of workspaces: only one of them has a workspace at a time.
 *
 * A lock for each on a byte of the file ".locks" in that folder. The kernel gives it back when the supervisor dies; its
 * sandboxes die at the same time.
 */
#ifndef SUPERVISOR_WORKSPACE_LOCK_H
#define SUPERVISOR_WORKSPACE_LOCK_H
#include <stdbool.h>

#define WORKSPACE_LOCKS ".locks" /* no workspace can be called so */

struct error;

/* The file, made when missing: the caller's. -errno. */
int workspace_locks_open(int directory_fd, struct error *err);
/* False: another instance has it. One that is ours already is had again, and given back once for all. */
bool workspace_lock_take(int locks_fd, const char *workspace);
void workspace_lock_give(int locks_fd, const char *workspace);
#endif
