/*
 * release.h - a lease on its way back to the supervisor.
 *
 * Made before the lease is asked for, so that giving it back needs no memory. Waits until the
 * supervisor has answered, and before that, while the way to it is full, to be sent.
 */
#ifndef AGENTD_RELEASE_H
#define AGENTD_RELEASE_H
#include "proto/control.h"

struct call;
struct release;
struct server;

/* NULL: out of memory. */
struct release *release_create(struct server *server);
/* Of one that was not started. Accepts NULL. */
void release_destroy(struct release *release);

/* answer (may be NULL) gets its result when the supervisor has the lease. Frees itself then. */
void release_start(
	struct release *release, const struct control_handle *handle, struct call *answer);

/* Send those that wait to be sent. */
void release_flush(struct server *server);
/* The supervisor has gone, and the leases with it: answer those that wait. */
void release_finish_all(struct server *server);
#endif
