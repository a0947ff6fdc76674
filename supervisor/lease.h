/*
 * lease.h - which client holds which sandbox: hand it over, find it again, tell its end.
 */
#ifndef SUPERVISOR_LEASE_H
#define SUPERVISOR_LEASE_H
#include <stdint.h>

#include "proto/control.h"

struct client;
struct sandbox;

/* The pool has leased the sandbox to the client: send LEASED with the channel. arrived_ns: of the request. */
void lease_start(struct client *client, uint32_t request_id, struct sandbox *sandbox,
	enum control_rung rung, uint64_t arrived_ns);

/* The client's own lease with that handle, or NULL: unknown, ended, another's, of another epoch. */
struct sandbox *lease_find(const struct client *client, const struct control_handle *handle);

/* It ended without the owner's doing: send LEASE_ENDED. */
void lease_end(struct sandbox *sandbox, enum lease_end_reason reason);

/* The owner has it no more, whatever the reason. Also for a sandbox that nobody owns. */
void lease_forget(struct sandbox *sandbox);
#endif
