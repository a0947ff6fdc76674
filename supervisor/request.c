#include "supervisor/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "pool/pool.h"
#include "supervisor/admin_request.h"
#include "supervisor/binding.h"
#include "supervisor/client.h"
#include "supervisor/config.h"
#include "supervisor/lease.h"
#include "supervisor/lease_request.h"
#include "supervisor/permission.h"
#include "supervisor/pool_host.h"
#include "supervisor/refusal.h"
#include "supervisor/sandbox.h"
#include "supervisor/supervisor.h"

#define SOON_US 100 /* between acquires that come in a row */
#define ROW_MIN 8   /* so many make a row */

/* Whether this may be asked of the pool at all; if not, it has been answered. */
static bool may_acquire(const struct acquirer *who, const struct control_acquire *m)
{
	const struct client *client = who->client;
	uint32_t leases_max = client->supervisor->config.leases_per_connection;

	if (!who->pool)
		refuse(who->client, who->request_id, REFUSED_NO_TEMPLATE, 0,
			"no pool or image named '%s'", m->template_name);
	else if (client->lease_count + client->waiter_count >= leases_max)
		refuse_acquire(who, REFUSED_LIMIT, 0,
			"leases_per_connection: %u are held or waited for", leases_max);
	else
		return true;
	return false;
}

/*
 * Requests in quick succession: the next is near. To look for it saves whoever asks our wake-up, 20-30 us
 * between cores; only in a row, because what else runs on this core has to be let go first each time.
 */
static void note_acquire(struct supervisor *supervisor, uint64_t arrived_ns)
{
	bool is_soon = arrived_ns - supervisor->last_acquire_ns < SOON_US * NS_PER_US;

	supervisor->last_acquire_ns = arrived_ns;
	supervisor->acquires_in_a_row = is_soon ? supervisor->acquires_in_a_row + 1 : 0;
	if (supervisor->acquires_in_a_row >= ROW_MIN)
		supervisor->awake_until_ns = arrived_ns + SOON_US * NS_PER_US;
}

/* may_wait: as far as its connection goes; what the pool said is in r and refusal. */
static void refuse_one(const struct acquirer *who, bool may_wait, int r,
	enum control_refusal refusal, uint32_t retry_ms)
{
	if (r == -ENOMEM)
		refuse_acquire(who, REFUSED_LIMIT, retry_ms, "out of memory");
	else if (refusal == REFUSED_EMPTY && !may_wait)
		refuse_acquire(who, REFUSED_LIMIT, retry_ms,
			"waiters_per_connection: %u wait already",
			who->client->supervisor->config.waiters_per_connection);
	else
		refuse_by_pool(who, refusal, retry_ms);
}

static void acquire_one(struct client *client, const struct control_acquire *m, uint64_t arrived_ns)
{
	const struct supervisor *supervisor = client->supervisor;
	struct pool_host *pool = pool_host_find(supervisor, m->template_name);
	const struct acquirer who = {client, pool, m->header.id, arrived_ns};
	/* The pool counts waiters in all; that one connection has too many is asked when it would wait. */
	bool may_wait = client->waiter_count < supervisor->config.waiters_per_connection;
	struct pool_request request = {
		.lessee = client,
		.request_id = m->header.id,
		.on_empty = may_wait ? (enum control_on_empty)m->on_empty : ON_EMPTY_FAIL,
		.wait_ms = m->wait_ms,
		.lease_ms = m->lease_ms,
		.idle_ms = m->idle_ms,
		.arrived_ns = arrived_ns,
	};
	enum control_refusal refusal = REFUSED_EMPTY;
	struct pool_sandbox *core;
	struct binding *binding;
	uint32_t retry_ms = 0;
	int r;

	if (!may_acquire(&who, m) || binding_create(&who, m, &binding) < 0)
		return;
	request.data = binding;
	sandbox_drop_dead(pool);
	r = pool_acquire(pool->pool, arrived_ns / NS_PER_MS, &request, &core, &refusal, &retry_ms);
	if (r == 0 && !binding) {
		/* Nothing behind this: the client may wait for our CPU. */
		lease_start(client, m->header.id, core->data, RUNG_READY, arrived_ns);
		return;
	}
	if (r == 0) {
		binding_start(binding, client, m->header.id, core->data, RUNG_READY, arrived_ns);
	} else if (r == -EINPROGRESS) {
		client->waiter_count++;
	} else {
		binding_destroy(binding);
		refuse_one(&who, may_wait, r, refusal, retry_ms);
	}
	pool_host_changed(pool);
}

/* Each of the count sandboxes is granted, waited for or refused by itself. */
static void on_acquire(struct client *client, const struct control_acquire *m, uint64_t arrived_ns)
{
	uint32_t count = m->count > 1 ? m->count : 1;

	note_acquire(client->supervisor, arrived_ns);
	while (count-- > 0)
		acquire_one(client, m, arrived_ns);
}

static struct sandbox *own_lease(struct client *client, const struct control_lease *m)
{
	struct sandbox *sandbox = lease_find(client, &m->handle);

	if (!sandbox)
		refuse(client, m->header.id, REFUSED_STALE, 0,
			"this connection has no lease %" PRIu64 " of epoch %" PRIu64,
			m->handle.sandbox, m->handle.epoch);
	return sandbox;
}

static void on_release(struct client *client, const struct control_lease *m)
{
	struct sandbox *sandbox = own_lease(client, m);
	struct pool_host *pool;

	if (!sandbox)
		return;
	pool = sandbox->pool;
	lease_over(sandbox, LEASE_RELEASED);
	pool_release(pool->pool, clock_now_ms(), sandbox->core);
	client_done(client, m->header.id);
	pool_host_changed(pool);
}

static void on_touch(struct client *client, const struct control_lease *m)
{
	struct sandbox *sandbox = own_lease(client, m);

	if (!sandbox)
		return;
	pool_touch(sandbox->pool->pool, clock_now_ms(), sandbox->core);
	client_done(client, m->header.id);
	pool_host_changed(
		sandbox->pool); /* thawed, it may be idle sooner than the pool looks again */
}

struct listing {
	struct client *client;
	uint32_t request_id;
	uint64_t now_ms;
};

static void list_sandbox(void *arg, struct pool_sandbox *core)
{
	const struct listing *listing = arg;
	const struct sandbox *sandbox = core->data;
	struct control_sandbox_row m = {
		.handle = {core->id, listing->client->supervisor->epoch},
		.state = core->state,
		.age_ms = listing->now_ms - core->created_ms,
		.build_ns = core->build_ns,
	};

	control_header(&m.header, CONTROL_SANDBOX_ROW, sizeof(m), listing->request_id);
	memcpy(m.template_name, sandbox->pool->section->name, sizeof(m.template_name));
	if (sandbox->owner) {
		m.owner_pid = (uint32_t)sandbox->owner->peer.pid;
		m.owner_uid = sandbox->owner->peer.uid;
		m.lease_age_ms = listing->now_ms - core->state_since_ms;
		m.is_frozen = core->is_frozen;
	}
	client_send(listing->client, &m, sizeof(m));
}

static void on_list(struct client *client, const struct control_query *m)
{
	const struct supervisor *supervisor = client->supervisor;
	struct listing listing = {client, m->header.id, clock_now_ms()};

	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		pool_for_each(supervisor->pools[i]->pool, list_sandbox, &listing);
	client_done(client, m->header.id);
}

static void list_pool(struct client *client, uint32_t request_id, const struct pool_host *pool)
{
	const struct pool_section *section = pool->section;
	struct control_pool_row m = {.min = section->min, .max = section->max};
	const struct stats_pool *counted = &client->supervisor->stats.pools[pool->index];
	struct pool_counters counters;

	control_header(&m.header, CONTROL_POOL_ROW, sizeof(m), request_id);
	memcpy(m.template_name, section->name, sizeof(m.template_name));
	memcpy(m.image, section->image, sizeof(m.image));
	memcpy(m.net, section->net, sizeof(m.net));
	pool_get_counters(pool->pool, &counters);
	m.building = counters.building;
	m.ready = counters.ready;
	m.leased = counters.leased;
	m.discarding = counters.discarding;
	m.waiting = counters.waiting;
	m.frozen = counters.frozen;
	m.target = pool_target(pool->pool);
	m.hits = counted->leased[RUNG_READY].count + counted->leased[RUNG_BOUND].count;
	m.built = counted->leased[RUNG_BUILT].count;
	m.waited = counted->leased[RUNG_WAITED].count;
	m.refused = stats_refusals(counted);
	m.build_failures = counters.build_failures;
	m.build_p50_ns = histogram_percentile(pool->build_times, 50);
	m.build_p99_ns = histogram_percentile(pool->build_times, 99);
	m.idle_bytes = pool_idle_bytes(pool->pool);
	m.lease_bytes = pool_lease_bytes(pool->pool);
	m.budget_bytes = client->supervisor->budget.limit_bytes;
	m.promised_bytes = client->supervisor->budget.promised_bytes;
	memcpy(m.broken, pool->broken, sizeof(m.broken));
	if (!m.broken[0] && pool_is_starved(pool->pool))
		snprintf(m.broken, sizeof(m.broken),
			"memory_budget is used up: %u of %u are ready, no more are built",
			counters.ready, section->min);
	client_send(client, &m, sizeof(m));
}

static void on_pools(struct client *client, const struct control_query *m)
{
	const struct supervisor *supervisor = client->supervisor;

	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		list_pool(client, m->header.id, supervisor->pools[i]);
	client_done(client, m->header.id);
}

void request_handle(struct client *client, const union request *request, uint64_t arrived_ns)
{
	if (!permission_allows(client->role, request->header.type)) {
		refuse(client, request->header.id, REFUSED_DENIED, 0, "uid %u may not ask this",
			client->peer.uid);
		return;
	}
	switch (request->header.type) {
	case CONTROL_ACQUIRE:
		on_acquire(client, &request->acquire, arrived_ns);
		return;
	case CONTROL_RELEASE:
		on_release(client, &request->lease);
		return;
	case CONTROL_TOUCH:
		on_touch(client, &request->lease);
		return;
	case CONTROL_LIST:
		on_list(client, &request->query);
		return;
	case CONTROL_KILL:
		lease_request_kill(client, &request->lease);
		return;
	case CONTROL_NET:
		lease_request_net(client, &request->net);
		return;
	case CONTROL_INSPECT:
		lease_request_inspect(client, &request->lease);
		return;
	case CONTROL_STATS:
		admin_request_stats(client, &request->query);
		return;
	case CONTROL_POOL_SET:
		admin_request_pool_set(client, &request->pool_set);
		return;
	case CONTROL_WORKSPACE_REMOVE:
		admin_request_workspace_remove(client, &request->workspace);
		return;
	default: /* check_message() lets only the eleven through */
		on_pools(client, &request->query);
		return;
	}
}
