/* number.h: what is a number, what is not, and where the limits are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/number.h"

typedef int parse_function(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

static void gives(parse_function *parse, const char *text, uint64_t expected)
{
	uint64_t value = ~expected;

	assert_int_equal(parse(text, 0, UINT64_MAX, &value), 0);
	assert_true(value == expected);
}

static void refuses(parse_function *parse, const char *text, int error)
{
	uint64_t value = 4711;

	assert_int_equal(parse(text, 0, UINT64_MAX, &value), -error);
	assert_int_equal(value, 4711); /* written only on success */
}

static void range_is_inclusive(parse_function *parse, const char *text, uint64_t value)
{
	uint64_t got;

	assert_int_equal(parse(text, value, value, &got), 0);
	assert_int_equal(parse(text, value + 1, UINT64_MAX, &got), -ERANGE);
	assert_int_equal(parse(text, 0, value - 1, &got), -ERANGE);
}

static void whole_numbers_are_decimal(void **state)
{
	(void)state;
	gives(number_parse, "0", 0);
	gives(number_parse, "007", 7);
	gives(number_parse, "18446744073709551615", UINT64_MAX);
	range_is_inclusive(number_parse, "10", 10);
}

static void whole_numbers_allow_nothing_else(void **state)
{
	static const char *const bad[] = {
		"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "1e3", "a", "1\n", "\xd9\xa1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(number_parse, bad[i], EINVAL);
}

static void whole_numbers_do_not_overflow(void **state)
{
	(void)state;
	refuses(number_parse, "18446744073709551616", ERANGE);
	refuses(number_parse, "99999999999999999999999999", ERANGE);
}

static void sizes_are_powers_of_1024(void **state)
{
	(void)state;
	gives(number_parse_size, "512", 512);
	gives(number_parse_size, "1K", 1024);
	gives(number_parse_size, "256M", UINT64_C(256) << 20);
	gives(number_parse_size, "3G", UINT64_C(3) << 30);
	gives(number_parse_size, "2T", UINT64_C(2) << 40);
	range_is_inclusive(number_parse_size, "4K", 4096);
}

static void sizes_have_one_unit(void **state)
{
	static const char *const bad[] = {"", "K", "1KB", "1k", "1 K", "1.5G", "-1K", "1P"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(number_parse_size, bad[i], EINVAL);
}

static void sizes_do_not_overflow(void **state)
{
	(void)state;
	gives(number_parse_size, "16777215T", UINT64_C(16777215) << 40);
	refuses(number_parse_size, "16777216T", ERANGE);
}

static void durations_have_units_and_default_to_seconds(void **state)
{
	(void)state;
	gives(number_parse_duration_ms, "250ms", 250);
	gives(number_parse_duration_ms, "30s", 30000);
	gives(number_parse_duration_ms, "30", 30000);
	gives(number_parse_duration_ms, "5m", 300000);
	gives(number_parse_duration_ms, "2h", 7200000);
	gives(number_parse_duration_ms, "0", 0);
	range_is_inclusive(number_parse_duration_ms, "1s", 1000);
}

static void durations_may_have_three_decimals(void **state)
{
	(void)state;
	gives(number_parse_duration_ms, "1.5", 1500);
	gives(number_parse_duration_ms, "0.001", 1);
	gives(number_parse_duration_ms, "0.25h", 900000);
	gives(number_parse_duration_ms, "0.9ms", 0); /* below a millisecond: cut */
	refuses(number_parse_duration_ms, "1.0005", EINVAL);
}

static void durations_allow_nothing_else(void **state)
{
	static const char *const bad[] = {"", "s", "1 s", "1sec", "1d", "-1s", "1.", ".5", "1.s"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(number_parse_duration_ms, bad[i], EINVAL);
}

static void durations_do_not_overflow(void **state)
{
	(void)state;
	refuses(number_parse_duration_ms, "18446744073709551615s", ERANGE);
	refuses(number_parse_duration_ms, "18446744073709551h", ERANGE);
	refuses(number_parse_duration_ms, "18446744073709551.999h", ERANGE);
}

static void decimals_do_not_overflow_either(void **state)
{
	(void)state;
	/* 18446744073709551 * 1000 fits; with .999 it is beyond 2^64. */
	refuses(number_parse_milli, "18446744073709551.999", ERANGE);
	gives(number_parse_milli, "18446744073709551.615", UINT64_MAX);
}

static void cpus_are_thousandths(void **state)
{
	(void)state;
	gives(number_parse_milli, "1", 1000);
	gives(number_parse_milli, "1.5", 1500);
	gives(number_parse_milli, "0.25", 250);
	gives(number_parse_milli, "2.125", 2125);
	refuses(number_parse_milli, "1.5x", EINVAL);
	refuses(number_parse_milli, "1.", EINVAL);
	refuses(number_parse_milli, "", EINVAL);
	range_is_inclusive(number_parse_milli, "1.5", 1500);
}

static void sizes_are_written_in_the_largest_exact_unit(void **state)
{
	char buffer[24];

	(void)state;
	assert_string_equal(number_format_size(0, buffer), "0");
	assert_string_equal(number_format_size(1000, buffer), "1000");
	assert_string_equal(number_format_size(1024, buffer), "1K");
	assert_string_equal(number_format_size(1536, buffer), "1536");
	assert_string_equal(number_format_size(UINT64_C(268435456), buffer), "256M");
	assert_string_equal(number_format_size(UINT64_C(3) << 40, buffer), "3T");
	assert_string_equal(number_format_size(UINT64_C(1) << 60, buffer), "1048576T");
	assert_string_equal(number_format_size(UINT64_MAX, buffer), "18446744073709551615");
}

static void written_sizes_read_back(void **state)
{
	(void)state;
	for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 + value % 2) {
		char buffer[24];
		uint64_t back = 0;

		assert_int_equal(
			number_parse_size(number_format_size(value, buffer), 0, UINT64_MAX, &back),
			0);
		assert_true(back == value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers_are_decimal),
		cmocka_unit_test(whole_numbers_allow_nothing_else),
		cmocka_unit_test(whole_numbers_do_not_overflow),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(sizes_have_one_unit),
		cmocka_unit_test(sizes_do_not_overflow),
		cmocka_unit_test(durations_have_units_and_default_to_seconds),
		cmocka_unit_test(durations_may_have_three_decimals),
		cmocka_unit_test(durations_allow_nothing_else),
		cmocka_unit_test(durations_do_not_overflow),
		cmocka_unit_test(decimals_do_not_overflow_either),
		cmocka_unit_test(cpus_are_thousandths),
		cmocka_unit_test(sizes_are_written_in_the_largest_exact_unit),
		cmocka_unit_test(written_sizes_read_back),
	};

	return cmocka_run_group_tests_name("base/number", tests, NULL, NULL);
}
