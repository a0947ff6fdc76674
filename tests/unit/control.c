/* Every field of every message of control.sock, and the names of its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/control.h"
#include "tests/unit/check_fields.h"

static void fill_acquire(struct packet *packet)
{
	struct control_acquire *m = (void *)packet->bytes;

	strcpy(m->template_name, "base");
	strcpy(m->net, "none");
	m->on_empty = ON_EMPTY_WAIT;
	m->wait_ms = 1000;
	m->lease_ms = 60000;
	m->idle_ms = 5000;
	strcpy(m->workspace, "w-1");
	m->memory_bytes = 1u << 28;
}

static const struct field acquire_fields[] = {
	NAME_OR_EMPTY(control_acquire, template_name),
	NAME_OR_EMPTY(control_acquire, net),
	RANGE(control_acquire, on_empty, ON_EMPTY_DEFAULT, ON_EMPTY_FAIL),
	RANGE(control_acquire, wait_ms, 0, CONTROL_DEADLINE_MAX),
	RANGE(control_acquire, lease_ms, 0, CONTROL_DEADLINE_MAX),
	RANGE(control_acquire, idle_ms, 0, CONTROL_DEADLINE_MAX),
	NAME_OR_EMPTY(control_acquire, workspace),
	NAME_OR_EMPTY(control_acquire, hostname),
	ANY(control_acquire, memory_bytes), /* against the pool's limits */
	ANY(control_acquire, pids),
	ANY(control_acquire, cpu_milli),
	RANGE(control_acquire, count, 0, 1), /* with a workspace */
	ZERO(control_acquire, reserved),
};

static void fill_lease(struct packet *packet)
{
	struct control_lease *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
}

static const struct field lease_fields[] = {
	RANGE(control_lease, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_lease, handle.epoch, 1, UINT64_MAX),
};

static void fill_leased(struct packet *packet)
{
	struct control_leased *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
	strcpy(m->template_name, "base");
	m->rung = RUNG_READY;
	m->memory_bytes = 1u << 30;
	m->wait_ns = 7000;
	strcpy(m->net, "default");
	strcpy(m->hostname, "sandbox");
}

static const struct field leased_fields[] = {
	RANGE(control_leased, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_leased, handle.epoch, 1, UINT64_MAX),
	NAME(control_leased, template_name),
	RANGE(control_leased, rung, RUNG_READY, RUNG_BOUND),
	ANY(control_leased, lease_ms), /* the pool's, which may be longer than a client may ask */
	ANY(control_leased, idle_ms),
	BITS(control_leased, unenforced, LIMIT_HIT_ALL),
	ANY(control_leased, memory_bytes),
	ANY(control_leased, disk_bytes),
	ANY(control_leased, disk_inodes),
	ANY(control_leased, pids),
	ANY(control_leased, cpu_milli),
	ANY(control_leased, open_files),
	ANY(control_leased, wait_ns),
	ANY(control_leased, build_ns),
	ANY(control_leased, bind_ns),
	NAME(control_leased, net),
	NAME_OR_EMPTY(control_leased, workspace),
	NAME_OR_EMPTY(control_leased, hostname),
	ANY(control_leased, workspace_bytes),
	RANGE(control_leased, is_soft, 0, 1),
	ZERO(control_leased, reserved),
	ANY(control_leased, queue_ns),
};

static void fill_net(struct packet *packet)
{
	struct control_net *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
	strcpy(m->net, "open");
}

static const struct field net_fields[] = {
	RANGE(control_net, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_net, handle.epoch, 1, UINT64_MAX),
	NAME(control_net, net),
};

static void fill_refused(struct packet *packet)
{
	struct control_refused *m = (void *)packet->bytes;

	m->refusal = REFUSED_EMPTY;
	m->retry_ms = 100;
	strcpy(m->text, "pool base is empty");
}

static const struct field refused_fields[] = {
	RANGE(control_refused, refusal, REFUSED_DENIED, REFUSED_STOPPING),
	ANY(control_refused, retry_ms),
	TEXT(control_refused, text),
};

static void fill_sandbox_row(struct packet *packet)
{
	struct control_sandbox_row *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
	strcpy(m->template_name, "base");
	m->state = SANDBOX_LEASED;
	m->owner_pid = 1234;
}

static const struct field sandbox_row_fields[] = {
	RANGE(control_sandbox_row, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_sandbox_row, handle.epoch, 1, UINT64_MAX),
	NAME(control_sandbox_row, template_name),
	RANGE(control_sandbox_row, state, SANDBOX_BUILDING, SANDBOX_DISCARDING),
	ANY(control_sandbox_row, owner_pid),
	ANY(control_sandbox_row, owner_uid),
	RANGE(control_sandbox_row, is_frozen, 0, 1),
	ANY(control_sandbox_row, age_ms),
	ANY(control_sandbox_row, lease_age_ms),
	ANY(control_sandbox_row, build_ns),
};

static void fill_sandbox_details(struct packet *packet)
{
	struct control_sandbox_details *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
	strcpy(m->template_name, "base");
	strcpy(m->net, "none");
	m->state = SANDBOX_LEASED;
	m->sent_bytes = 17;
}

static const struct field sandbox_details_fields[] = {
	RANGE(control_sandbox_details, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_sandbox_details, handle.epoch, 1, UINT64_MAX),
	NAME(control_sandbox_details, template_name),
	NAME(control_sandbox_details, net),
	NAME_OR_EMPTY(control_sandbox_details, workspace),
	NAME_OR_EMPTY(control_sandbox_details, hostname),
	RANGE(control_sandbox_details, state, SANDBOX_BUILDING, SANDBOX_DISCARDING),
	ANY(control_sandbox_details, owner_pid),
	ANY(control_sandbox_details, owner_uid),
	BITS(control_sandbox_details, unenforced, LIMIT_HIT_ALL),
	ANY(control_sandbox_details, age_ms),
	ANY(control_sandbox_details, lease_age_ms),
	ANY(control_sandbox_details, memory_bytes),
	ANY(control_sandbox_details, disk_bytes),
	ANY(control_sandbox_details, pids),
	ANY(control_sandbox_details, cpu_milli),
	ANY(control_sandbox_details, connections_max),
	ANY(control_sandbox_details, new_per_second_max),
	ANY(control_sandbox_details, names_per_second_max),
	ANY(control_sandbox_details, connections),
	ANY(control_sandbox_details, bytes_per_second_max),
	ANY(control_sandbox_details, sent_bytes),
	ANY(control_sandbox_details, received_bytes),
	ANY(control_sandbox_details, denied_packets),
	ANY(control_sandbox_details, denied_names),
};

static void fill_pool_row(struct packet *packet)
{
	struct control_pool_row *m = (void *)packet->bytes;

	strcpy(m->template_name, "base");
	strcpy(m->image, "base");
	strcpy(m->net, "none");
	m->max = 16;
}

static const struct field pool_row_fields[] = {
	NAME(control_pool_row, template_name),
	NAME(control_pool_row, image),
	NAME_OR_EMPTY(control_pool_row, net),
	RANGE(control_pool_row, min, 0, 16), /* up to max */
	RANGE(control_pool_row, max, 1, UINT32_MAX),
	ANY(control_pool_row, building),
	ANY(control_pool_row, ready),
	ANY(control_pool_row, leased),
	ANY(control_pool_row, discarding),
	ANY(control_pool_row, waiting),
	ANY(control_pool_row, target),
	ANY(control_pool_row, hits),
	ANY(control_pool_row, built),
	ANY(control_pool_row, waited),
	ANY(control_pool_row, refused),
	ANY(control_pool_row, build_failures),
	ANY(control_pool_row, build_p50_ns),
	ANY(control_pool_row, build_p99_ns),
	ANY(control_pool_row, idle_bytes),
	ANY(control_pool_row, lease_bytes),
	ANY(control_pool_row, budget_bytes),
	ANY(control_pool_row, promised_bytes),
	TEXT(control_pool_row, broken),
	ANY(control_pool_row, frozen),
	ZERO(control_pool_row, reserved),
};

static void fill_lease_ended(struct packet *packet)
{
	struct control_lease_ended *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
	m->reason = LEASE_OOM;
	m->limits_hit = LIMIT_HIT_MEMORY;
	m->limit = 1u << 30;
}

static const struct field lease_ended_fields[] = {
	RANGE(control_lease_ended, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_lease_ended, handle.epoch, 1, UINT64_MAX),
	RANGE(control_lease_ended, reason, LEASE_RELEASED, LEASE_KILLED),
	BITS(control_lease_ended, limits_hit, LIMIT_HIT_ALL),
	ANY(control_lease_ended, limit),
};

static void fill_lease_frozen(struct packet *packet)
{
	struct control_lease_frozen *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
	m->idle_ms = 60000;
	m->ends_ms = 5000;
}

static const struct field lease_frozen_fields[] = {
	RANGE(control_lease_frozen, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_lease_frozen, handle.epoch, 1, UINT64_MAX),
	ANY(control_lease_frozen, idle_ms),
	ANY(control_lease_frozen, ends_ms),
};

static void fill_receipt(struct packet *packet)
{
	struct control_receipt *m = (void *)packet->bytes;

	m->handle = (struct control_handle){.sandbox = 3, .epoch = 9};
	m->reason = LEASE_RELEASED;
	m->limits_hit = LIMIT_HIT_MEMORY;
	m->wall_ns = 7000;
	m->usage.oom_kills = 1;
}

static const struct field receipt_fields[] = {
	RANGE(control_receipt, handle.sandbox, 1, UINT64_MAX),
	RANGE(control_receipt, handle.epoch, 1, UINT64_MAX),
	RANGE(control_receipt, reason, LEASE_RELEASED, LEASE_KILLED),
	BITS(control_receipt, limits_hit, LIMIT_HIT_ALL),
	ANY(control_receipt, wall_ns),
	ANY(control_receipt, usage.cpu_ns),
	ANY(control_receipt, usage.memory_peak_bytes),
	ANY(control_receipt, usage.read_bytes),
	ANY(control_receipt, usage.write_bytes),
	ANY(control_receipt, usage.pids_peak),
	ANY(control_receipt, usage.oom_kills),
};

static void fill_pool_set(struct packet *packet)
{
	struct control_pool_set *m = (void *)packet->bytes;

	strcpy(m->template_name, "base");
	m->what = POOL_SET_ALL;
	m->min = 4;
	m->max = 16;
}

static const struct field pool_set_fields[] = {
	NAME(control_pool_set, template_name),
	RANGE(control_pool_set, what, 1, POOL_SET_ALL),
	ANY(control_pool_set, min), /* against the pool's */
	ANY(control_pool_set, max),
	ZERO(control_pool_set, reserved),
};

static void fill_workspace(struct packet *packet)
{
	struct control_workspace *m = (void *)packet->bytes;

	strcpy(m->workspace, "job-7");
}

static const struct field workspace_fields[] = {
	NAME(control_workspace, workspace),
};

static void fill_stat_row(struct packet *packet)
{
	struct control_stat_row *m = (void *)packet->bytes;

	m->sample = stat_sample(STAT_ACQUIRE_DURATION, "base", "ready", "ok");
	stat_histogram_add(&m->sample.histogram, 1000);
}

static const struct field stat_row_fields[] = {
	RANGE(control_stat_row, sample.family, STAT_ACQUIRE_DURATION, STAT_FAMILY_LAST),
	ZERO(control_stat_row, sample.reserved),
	TEXT(control_stat_row, sample.labels[0]),
	TEXT(control_stat_row, sample.labels[1]),
	TEXT(control_stat_row, sample.labels[2]),
	ANY(control_stat_row, sample.value),
	ANY(control_stat_row, sample.histogram.count),
	ANY(control_stat_row, sample.histogram.sum_ns),
	ANY(control_stat_row, sample.histogram.buckets),
};

#define CASE(type_, fill_, fields_)                                                                \
	{                                                                                          \
		.type = CONTROL_##type_, .fill = (fill_), .fields = (fields_),                     \
		.field_count = ARRAY_SIZE(fields_)                                                 \
	}

static const struct message_case cases[] = {
	CASE(ACQUIRE, fill_acquire, acquire_fields),
	CASE(RELEASE, fill_lease, lease_fields),
	CASE(TOUCH, fill_lease, lease_fields),
	{.type = CONTROL_LIST},
	{.type = CONTROL_POOLS},
	CASE(KILL, fill_lease, lease_fields),
	CASE(NET, fill_net, net_fields),
	CASE(INSPECT, fill_lease, lease_fields),
	{.type = CONTROL_STATS},
	CASE(POOL_SET, fill_pool_set, pool_set_fields),
	CASE(WORKSPACE_REMOVE, fill_workspace, workspace_fields),
	CASE(LEASED, fill_leased, leased_fields),
	{.type = CONTROL_DONE},
	CASE(REFUSED, fill_refused, refused_fields),
	CASE(SANDBOX_ROW, fill_sandbox_row, sandbox_row_fields),
	CASE(POOL_ROW, fill_pool_row, pool_row_fields),
	CASE(LEASE_ENDED, fill_lease_ended, lease_ended_fields),
	CASE(RECEIPT, fill_receipt, receipt_fields),
	CASE(SANDBOX_DETAILS, fill_sandbox_details, sandbox_details_fields),
	CASE(LEASE_FROZEN, fill_lease_frozen, lease_frozen_fields),
	CASE(STAT_ROW, fill_stat_row, stat_row_fields),
};

/* Each value of first..last has a name of its own, and no other value has one. */
static void assert_names(const char *(*name)(uint32_t), uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i <= last; i++) {
		assert_string_not_equal(name(i), "?");
		for (uint32_t j = first; j < i; j++)
			assert_string_not_equal(name(i), name(j));
	}
	assert_string_equal(name(first - 1), "?");
	assert_string_equal(name(last + 1), "?");
	assert_string_equal(name(UINT32_MAX), "?");
}

static void every_reason_why_a_lease_ends_has_a_name(void **state)
{
	(void)state;
	assert_names(control_reason_name, LEASE_RELEASED, LEASE_KILLED);
	assert_string_equal(control_reason_name(LEASE_OWNER_GONE), "owner_gone");
}

static void every_refusal_has_a_name(void **state)
{
	(void)state;
	assert_names(control_refusal_name, REFUSED_DENIED, REFUSED_STOPPING);
	assert_string_equal(control_refusal_name(REFUSED_NO_TEMPLATE), "no_template");
}

static void every_rung_has_a_name(void **state)
{
	(void)state;
	assert_names(control_rung_name, RUNG_READY, RUNG_BOUND);
	assert_string_equal(control_rung_name(RUNG_BOUND), "bound");
	assert_string_equal(control_rung_name(RUNG_READY), "ready");
}

static void every_state_of_a_sandbox_has_a_name(void **state)
{
	(void)state;
	assert_names(control_state_name, SANDBOX_BUILDING, SANDBOX_DISCARDING);
	assert_string_equal(control_state_name(SANDBOX_LEASED), "leased");
}

static void no_message_is_larger_than_the_packet_maximum(void **state)
{
	(void)state;
	for (size_t i = 0; i < control_protocol.rule_count; i++)
		assert_true(control_protocol.rules[i].fixed_size +
				    control_protocol.rules[i].payload_max <=
			    CONTROL_PACKET_MAX);
}

static void header_carries_what_was_given(void **state)
{
	struct message_header h;

	(void)state;
	memset(&h, 0xff, sizeof(h));
	control_header(&h, CONTROL_DONE, 16, 5);
	assert_int_equal(h.version, CONTROL_VERSION);
	assert_int_equal(h.type, CONTROL_DONE);
	assert_int_equal(h.size, 16);
	assert_int_equal(h.id, 5);
	assert_int_equal(h.reserved, 0);
}

static void page_for_clients_tells_where_each_field_is(void **state)
{
	(void)state;
	check_fields_in_page(&control_protocol, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(every_reason_why_a_lease_ends_has_a_name),
		cmocka_unit_test(every_refusal_has_a_name),
		cmocka_unit_test(every_rung_has_a_name),
		cmocka_unit_test(every_state_of_a_sandbox_has_a_name),
		cmocka_unit_test(no_message_is_larger_than_the_packet_maximum),
		cmocka_unit_test(header_carries_what_was_given),
		cmocka_unit_test(page_for_clients_tells_where_each_field_is),
	};

	return check_fields_run(
		&control_protocol, cases, ARRAY_SIZE(cases), others, ARRAY_SIZE(others));
}
