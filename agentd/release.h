/*
 * release.h - a lease on its way back to the supervisor, until the receipt of what it used has come.
 *
 * Made before the lease is asked for, so that giving it back needs no memory. RELEASE waits while the
 * way to the supervisor is full. A lease that ended by itself waits here for its receipt only; how
 * many do is bounded by the sandboxes that the supervisor may have.
 */
#ifndef AGENTD_RELEASE_H
#define AGENTD_RELEASE_H
#include "proto/control.h"

#define RELEASE_RECEIPT_MS 2000 /* how long an answer waits for it */

struct call;
struct owner;
struct release;
struct server;

/* NULL: out of memory. */
struct release *release_create(struct server *server);
/* Of one that was not started. Accepts NULL. */
void release_destroy(struct release *release);

/*
 * Give the lease back. answer (may be NULL) gets its result with the receipt, or without it when
 * that does not come soon; owner (may be NULL) gets sandbox.receipt. Frees itself in the end.
 */
void release_start(struct release *release, const struct control_leased *lease, struct owner *owner,
	struct call *answer);
/* It has ended by itself: owner gets sandbox.receipt. Frees itself then. */
void release_await_receipt(
	struct release *release, const struct control_leased *lease, struct owner *owner);

/* RECEIPT: the control client's callback; arg is the server. */
void release_on_receipt(void *arg, const struct control_receipt *receipt);

/* The owner goes: it is told nothing more. */
void release_forget_owner(struct server *server, const struct owner *owner);
/* Send those that wait to be sent. */
void release_flush(struct server *server);
/* The supervisor has gone, and the leases with it: answer those that wait. */
void release_finish_all(struct server *server);
#endif
