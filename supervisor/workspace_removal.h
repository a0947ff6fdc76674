/*
 * workspace_removal.h - workspaces that are removed.
 *
 * The directory gets a name at once that no lease can ask for, so that its own is free for a new one. It goes later with
 * all that is in it, by a child process of low priority: one at a time, for all that have such names. What a supervisor
 * does not come to the end of, or its child within REMOVAL_TIMEOUT_S, the next one goes on with.
 */
#ifndef SUPERVISOR_WORKSPACE_REMOVAL_H
#define SUPERVISOR_WORKSPACE_REMOVAL_H
struct error;
struct supervisor;
struct workspace_removal;

#define REMOVAL_PREFIX	  ".removed-" /* a name that begins so is no workspace's: text_is_name() */
#define REMOVAL_TIMEOUT_S 600	      /* of one child */
#define REMOVAL_RETRY_S	  60	      /* after one that did not come to its end */

/* 0 or -ENOMEM. */
int workspace_removal_create(
	struct supervisor *supervisor, struct workspace_removal **ret_removal, struct error *err);
/* Accepts NULL and half-built ones. */
void workspace_removal_destroy(struct workspace_removal *removal);

/* At the start: what an earlier life has left. */
void workspace_removal_resume(struct workspace_removal *removal);

/*
 * The workspace `name`, which no lease has, as text_is_name() has it. 0, also when there is none; -EPERM: what has that
 * name is not a workspace (a link, a file, a mount, a directory of another owner); other -errno.
 */
int workspace_removal_begin(struct workspace_removal *removal, const char *name, struct error *err);
#endif
