/*
 * admin_request.h - what is asked about the instance as a whole: its statistics, its pools' sizes, its workspaces.
 */
#ifndef SUPERVISOR_ADMIN_REQUEST_H
#define SUPERVISOR_ADMIN_REQUEST_H
#include "proto/control.h"

struct client;

/* STATS: each sample a row. */
void admin_request_stats(struct client *client, const struct control_query *m);

/* POOL_SET: in force at once, as if the configuration had said so; no file is changed. */
void admin_request_pool_set(struct client *client, const struct control_pool_set *m);

/* WORKSPACE_REMOVE: its name is free at once; what was in it goes later (workspace_removal.h). */
void admin_request_workspace_remove(struct client *client, const struct control_workspace *m);
#endif
