/* What check_message() and its helpers say, with a protocol of the test's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "proto/check.h"

static int fields_result;

static int check_fields(const void *message, uint32_t size, struct error *err)
{
	(void)message;
	(void)size;
	return fields_result < 0 ? error_set(err, -fields_result, "colour: too loud") : 0;
}

static const struct message_rule rules[] = {
	{.type = 1,
		.direction = MESSAGE_TO_SERVER,
		.name = "ASK",
		.fixed_size = 24,
		.payload_max = 8,
		.has_id = true,
		.check_fields = check_fields},
	{.type = 2,
		.direction = MESSAGE_TO_CLIENT,
		.name = "TELL",
		.fixed_size = 16,
		.fds_min = 1,
		.fds_max = 2},
};

static const struct message_protocol protocol = {
	.name = "test", .version = 3, .rules = rules, .rule_count = ARRAY_SIZE(rules)};

static struct {
	struct message_header header;
	uint64_t body[2];
} packet;

static int set_up(void **state)
{
	(void)state;
	fields_result = 0;
	packet.header = (struct message_header){.version = 3, .type = 1, .size = 24, .id = 1};
	return 0;
}

static int check(uint32_t size, struct error *err)
{
	const struct message_rule *rule;

	packet.header.size = size;
	return check_message(&protocol, MESSAGE_TO_SERVER, &packet, size, 0, &rule, err);
}

static void rule_is_found_by_its_type(void **state)
{
	(void)state;
	assert_ptr_equal(check_find(&protocol, 1), &rules[0]);
	assert_ptr_equal(check_find(&protocol, 2), &rules[1]);
	assert_null(check_find(&protocol, 0));
	assert_null(check_find(&protocol, 3));
}

static void payload_may_have_every_size_up_to_its_maximum(void **state)
{
	(void)state;
	assert_int_equal(check(23, NULL), -EMSGSIZE);
	for (uint32_t size = 24; size <= 32; size++)
		assert_int_equal(check(size, NULL), 0);
	assert_int_equal(check(33, NULL), -EMSGSIZE);
}

static void error_of_a_field_names_message_and_field(void **state)
{
	struct error err;

	(void)state;
	fields_result = -EPROTO;
	assert_int_equal(check(24, &err), -EPROTO);
	assert_int_equal(err.code, EPROTO);
	assert_string_equal(err.text, "ASK: colour: too loud");
}

static void error_without_a_known_message_names_the_protocol(void **state)
{
	struct error err;

	(void)state;
	packet.header.version = 4;
	assert_int_equal(check(24, &err), -EPROTONOSUPPORT);
	assert_string_equal(err.text, "test: version 4, this side speaks 3");
}

static void nobody_need_listen_to_the_reason(void **state)
{
	(void)state;
	fields_result = -EPROTO;
	assert_int_equal(check(24, NULL), -EPROTO);
	assert_int_equal(check(15, NULL), -EMSGSIZE);
}

static void empty_packet_is_refused(void **state)
{
	const struct message_rule *rule;

	(void)state;
	assert_int_equal(
		check_message(&protocol, MESSAGE_TO_SERVER, "", 0, 0, &rule, NULL), -EMSGSIZE);
}

static void any_number_of_fds_within_the_rule_is_accepted(void **state)
{
	const struct message_rule *rule;

	(void)state;
	packet.header = (struct message_header){.version = 3, .type = 2, .size = 16};
	for (size_t fds = 0; fds <= 3; fds++)
		assert_int_equal(
			check_message(&protocol, MESSAGE_TO_CLIENT, &packet, 16, fds, &rule, NULL),
			fds == 1 || fds == 2 ? 0 : -EPROTO);
}

static void string_must_end_within_its_field(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(check_string("abc", 4, "f", NULL), 0);
	assert_int_equal(check_string("", 1, "f", NULL), 0);
	assert_int_equal(check_string("abc", 3, "f", &err), -EPROTO);
	assert_string_equal(err.text, "f: not terminated");
}

static void name_may_be_empty_only_where_that_is_said(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(check_name("base-1.2_x", 11, false, "f", NULL), 0);
	assert_int_equal(check_name("", 1, true, "f", NULL), 0);
	assert_int_equal(check_name("", 1, false, "f", &err), -EPROTO);
	assert_string_equal(err.text, "f: not a name");
	assert_int_equal(check_name("../x", 5, true, "f", NULL), -EPROTO);
	assert_int_equal(check_name("a\nb", 4, true, "f", NULL), -EPROTO);
	assert_int_equal(check_name("abc", 3, true, "f", &err), -EPROTO);
	assert_string_equal(err.text, "f: not terminated");
}

static void range_includes_both_its_ends(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(check_range(1, 1, 3, "f", NULL), 0);
	assert_int_equal(check_range(3, 1, 3, "f", NULL), 0);
	assert_int_equal(check_range(0, 1, 3, "f", NULL), -EPROTO);
	assert_int_equal(check_range(UINT64_MAX, 1, 3, "f", &err), -EPROTO);
	assert_string_equal(err.text, "f: 18446744073709551615, want 1 to 3");
}

static void zero_means_each_byte(void **state)
{
	char bytes[5] = {0};
	struct error err;

	(void)state;
	assert_int_equal(check_zero(bytes, sizeof(bytes), "f", NULL), 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		memset(bytes, 0, sizeof(bytes));
		bytes[i] = 1;
		assert_int_equal(check_zero(bytes, sizeof(bytes), "f", &err), -EPROTO);
		assert_string_equal(err.text, "f: not zero");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rule_is_found_by_its_type, set_up),
		cmocka_unit_test_setup(payload_may_have_every_size_up_to_its_maximum, set_up),
		cmocka_unit_test_setup(error_of_a_field_names_message_and_field, set_up),
		cmocka_unit_test_setup(error_without_a_known_message_names_the_protocol, set_up),
		cmocka_unit_test_setup(nobody_need_listen_to_the_reason, set_up),
		cmocka_unit_test_setup(empty_packet_is_refused, set_up),
		cmocka_unit_test_setup(any_number_of_fds_within_the_rule_is_accepted, set_up),
		cmocka_unit_test_setup(string_must_end_within_its_field, set_up),
		cmocka_unit_test_setup(name_may_be_empty_only_where_that_is_said, set_up),
		cmocka_unit_test_setup(range_includes_both_its_ends, set_up),
		cmocka_unit_test_setup(zero_means_each_byte, set_up),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
