/*
 * client.h - one connection to control.sock, from accept to its end, and what it may cost.
 *
 * Every packet is judged by check_message(); an offence ends the connection, and with it its leases.
 * A client never dies in the middle of somebody else's step: what goes wrong while something is
 * sent to it ends it in its own callback.
 */
#ifndef SUPERVISOR_CLIENT_H
#define SUPERVISOR_CLIENT_H
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/unix_socket.h"
#include "supervisor/outbox.h"
#include "supervisor/permission.h"

struct supervisor;

struct client {
	struct list list; /* in control */
	struct supervisor *supervisor;
	int fd;
	struct unix_socket_peer peer;
	enum role role;
	struct event *readable;
	struct outbox outbox;
	struct list leases;   /* pool_sandbox.by_lessee */
	struct list receipts; /* lease.due: of leases that are over, their sandboxes not yet dead */
	struct list bindings; /* of acquires that wait */
	uint32_t lease_count, waiter_count;
	uint32_t network_asks; /* of hearth-network, without an answer */
	int lost;	       /* negative errno when nothing can be sent to it any more */
};

/* fd is taken over in any case. NULL: out of memory. */
struct client *client_create(
	struct supervisor *supervisor, int fd, const struct unix_socket_peer *peer, enum role role);
/* Its leases are discarded, its waiters forgotten. Accepts NULL. */
void client_destroy(struct client *client);

void client_send(struct client *client, const void *message, size_t size);
/* DONE. */
void client_done(struct client *client, uint32_t request_id);
/* With an fd, which stays the caller's. */
void client_send_fd(struct client *client, const void *message, size_t size, int fd);
#endif
