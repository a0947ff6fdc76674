#include "proto/control.h"

#include "base/cleanup.h"
#include "base/error.h"

static int check_handle(const struct control_handle *handle, struct error *err)
{
	int r = check_range(handle->sandbox, 1, UINT64_MAX, "sandbox", err);

	return r < 0 ? r : check_range(handle->epoch, 1, UINT64_MAX, "epoch", err);
}

/* What a lease has of its own: each empty where it has nothing. */
static int check_bound(const char *workspace, const char *hostname, struct error *err)
{
	int r = check_name(workspace, CONTROL_BIND_MAX, true, "workspace", err);

	return r < 0 ? r : check_name(hostname, CONTROL_BIND_MAX, true, "hostname", err);
}

static int check_acquire(const void *message, uint32_t size, struct error *err)
{
	const struct control_acquire *m = message;
	int r;

	(void)size;
	r = check_name(m->template_name, sizeof(m->template_name), true, "template_name", err);
	if (r == 0)
		r = check_name(m->net, sizeof(m->net), true, "net", err);
	if (r == 0)
		r = check_range(m->on_empty, ON_EMPTY_DEFAULT, ON_EMPTY_FAIL, "on_empty", err);
	if (r == 0)
		r = check_range(m->wait_ms, 0, CONTROL_DEADLINE_MAX, "wait_ms", err);
	if (r == 0)
		r = check_range(m->lease_ms, 0, CONTROL_DEADLINE_MAX, "lease_ms", err);
	if (r == 0)
		r = check_range(m->idle_ms, 0, CONTROL_DEADLINE_MAX, "idle_ms", err);
	if (r == 0)
		r = check_bound(m->workspace, m->hostname, err);
	if (r == 0)
		r = check_range(m->count, 0, m->workspace[0] ? 1 : CONTROL_BATCH_MAX, "count", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_lease(const void *message, uint32_t size, struct error *err)
{
	(void)size;
	return check_handle(&((const struct control_lease *)message)->handle, err);
}

static int check_net(const void *message, uint32_t size, struct error *err)
{
	const struct control_net *m = message;
	int r;

	(void)size;
	r = check_handle(&m->handle, err);
	if (r == 0)
		r = check_name(m->net, sizeof(m->net), false, "net", err);
	return r;
}

static int check_pool_set(const void *message, uint32_t size, struct error *err)
{
	const struct control_pool_set *m = message;
	int r;

	(void)size;
	r = check_name(m->template_name, sizeof(m->template_name), false, "template_name", err);
	if (r == 0)
		r = check_range(m->what, 1, POOL_SET_ALL, "what", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_workspace(const void *message, uint32_t size, struct error *err)
{
	const struct control_workspace *m = message;

	(void)size;
	return check_name(m->workspace, sizeof(m->workspace), false, "workspace", err);
}

static int check_leased(const void *message, uint32_t size, struct error *err)
{
	const struct control_leased *m = message;
	int r;

	(void)size;
	r = check_handle(&m->handle, err);
	if (r == 0)
		r = check_name(
			m->template_name, sizeof(m->template_name), false, "template_name", err);
	if (r == 0)
		r = check_range(m->rung, RUNG_READY, RUNG_BOUND, "rung", err);
	if (r == 0)
		r = check_range(m->unenforced, 0, LIMIT_HIT_ALL, "unenforced", err);
	if (r == 0)
		r = check_name(m->net, sizeof(m->net), false, "net", err);
	if (r == 0)
		r = check_bound(m->workspace, m->hostname, err);
	if (r == 0)
		r = check_range(m->is_soft, 0, 1, "is_soft", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	return r;
}

static int check_refused(const void *message, uint32_t size, struct error *err)
{
	const struct control_refused *m = message;
	int r;

	(void)size;
	r = check_range(m->refusal, REFUSED_DENIED, REFUSED_STOPPING, "refusal", err);
	if (r == 0)
		r = check_string(m->text, sizeof(m->text), "text", err);
	return r;
}

static int check_sandbox_row(const void *message, uint32_t size, struct error *err)
{
	const struct control_sandbox_row *m = message;
	int r;

	(void)size;
	r = check_handle(&m->handle, err);
	if (r == 0)
		r = check_name(
			m->template_name, sizeof(m->template_name), false, "template_name", err);
	if (r == 0)
		r = check_range(m->state, SANDBOX_BUILDING, SANDBOX_DISCARDING, "state", err);
	if (r == 0)
		r = check_range(m->is_frozen, 0, 1, "is_frozen", err);
	return r;
}

static int check_sandbox_details(const void *message, uint32_t size, struct error *err)
{
	const struct control_sandbox_details *m = message;
	int r;

	(void)size;
	r = check_handle(&m->handle, err);
	if (r == 0)
		r = check_name(
			m->template_name, sizeof(m->template_name), false, "template_name", err);
	if (r == 0)
		r = check_name(m->net, sizeof(m->net), false, "net", err);
	if (r == 0)
		r = check_bound(m->workspace, m->hostname, err);
	if (r == 0)
		r = check_range(m->state, SANDBOX_BUILDING, SANDBOX_DISCARDING, "state", err);
	if (r == 0)
		r = check_range(m->unenforced, 0, LIMIT_HIT_ALL, "unenforced", err);
	return r;
}

static int check_pool_row(const void *message, uint32_t size, struct error *err)
{
	const struct control_pool_row *m = message;
	int r;

	(void)size;
	r = check_name(m->template_name, sizeof(m->template_name), false, "template_name", err);
	if (r == 0)
		r = check_name(m->image, sizeof(m->image), false, "image", err);
	if (r == 0)
		r = check_name(m->net, sizeof(m->net), true, "net", err);
	if (r == 0)
		r = check_range(m->min, 0, m->max, "min", err);
	if (r == 0)
		r = check_range(m->max, 1, UINT32_MAX, "max", err);
	if (r == 0)
		r = check_zero(&m->reserved, sizeof(m->reserved), "reserved", err);
	if (r == 0)
		r = check_string(m->broken, sizeof(m->broken), "broken", err);
	return r;
}

static int check_lease_ended(const void *message, uint32_t size, struct error *err)
{
	const struct control_lease_ended *m = message;
	int r;

	(void)size;
	r = check_handle(&m->handle, err);
	if (r == 0)
		r = check_range(m->reason, LEASE_RELEASED, LEASE_KILLED, "reason", err);
	if (r == 0)
		r = check_range(m->limits_hit, 0, LIMIT_HIT_ALL, "limits_hit", err);
	return r;
}

static int check_lease_frozen(const void *message, uint32_t size, struct error *err)
{
	(void)size;
	return check_handle(&((const struct control_lease_frozen *)message)->handle, err);
}

static int check_receipt(const void *message, uint32_t size, struct error *err)
{
	const struct control_receipt *m = message;
	int r;

	(void)size;
	r = check_handle(&m->handle, err);
	if (r == 0)
		r = check_range(m->reason, LEASE_RELEASED, LEASE_KILLED, "reason", err);
	if (r == 0)
		r = check_range(m->limits_hit, 0, LIMIT_HIT_ALL, "limits_hit", err);
	return r;
}

static int check_stat_row(const void *message, uint32_t size, struct error *err)
{
	const struct stat_sample *sample = &((const struct control_stat_row *)message)->sample;
	int r;

	(void)size;
	r = check_range(sample->family, STAT_ACQUIRE_DURATION, STAT_FAMILY_LAST, "family", err);
	for (size_t i = 0; r == 0 && i < STAT_LABELS_MAX; i++)
		r = check_string(sample->labels[i], sizeof(sample->labels[i]), "labels", err);
	if (r == 0)
		r = check_zero(&sample->reserved, sizeof(sample->reserved), "reserved", err);
	return r;
}

#define ROW(type_, direction_, struct_, fds, id, check)                                            \
	{                                                                                          \
		.type = CONTROL_##type_, .direction = MESSAGE_TO_##direction_, .name = #type_,     \
		.fixed_size = sizeof(struct struct_), .fds_min = (fds), .fds_max = (fds),          \
		.has_id = (id), .check_fields = (check)                                            \
	}

static const struct message_rule rules[] = {
	ROW(ACQUIRE, SERVER, control_acquire, 0, true, check_acquire),
	ROW(RELEASE, SERVER, control_lease, 0, true, check_lease),
	ROW(TOUCH, SERVER, control_lease, 0, true, check_lease),
	ROW(LIST, SERVER, control_query, 0, true, NULL),
	ROW(POOLS, SERVER, control_query, 0, true, NULL),
	ROW(KILL, SERVER, control_lease, 0, true, check_lease),
	ROW(NET, SERVER, control_net, 0, true, check_net),
	ROW(INSPECT, SERVER, control_lease, 0, true, check_lease),
	ROW(STATS, SERVER, control_query, 0, true, NULL),
	ROW(POOL_SET, SERVER, control_pool_set, 0, true, check_pool_set),
	ROW(WORKSPACE_REMOVE, SERVER, control_workspace, 0, true, check_workspace),
	ROW(LEASED, CLIENT, control_leased, 1, true, check_leased),
	ROW(DONE, CLIENT, control_done, 0, true, NULL),
	ROW(REFUSED, CLIENT, control_refused, 0, true, check_refused),
	ROW(SANDBOX_ROW, CLIENT, control_sandbox_row, 0, true, check_sandbox_row),
	ROW(POOL_ROW, CLIENT, control_pool_row, 0, true, check_pool_row),
	ROW(LEASE_ENDED, CLIENT, control_lease_ended, 0, false, check_lease_ended),
	ROW(RECEIPT, CLIENT, control_receipt, 0, false, check_receipt),
	ROW(SANDBOX_DETAILS, CLIENT, control_sandbox_details, 0, true, check_sandbox_details),
	ROW(LEASE_FROZEN, CLIENT, control_lease_frozen, 0, false, check_lease_frozen),
	ROW(STAT_ROW, CLIENT, control_stat_row, 0, true, check_stat_row),
};

const struct message_protocol control_protocol = {
	.name = "control",
	.version = CONTROL_VERSION,
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};

static const char *name_of(const char *const *names, size_t count, uint32_t value)
{
	return value < count && names[value] ? names[value] : "?";
}

const char *control_reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[LEASE_RELEASED] = "released",
		[LEASE_OWNER_GONE] = "owner_gone",
		[LEASE_IDLE] = "idle",
		[LEASE_DEADLINE] = "deadline",
		[LEASE_OOM] = "oom",
		[LEASE_GUEST_DIED] = "guest_died",
		[LEASE_BUILDER_LOST] = "builder_lost",
		[LEASE_SHUTDOWN] = "shutdown",
		[LEASE_KILLED] = "killed",
	};

	return name_of(names, ARRAY_SIZE(names), reason);
}

const char *control_refusal_name(uint32_t refusal)
{
	static const char *const names[] = {
		[REFUSED_DENIED] = "denied",
		[REFUSED_NO_TEMPLATE] = "no_template",
		[REFUSED_EMPTY] = "empty",
		[REFUSED_TIMEOUT] = "timeout",
		[REFUSED_LIMIT] = "limit",
		[REFUSED_STALE] = "stale",
		[REFUSED_UNSUPPORTED] = "unsupported",
		[REFUSED_BROKEN] = "broken",
		[REFUSED_STOPPING] = "stopping",
	};

	return name_of(names, ARRAY_SIZE(names), refusal);
}

const char *control_rung_name(uint32_t rung)
{
	static const char *const names[] = {
		[RUNG_READY] = "ready",
		[RUNG_BUILT] = "built",
		[RUNG_WAITED] = "waited",
		[RUNG_BOUND] = "bound",
	};

	return name_of(names, ARRAY_SIZE(names), rung);
}

const char *control_state_name(uint32_t state)
{
	static const char *const names[] = {
		[SANDBOX_BUILDING] = "building",
		[SANDBOX_READY] = "ready",
		[SANDBOX_LEASED] = "leased",
		[SANDBOX_DISCARDING] = "discarding",
	};

	return name_of(names, ARRAY_SIZE(names), state);
}

void control_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id)
{
	*h = (struct message_header){
		.version = CONTROL_VERSION, .type = type, .size = size, .id = id};
}
