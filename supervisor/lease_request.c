#include "supervisor/lease_request.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "pool/pool.h"
#include "supervisor/binding.h"
#include "supervisor/client.h"
#include "supervisor/lease.h"
#include "supervisor/network.h"
#include "supervisor/permission.h"
#include "supervisor/pool_host.h"
#include "supervisor/refusal.h"
#include "supervisor/sandbox.h"
#include "supervisor/slots.h"
#include "supervisor/supervisor.h"

static bool may_ask(struct client *client, uint32_t request_id, const struct sandbox *sandbox)
{
	if (!sandbox->owner || client->role == ROLE_ROOT ||
		client->peer.uid == sandbox->owner->peer.uid)
		return true;
	refuse(client, request_id, REFUSED_DENIED, 0,
		"sandbox %" PRIu64 " is leased to uid %u, not %u", sandbox->core->id,
		sandbox->owner->peer.uid, client->peer.uid);
	return false;
}

/* A lease that the client may ask this of, or NULL: he has been refused. */
static struct sandbox *find_lease(
	struct client *client, uint32_t request_id, const struct control_handle *handle)
{
	struct sandbox *sandbox = lease_find_any(client->supervisor, handle);

	if (!sandbox) {
		refuse(client, request_id, REFUSED_STALE, 0,
			"sandbox %" PRIu64 " of epoch %" PRIu64 " is leased to nobody",
			handle->sandbox, handle->epoch);
		return NULL;
	}
	return may_ask(client, request_id, sandbox) ? sandbox : NULL;
}

void lease_request_kill(struct client *client, const struct control_lease *m)
{
	struct sandbox *sandbox = find_lease(client, m->header.id, &m->handle);

	if (!sandbox)
		return;
	pool_kill(sandbox->pool->pool, clock_now_ms(), sandbox->core);
	client_done(client, m->header.id);
	pool_host_changed(sandbox->pool);
}

static void refuse_busy(struct client *client, uint32_t request_id)
{
	refuse(client, request_id, REFUSED_LIMIT, 100,
		"%d requests of this connection, or %d in all, wait for hearth-network already",
		NETWORK_REQUESTS_PER_CLIENT, NETWORK_CLIENT_REQUESTS_MAX);
}

static void on_profile(struct client *client, uint32_t request_id, uint64_t sandbox,
	const struct message_header *answer, const char *why)
{
	(void)sandbox;
	if (answer)
		client_done(client, request_id);
	else
		refuse(client, request_id, REFUSED_BROKEN, 0, "network: %s", why);
}

void lease_request_net(struct client *client, const struct control_net *m)
{
	struct sandbox *sandbox = find_lease(client, m->header.id, &m->handle);
	enum network_profile profile = network_profile_find(m->net);
	struct network *network = client->supervisor->network;

	if (!sandbox)
		return;
	if (!profile)
		refuse(client, m->header.id, REFUSED_UNSUPPORTED, 0,
			"no network profile '%s': there are: " NETWORK_PROFILE_NAMES, m->net);
	else if (!network && profile != NETWORK_NONE)
		refuse(client, m->header.id, REFUSED_UNSUPPORTED, 0,
			"this instance has no networks: set [network] enabled = yes");
	else if (!network)
		client_done(client, m->header.id);
	else if (!permission_allows_profile(client->role, profile, sandbox->pool->section->profile))
		refuse(client, m->header.id, REFUSED_DENIED, 0, PERMISSION_PROFILE_DENIED);
	else if (!network_set_profile_for(
			 network, sandbox, profile, client, m->header.id, on_profile))
		refuse_busy(client, m->header.id);
}

static enum network_profile profile_of(const struct sandbox *sandbox)
{
	const struct supervisor *supervisor = sandbox->pool->supervisor;
	enum network_profile profile = 0;

	if (supervisor->network && sandbox->slot >= 0)
		profile = slots_profile(supervisor->slots, (uint32_t)sandbox->slot);
	return profile ? profile : sandbox->pool->section->profile;
}

/* All but what only hearth-network knows. */
static void fill(struct control_sandbox_details *m, const struct sandbox *sandbox)
{
	const struct supervisor *supervisor = sandbox->pool->supervisor;
	const struct pool_section *section = sandbox->pool->section;
	const struct binding *binding = sandbox->binding;
	uint64_t now_ms = clock_now_ms();

	m->handle = (struct control_handle){sandbox->core->id, supervisor->epoch};
	memcpy(m->template_name, section->name, sizeof(m->template_name));
	text_copy(m->net, sizeof(m->net), network_profile_name(profile_of(sandbox)));
	memcpy(m->hostname, binding ? binding->hostname : section->hostname, sizeof(m->hostname));
	m->state = sandbox->core->state;
	m->unenforced = section->unenforced;
	m->age_ms = now_ms - sandbox->core->created_ms;
	m->memory_bytes = binding ? binding->memory_bytes : section->limits.memory_bytes;
	m->disk_bytes = section->limits.disk_bytes;
	m->pids = binding ? binding->pids : section->limits.pids;
	m->cpu_milli = binding ? binding->cpu_milli : section->limits.cpu_milli;
	if (binding)
		memcpy(m->workspace, binding->workspace, sizeof(m->workspace));
	if (sandbox->owner) {
		m->owner_pid = (uint32_t)sandbox->owner->peer.pid;
		m->owner_uid = sandbox->owner->peer.uid;
		m->lease_age_ms = now_ms - sandbox->core->state_since_ms;
	}
}

static void fill_network(struct control_sandbox_details *m, const struct network_state *state,
	const struct network_caps *caps)
{
	if (state->profile)
		text_copy(m->net, sizeof(m->net), network_profile_name(state->profile));
	m->connections_max = caps->connections;
	m->new_per_second_max = caps->new_per_second;
	m->names_per_second_max = caps->names_per_second;
	m->bytes_per_second_max = caps->bytes_per_second;
	m->connections = state->connections;
	m->sent_bytes = state->sent_bytes;
	m->received_bytes = state->received_bytes;
	m->denied_packets = state->denied_packets;
	m->denied_names = state->denied_names;
}

static void tell_details(struct client *client, uint32_t request_id, const struct sandbox *sandbox,
	const struct network_state *state)
{
	struct control_sandbox_details m = {0};

	control_header(&m.header, CONTROL_SANDBOX_DETAILS, sizeof(m), request_id);
	fill(&m, sandbox);
	if (state)
		fill_network(&m, state, &client->supervisor->config.network.caps);
	client_send(client, &m, sizeof(m));
}

static void refuse_gone(struct client *client, uint32_t request_id, uint64_t sandbox)
{
	refuse(client, request_id, REFUSED_STALE, 0, "there is no sandbox %" PRIu64, sandbox);
}

static void on_state(struct client *client, uint32_t request_id, uint64_t id,
	const struct message_header *answer, const char *why)
{
	const struct sandbox *sandbox = sandbox_find(client->supervisor, id);

	if (!answer)
		refuse(client, request_id, REFUSED_BROKEN, 0, "network: %s", why);
	else if (!sandbox) /* it has ended meanwhile */
		refuse_gone(client, request_id, id);
	else
		tell_details(client, request_id, sandbox, (const void *)answer);
}

void lease_request_inspect(struct client *client, const struct control_lease *m)
{
	const struct supervisor *supervisor = client->supervisor;
	const struct sandbox *sandbox = NULL;

	if (m->handle.epoch == supervisor->epoch)
		sandbox = sandbox_find(supervisor, m->handle.sandbox);
	if (!sandbox) {
		refuse_gone(client, m->header.id, m->handle.sandbox);
		return;
	}
	if (!may_ask(client, m->header.id, sandbox))
		return;
	/* Before it is built and after it has ended its slot's network is not, or not only, its own. */
	if (!supervisor->network ||
		(sandbox->core->state != SANDBOX_READY && sandbox->core->state != SANDBOX_LEASED))
		tell_details(client, m->header.id, sandbox, NULL);
	else if (!network_inspect_for(supervisor->network, sandbox, client, m->header.id, on_state))
		refuse_busy(client, m->header.id);
}
