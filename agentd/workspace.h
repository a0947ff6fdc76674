/*
 * workspace.h - a session's workspace goes with it: the supervisor is asked to remove it, again when a sandbox still has it.
 *
 * Nobody waits for it. What the supervisor does not remove in WORKSPACE_TRIES, or before agentd stops, is named in the log,
 * and asked for again when agentd starts: the store remembers it.
 */
#ifndef AGENTD_WORKSPACE_H
#define AGENTD_WORKSPACE_H

#define WORKSPACE_TRIES	   6	/* the first, and five more */
#define WORKSPACE_RETRY_MS 100	/* after the first one, then twice as long each time */
#define WORKSPACES_MAX	   1024 /* that are waited for; one more stays */

struct server;

/* name: as a lease's. Its session has gone. */
void workspace_remove(struct server *server, const char *name);
/* Those of an earlier life. 0, or -errno: nothing is asked. */
int workspace_remove_left(struct server *server);
/* The supervisor has gone: nothing more is asked. */
void workspace_finish_all(struct server *server);
#endif
