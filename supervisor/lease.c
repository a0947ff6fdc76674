#include "supervisor/lease.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pool/pool.h"
#include "supervisor/client.h"
#include "supervisor/pool_host.h"
#include "supervisor/sandbox.h"
#include "supervisor/supervisor.h"

static uint32_t lease_ms(const struct pool_sandbox *core)
{
	/* While LEASED. At most CONTROL_DEADLINE_MAX: settings and check_message() see to it. */
	return core->deadline_ms == UINT64_MAX
		       ? 0
		       : (uint32_t)(core->deadline_ms - core->state_since_ms);
}

void lease_start(struct client *client, uint32_t request_id, struct sandbox *sandbox,
	enum control_rung rung, uint64_t arrived_ns)
{
	const struct pool_section *section = sandbox->pool->section;
	const struct pool_sandbox *core = sandbox->core;
	struct control_leased m = {
		.handle = {core->id, client->supervisor->epoch},
		.rung = rung,
		.lease_ms = lease_ms(core),
		.idle_ms = (uint32_t)core->idle_ms,
		.memory_bytes = section->limits.memory_bytes,
		.disk_bytes = section->limits.disk_bytes,
		.pids = section->limits.pids,
		.cpu_milli = section->limits.cpu_milli,
		.build_ns = core->build_ns,
	};

	sandbox->owner = client;
	list_append(&client->leases, &sandbox->core->by_lessee);
	client->lease_count++;
	control_header(&m.header, CONTROL_LEASED, sizeof(m), request_id);
	memcpy(m.template_name, section->name, sizeof(m.template_name));
	m.wait_ns = clock_now_ns() - arrived_ns;
	client_send_fd(client, &m, sizeof(m), sandbox->channel_fd);
	supervisor_tidy_later(client->supervisor, sandbox);
}

struct sandbox *lease_find(const struct client *client, const struct control_handle *handle)
{
	struct sandbox *sandbox;

	if (handle->epoch != client->supervisor->epoch)
		return NULL;
	sandbox = sandbox_find(client->supervisor, handle->sandbox);
	return sandbox && sandbox->owner == client ? sandbox : NULL;
}

static uint64_t limit_of(const struct sandbox *sandbox, enum lease_end_reason reason)
{
	switch (reason) {
	case LEASE_OOM:
		return sandbox->pool->section->limits.memory_bytes;
	case LEASE_DEADLINE:
		return lease_ms(sandbox->core);
	case LEASE_IDLE:
		return sandbox->core->idle_ms;
	case LEASE_RELEASED:
	case LEASE_OWNER_GONE:
	case LEASE_GUEST_DIED:
	case LEASE_BUILDER_LOST:
	case LEASE_SHUTDOWN:
	case LEASE_KILLED:
		return 0;
	}
	return 0;
}

void lease_end(struct sandbox *sandbox, enum lease_end_reason reason)
{
	struct client *client = sandbox->owner;
	struct control_lease_ended m = {
		.handle = {sandbox->core->id, client->supervisor->epoch},
		.reason = reason,
		.limits_hit = sandbox->limits_hit,
		.limit = limit_of(sandbox, reason),
	};

	lease_forget(sandbox);
	control_header(&m.header, CONTROL_LEASE_ENDED, sizeof(m), 0);
	client_send(client, &m, sizeof(m));
}

void lease_forget(struct sandbox *sandbox)
{
	if (!sandbox->owner)
		return;
	list_remove(&sandbox->core->by_lessee);
	sandbox->owner->lease_count--;
	sandbox->owner = NULL;
}
