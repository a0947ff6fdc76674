/*
 * lease.h - which client holds which sandbox: hand it over, find it again, tell its end.
 */
#ifndef SUPERVISOR_LEASE_H
#define SUPERVISOR_LEASE_H
#include <stdint.h>

#include "base/list.h"
#include "proto/control.h"

struct client;
struct sandbox;
struct supervisor;

/* Of a sandbox that is or was leased, until it is gone. */
struct lease {
	uint64_t id;	   /* of the sandbox; 0: it was never leased */
	struct client *to; /* whose it was and who gets the receipt; NULL: has left */
	struct list due;   /* in his list of receipts, once the lease is over */
	uint64_t started_ns, ended_ns;
	enum lease_end_reason reason;
};

/* The pool has leased the sandbox to the client: send LEASED with the channel. arrived_ns: of the request. */
void lease_start(struct client *client, uint32_t request_id, struct sandbox *sandbox,
	enum control_rung rung, uint64_t arrived_ns);

/* The two halves of it, between which something is bound: it is the client's, who does not know. */
void lease_take(struct client *client, struct sandbox *sandbox);
void lease_tell(
	struct sandbox *sandbox, uint32_t request_id, enum control_rung rung, uint64_t arrived_ns);
/* In place of the second, while its binding is pending: it never was. */
void lease_cancel(struct sandbox *sandbox);

/* Anybody's lease with that handle, or NULL: also when its owner has not been told of it yet. */
struct sandbox *lease_find_any(
	const struct supervisor *supervisor, const struct control_handle *handle);
/* The client's own lease with that handle, or NULL: unknown, ended, another's, of another epoch. */
struct sandbox *lease_find(const struct client *client, const struct control_handle *handle);

/* It has been idle for too long, and ends in left_ms: send LEASE_FROZEN. */
void lease_frozen(struct sandbox *sandbox, uint64_t left_ms);
/* It ended without the owner's doing: send LEASE_ENDED. */
void lease_end(struct sandbox *sandbox, enum lease_end_reason reason);

/* The owner has it no more. Nothing, when the lease is over already or never was. */
void lease_over(struct sandbox *sandbox, enum lease_end_reason reason);

/* The sandbox is proven dead: send RECEIPT to whose it was, and log it. Nothing, when it was never leased. */
void lease_settle(struct sandbox *sandbox);

/* The client leaves: its receipts go to nobody. */
void lease_forget_client(struct client *client);
#endif
