/* config_value.h: each type of value, at its limits and beyond them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/config_value.h"
#include "base/error.h"

struct fields {
	char text[9];
	char guard; /* what a text one byte too long would change */
	bool flag;
	uint32_t narrow;
	uint64_t wide;
	int choice;
};

static struct fields fields;
static struct error err;

static int set(const struct config_option *option, const char *text)
{
	return config_value_set(option, text, &fields, &err);
}

static void refused(const struct config_option *option, const char *text, const char *message)
{
	struct fields before = fields;

	assert_int_equal(set(option, text), -EINVAL);
	assert_string_equal(err.text, message);
	assert_memory_equal(&fields, &before, sizeof(fields));
}

static void string_fills_its_array_and_no_more(void **state)
{
	static const struct config_option option = {.type = CONFIG_STRING,
		.offset = offsetof(struct fields, text),
		.size = sizeof(fields.text),
		.standard = ""};

	(void)state;
	fields.guard = '!';
	assert_int_equal(set(&option, "12345678"), 0);
	assert_string_equal(fields.text, "12345678");
	refused(&option, "123456789", "want text of 0 to 8 bytes");
	assert_int_equal(set(&option, ""), 0);
	assert_string_equal(fields.text, "");
	assert_int_equal(fields.guard, '!');
}

static void string_may_have_a_shortest_and_longest_length(void **state)
{
	static const struct config_option option = {.type = CONFIG_STRING,
		.offset = offsetof(struct fields, text),
		.size = sizeof(fields.text),
		.min = 2,
		.max = 4,
		.standard = ""};

	(void)state;
	refused(&option, "1", "want text of 2 to 4 bytes");
	assert_int_equal(set(&option, "12"), 0);
	assert_int_equal(set(&option, "1234"), 0);
	refused(&option, "12345", "want text of 2 to 4 bytes");
}

static void list_grows_by_each_value_and_is_kept_when_one_does_not_fit(void **state)
{
	static const struct config_option option = {.type = CONFIG_LIST,
		.offset = offsetof(struct fields, text),
		.size = sizeof(fields.text),
		.standard = ""};
	const char *want = "want a list of 0 to 8 bytes, all its lines together";

	(void)state;
	memset(&fields, 0, sizeof(fields));
	fields.guard = '!';
	assert_int_equal(set(&option, ""), 0);
	assert_int_equal(set(&option, "ab"), 0);
	assert_string_equal(fields.text, "ab");
	refused(&option, "123456", want);
	assert_int_equal(set(&option, ""), 0);
	assert_string_equal(fields.text, "ab");
	assert_int_equal(set(&option, "12345"), 0);
	assert_string_equal(fields.text, "ab 12345");
	refused(&option, "1", want);
	assert_int_equal(set(&option, ""), 0);
	assert_int_equal(fields.guard, '!');
}

static void name_must_be_a_name_that_fits(void **state)
{
	static const struct config_option option = {.type = CONFIG_NAME,
		.offset = offsetof(struct fields, text),
		.size = sizeof(fields.text),
		.standard = "x"};
	const char *want = "want a name: 1 to 8 of a-z 0-9 . _ -, a letter or digit first";

	(void)state;
	assert_int_equal(set(&option, "base-1.2"), 0);
	assert_string_equal(fields.text, "base-1.2");
	refused(&option, "base-1.23", want);
	refused(&option, "Base", want);
	refused(&option, ".x", want);
	refused(&option, "a/b", want);
	refused(&option, "a b", want);
	refused(&option, "", want);
}

static void name_may_be_empty_where_that_is_the_default(void **state)
{
	static const struct config_option option = {.type = CONFIG_NAME,
		.offset = offsetof(struct fields, text),
		.size = sizeof(fields.text),
		.standard = ""};

	(void)state;
	strcpy(fields.text, "x");
	assert_int_equal(set(&option, ""), 0);
	assert_string_equal(fields.text, "");
}

static void bool_knows_three_pairs_of_words(void **state)
{
	static const struct config_option option = {.type = CONFIG_BOOL,
		.offset = offsetof(struct fields, flag),
		.size = sizeof(fields.flag),
		.standard = "no"};

	(void)state;
	assert_int_equal(set(&option, "yes"), 0);
	assert_true(fields.flag);
	assert_int_equal(set(&option, "no"), 0);
	assert_false(fields.flag);
	assert_int_equal(set(&option, "true"), 0);
	assert_true(fields.flag);
	assert_int_equal(set(&option, "false"), 0);
	assert_false(fields.flag);
	assert_int_equal(set(&option, "on"), 0);
	assert_true(fields.flag);
	assert_int_equal(set(&option, "off"), 0);
	assert_false(fields.flag);
	refused(&option, "1", "want yes or no");
	refused(&option, "Yes", "want yes or no");
	refused(&option, "", "want yes or no");
}

static void number_keeps_to_its_range(void **state)
{
	static const struct config_option option = {.type = CONFIG_NUMBER,
		.offset = offsetof(struct fields, wide),
		.size = sizeof(fields.wide),
		.min = 5,
		.max = 10,
		.standard = "5"};
	const char *want = "want a whole number from 5 to 10";

	(void)state;
	assert_int_equal(set(&option, "5"), 0);
	assert_int_equal(fields.wide, 5);
	assert_int_equal(set(&option, "10"), 0);
	assert_int_equal(fields.wide, 10);
	refused(&option, "4", want);
	refused(&option, "11", want);
	refused(&option, "-5", want);
	refused(&option, "+5", want);
	refused(&option, "5.0", want);
	refused(&option, "0x5", want);
	refused(&option, "5 6", want);
	refused(&option, "18446744073709551621", want); /* 2^64 + 5 */
	refused(&option, "", want);
}

static void number_without_a_limit_is_limited_by_its_field(void **state)
{
	static const struct config_option narrow = {.type = CONFIG_NUMBER,
		.offset = offsetof(struct fields, narrow),
		.size = sizeof(fields.narrow),
		.standard = "0"};
	static const struct config_option wide = {.type = CONFIG_NUMBER,
		.offset = offsetof(struct fields, wide),
		.size = sizeof(fields.wide),
		.standard = "0"};

	(void)state;
	assert_int_equal(set(&narrow, "4294967295"), 0);
	assert_int_equal(fields.narrow, UINT32_MAX);
	refused(&narrow, "4294967296", "want a whole number from 0 to 4294967295");
	assert_int_equal(set(&wide, "18446744073709551615"), 0);
	assert_true(fields.wide == UINT64_MAX);
	refused(&wide, "18446744073709551616",
		"want a whole number from 0 to 18446744073709551615");
}

static void size_has_a_unit_and_a_range(void **state)
{
	static const struct config_option option = {.type = CONFIG_SIZE,
		.offset = offsetof(struct fields, wide),
		.size = sizeof(fields.wide),
		.min = 4096,
		.max = UINT64_C(1) << 40,
		.standard = "4K"};
	const char *want = "want a size from 4K to 1T, as 256M";

	(void)state;
	assert_int_equal(set(&option, "4096"), 0);
	assert_int_equal(fields.wide, 4096);
	assert_int_equal(set(&option, "1T"), 0);
	assert_true(fields.wide == UINT64_C(1) << 40);
	refused(&option, "4095", want);
	refused(&option, "2T", want);
	refused(&option, "1MB", want);
	refused(&option, "1m", want);
	refused(&option, "99999999999999T", want);
}

static void duration_is_kept_in_milliseconds(void **state)
{
	static const struct config_option option = {.type = CONFIG_DURATION,
		.offset = offsetof(struct fields, narrow),
		.size = sizeof(fields.narrow),
		.min = 250,
		.max = 7200000,
		.standard = "1s"};
	const char *want = "want a duration from 250ms to 2h, as 250ms or 30s";

	(void)state;
	assert_int_equal(set(&option, "250ms"), 0);
	assert_int_equal(fields.narrow, 250);
	assert_int_equal(set(&option, "1.5"), 0);
	assert_int_equal(fields.narrow, 1500);
	assert_int_equal(set(&option, "2h"), 0);
	assert_int_equal(fields.narrow, 7200000);
	refused(&option, "0.1s", want);
	refused(&option, "121m", want);
	refused(&option, "3d", want);
	refused(&option, "-1s", want);
}

static void duration_from_nothing_is_written_as_seconds(void **state)
{
	static const struct config_option option = {.type = CONFIG_DURATION,
		.offset = offsetof(struct fields, wide),
		.size = sizeof(fields.wide),
		.max = 90000,
		.standard = "0"};

	(void)state;
	assert_int_equal(set(&option, "0"), 0);
	assert_int_equal(fields.wide, 0);
	refused(&option, "x", "want a duration from 0s to 90s, as 250ms or 30s");
}

static void cpus_are_kept_in_thousandths(void **state)
{
	static const struct config_option option = {.type = CONFIG_MILLI_CPU,
		.offset = offsetof(struct fields, narrow),
		.size = sizeof(fields.narrow),
		.min = 10,
		.max = 64000,
		.standard = "1"};
	const char *want = "want a number of CPUs from 0.010 to 64.000";

	(void)state;
	assert_int_equal(set(&option, "1.5"), 0);
	assert_int_equal(fields.narrow, 1500);
	assert_int_equal(set(&option, "0.01"), 0);
	assert_int_equal(fields.narrow, 10);
	refused(&option, "0.009", want);
	refused(&option, "64.001", want);
	refused(&option, "1.5x", want);
	refused(&option, "1.0001", want);
}

static void choice_is_one_of_its_words(void **state)
{
	static const struct config_choice choices[] = {
		{"build", 7}, {"wait", 8}, {"fail", 9}, {NULL, 0}};
	static const struct config_option option = {.type = CONFIG_CHOICE,
		.offset = offsetof(struct fields, choice),
		.size = sizeof(fields.choice),
		.standard = "build",
		.choices = choices};

	(void)state;
	assert_int_equal(set(&option, "fail"), 0);
	assert_int_equal(fields.choice, 9);
	assert_int_equal(set(&option, "build"), 0);
	assert_int_equal(fields.choice, 7);
	refused(&option, "Build", "want one of build, wait, fail");
	refused(&option, "", "want one of build, wait, fail");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(string_fills_its_array_and_no_more),
		cmocka_unit_test(string_may_have_a_shortest_and_longest_length),
		cmocka_unit_test(list_grows_by_each_value_and_is_kept_when_one_does_not_fit),
		cmocka_unit_test(name_must_be_a_name_that_fits),
		cmocka_unit_test(name_may_be_empty_where_that_is_the_default),
		cmocka_unit_test(bool_knows_three_pairs_of_words),
		cmocka_unit_test(number_keeps_to_its_range),
		cmocka_unit_test(number_without_a_limit_is_limited_by_its_field),
		cmocka_unit_test(size_has_a_unit_and_a_range),
		cmocka_unit_test(duration_is_kept_in_milliseconds),
		cmocka_unit_test(duration_from_nothing_is_written_as_seconds),
		cmocka_unit_test(cpus_are_kept_in_thousandths),
		cmocka_unit_test(choice_is_one_of_its_words),
	};

	return cmocka_run_group_tests_name("base/config_value", tests, NULL, NULL);
}
