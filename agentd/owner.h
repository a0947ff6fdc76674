/*
 * owner.h - who leases sandboxes through agentd: a connection of agentd.sock, or a run of an agent.
 *
 * Embedded. What it leases ends with it: owner_finish(). What happens to a lease without its doing is told by its
 * functions, of which each may be NULL.
 */
#ifndef AGENTD_OWNER_H
#define AGENTD_OWNER_H
#include <jansson.h>

#include "base/list.h"
#include "base/unix_socket.h"

struct owner;
struct sandbox;
struct server;

struct owner_ops {
	/* The sandbox is gone after this call; every call in it has been answered. data: {id, epoch, reason, ...}, taken over. */
	void (*on_ended)(
		struct owner *owner, struct sandbox *sandbox, json_t *data, const char *text);
	/* {id, epoch, idle_ms, ends_ms}, taken over. */
	void (*on_frozen)(struct owner *owner, json_t *data);
	/* {id, epoch, ...}: what a lease used, taken over. */
	void (*on_receipt)(struct owner *owner, json_t *data);
};

struct owner {
	const struct owner_ops *ops;
	struct server *server;
	struct unix_socket_peer peer; /* in whose name it leases */
	struct list sandboxes;
	struct list acquires; /* under way */
	unsigned lease_count; /* of both */
	unsigned lease_max;
};

void owner_init(struct owner *owner, struct server *server, const struct owner_ops *ops,
	const struct unix_socket_peer *peer, unsigned lease_max);
/* Give everything back; nothing is told any more. Acquires under way end with -ECANCELED. May be called twice. */
void owner_finish(struct owner *owner);
#endif
