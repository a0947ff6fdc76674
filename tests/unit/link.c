/* Every field and every payload of every message between supervisor and builder. */
#include <linux/filter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nsjail-lite/builder/link.h"
#include "tests/unit/check_fields.h"

static void fill_base(struct packet *packet)
{
	struct link_base *m = (void *)packet->bytes;

	m->has_v2 = 1;
	strcpy(m->prefix, "b0-");
}

static const struct field base_fields[] = {
	RANGE(link_base, has_v2, 0, 1),
	RANGE(link_base, has_freezer, 0, 1),
	RANGE(link_base, is_one_shot, 0, 1),
	RANGE(link_base, place[CGROUP_MEMORY], CGROUP_ABSENT, CGROUP_V2),
	RANGE(link_base, place[CGROUP_PIDS], CGROUP_ABSENT, CGROUP_V2),
	RANGE(link_base, place[CGROUP_CPU], CGROUP_ABSENT, CGROUP_V2),
	RANGE(link_base, place[CGROUP_IO], CGROUP_ABSENT, CGROUP_V2),
	NAME(link_base, prefix),
	RANGE(link_base, normal_priority, 0, 1),
	ANY(link_base, nameserver),
};

static void fill_filter(struct packet *packet)
{
	struct sock_filter instruction = {.code = BPF_RET | BPF_K};

	packet_append(packet, &instruction, sizeof(instruction));
}

static void empty_program(struct packet *packet)
{
	packet->size = sizeof(struct link_filter);
}

static void half_an_instruction(struct packet *packet)
{
	packet->size -= 4;
}

static void longest_program(struct packet *packet)
{
	packet->size =
		sizeof(struct link_filter) + LINK_FILTER_MAX * (uint32_t)sizeof(struct sock_filter);
}

static const struct variant filter_variants[] = {
	{"an empty program", empty_program, "payload"},
	{"half an instruction", half_an_instruction, "payload"},
	{"the longest program", longest_program, NULL},
};

static struct link_template *template_of(struct packet *packet)
{
	return (void *)packet->bytes;
}

static void fill_template(struct packet *packet)
{
	static const char payload[] = "/root\0PATH=/bin";
	struct link_template *m = template_of(packet);

	m->bind_count = 1;
	strcpy(m->hostname, "sandbox");
	strcpy(m->binds[0].destination, "/workspace");
	packet_append(packet, payload, sizeof(payload));
}

static const struct field template_fields[] = {
	RANGE(link_template, index, 0, JAIL_TEMPLATES_MAX - 1),
	OTHER(link_template, bind_count), /* as many as binds has */
	ANY(link_template, limits.memory_bytes),
	ANY(link_template, limits.disk_bytes),
	ANY(link_template, limits.disk_inodes),
	ANY(link_template, limits.pids),
	ANY(link_template, limits.cpu_milli),
	ANY(link_template, limits.cpu_weight),
	ANY(link_template, limits.open_files),
	ANY(link_template, limits.io_read_bps),
	ANY(link_template, limits.io_write_bps),
	ANY(link_template, limits.io_major),
	ANY(link_template, limits.io_minor),
	NAME(link_template, hostname),
	OTHER(link_template, binds[0].destination),
	RANGE(link_template, binds[0].is_read_only, 0, 1),
	ZERO(link_template, binds[0].reserved),
	ANY(link_template, binds[1]), /* beyond bind_count nobody looks */
	ANY(link_template, binds[2]),
	ANY(link_template, binds[3]),
	ANY(link_template, binds[4]),
	ANY(link_template, binds[5]),
	ANY(link_template, binds[6]),
	ANY(link_template, binds[7]),
};

static void every_bind(struct packet *packet)
{
	template_of(packet)->bind_count = JAIL_BINDS_MAX;
	for (int i = 0; i < JAIL_BINDS_MAX; i++)
		strcpy(template_of(packet)->binds[i].destination, "/data");
}

static void no_bind(struct packet *packet)
{
	template_of(packet)->bind_count = 0;
	template_of(packet)->binds[0].destination[0] = '\0';
}

static void a_bind_too_many(struct packet *packet)
{
	every_bind(packet);
	template_of(packet)->bind_count++;
}

static void last_bind_relative(struct packet *packet)
{
	every_bind(packet);
	strcpy(template_of(packet)->binds[JAIL_BINDS_MAX - 1].destination, "data");
}

static void last_bind_unterminated(struct packet *packet)
{
	every_bind(packet);
	memset(template_of(packet)->binds[JAIL_BINDS_MAX - 1].destination, '/', JAIL_PATH_MAX);
}

static void relative_destination(struct packet *packet)
{
	strcpy(template_of(packet)->binds[0].destination, "workspace");
}

static void empty_destination(struct packet *packet)
{
	template_of(packet)->binds[0].destination[0] = '\0';
}

static void unterminated_destination(struct packet *packet)
{
	memset(template_of(packet)->binds[0].destination, '/', JAIL_PATH_MAX);
}

static void no_payload(struct packet *packet)
{
	packet->size = sizeof(struct link_template);
}

static void no_terminator(struct packet *packet)
{
	packet->size--;
}

static void largest_environment(struct packet *packet)
{
	packet->size = sizeof(struct link_template) + LINK_ENV_MAX;
}

static const struct variant template_variants[] = {
	{"as many binds as there may be", every_bind, NULL},
	{"no bind", no_bind, NULL},
	{"a bind too many", a_bind_too_many, "bind_count"},
	{"a last bind with a relative destination", last_bind_relative, "destination"},
	{"a last bind without a terminator", last_bind_unterminated, "destination"},
	{"a relative destination", relative_destination, "destination"},
	{"an empty destination", empty_destination, "destination"},
	{"a destination without a terminator", unterminated_destination, "destination"},
	{"no payload", no_payload, "payload"},
	{"a payload without terminator", no_terminator, "payload"},
	{"the largest environment", largest_environment, NULL},
};

static void fill_slot(struct packet *packet)
{
	((struct link_slot *)(void *)packet->bytes)->uid_base = JAIL_UIDS;
}

static const struct field slot_fields[] = {
	RANGE(link_slot, slot, 0, JAIL_SLOTS_MAX - 1),
	RANGE(link_slot, uid_base, JAIL_UIDS, UINT32_MAX - JAIL_UIDS + 1),
};

static void not_a_multiple(struct packet *packet)
{
	((struct link_slot *)(void *)packet->bytes)->uid_base = JAIL_UIDS + 1;
}

static void root_itself(struct packet *packet)
{
	((struct link_slot *)(void *)packet->bytes)->uid_base = 0;
}

static const struct variant slot_variants[] = {
	{"uid_base within a range", not_a_multiple, "uid_base"},
	{"uid_base zero, the host's own", root_itself, "uid_base"},
};

static void fill_sandbox(struct packet *packet)
{
	((struct link_build *)(void *)packet->bytes)->sandbox = 5;
}

static const struct field build_fields[] = {
	RANGE(link_build, sandbox, 1, UINT64_MAX),
	RANGE(link_build, slot, 0, JAIL_SLOTS_MAX - 1),
	RANGE(link_build, template_index, 0, JAIL_TEMPLATES_MAX - 1),
};

static struct link_bind *bind_of(struct packet *packet)
{
	return (void *)packet->bytes;
}

static void fill_bind(struct packet *packet)
{
	struct link_bind *m = bind_of(packet);

	m->sandbox = 5;
	m->what = BIND_ALL;
	strcpy(m->workspace, "w-1");
	m->workspace_bytes = 1 << 20;
	strcpy(m->hostname, "mine");
	m->limits.memory_bytes = 1 << 20;
	m->limits.pids = 10;
	m->limits.cpu_milli = 500;
}

static const struct field bind_fields[] = {
	RANGE(link_bind, sandbox, 1, UINT64_MAX),
	OTHER(link_bind, what), /* each bit goes with its field */
	ZERO(link_bind, reserved),
	NAME(link_bind, workspace),
	ANY(link_bind, workspace_bytes),
	NAME(link_bind, hostname),
	RANGE(link_bind, limits.memory_bytes, 1, UINT64_MAX),
	OTHER(link_bind, limits.disk_bytes), /* the rest of the limits: "limits" */
	OTHER(link_bind, limits.disk_inodes),
	RANGE(link_bind, limits.pids, 1, UINT64_MAX),
	RANGE(link_bind, limits.cpu_milli, 1, UINT64_MAX),
	OTHER(link_bind, limits.cpu_weight),
	OTHER(link_bind, limits.open_files),
	OTHER(link_bind, limits.io_read_bps),
	OTHER(link_bind, limits.io_write_bps),
	OTHER(link_bind, limits.io_major),
	OTHER(link_bind, limits.io_minor),
};

static void nothing_to_bind(struct packet *packet)
{
	bind_of(packet)->what = 0;
}

static void an_unknown_bit(struct packet *packet)
{
	bind_of(packet)->what = BIND_ALL + 1;
}

static void only_pids(struct packet *packet)
{
	memset(&bind_of(packet)->what, 0,
		sizeof(struct link_bind) - offsetof(struct link_bind, what));
	bind_of(packet)->what = BIND_PIDS;
	bind_of(packet)->limits.pids = 10;
}

static void a_workspace_unasked(struct packet *packet)
{
	only_pids(packet);
	strcpy(bind_of(packet)->workspace, "w-1");
}

static void a_size_without_workspace(struct packet *packet)
{
	only_pids(packet);
	bind_of(packet)->workspace_bytes = 1;
}

static void a_hostname_unasked(struct packet *packet)
{
	only_pids(packet);
	strcpy(bind_of(packet)->hostname, "mine");
}

static void memory_unasked(struct packet *packet)
{
	only_pids(packet);
	bind_of(packet)->limits.memory_bytes = 1;
}

static void pids_unasked(struct packet *packet)
{
	bind_of(packet)->what &= ~(uint32_t)BIND_PIDS;
}

static void cpu_unasked(struct packet *packet)
{
	only_pids(packet);
	bind_of(packet)->limits.cpu_milli = 1;
}

static void a_limit_of_the_template(struct packet *packet)
{
	bind_of(packet)->limits.disk_bytes = 1;
}

static void the_last_limit_of_the_template(struct packet *packet)
{
	bind_of(packet)->limits.io_minor = 1;
}

static const struct variant bind_variants[] = {
	{"nothing to bind", nothing_to_bind, "what"},
	{"an unknown bit", an_unknown_bit, "what"},
	{"a limit of pids alone", only_pids, NULL},
	{"a workspace unasked", a_workspace_unasked, "workspace"},
	{"a size without a workspace", a_size_without_workspace, "workspace_bytes"},
	{"a hostname unasked", a_hostname_unasked, "hostname"},
	{"memory unasked", memory_unasked, "memory_bytes"},
	{"pids unasked", pids_unasked, "pids"},
	{"cpu unasked", cpu_unasked, "cpu_milli"},
	{"a limit that is the template's", a_limit_of_the_template, "limits"},
	{"the last limit that is the template's", the_last_limit_of_the_template, "limits"},
};

static const struct field kill_fields[] = {
	RANGE(link_kill, sandbox, 1, UINT64_MAX),
};

static const struct field freeze_fields[] = {
	RANGE(link_freeze, sandbox, 1, UINT64_MAX),
	RANGE(link_freeze, is_frozen, 0, 1),
	ZERO(link_freeze, reserved),
};

static const struct field slot_ready_fields[] = {
	RANGE(link_slot_ready, slot, 0, JAIL_SLOTS_MAX - 1),
	ZERO(link_slot_ready, reserved),
};

static void fill_built(struct packet *packet)
{
	struct link_built *m = (void *)packet->bytes;

	m->sandbox = 5;
	m->pid = 1234;
}

static const struct field built_fields[] = {
	RANGE(link_built, sandbox, 1, UINT64_MAX),
	RANGE(link_built, pid, 1, INT32_MAX),
	ZERO(link_built, reserved),
	ANY(link_built, memory_bytes),
	ANY(link_built, stages.ns),
	ANY(link_built, stages.total_ns),
};

static const struct field bound_fields[] = {
	RANGE(link_bound, sandbox, 1, UINT64_MAX),
	ANY(link_bound, bind_ns),
	RANGE(link_bound, is_soft, 0, 1),
	ZERO(link_bound, reserved),
};

static void fill_failed(struct packet *packet)
{
	struct link_failed *m = (void *)packet->bytes;

	m->error = 12;
	strcpy(m->text, "mount /proc: Cannot allocate memory");
}

static const struct field failed_fields[] = {
	ANY(link_failed, sandbox),
	RANGE(link_failed, slot, 0, JAIL_SLOTS_MAX - 1),
	RANGE(link_failed, error, 1, 4095),
	TEXT(link_failed, text),
};

static const struct field ended_fields[] = {
	RANGE(link_ended, sandbox, 1, UINT64_MAX),
	RANGE(link_ended, slot, 0, JAIL_SLOTS_MAX - 1),
	BITS(link_ended, limits_hit, LIMIT_HIT_ALL),
	RANGE(link_ended, was_asked, 0, 1),
	ANY(link_ended, wait_status),
	ANY(link_ended, usage.cpu_ns),
	ANY(link_ended, usage.memory_peak_bytes),
	ANY(link_ended, usage.read_bytes),
	ANY(link_ended, usage.write_bytes),
	ANY(link_ended, usage.pids_peak),
	ANY(link_ended, usage.oom_kills),
	ANY(link_ended, kill_ns),
};

#define CASE(type_, fill_, fields_)                                                                \
	.type = LINK_##type_, .fill = (fill_), .fields = (fields_),                                \
	.field_count = ARRAY_SIZE(fields_)
#define VARIANTS(variants_) .variants = (variants_), .variant_count = ARRAY_SIZE(variants_)

static const struct message_case cases[] = {
	{CASE(BASE, fill_base, base_fields)},
	{.type = LINK_FILTER, .fill = fill_filter, VARIANTS(filter_variants)},
	{CASE(TEMPLATE, fill_template, template_fields), VARIANTS(template_variants)},
	{.type = LINK_START},
	{CASE(SLOT, fill_slot, slot_fields), VARIANTS(slot_variants)},
	{CASE(BUILD, fill_sandbox, build_fields)},
	{CASE(KILL, fill_sandbox, kill_fields)},
	{.type = LINK_WORKSPACES},
	{CASE(BIND, fill_bind, bind_fields), VARIANTS(bind_variants)},
	{CASE(FREEZE, fill_sandbox, freeze_fields)},
	{.type = LINK_STARTED},
	{CASE(SLOT_READY, NULL, slot_ready_fields)},
	{CASE(BUILT, fill_built, built_fields)},
	{CASE(BOUND, fill_sandbox, bound_fields)},
	{CASE(FAILED, fill_failed, failed_fields)},
	{CASE(ENDED, fill_sandbox, ended_fields)},
};

static void no_message_is_larger_than_the_packet_maximum(void **state)
{
	(void)state;
	for (size_t i = 0; i < link_protocol.rule_count; i++)
		assert_true(
			link_protocol.rules[i].fixed_size + link_protocol.rules[i].payload_max <=
			LINK_PACKET_MAX);
}

static void header_carries_what_was_given(void **state)
{
	struct message_header h;

	(void)state;
	memset(&h, 0xff, sizeof(h));
	link_header(&h, LINK_START, 16);
	assert_int_equal(h.version, LINK_VERSION);
	assert_int_equal(h.type, LINK_START);
	assert_int_equal(h.size, 16);
	assert_int_equal(h.id, 0);
	assert_int_equal(h.reserved, 0);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(no_message_is_larger_than_the_packet_maximum),
		cmocka_unit_test(header_carries_what_was_given),
	};

	return check_fields_run(
		&link_protocol, cases, ARRAY_SIZE(cases), others, ARRAY_SIZE(others));
}
