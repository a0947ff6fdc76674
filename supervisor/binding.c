#include "supervisor/binding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "nsjail-lite/builder/link.h"
#include "pool/pool.h"
#include "supervisor/builder_link.h"
#include "supervisor/client.h"
#include "supervisor/lease.h"
#include "supervisor/network.h"
#include "supervisor/permission.h"
#include "supervisor/pool_host.h"
#include "supervisor/refusal.h"
#include "supervisor/sandbox.h"
#include "supervisor/slots.h"
#include "supervisor/supervisor.h"
#include "supervisor/workspace_lock.h"
#include "supervisor/workspace_watch.h"

#define RETRY_MS 100 /* after what may be better with another sandbox */

/* A request that is being judged. */
struct judgement {
	const struct acquirer *who;
	const struct control_acquire *acquire;
};

#define REFUSE(j, refusal, ...) (refuse_acquire((j)->who, (refusal), 0, __VA_ARGS__), -EPERM)

static int judge_net(const struct judgement *j, struct binding *binding)
{
	const struct pool_section *section = j->who->pool->section;
	const char *net = j->acquire->net;

	binding->profile = section->profile;
	if (net[0] == '\0' || strcmp(net, section->net) == 0)
		return 0;
	binding->profile = network_profile_find(net);
	if (!binding->profile)
		return REFUSE(j, REFUSED_UNSUPPORTED,
			"no network profile '%s': there are: " NETWORK_PROFILE_NAMES, net);
	if (!j->who->client->supervisor->network)
		return REFUSE(j, REFUSED_UNSUPPORTED,
			"pool %s has network profile %s, not '%s', and this instance has no "
			"networks: set [network] enabled = yes",
			section->name, section->net, net);
	if (!permission_allows_profile(j->who->client->role, binding->profile, section->profile))
		return REFUSE(j, REFUSED_DENIED, PERMISSION_PROFILE_DENIED);
	return 0;
}

bool binding_is_in_use(const struct supervisor *supervisor, const char *workspace)
{
	list_for_each(pos, &supervisor->workspaces)
	{
		if (strcmp(list_entry(pos, struct binding, by_workspace)->workspace, workspace) ==
			0)
			return true;
	}
	return false;
}

static int judge_workspace(const struct judgement *j, struct binding *binding)
{
	const struct supervisor *supervisor = j->who->client->supervisor;

	if (j->acquire->workspace[0] == '\0')
		return 0;
	if (supervisor->host.workspaces_fd < 0)
		return REFUSE(j, REFUSED_UNSUPPORTED, BINDING_NO_WORKSPACES);
	if (workspace_watch_is_over(supervisor->workspace_watch, j->acquire->workspace))
		return REFUSE(j, REFUSED_LIMIT,
			"workspace %s holds more than its limit of %" PRIu64
			" bytes: remove some of its files from %s",
			j->acquire->workspace, supervisor->config.workspaces.limit_bytes,
			supervisor->config.workspaces.directory);
	if (binding_is_in_use(supervisor, j->acquire->workspace)) {
		refuse_acquire(j->who, REFUSED_LIMIT, BINDING_WORKSPACE_RETRY_MS,
			"workspace %s: another lease has it, or has just given it back",
			j->acquire->workspace);
		return -EPERM;
	}
	binding->what |= BIND_WORKSPACE;
	memcpy(binding->workspace, j->acquire->workspace, sizeof(binding->workspace));
	binding->workspace_bytes = supervisor->config.workspaces.limit_bytes;
	return 0;
}

/* Once it has all else: what is refused from here on holds no lock. */
static int lock_workspace(const struct judgement *j, struct binding *binding)
{
	binding->locks_fd = j->who->client->supervisor->workspace_locks_fd;
	if (workspace_lock_take(binding->locks_fd, binding->workspace))
		return 0;
	refuse_acquire(j->who, REFUSED_LIMIT, BINDING_WORKSPACE_RETRY_MS,
		"workspace %s: another instance on this host has it", binding->workspace);
	return -EPERM;
}

static void judge_hostname(const struct judgement *j, struct binding *binding)
{
	const char *asked = j->acquire->hostname, *has = j->who->pool->section->hostname;

	text_copy(binding->hostname, sizeof(binding->hostname), asked[0] ? asked : has);
	if (strcmp(binding->hostname, has) != 0)
		binding->what |= BIND_HOSTNAME;
}

static int judge_limits(const struct judgement *j, struct binding *binding)
{
	const struct pool_section *section = j->who->pool->section;
	const struct {
		const char *name;
		uint32_t what, hit;
		uint64_t asked, has, least;
		uint64_t *in_force;
	} limits[] = {
		{"memory", BIND_MEMORY, LIMIT_HIT_MEMORY, j->acquire->memory_bytes,
			section->limits.memory_bytes, POOL_MEMORY_LEAST, &binding->memory_bytes},
		{"pids", BIND_PIDS, LIMIT_HIT_PIDS, j->acquire->pids, section->limits.pids, 1,
			&binding->pids},
		{"cpus (in thousandths)", BIND_CPU, LIMIT_HIT_CPU, j->acquire->cpu_milli,
			section->limits.cpu_milli, POOL_CPU_LEAST, &binding->cpu_milli},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		*limits[i].in_force = limits[i].asked > 0 ? limits[i].asked : limits[i].has;
		if (*limits[i].in_force == limits[i].has)
			continue;
		if (limits[i].has > 0 && limits[i].asked > limits[i].has)
			return REFUSE(j, REFUSED_LIMIT,
				"%s: %" PRIu64 " is more than %" PRIu64 ", the limit of pool %s",
				limits[i].name, limits[i].asked, limits[i].has, section->name);
		if (limits[i].asked < limits[i].least)
			return REFUSE(j, REFUSED_LIMIT, "%s: %" PRIu64 " is less than %" PRIu64,
				limits[i].name, limits[i].asked, limits[i].least);
		if (section->unenforced & limits[i].hit)
			return REFUSE(j, REFUSED_UNSUPPORTED,
				"%s: this host enforces no such limit", limits[i].name);
		binding->what |= limits[i].what;
	}
	return 0;
}

/* The usual acquire, told apart without looking further. */
static bool asks_for_nothing(
	const struct control_acquire *acquire, const struct pool_section *section)
{
	return !acquire->workspace[0] && !acquire->hostname[0] && acquire->memory_bytes == 0 &&
	       acquire->pids == 0 && acquire->cpu_milli == 0 &&
	       (!acquire->net[0] || strcmp(acquire->net, section->net) == 0);
}

int binding_create(const struct acquirer *who, const struct control_acquire *acquire,
	struct binding **ret_binding)
{
	const struct pool_section *section = who->pool->section;
	const struct judgement j = {who, acquire};
	auto_free struct binding *binding = NULL;
	int r;

	*ret_binding = NULL;
	if (asks_for_nothing(acquire, section))
		return 0;
	binding = calloc(1, sizeof(*binding));
	if (!binding)
		return REFUSE(&j, REFUSED_LIMIT, "out of memory");
	judge_hostname(&j, binding);
	r = judge_net(&j, binding);
	if (r == 0)
		r = judge_workspace(&j, binding);
	if (r == 0)
		r = judge_limits(&j, binding);
	if (r == 0 && binding->what & BIND_WORKSPACE)
		r = lock_workspace(&j, binding);
	if (r < 0 || (binding->what == 0 && binding->profile == section->profile))
		return r; /* or the sandboxes of the pool are as it is asked */
	list_init(&binding->list);
	list_append(&who->client->bindings, &binding->list);
	list_init(&binding->by_workspace);
	if (binding->what & BIND_WORKSPACE)
		list_append(&who->client->supervisor->workspaces, &binding->by_workspace);
	*ret_binding = take_ptr(&binding);
	return 0;
}

void binding_destroy(struct binding *binding)
{
	if (!binding)
		return;
	list_remove(&binding->list);
	if (!list_is_empty(&binding->by_workspace))
		workspace_lock_give(binding->locks_fd, binding->workspace);
	list_remove(&binding->by_workspace);
	if (binding->watch)
		workspace_watch_end(binding->watch, binding->workspace);
	free(binding);
}

void binding_keep(struct sandbox *sandbox, struct list *kept)
{
	struct binding *binding = take_ptr(&sandbox->binding);

	if (binding)
		list_append(kept, &binding->list);
}

void binding_destroy_all(struct list *kept)
{
	struct binding *binding;

	while ((binding = list_first(kept, struct binding, list)))
		binding_destroy(binding);
}

void binding_forget_client(struct client *client)
{
	binding_destroy_all(&client->bindings);
}

bool binding_is_pending(const struct sandbox *sandbox)
{
	return sandbox->binding && sandbox->binding->is_pending;
}

/* Once all of it is in place the owner is told. */
static void progress(struct sandbox *sandbox)
{
	struct binding *binding = sandbox->binding;

	if (sandbox->is_bind_asked || binding->awaits_profile)
		return;
	binding->is_pending = false;
	binding->bind_ns = clock_now_ns() - binding->started_ns;
	pool_touch(sandbox->pool->pool, clock_now_ms(), sandbox->core); /* idle from now on */
	lease_tell(sandbox, binding->request_id,
		binding->rung == RUNG_READY ? RUNG_BOUND : binding->rung, binding->arrived_ns);
}

static void ask_builder(struct sandbox *sandbox)
{
	const struct binding *binding = sandbox->binding;
	struct link_bind m = {.what = binding->what};

	if (m.what & BIND_WORKSPACE) {
		memcpy(m.workspace, binding->workspace, sizeof(m.workspace));
		m.workspace_bytes = binding->workspace_bytes;
	}
	if (m.what & BIND_HOSTNAME)
		memcpy(m.hostname, binding->hostname, sizeof(m.hostname));
	if (m.what & BIND_MEMORY)
		m.limits.memory_bytes = binding->memory_bytes;
	if (m.what & BIND_PIDS)
		m.limits.pids = binding->pids;
	if (m.what & BIND_CPU)
		m.limits.cpu_milli = binding->cpu_milli;
	builder_link_bind(sandbox->builder, sandbox, &m);
}

void binding_start(struct binding *binding, struct client *client, uint32_t request_id,
	struct sandbox *sandbox, enum control_rung rung, uint64_t arrived_ns)
{
	struct supervisor *supervisor = client->supervisor;
	uint32_t slot = (uint32_t)sandbox->slot;

	list_remove(&binding->list);
	sandbox->binding = binding;
	binding->request_id = request_id;
	binding->rung = rung;
	binding->arrived_ns = arrived_ns;
	binding->started_ns = clock_now_ns();
	binding->is_pending = true;
	lease_take(client, sandbox);
	if (binding->what != 0)
		ask_builder(sandbox);
	/* Without a network its profile is the pool's: binding_create() has seen to it. */
	binding->awaits_profile =
		supervisor->network && slots_profile(supervisor->slots, slot) != binding->profile;
	if (binding->awaits_profile)
		network_want_profile(supervisor->network, slot, binding->profile);
	progress(sandbox);
}

/* Answered, and not the owner's any more; the sandbox is still to be thrown away. */
static void give_up(struct sandbox *sandbox, enum control_refusal refusal, uint32_t retry_ms,
	const char *what, const char *why)
{
	const struct binding *binding = sandbox->binding;
	const struct acquirer who = {
		sandbox->owner, sandbox->pool, binding->request_id, binding->arrived_ns};

	lease_cancel(sandbox);
	refuse_acquire(&who, refusal, retry_ms, "%s: %s", what, why);
}

static void fail(struct sandbox *sandbox, enum control_refusal refusal, const char *why)
{
	struct pool_host *pool = sandbox->pool;

	give_up(sandbox, refusal, refusal == REFUSED_BROKEN ? RETRY_MS : 0, "cannot be bound", why);
	pool_release(pool->pool, clock_now_ms(), sandbox->core);
	pool_host_changed(pool);
}

void binding_bound(struct sandbox *sandbox, const struct link_bound *bound)
{
	struct binding *binding = sandbox->binding;

	if (!binding_is_pending(sandbox))
		return;
	if (bound->is_soft) {
		binding->watch = sandbox->pool->supervisor->workspace_watch;
		workspace_watch_begin(binding->watch, binding->workspace);
	}
	progress(sandbox);
}

void binding_failed(struct sandbox *sandbox, uint32_t error, const char *why)
{
	if (binding_is_pending(sandbox))
		fail(sandbox, error == EOPNOTSUPP ? REFUSED_UNSUPPORTED : REFUSED_BROKEN, why);
}

void binding_profile_answered(struct sandbox *sandbox, uint32_t error, const char *why)
{
	if (!binding_is_pending(sandbox))
		return;
	if (why) {
		stats_failed(&sandbox->pool->supervisor->stats, STATS_FAILED_NETWORK, error);
		fail(sandbox, REFUSED_BROKEN, why);
		return;
	}
	sandbox->binding->awaits_profile = false;
	progress(sandbox);
}

void binding_end(struct sandbox *sandbox, enum lease_end_reason reason)
{
	static const char what[] = "it ended while something was bound into it";

	switch (reason) {
	case LEASE_SHUTDOWN:
		give_up(sandbox, REFUSED_STOPPING, 0, what, "the supervisor is stopping");
		return;
	case LEASE_IDLE:
	case LEASE_DEADLINE:
		give_up(sandbox, REFUSED_TIMEOUT, RETRY_MS, what, control_reason_name(reason));
		return;
	case LEASE_RELEASED:
	case LEASE_OWNER_GONE:
	case LEASE_OOM:
	case LEASE_GUEST_DIED:
	case LEASE_BUILDER_LOST:
	case LEASE_KILLED:
		give_up(sandbox, REFUSED_BROKEN, RETRY_MS, what, control_reason_name(reason));
		return;
	}
}
