#include "supervisor/admin_request.h"

#include <errno.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "pool/pool.h"
#include "supervisor/binding.h"
#include "supervisor/client.h"
#include "supervisor/pool_host.h"
#include "supervisor/refusal.h"
#include "supervisor/stats.h"
#include "supervisor/supervisor.h"
#include "supervisor/workspace_lock.h"
#include "supervisor/workspace_removal.h"
#include "supervisor/workspace_watch.h"

struct stats_answer {
	struct client *client;
	uint32_t request_id;
};

static void send_sample(void *arg, const struct stat_sample *sample)
{
	const struct stats_answer *answer = arg;
	struct control_stat_row m = {.sample = *sample};

	control_header(&m.header, CONTROL_STAT_ROW, sizeof(m), answer->request_id);
	client_send(answer->client, &m, sizeof(m));
}

void admin_request_stats(struct client *client, const struct control_query *m)
{
	struct stats_answer answer = {client, m->header.id};

	stats_for_each(client->supervisor, send_sample, &answer);
	client_done(client, m->header.id);
}

/* What is left for this pool of the slots that the instance was started with. */
static uint32_t slots_left(const struct supervisor *supervisor, const struct pool_host *pool)
{
	uint32_t left = supervisor->slot_count;

	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		if (i != pool->index)
			left -= supervisor->config.pools[i].max;
	return left;
}

void admin_request_pool_set(struct client *client, const struct control_pool_set *m)
{
	struct supervisor *supervisor = client->supervisor;
	struct pool_host *pool = pool_host_find(supervisor, m->template_name);
	struct pool_section *section;
	uint32_t min, max, left;
	struct error err;

	if (!pool) {
		refuse(client, m->header.id, REFUSED_NO_TEMPLATE, 0, "no pool or image named '%s'",
			m->template_name);
		return;
	}
	section = &supervisor->config.pools[pool->index];
	min = m->what & POOL_SET_MIN ? m->min : section->min;
	max = m->what & POOL_SET_MAX ? m->max : section->max;
	left = slots_left(supervisor, pool);
	if (max > left) {
		refuse(client, m->header.id, REFUSED_LIMIT, 0,
			"pool %s: max %u is beyond what the instance was started with: %u slots, "
			"%u of them for this pool; raise max in the configuration and start anew",
			section->name, max, supervisor->slot_count, left);
		return;
	}
	if (pool_set_limits(pool->pool, clock_now_ms(), min, max, &err) < 0) {
		refuse(client, m->header.id, REFUSED_UNSUPPORTED, 0, "pool %s: %s", section->name,
			err.text);
		return;
	}
	section->min = min;
	section->max = max;
	log_info("pool %s: min %u, max %u from now on", section->name, min, max);
	client_done(client, m->header.id);
	pool_host_changed(pool);
}

void admin_request_workspace_remove(struct client *client, const struct control_workspace *m)
{
	struct supervisor *supervisor = client->supervisor;
	struct error err;
	int r;

	if (supervisor->host.workspaces_fd < 0) {
		refuse(client, m->header.id, REFUSED_UNSUPPORTED, 0, BINDING_NO_WORKSPACES);
		return;
	}
	if (binding_is_in_use(supervisor, m->workspace)) {
		refuse(client, m->header.id, REFUSED_LIMIT, BINDING_WORKSPACE_RETRY_MS,
			"workspace %s is in use: a lease has it, or has just given it back",
			m->workspace);
		return;
	}
	if (!workspace_lock_take(supervisor->workspace_locks_fd, m->workspace)) {
		refuse(client, m->header.id, REFUSED_LIMIT, BINDING_WORKSPACE_RETRY_MS,
			"workspace %s is in use: another instance on this host has it",
			m->workspace);
		return;
	}
	r = workspace_removal_begin(supervisor->workspace_removal, m->workspace, &err);
	workspace_lock_give(supervisor->workspace_locks_fd, m->workspace);
	if (r < 0) {
		refuse(client, m->header.id, r == -EPERM ? REFUSED_UNSUPPORTED : REFUSED_BROKEN, 0,
			"%s", err.text);
		return;
	}
	workspace_watch_forget(supervisor->workspace_watch, m->workspace);
	client_done(client, m->header.id);
}
