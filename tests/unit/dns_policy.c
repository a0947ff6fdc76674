/* Each rule on a question and on an answer, for each profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "dns/message.h"
#include "dns/policy.h"

#define ADDRESS(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define PUBLIC		    ADDRESS(93, 184, 216, 34)
#define AAAA		    28
#define CHAOS		    3

/* allow may resolve good.test and what is below npm.test; 10.7/16 and 100.100.100.200 are excepted. */
static int set_up(void **state)
{
	static const char names[] = "good.test\0*.npm.test";
	static struct policy policy;
	static union {
		struct dns_start start;
		char bytes[sizeof(struct dns_start) + sizeof(names)];
	} packet;
	struct dns_start *start = &packet.start;

	dns_header(&start->header, DNS_START, sizeof(packet.bytes), 0);
	start->caps.names_per_second = 20;
	start->except_count = 2;
	start->except[0] = (struct network_cidr){ADDRESS(10, 7, 0, 0), 16};
	start->except[1] = (struct network_cidr){ADDRESS(100, 100, 100, 200), 32};
	start->domain_count = 2;
	memcpy(packet.bytes + sizeof(*start), names, sizeof(names));
	policy_set(&policy, start);
	*state = &policy;
	return 0;
}

static enum policy_act act(
	const struct policy *policy, uint32_t profile, unsigned type, const char *name)
{
	return policy_question(policy, profile, type, MESSAGE_IN, name).act;
}

static void the_rate_is_that_of_the_start(void **state)
{
	const struct policy *policy = *state;

	assert_int_equal(policy->names_per_second, 20);
}

static void profile_none_is_never_answered(void **state)
{
	assert_int_equal(act(*state, NETWORK_NONE, MESSAGE_A, "good.test"), POLICY_DROP);
	assert_int_equal(act(*state, NETWORK_NONE, AAAA, "good.test"), POLICY_DROP);
	assert_int_equal(
		act(*state, NETWORK_NONE, MESSAGE_PTR, "34.216.184.93.in-addr.arpa"), POLICY_DROP);
	assert_int_equal(policy_question(*state, NETWORK_NONE, MESSAGE_A, CHAOS, "good.test").act,
		POLICY_DROP);
}

static void default_and_open_ask_for_any_host_name(void **state)
{
	for (uint32_t profile = NETWORK_DEFAULT; profile <= NETWORK_OPEN; profile += 2) {
		struct policy_verdict v =
			policy_question(*state, profile, MESSAGE_A, MESSAGE_IN, "evil.test");

		assert_int_equal(v.act, POLICY_ASK_A);
		assert_null(v.denied);
		assert_int_equal(act(*state, profile, MESSAGE_A, "a b.test"), POLICY_NO_NAME);
		assert_int_equal(act(*state, profile, MESSAGE_A, ""), POLICY_NO_NAME);
	}
}

static void every_other_type_has_no_record(void **state)
{
	for (uint32_t profile = NETWORK_DEFAULT; profile <= NETWORK_OPEN; profile++)
		for (unsigned type = 0; type <= UINT16_MAX; type++)
			if (type != MESSAGE_A && type != MESSAGE_PTR &&
				act(*state, profile, type, "good.test") != POLICY_NO_RECORD)
				fail_msg("profile %u, type %u", profile, type);
}

static void every_other_class_is_refused(void **state)
{
	for (unsigned class = 0; class <= UINT16_MAX; class ++)
		if (class != MESSAGE_IN &&
			policy_question(*state, NETWORK_OPEN, MESSAGE_A, class, "good.test").act !=
				POLICY_REFUSE)
			fail_msg("class %u", class);
}

static void allow_refuses_other_names_whatever_the_type(void **state)
{
	static const unsigned types[] = {MESSAGE_A, AAAA, MESSAGE_PTR, 0, 16, 255};
	static const char *const names[] = {
		"evil.test", "npm.test", "34.216.184.93.in-addr.arpa", ""};

	for (size_t t = 0; t < ARRAY_SIZE(types); t++)
		for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
			struct policy_verdict v = policy_question(
				*state, NETWORK_ALLOW, types[t], MESSAGE_IN, names[n]);

			assert_int_equal(v.act, POLICY_REFUSE);
			assert_string_equal(v.denied, "not allowed");
		}
	assert_int_equal(act(*state, NETWORK_ALLOW, MESSAGE_A, "good.test"), POLICY_ASK_A);
	assert_int_equal(act(*state, NETWORK_ALLOW, MESSAGE_A, "x.npm.test"), POLICY_ASK_A);
	assert_int_equal(act(*state, NETWORK_ALLOW, AAAA, "x.npm.test"), POLICY_NO_RECORD);
}

static void a_name_that_allow_matches_is_asked_only_when_it_is_a_host_name(void **state)
{
	assert_int_equal(act(*state, NETWORK_ALLOW, MESSAGE_A, "a\\000b.npm.test"), POLICY_NO_NAME);
	assert_int_equal(act(*state, NETWORK_ALLOW, MESSAGE_A, "a..npm.test"), POLICY_NO_NAME);
}

static void a_reverse_name_is_asked_for_public_and_excepted_addresses(void **state)
{
	struct policy_verdict v = policy_question(
		*state, NETWORK_DEFAULT, MESSAGE_PTR, MESSAGE_IN, "34.216.184.93.IN-ADDR.arpa");

	assert_int_equal(v.act, POLICY_ASK_PTR);
	assert_int_equal(v.reverse, PUBLIC);
	v = policy_question(
		*state, NETWORK_DEFAULT, MESSAGE_PTR, MESSAGE_IN, "255.255.7.10.in-addr.arpa");
	assert_int_equal(v.act, POLICY_ASK_PTR);
	assert_int_equal(v.reverse, ADDRESS(10, 7, 255, 255));
	assert_int_equal(
		act(*state, NETWORK_DEFAULT, MESSAGE_PTR, "0.0.8.10.in-addr.arpa"), POLICY_NO_NAME);
	assert_int_equal(
		act(*state, NETWORK_OPEN, MESSAGE_PTR, "0.0.8.10.in-addr.arpa"), POLICY_ASK_PTR);
}

static void what_is_no_reverse_name_does_not_exist(void **state)
{
	static const char *const wrong[] = {"", "good.test", "in-addr.arpa", "1.in-addr.arpa",
		"1.1.1.in-addr.arpa", "1.1.1.1.1.in-addr.arpa", "256.1.1.1.in-addr.arpa",
		"1.1.1.1000.in-addr.arpa", "01.1.1.1.in-addr.arpa", "00.1.1.1.in-addr.arpa",
		"1.1.1.-1.in-addr.arpa", "1..1.1.in-addr.arpa", "1.1.1.1.in-addr.arpa.evil",
		"1.1.1.1.in-addr", "1.1.1.1", "1.1.1.1.ip6.arpa", "a.1.1.1.in-addr.arpa",
		"+1.1.1.1.in-addr.arpa", " 1.1.1.1.in-addr.arpa", "1\\0461.1.1.in-addr.arpa"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (act(*state, NETWORK_OPEN, MESSAGE_PTR, wrong[i]) != POLICY_NO_NAME)
			fail_msg("%s", wrong[i]);
	assert_int_equal(
		act(*state, NETWORK_OPEN, MESSAGE_PTR, "0.0.0.0.in-addr.arpa"), POLICY_ASK_PTR);
}

static struct policy_verdict answer(
	const struct policy *policy, uint32_t profile, const uint32_t *addresses, uint32_t count)
{
	return policy_addresses(policy, profile, "good.test", addresses, count, 300);
}

static bool passes(const struct policy *policy, uint32_t profile, uint32_t address)
{
	struct policy_verdict v = answer(policy, profile, &address, 1);

	if (v.count == 0) {
		assert_int_equal(v.act, POLICY_NO_RECORD);
		assert_string_equal(v.denied, "private address");
		return false;
	}
	assert_int_equal(v.count, 1);
	assert_int_equal(v.addresses[0], address);
	assert_null(v.denied);
	return true;
}

/* The list is written down a second time on purpose. */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{ADDRESS(0, 0, 0, 0), ADDRESS(0, 255, 255, 255)},
	{ADDRESS(10, 0, 0, 0), ADDRESS(10, 6, 255, 255)},
	{ADDRESS(10, 8, 0, 0), ADDRESS(10, 255, 255, 255)},
	{ADDRESS(100, 64, 0, 0), ADDRESS(100, 100, 100, 199)},
	{ADDRESS(100, 100, 100, 201), ADDRESS(100, 127, 255, 255)},
	{ADDRESS(127, 0, 0, 0), ADDRESS(127, 255, 255, 255)},
	{ADDRESS(169, 254, 0, 0), ADDRESS(169, 254, 255, 255)},
	{ADDRESS(172, 16, 0, 0), ADDRESS(172, 31, 255, 255)},
	{ADDRESS(192, 0, 0, 0), ADDRESS(192, 0, 0, 255)},
	{ADDRESS(192, 0, 2, 0), ADDRESS(192, 0, 2, 255)},
	{ADDRESS(192, 88, 99, 0), ADDRESS(192, 88, 99, 255)},
	{ADDRESS(192, 168, 0, 0), ADDRESS(192, 168, 255, 255)},
	{ADDRESS(198, 18, 0, 0), ADDRESS(198, 19, 255, 255)},
	{ADDRESS(198, 51, 100, 0), ADDRESS(198, 51, 100, 255)},
	{ADDRESS(203, 0, 113, 0), ADDRESS(203, 0, 113, 255)},
	{ADDRESS(224, 0, 0, 0), ADDRESS(255, 255, 255, 255)},
};

static void private_addresses_are_taken_out_from_the_first_to_the_last_of_each_range(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		for (uint32_t profile = NETWORK_DEFAULT; profile <= NETWORK_ALLOW; profile++) {
			if (passes(*state, profile, hidden[i].first) ||
				passes(*state, profile, hidden[i].last) ||
				passes(*state, profile,
					hidden[i].first + (hidden[i].last - hidden[i].first) / 2))
				fail_msg("range %zu", i);
			if (hidden[i].first > 0 && !passes(*state, profile, hidden[i].first - 1))
				fail_msg("before range %zu", i);
			if (hidden[i].last < UINT32_MAX &&
				!passes(*state, profile, hidden[i].last + 1))
				fail_msg("behind range %zu", i);
		}
}

static void profile_open_takes_nothing_out(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		assert_true(passes(*state, NETWORK_OPEN, hidden[i].first));
		assert_true(passes(*state, NETWORK_OPEN, hidden[i].last));
	}
}

static void what_is_left_of_a_mixed_answer_keeps_its_order(void **state)
{
	static const uint32_t mixed[] = {ADDRESS(127, 0, 0, 1), PUBLIC, ADDRESS(10, 0, 0, 1),
		ADDRESS(10, 7, 0, 1), ADDRESS(8, 8, 8, 8), ADDRESS(192, 168, 0, 1)};
	struct policy_verdict v = answer(*state, NETWORK_DEFAULT, mixed, ARRAY_SIZE(mixed));

	assert_int_equal(v.act, POLICY_ANSWER);
	assert_string_equal(v.denied, "private address");
	assert_int_equal(v.count, 3);
	assert_int_equal(v.addresses[0], PUBLIC);
	assert_int_equal(v.addresses[1], ADDRESS(10, 7, 0, 1));
	assert_int_equal(v.addresses[2], ADDRESS(8, 8, 8, 8));
}

static void an_answer_without_addresses_has_no_record_and_denies_nothing(void **state)
{
	struct policy_verdict v = answer(*state, NETWORK_DEFAULT, NULL, 0);

	assert_int_equal(v.act, POLICY_NO_RECORD);
	assert_null(v.denied);
}

static void only_allow_has_its_addresses_admitted(void **state)
{
	static const uint32_t address = PUBLIC;

	assert_int_equal(answer(*state, NETWORK_DEFAULT, &address, 1).act, POLICY_ANSWER);
	assert_int_equal(answer(*state, NETWORK_OPEN, &address, 1).act, POLICY_ANSWER);
	assert_int_equal(answer(*state, NETWORK_ALLOW, &address, 1).act, POLICY_ADMIT);
}

static void the_profile_at_the_answer_counts(void **state)
{
	static const uint32_t address = PUBLIC;

	assert_int_equal(answer(*state, NETWORK_NONE, &address, 1).act, POLICY_DROP);
	assert_int_equal(policy_addresses(*state, NETWORK_ALLOW, "evil.test", &address, 1, 300).act,
		POLICY_REFUSE);
}

static void an_admitted_address_is_never_known_longer_than_it_is_admitted(void **state)
{
	static const uint32_t ttls[] = {0, 1, DNS_TTL_MIN - 1, DNS_TTL_MIN, DNS_TTL_MIN + 1, 300,
		DNS_TTL_MAX - 1, DNS_TTL_MAX, DNS_TTL_MAX + 1, INT32_MAX};
	static const uint32_t address = PUBLIC;

	for (size_t i = 0; i < ARRAY_SIZE(ttls); i++) {
		struct policy_verdict v =
			policy_addresses(*state, NETWORK_ALLOW, "good.test", &address, 1, ttls[i]);

		assert_in_range(v.admit_ttl, DNS_TTL_MIN, DNS_TTL_MAX);
		assert_true(v.answer_ttl <= v.admit_ttl);
		assert_int_equal(v.answer_ttl, ttls[i] < DNS_TTL_MAX ? ttls[i] : DNS_TTL_MAX);
		v = policy_addresses(*state, NETWORK_DEFAULT, "good.test", &address, 1, ttls[i]);
		assert_int_equal(v.answer_ttl, ttls[i]);
	}
}

static void no_more_addresses_are_left_than_fit_a_packet(void **state)
{
	uint32_t many[32];
	char name[DOMAINS_NAME_MAX + 1];
	uint8_t packet[MESSAGE_MAX];

	for (uint32_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = PUBLIC + i;
	for (size_t length = 1; length <= DOMAINS_NAME_MAX; length++) {
		struct message_question q = {.size = (uint16_t)(length + 6)};
		struct policy_verdict v;
		struct message_answer a;

		memset(name, 'x', length);
		for (size_t i = 63; i + 1 < length; i += 64)
			name[i] = '.';
		name[length] = '\0';
		if (!domains_is_host_name(name))
			continue; /* it would need a label of 64 */
		v = policy_addresses(*state, NETWORK_DEFAULT, name, many, ARRAY_SIZE(many), 300);
		assert_in_range(v.count, 15, DNS_ADDRESSES_MAX);
		a = (struct message_answer){.count = v.count, .addresses = v.addresses};
		assert_true(message_build(&q, &a, packet) <= MESSAGE_MAX);
		assert_memory_equal(v.addresses, many, v.count * sizeof(many[0]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_is_that_of_the_start),
		cmocka_unit_test(profile_none_is_never_answered),
		cmocka_unit_test(default_and_open_ask_for_any_host_name),
		cmocka_unit_test(every_other_type_has_no_record),
		cmocka_unit_test(every_other_class_is_refused),
		cmocka_unit_test(allow_refuses_other_names_whatever_the_type),
		cmocka_unit_test(a_name_that_allow_matches_is_asked_only_when_it_is_a_host_name),
		cmocka_unit_test(a_reverse_name_is_asked_for_public_and_excepted_addresses),
		cmocka_unit_test(what_is_no_reverse_name_does_not_exist),
		cmocka_unit_test(
			private_addresses_are_taken_out_from_the_first_to_the_last_of_each_range),
		cmocka_unit_test(profile_open_takes_nothing_out),
		cmocka_unit_test(what_is_left_of_a_mixed_answer_keeps_its_order),
		cmocka_unit_test(an_answer_without_addresses_has_no_record_and_denies_nothing),
		cmocka_unit_test(only_allow_has_its_addresses_admitted),
		cmocka_unit_test(the_profile_at_the_answer_counts),
		cmocka_unit_test(an_admitted_address_is_never_known_longer_than_it_is_admitted),
		cmocka_unit_test(no_more_addresses_are_left_than_fit_a_packet),
	};

	return cmocka_run_group_tests_name("dns_policy", tests, set_up, NULL);
}
