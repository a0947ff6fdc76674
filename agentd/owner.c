#include "agentd/owner.h"

#include <string.h>

#include "agentd/acquire.h"
#include "agentd/release.h"
#include "agentd/sandbox.h"

void owner_init(struct owner *owner, struct server *server, const struct owner_ops *ops,
	const struct unix_socket_peer *peer, unsigned lease_max)
{
	memset(owner, 0, sizeof(*owner));
	owner->ops = ops;
	owner->server = server;
	owner->peer = *peer;
	owner->lease_max = lease_max;
	list_init(&owner->sandboxes);
	list_init(&owner->acquires);
}

void owner_finish(struct owner *owner)
{
	struct sandbox *sandbox;

	acquire_forget_owner(owner);
	while ((sandbox = list_first(&owner->sandboxes, struct sandbox, of_owner)))
		sandbox_release(sandbox, false, NULL);
	release_forget_owner(owner->server, owner);
}
