#include "nsjail-lite/builder/link.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

static int check_base(const void *message, uint32_t size, struct error *err)
{
	const struct link_base *m = message;
	int r;

	(void)size;
	r = check_range(m->has_v2, 0, 1, "has_v2", err);
	if (r == 0)
		r = check_range(m->has_freezer, 0, 1, "has_freezer", err);
	if (r == 0)
		r = check_range(m->is_one_shot, 0, 1, "is_one_shot", err);
	for (int i = 0; r == 0 && i < CGROUP_CONTROLLERS; i++)
		r = check_range(m->place[i], CGROUP_ABSENT, CGROUP_V2, "place", err);
	if (r == 0)
		r = check_name(m->prefix, sizeof(m->prefix), false, "prefix", err);
	if (r == 0)
		r = check_range(m->normal_priority, 0, 1, "normal_priority", err);
	return r;
}

static int check_filter(const void *message, uint32_t size, struct error *err)
{
	uint32_t payload = size - (uint32_t)sizeof(struct link_filter);

	(void)message;
	if (payload == 0 || payload % sizeof(struct sock_filter) != 0)
		return error_set(err, EPROTO, "payload: %u bytes are no instructions", payload);
	return 0;
}

static int check_bind(const struct jail_bind *bind, struct error *err)
{
	int r = check_string(bind->destination, sizeof(bind->destination), "destination", err);

	if (r == 0 && bind->destination[0] != '/')
		r = error_set(err, EPROTO, "destination: not absolute");
	if (r == 0)
		r = check_range(bind->is_read_only, 0, 1, "is_read_only", err);
	if (r == 0)
		r = check_zero(&bind->reserved, sizeof(bind->reserved), "reserved", err);
	return r;
}

static int check_template(const void *message, uint32_t size, struct error *err)
{
	const struct link_template *m = message;
	const char *payload = (const char *)(m + 1);
	uint32_t length = size - (uint32_t)sizeof(*m);
	int r;

	r = check_range(m->index, 0, JAIL_TEMPLATES_MAX - 1, "index", err);
	if (r == 0)
		r = check_range(m->bind_count, 0, JAIL_BINDS_MAX, "bind_count", err);
	if (r == 0)
		r = check_name(m->hostname, sizeof(m->hostname), false, "hostname", err);
	for (uint32_t i = 0; r == 0 && i < m->bind_count; i++)
		r = check_bind(&m->binds[i], err);
	if (r == 0 && (length == 0 || payload[length - 1] != '\0'))
		r = error_set(err, EPROTO, "payload: not terminated");
	return r;
}

static int check_slot(const void *message, uint32_t size, struct error *err)
{
	const struct link_slot *m = message;
	int r;

	(void)size;
	r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);
	if (r == 0 && (m->uid_base == 0 || m->uid_base % JAIL_UIDS != 0))
		r = error_set(err, EPROTO, "uid_base: %u is no start of a range", m->uid_base);
	return r;
}

static int check_build(const void *message, uint32_t size, struct error *err)
{
	const struct link_build *m = message;
	int r;

	(void)size;
	r = check_range(m->sandbox, 1, UINT64_MAX, "sandbox", err);
	if (r == 0)
		r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);
	if (r == 0)
		r = check_range(
			m->template_index, 0, JAIL_TEMPLATES_MAX - 1, "template_index", err);
	return r;
}

/* A field that its bit in `what` asks for, or which is empty. */
static int check_wanted(
	uint32_t what, enum link_bind_what bit, uint64_t value, const char *name, struct error *err)
{
	return what & bit ? check_range(value, 1, UINT64_MAX, name, err)
			  : check_range(value, 0, 0, name, err);
}

static int check_wanted_name(uint32_t what, enum link_bind_what bit, const char *field, size_t size,
	const char *name, struct error *err)
{
	return what & bit ? check_name(field, size, false, name, err)
			  : check_zero(field, size, name, err);
}

static int check_late_limits(uint32_t what, const struct jail_limits *limits, struct error *err)
{
	struct jail_limits rest = *limits;
	int r;

	rest.memory_bytes = rest.pids = rest.cpu_milli = 0;
	r = check_wanted(what, BIND_MEMORY, limits->memory_bytes, "memory_bytes", err);
	if (r == 0)
		r = check_wanted(what, BIND_PIDS, limits->pids, "pids", err);
	if (r == 0)
		r = check_wanted(what, BIND_CPU, limits->cpu_milli, "cpu_milli", err);
	return r < 0 ? r : check_zero(&rest, sizeof(rest), "limits", err);
}

static int check_late_bind(const void *message, uint32_t size, struct error *err)
{
	const struct link_bind *m = message;
	int r;

	(void)size;
	r = check_range(m->sandbox, 1, UINT64_MAX, "sandbox", err);
	if (r == 0)
		r = check_range(m->what, 1, BIND_ALL, "what", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	if (r == 0)
		r = check_wanted_name(m->what, BIND_WORKSPACE, m->workspace, sizeof(m->workspace),
			"workspace", err);
	if (r == 0 && !(m->what & BIND_WORKSPACE))
		r = check_range(m->workspace_bytes, 0, 0, "workspace_bytes", err);
	if (r == 0)
		r = check_wanted_name(
			m->what, BIND_HOSTNAME, m->hostname, sizeof(m->hostname), "hostname", err);
	return r < 0 ? r : check_late_limits(m->what, &m->limits, err);
}

static int check_kill(const void *message, uint32_t size, struct error *err)
{
	(void)size;
	return check_range(
		((const struct link_kill *)message)->sandbox, 1, UINT64_MAX, "sandbox", err);
}

static int check_freeze(const void *message, uint32_t size, struct error *err)
{
	const struct link_freeze *m = message;
	int r;

	(void)size;
	r = check_range(m->sandbox, 1, UINT64_MAX, "sandbox", err);
	if (r == 0)
		r = check_range(m->is_frozen, 0, 1, "is_frozen", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_slot_ready(const void *message, uint32_t size, struct error *err)
{
	const struct link_slot_ready *m = message;
	int r;

	(void)size;
	r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_built(const void *message, uint32_t size, struct error *err)
{
	const struct link_built *m = message;
	int r;

	(void)size;
	r = check_range(m->sandbox, 1, UINT64_MAX, "sandbox", err);
	if (r == 0)
		r = check_range(m->pid, 1, INT32_MAX, "pid", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_bound(const void *message, uint32_t size, struct error *err)
{
	const struct link_bound *m = message;
	int r;

	(void)size;
	r = check_range(m->sandbox, 1, UINT64_MAX, "sandbox", err);
	if (r == 0)
		r = check_range(m->is_soft, 0, 1, "is_soft", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_failed(const void *message, uint32_t size, struct error *err)
{
	const struct link_failed *m = message;
	int r;

	(void)size;
	r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);
	if (r == 0)
		r = check_range(m->error, 1, 4095, "error", err);
	if (r == 0)
		r = check_string(m->text, sizeof(m->text), "text", err);
	return r;
}

static int check_ended(const void *message, uint32_t size, struct error *err)
{
	const struct link_ended *m = message;
	int r;

	(void)size;
	r = check_range(m->sandbox, 1, UINT64_MAX, "sandbox", err);
	if (r == 0)
		r = check_range(m->slot, 0, JAIL_SLOTS_MAX - 1, "slot", err);
	if (r == 0)
		r = check_range(m->limits_hit, 0, LIMIT_HIT_ALL, "limits_hit", err);
	if (r == 0)
		r = check_range(m->was_asked, 0, 1, "was_asked", err);
	return r;
}

#define ROW(type_, direction_, struct_, payload, fds_lo, fds_hi, check)                            \
	{                                                                                          \
		.type = LINK_##type_, .direction = MESSAGE_TO_##direction_, .name = #type_,        \
		.fixed_size = sizeof(struct struct_), .payload_max = (payload),                    \
		.fds_min = (fds_lo), .fds_max = (fds_hi), .check_fields = (check)                  \
	}

static const struct message_rule rules[] = {
	ROW(BASE, SERVER, link_base, 0, 1, CGROUP_HIERARCHIES, check_base),
	ROW(FILTER, SERVER, link_filter, LINK_FILTER_MAX * sizeof(struct sock_filter), 0, 0,
		check_filter),
	ROW(TEMPLATE, SERVER, link_template, LINK_ENV_MAX, 1, 1 + JAIL_BINDS_MAX, check_template),
	ROW(START, SERVER, link_start, 0, 0, 0, NULL),
	ROW(SLOT, SERVER, link_slot, 0, 0, 1, check_slot),
	ROW(BUILD, SERVER, link_build, 0, 0, 0, check_build),
	ROW(KILL, SERVER, link_kill, 0, 0, 0, check_kill),
	ROW(WORKSPACES, SERVER, link_workspaces, 0, 1, 1, NULL),
	ROW(BIND, SERVER, link_bind, 0, 0, 0, check_late_bind),
	ROW(FREEZE, SERVER, link_freeze, 0, 0, 0, check_freeze),
	ROW(STARTED, CLIENT, link_started, 0, 0, 0, NULL),
	ROW(SLOT_READY, CLIENT, link_slot_ready, 0, 0, 0, check_slot_ready),
	ROW(BUILT, CLIENT, link_built, 0, 1, 1, check_built),
	ROW(BOUND, CLIENT, link_bound, 0, 0, 0, check_bound),
	ROW(FAILED, CLIENT, link_failed, 0, 0, 0, check_failed),
	ROW(ENDED, CLIENT, link_ended, 0, 0, 0, check_ended),
};

const struct message_protocol link_protocol = {
	.name = "link",
	.version = LINK_VERSION,
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};

void link_header(struct message_header *h, uint16_t type, uint32_t size)
{
	*h = (struct message_header){.version = LINK_VERSION, .type = type, .size = size};
}
