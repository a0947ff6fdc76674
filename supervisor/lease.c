#include "supervisor/lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "pool/pool.h"
#include "proto/limit_text.h"
#include "supervisor/binding.h"
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

void lease_take(struct client *client, struct sandbox *sandbox)
{
	sandbox->owner = client;
	sandbox->lease = (struct lease){.id = sandbox->core->id, .to = client};
	list_init(&sandbox->lease.due);
	list_append(&client->leases, &sandbox->core->by_lessee);
	client->lease_count++;
}

static void disown(struct sandbox *sandbox)
{
	list_remove(&sandbox->core->by_lessee);
	sandbox->owner->lease_count--;
	sandbox->owner = NULL;
}

void lease_cancel(struct sandbox *sandbox)
{
	sandbox->binding->is_pending = false;
	disown(sandbox);
	sandbox->lease = (struct lease){0};
	list_init(&sandbox->lease.due);
}

static void fill_bound(struct control_leased *m, const struct binding *binding)
{
	m->memory_bytes = binding->memory_bytes;
	m->pids = binding->pids;
	m->cpu_milli = binding->cpu_milli;
	m->bind_ns = binding->bind_ns;
	m->workspace_bytes = binding->workspace_bytes;
	m->is_soft = binding->watch != NULL;
	text_copy(m->net, sizeof(m->net), network_profile_name(binding->profile));
	memcpy(m->workspace, binding->workspace, sizeof(m->workspace));
	memcpy(m->hostname, binding->hostname, sizeof(m->hostname));
}

void lease_tell(
	struct sandbox *sandbox, uint32_t request_id, enum control_rung rung, uint64_t arrived_ns)
{
	const struct pool_section *section = sandbox->pool->section;
	const struct pool_sandbox *core = sandbox->core;
	struct client *client = sandbox->owner;
	struct control_leased m = {
		.handle = {core->id, client->supervisor->epoch},
		.rung = rung,
		.lease_ms = lease_ms(core),
		.idle_ms = (uint32_t)core->idle_ms,
		.unenforced = section->unenforced,
		.memory_bytes = section->limits.memory_bytes,
		.disk_bytes = section->limits.disk_bytes,
		.disk_inodes = section->limits.disk_inodes,
		.pids = section->limits.pids,
		.cpu_milli = section->limits.cpu_milli,
		.open_files = section->limits.open_files,
		.build_ns = core->build_ns,
	};

	control_header(&m.header, CONTROL_LEASED, sizeof(m), request_id);
	memcpy(m.template_name, section->name, sizeof(m.template_name));
	memcpy(m.net, section->net, sizeof(m.net));
	memcpy(m.hostname, section->hostname, sizeof(m.hostname));
	if (sandbox->binding)
		fill_bound(&m, sandbox->binding);
	sandbox->lease.started_ns = clock_now_ns();
	m.wait_ns = sandbox->lease.started_ns - arrived_ns;
	if (rung == RUNG_BUILT || rung == RUNG_WAITED)
		m.queue_ns = m.wait_ns - m.bind_ns;
	client_send_fd(client, &m, sizeof(m), sandbox->channel_fd);
	supervisor_tidy_later(client->supervisor, sandbox);
	stats_leased(&client->supervisor->stats, sandbox->pool->index, rung, m.wait_ns, m.bind_ns);
}

void lease_start(struct client *client, uint32_t request_id, struct sandbox *sandbox,
	enum control_rung rung, uint64_t arrived_ns)
{
	lease_take(client, sandbox);
	lease_tell(sandbox, request_id, rung, arrived_ns);
}

struct sandbox *lease_find_any(
	const struct supervisor *supervisor, const struct control_handle *handle)
{
	struct sandbox *sandbox;

	if (handle->epoch != supervisor->epoch)
		return NULL;
	sandbox = sandbox_find(supervisor, handle->sandbox);
	return sandbox && sandbox->owner && !binding_is_pending(sandbox) ? sandbox : NULL;
}

struct sandbox *lease_find(const struct client *client, const struct control_handle *handle)
{
	struct sandbox *sandbox = lease_find_any(client->supervisor, handle);

	return sandbox && sandbox->owner == client ? sandbox : NULL;
}

static uint64_t limit_of(const struct sandbox *sandbox, enum lease_end_reason reason)
{
	switch (reason) {
	case LEASE_OOM:
		return sandbox->binding ? sandbox->binding->memory_bytes
					: sandbox->pool->section->limits.memory_bytes;
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

	if (binding_is_pending(sandbox)) {
		binding_end(sandbox, reason);
		return;
	}
	lease_over(sandbox, reason);
	control_header(&m.header, CONTROL_LEASE_ENDED, sizeof(m), 0);
	client_send(client, &m, sizeof(m));
}

void lease_frozen(struct sandbox *sandbox, uint64_t left_ms)
{
	struct client *client = sandbox->owner;
	struct control_lease_frozen m = {
		.handle = {sandbox->core->id, client->supervisor->epoch},
		.idle_ms = (uint32_t)sandbox->core->idle_ms,
		.ends_ms = left_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)left_ms,
	};

	control_header(&m.header, CONTROL_LEASE_FROZEN, sizeof(m), 0);
	client_send(client, &m, sizeof(m));
}

void lease_over(struct sandbox *sandbox, enum lease_end_reason reason)
{
	struct lease *lease = &sandbox->lease;

	if (!sandbox->owner)
		return;
	if (binding_is_pending(sandbox)) { /* its client leaves, without an answer */
		lease_cancel(sandbox);
		return;
	}
	disown(sandbox);
	lease->ended_ns = clock_now_ns();
	lease->reason = reason;
	list_append(&lease->to->receipts, &lease->due);
}

static void log_lease(const struct sandbox *sandbox, const struct control_receipt *m)
{
	const struct lease_usage *usage = &m->usage;
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"sandbox", m->handle.sandbox},
		{"wall_ms", m->wall_ns / NS_PER_MS},
		{"cpu_ms", usage->cpu_ns / NS_PER_MS},
		{"memory_peak_bytes", usage->memory_peak_bytes},
		{"read_bytes", usage->read_bytes},
		{"write_bytes", usage->write_bytes},
		{"pids_peak", usage->pids_peak},
		{"oom_kills", usage->oom_kills},
	};
	char text[ARRAY_SIZE(numbers)][24], limits[LIMIT_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		snprintf(text[i], sizeof(text[i]), "%" PRIu64, numbers[i].value);
	log_event_from(LOG_LEVEL_INFO, m->handle.sandbox, "lease_ended", numbers[0].key, text[0],
		"pool", sandbox->pool->section->name, "reason", control_reason_name(m->reason),
		numbers[1].key, text[1], numbers[2].key, text[2], numbers[3].key, text[3],
		numbers[4].key, text[4], numbers[5].key, text[5], numbers[6].key, text[6],
		numbers[7].key, text[7], "limits_hit", limit_names(m->limits_hit, limits), NULL);
}

void lease_settle(struct sandbox *sandbox)
{
	struct lease *lease = &sandbox->lease;
	struct control_receipt m = {
		.handle = {lease->id, sandbox->pool->supervisor->epoch},
		.reason = lease->reason,
		.limits_hit = sandbox->limits_hit,
		.wall_ns = lease->ended_ns - lease->started_ns,
		.usage = sandbox->usage,
	};

	if (lease->id == 0)
		return;
	control_header(&m.header, CONTROL_RECEIPT, sizeof(m), 0);
	if (lease->to)
		client_send(lease->to, &m, sizeof(m));
	list_remove(&lease->due);
	log_lease(sandbox, &m);
}

void lease_forget_client(struct client *client)
{
	struct lease *lease;

	while ((lease = list_first(&client->receipts, struct lease, due))) {
		list_remove(&lease->due);
		lease->to = NULL;
	}
}
