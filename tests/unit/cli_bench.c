/* bench.h: percentiles are samples that were seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/bench.h"

static void samples_are_sorted_upwards(void **state)
{
	uint64_t samples[] = {5, UINT64_MAX, 0, 5, 3};

	(void)state;
	bench_sort(samples, 5);
	for (int i = 1; i < 5; i++)
		assert_true(samples[i - 1] <= samples[i]);
	assert_int_equal(samples[4], UINT64_MAX);
}

static void a_percentile_is_the_nearest_rank(void **state)
{
	uint64_t samples[1000];

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		samples[i] = i + 1;
	assert_int_equal(bench_percentile(samples, 1000, 500), 500);
	assert_int_equal(bench_percentile(samples, 1000, 990), 990);
	assert_int_equal(bench_percentile(samples, 1000, 999), 999);
	assert_int_equal(bench_percentile(samples, 1000, 1000), 1000);
	assert_int_equal(bench_percentile(samples, 1000, 0), 1);
}

static void few_samples_give_the_worst_of_them(void **state)
{
	const uint64_t samples[] = {10, 20, 30};

	(void)state;
	assert_int_equal(bench_percentile(samples, 3, 500), 20);
	assert_int_equal(bench_percentile(samples, 3, 990), 30);
	assert_int_equal(bench_percentile(samples, 1, 500), 10);
}

static void no_samples_give_nothing(void **state)
{
	(void)state;
	assert_int_equal(bench_percentile(NULL, 0, 500), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_sorted_upwards),
		cmocka_unit_test(a_percentile_is_the_nearest_rank),
		cmocka_unit_test(few_samples_give_the_worst_of_them),
		cmocka_unit_test(no_samples_give_nothing),
	};

	return cmocka_run_group_tests_name("cli_bench", tests, NULL, NULL);
}
