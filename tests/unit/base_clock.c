/* clock.h: time only goes forward, and its units fit together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

static void monotonic_time_never_goes_back(void **state)
{
	uint64_t before = clock_now_ns();

	(void)state;
	assert_true(before > 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_now_ns();

		assert_true(now >= before);
		before = now;
	}
}

static void milliseconds_and_nanoseconds_are_of_the_same_clock(void **state)
{
	uint64_t before_ns = clock_now_ns(), ms = clock_now_ms(), after_ns = clock_now_ns();

	(void)state;
	assert_true(ms >= before_ns / NS_PER_MS);
	assert_true(ms <= after_ns / NS_PER_MS);
}

static void units_are_powers_of_a_thousand(void **state)
{
	(void)state;
	assert_true(NS_PER_MS == 1000 * NS_PER_US);
	assert_true(NS_PER_S == 1000 * NS_PER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic_time_never_goes_back),
		cmocka_unit_test(milliseconds_and_nanoseconds_are_of_the_same_clock),
		cmocka_unit_test(units_are_powers_of_a_thousand),
	};

	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
