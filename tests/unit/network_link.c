/* Every field and every payload of every message between supervisor and hearth-network. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nsjail-lite/network/network_link.h"
#include "tests/unit/check_fields.h"

#define FIRST_UID (16 * JAIL_UIDS)
#define RANGE_	  0x0ad50000u /* 10.213.0.0 */

static struct network_start *start_of(struct packet *packet)
{
	return (void *)packet->bytes;
}

static void fill_start(struct packet *packet)
{
	static const char domains[] = "pypi.org\0*.npmjs.org";
	struct network_start *m = start_of(packet);

	strcpy(m->instance, "0123456789");
	m->first_uid = FIRST_UID;
	m->slot_count = 4;
	m->addresses = (struct network_cidr){RANGE_, 16};
	m->gateway = RANGE_ + 20;
	m->dns_uid = 20 * JAIL_UIDS;
	m->except_count = 1;
	m->except[0] = (struct network_cidr){0x0a010000u, 16};
	m->allow_count = 1;
	m->allow[0] = (struct network_cidr){0x08080808u, 32};
	m->resolver_count = 1;
	m->domain_count = 2;
	packet_append(packet, domains, sizeof(domains));
}

static const struct field start_fields[] = {
	OTHER(network_start, instance), /* a name, and not a short one */
	OTHER(network_start, first_uid),
	OTHER(network_start, slot_count),
	OTHER(network_start, addresses),
	OTHER(network_start, gateway),
	RANGE(network_start, dns_uid, 1, UINT32_MAX - 1),
	ANY(network_start, caps.connections),
	ANY(network_start, caps.new_per_second),
	ANY(network_start, caps.names_per_second),
	ZERO(network_start, caps.reserved),
	ANY(network_start, caps.bytes_per_second),
	OTHER(network_start, except_count), /* as many as there are */
	OTHER(network_start, allow_count),
	RANGE(network_start, resolver_count, 0, NETWORK_RESOLVERS_MAX),
	OTHER(network_start, domain_count),
	OTHER(network_start, except),
	OTHER(network_start, allow),
	ANY(network_start, resolvers),
	ZERO(network_start, reserved),
};

static void short_instance(struct packet *packet)
{
	strcpy(start_of(packet)->instance, "012345");
}

static void shortest_instance(struct packet *packet)
{
	strcpy(start_of(packet)->instance, "0123456");
}

static void instance_with_a_slash(struct packet *packet)
{
	strcpy(start_of(packet)->instance, "0123/56789");
}

static void unterminated_instance(struct packet *packet)
{
	memset(start_of(packet)->instance, 'a', NETWORK_INSTANCE_MAX);
}

static void roots_ids(struct packet *packet)
{
	start_of(packet)->first_uid = 0;
}

static void ids_within_a_range(struct packet *packet)
{
	start_of(packet)->first_uid++;
}

static void no_slots(struct packet *packet)
{
	start_of(packet)->slot_count = 0;
}

static void most_slots(struct packet *packet)
{
	start_of(packet)->slot_count = JAIL_SLOTS_MAX;
	start_of(packet)->gateway = RANGE_;
}

static void a_slot_too_many(struct packet *packet)
{
	most_slots(packet);
	start_of(packet)->slot_count++;
}

static void prefix_too_long(struct packet *packet)
{
	start_of(packet)->addresses.prefix = 33;
}

static void bits_beyond_the_prefix(struct packet *packet)
{
	start_of(packet)->addresses.address++;
}

static void every_address(struct packet *packet)
{
	start_of(packet)->addresses = (struct network_cidr){0, 0};
}

/* 10.213.0.16/29: slot 0 would have .32 */
static void range_below_the_slots(struct packet *packet)
{
	start_of(packet)->addresses = (struct network_cidr){RANGE_ + 16, 29};
}

/* Slots have .16 to .19, and that is the last. */
static void range_that_just_fits(struct packet *packet)
{
	start_of(packet)->addresses = (struct network_cidr){RANGE_, 27};
	start_of(packet)->slot_count = 16;
	start_of(packet)->gateway = RANGE_;
}

static void range_too_small_by_one(struct packet *packet)
{
	range_that_just_fits(packet);
	start_of(packet)->slot_count++;
}

static void gateway_before_the_range(struct packet *packet)
{
	start_of(packet)->gateway = RANGE_ - 1;
}

static void gateway_behind_the_range(struct packet *packet)
{
	start_of(packet)->gateway = RANGE_ + 65536;
}

static void gateway_of_the_first_slot(struct packet *packet)
{
	start_of(packet)->gateway = RANGE_ + 16;
}

static void gateway_of_the_last_slot(struct packet *packet)
{
	start_of(packet)->gateway = RANGE_ + 19;
}

static void as_many_ranges_as_there_may_be(struct packet *packet)
{
	start_of(packet)->except_count = NETWORK_CIDRS_MAX;
	start_of(packet)->allow_count = NETWORK_CIDRS_MAX;
}

static void an_exception_too_many(struct packet *packet)
{
	start_of(packet)->except_count = NETWORK_CIDRS_MAX + 1;
}

static void an_allowed_range_too_many(struct packet *packet)
{
	start_of(packet)->allow_count = NETWORK_CIDRS_MAX + 1;
}

static void last_exception_with_bits_beyond(struct packet *packet)
{
	as_many_ranges_as_there_may_be(packet);
	start_of(packet)->except[NETWORK_CIDRS_MAX - 1] = (struct network_cidr){1, 31};
}

static void last_allowed_range_too_long(struct packet *packet)
{
	as_many_ranges_as_there_may_be(packet);
	start_of(packet)->allow[NETWORK_CIDRS_MAX - 1].prefix = 33;
}

static void allowed_everywhere(struct packet *packet)
{
	start_of(packet)->allow[0] = (struct network_cidr){0, 0};
}

static void nonsense_beyond_the_count(struct packet *packet)
{
	start_of(packet)->except[1].prefix = 99;
	start_of(packet)->allow[1].prefix = 99;
}

static void no_name(struct packet *packet)
{
	packet->size = sizeof(struct network_start);
	start_of(packet)->domain_count = 0;
}

static void a_name_less(struct packet *packet)
{
	start_of(packet)->domain_count = 1;
}

static void a_name_more(struct packet *packet)
{
	start_of(packet)->domain_count = 3;
}

static void names_unterminated(struct packet *packet)
{
	packet->size--;
}

static void an_empty_name(struct packet *packet)
{
	packet_append(packet, "", 1);
	start_of(packet)->domain_count = 3;
}

static void names(struct packet *packet, uint32_t count, uint32_t bytes)
{
	char *payload = (char *)(start_of(packet) + 1);

	for (uint32_t i = 0; i < count; i++)
		memcpy(payload + 2 * i, "a", 2);
	memset(payload + 2 * (count - 1), 'a', bytes - 2 * count + 1);
	payload[bytes - 1] = '\0';
	packet->size = sizeof(struct network_start) + bytes;
	start_of(packet)->domain_count = count;
}

static void as_many_names_as_there_may_be(struct packet *packet)
{
	names(packet, NETWORK_DOMAINS_MAX, NETWORK_DOMAINS_BYTES);
}

static void a_name_too_many(struct packet *packet)
{
	names(packet, NETWORK_DOMAINS_MAX + 1, NETWORK_DOMAINS_BYTES);
}

static const struct variant start_variants[] = {
	{"a short instance", short_instance, "instance"},
	{"the shortest instance", shortest_instance, NULL},
	{"an instance with a slash", instance_with_a_slash, "instance"},
	{"an instance without a terminator", unterminated_instance, "instance"},
	{"first_uid of root", roots_ids, "first_uid"},
	{"first_uid within a range", ids_within_a_range, "first_uid"},
	{"no slot", no_slots, "slot_count"},
	{"as many slots as there may be", most_slots, NULL},
	{"a slot too many", a_slot_too_many, "slot_count"},
	{"a prefix over 32", prefix_too_long, "addresses"},
	{"a range with bits beyond its prefix", bits_beyond_the_prefix, "addresses"},
	{"a range of all addresses with a gateway behind the slots", every_address, NULL},
	{"a range below the slots' addresses", range_below_the_slots, "addresses"},
	{"a range that the slots just fit in", range_that_just_fits, NULL},
	{"a range that is too small by one", range_too_small_by_one, "addresses"},
	{"a gateway before the range", gateway_before_the_range, "gateway"},
	{"a gateway behind the range", gateway_behind_the_range, "gateway"},
	{"a gateway at the first slot's address", gateway_of_the_first_slot, "gateway"},
	{"a gateway at the last slot's address", gateway_of_the_last_slot, "gateway"},
	{"as many ranges as there may be", as_many_ranges_as_there_may_be, NULL},
	{"an exception too many", an_exception_too_many, "except"},
	{"an allowed range too many", an_allowed_range_too_many, "allow"},
	{"a last exception with bits beyond its prefix", last_exception_with_bits_beyond, "except"},
	{"a last allowed range with a prefix over 32", last_allowed_range_too_long, "allow"},
	{"allowing every address", allowed_everywhere, NULL},
	{"nonsense beyond the counts of ranges", nonsense_beyond_the_count, NULL},
	{"no name at all", no_name, NULL},
	{"a name less than it says", a_name_less, "domain_count"},
	{"a name more than it says", a_name_more, "domain_count"},
	{"names without a terminator", names_unterminated, "payload"},
	{"an empty name", an_empty_name, "payload"},
	{"as many names as there may be", as_many_names_as_there_may_be, NULL},
	{"a name too many", a_name_too_many, "domain_count"},
};

static const struct field slot_fields[] = {
	RANGE(network_slot, slot, 0, JAIL_SLOTS_MAX - 1),
	ZERO(network_slot, reserved),
};

static void fill_profile(struct packet *packet)
{
	((struct network_set_profile *)(void *)packet->bytes)->profile = NETWORK_ALLOW;
}

static const struct field profile_fields[] = {
	RANGE(network_set_profile, slot, 0, JAIL_SLOTS_MAX - 1),
	RANGE(network_set_profile, profile, NETWORK_NONE, NETWORK_OPEN),
	RANGE(network_set_profile, is_fresh, 0, 1),
	ZERO(network_set_profile, reserved),
};

static const struct field done_fields[] = {
	RANGE(network_done, slot, 0, JAIL_SLOTS_MAX - 1),
	ZERO(network_done, is_new),
};

static const struct field flushed_fields[] = {
	RANGE(network_done, slot, 0, JAIL_SLOTS_MAX - 1),
	RANGE(network_done, is_new, 0, 1),
};

static const struct field state_fields[] = {
	RANGE(network_state, slot, 0, JAIL_SLOTS_MAX - 1),
	RANGE(network_state, profile, 0, NETWORK_OPEN),
	ANY(network_state, connections),
	ZERO(network_state, reserved),
	ANY(network_state, sent_bytes),
	ANY(network_state, received_bytes),
	ANY(network_state, denied_packets),
	ANY(network_state, denied_names),
};

static void fill_failed(struct packet *packet)
{
	struct network_failed *m = (void *)packet->bytes;

	m->error = 12;
	strcpy(m->text, "slot 3: new network namespace: Cannot allocate memory");
}

static const struct field failed_fields[] = {
	RANGE(network_failed, error, 1, 4095),
	ZERO(network_failed, reserved),
	TEXT(network_failed, text),
};

#define CASE(type_, fill_, fields_)                                                                \
	.type = NETWORK_##type_, .fill = (fill_), .fields = (fields_),                             \
	.field_count = ARRAY_SIZE(fields_)

static const struct message_case cases[] = {
	{CASE(START, fill_start, start_fields), .variants = start_variants,
		.variant_count = ARRAY_SIZE(start_variants)},
	{CASE(SLOT, NULL, slot_fields)},
	{CASE(PROFILE, fill_profile, profile_fields)},
	{CASE(FLUSH, NULL, slot_fields)},
	{CASE(INSPECT, NULL, slot_fields)},
	{CASE(STARTED, NULL, done_fields)},
	{CASE(SLOT_READY, NULL, done_fields)},
	{CASE(PROFILE_SET, NULL, done_fields)},
	{CASE(FLUSHED, NULL, flushed_fields)},
	{CASE(STATE, NULL, state_fields)},
	{CASE(FAILED, fill_failed, failed_fields)},
};

static void no_message_is_larger_than_the_packet_maximum(void **state)
{
	(void)state;
	for (size_t i = 0; i < network_protocol.rule_count; i++)
		assert_true(network_protocol.rules[i].fixed_size +
				    network_protocol.rules[i].payload_max <=
			    NETWORK_PACKET_MAX);
}

static void header_carries_what_was_given(void **state)
{
	struct message_header h;

	(void)state;
	memset(&h, 0xff, sizeof(h));
	network_header(&h, NETWORK_SLOT, 24, 7);
	assert_int_equal(h.version, NETWORK_VERSION);
	assert_int_equal(h.type, NETWORK_SLOT);
	assert_int_equal(h.size, 24);
	assert_int_equal(h.id, 7);
	assert_int_equal(h.reserved, 0);
}

static void links_of_two_instances_begin_differently(void **state)
{
	char prefix[NETWORK_LINK_PREFIX_SIZE];

	(void)state;
	network_link_prefix("0123456789", prefix);
	assert_string_equal(prefix, "hth3456789");
	network_link_prefix("nsjail-4194303", prefix);
	assert_string_equal(prefix, "hth4194303");
	network_link_prefix("nsjail-12", prefix);
	assert_string_equal(prefix, "hthjail-12");
}

static void ranges_contain_what_their_prefixes_say(void **state)
{
	static const struct network_cidr all = {0, 0}, one = {0x08080808u, 32},
					 two = {0x08080808u, 31};

	(void)state;
	assert_true(network_contains(&all, 1, 0));
	assert_true(network_contains(&all, 1, UINT32_MAX));
	assert_false(network_contains(&all, 0, 0));
	assert_true(network_contains(&one, 1, 0x08080808u));
	assert_false(network_contains(&one, 1, 0x08080809u));
	assert_true(network_contains(&two, 1, 0x08080809u));
	assert_false(network_contains(&two, 1, 0x0808080au));
}

static void private_is_what_is_of_special_purpose(void **state)
{
	/* the first and the last of a range, and what lies around it */
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00000000u, 0x00ffffffu},
		{0x0a000000u, 0x0affffffu},
		{0x64400000u, 0x647fffffu},
		{0x7f000000u, 0x7fffffffu},
		{0xa9fe0000u, 0xa9feffffu},
		{0xac100000u, 0xac1fffffu},
		{0xc0000000u, 0xc00000ffu},
		{0xc0000200u, 0xc00002ffu},
		{0xc0586300u, 0xc05863ffu},
		{0xc0a80000u, 0xc0a8ffffu},
		{0xc6120000u, 0xc613ffffu},
		{0xc6336400u, 0xc63364ffu},
		{0xcb007100u, 0xcb0071ffu},
		{0xe0000000u, 0xffffffffu},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		uint32_t before = ranges[i].first - 1, behind = ranges[i].last + 1;

		assert_true(
			network_contains(network_private, NETWORK_PRIVATE_COUNT, ranges[i].first));
		assert_true(
			network_contains(network_private, NETWORK_PRIVATE_COUNT, ranges[i].last));
		if (ranges[i].first != 0)
			assert_false(
				network_contains(network_private, NETWORK_PRIVATE_COUNT, before));
		if (ranges[i].last != UINT32_MAX)
			assert_false(
				network_contains(network_private, NETWORK_PRIVATE_COUNT, behind));
	}
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(no_message_is_larger_than_the_packet_maximum),
		cmocka_unit_test(header_carries_what_was_given),
		cmocka_unit_test(links_of_two_instances_begin_differently),
		cmocka_unit_test(ranges_contain_what_their_prefixes_say),
		cmocka_unit_test(private_is_what_is_of_special_purpose),
	};

	return check_fields_run(
		&network_protocol, cases, ARRAY_SIZE(cases), others, ARRAY_SIZE(others));
}
