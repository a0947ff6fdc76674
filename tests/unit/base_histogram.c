/* histogram.h: three digits are kept, whatever the magnitude. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/histogram.h"

static int set_up(void **state)
{
	*state = histogram_create();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	histogram_destroy(*state);
	return 0;
}

static void empty_histogram_is_all_zero(void **state)
{
	assert_int_equal(histogram_count(*state), 0);
	assert_int_equal(histogram_min(*state), 0);
	assert_int_equal(histogram_max(*state), 0);
	assert_true(histogram_mean(*state) == 0);
	assert_int_equal(histogram_percentile(*state, 50), 0);
	assert_int_equal(histogram_percentile(*state, 100), 0);
}

static void single_value_is_every_percentile(void **state)
{
	histogram_record(*state, 1234567);
	assert_int_equal(histogram_count(*state), 1);
	assert_int_equal(histogram_percentile(*state, 0), 1234567);
	assert_int_equal(histogram_percentile(*state, 50), 1234567);
	assert_int_equal(histogram_percentile(*state, 99.99), 1234567);
	assert_int_equal(histogram_max(*state), 1234567);
	assert_int_equal(histogram_min(*state), 1234567);
}

static void small_values_are_exact(void **state)
{
	for (uint64_t ns = 1; ns <= 2000; ns++)
		histogram_record(*state, ns);
	for (uint64_t ns = 20; ns <= 2000; ns += 20)
		assert_int_equal(histogram_percentile(*state, (double)ns / 20), ns);
}

static void every_magnitude_is_kept_to_three_digits(void **state)
{
	for (uint64_t ns = 1; ns <= HISTOGRAM_MAX_NS; ns += 1 + ns / 97) {
		uint64_t seen;

		histogram_reset(*state);
		histogram_record(*state, ns);
		histogram_record(*state, HISTOGRAM_MAX_NS);
		seen = histogram_percentile(*state, 50);
		assert_true(seen >= ns);
		assert_true(seen - ns <= ns / 1000);
	}
}

static void percentile_is_the_value_that_this_share_does_not_exceed(void **state)
{
	for (int i = 0; i < 990; i++)
		histogram_record(*state, 100);
	for (int i = 0; i < 9; i++)
		histogram_record(*state, 200);
	histogram_record(*state, 300);
	assert_int_equal(histogram_percentile(*state, 50), 100);
	assert_int_equal(histogram_percentile(*state, 99), 100);
	assert_int_equal(histogram_percentile(*state, 99.1), 200);
	assert_int_equal(histogram_percentile(*state, 99.9), 200);
	assert_int_equal(histogram_percentile(*state, 99.95), 300);
	assert_int_equal(histogram_percentile(*state, 100), 300);
}

static void percentile_beyond_the_ends_is_an_end(void **state)
{
	histogram_record(*state, 5);
	histogram_record(*state, 9);
	assert_int_equal(histogram_percentile(*state, -3), 5);
	assert_int_equal(histogram_percentile(*state, 101), 9);
}

static void percentile_never_exceeds_the_maximum(void **state)
{
	histogram_record(*state, 1000001); /* its cell goes on to 1000447 */
	assert_int_equal(histogram_percentile(*state, 50), 1000001);
}

static void mean_is_exact(void **state)
{
	histogram_record(*state, 1000001);
	histogram_record(*state, 1000002);
	histogram_record(*state, 1000006);
	assert_true(histogram_mean(*state) == 1000003);
}

static void zero_is_counted_as_the_smallest(void **state)
{
	histogram_record(*state, 0);
	histogram_record(*state, 10);
	assert_int_equal(histogram_count(*state), 2);
	assert_int_equal(histogram_percentile(*state, 50), 1);
	assert_int_equal(histogram_min(*state), 0);
}

static void more_than_an_hour_is_counted_as_an_hour(void **state)
{
	histogram_record(*state, 1);
	histogram_record(*state, UINT64_MAX / 2);
	histogram_record(*state, UINT64_MAX);
	assert_int_equal(histogram_count(*state), 3);
	assert_true(histogram_percentile(*state, 60) >= HISTOGRAM_MAX_NS);
	assert_true(histogram_percentile(*state, 60) <= HISTOGRAM_MAX_NS + HISTOGRAM_MAX_NS / 1000);
	assert_true(histogram_max(*state) == UINT64_MAX);
}

static void reset_forgets_everything(void **state)
{
	histogram_record(*state, 77);
	histogram_reset(*state);
	empty_histogram_is_all_zero(state);
	histogram_record(*state, 5);
	assert_int_equal(histogram_percentile(*state, 50), 5);
	assert_int_equal(histogram_min(*state), 5);
}

static void merge_is_as_if_all_were_recorded_in_one(void **state)
{
	struct histogram *other = histogram_create(), *both = histogram_create();
	uint64_t ns = 1;

	assert_non_null(other);
	assert_non_null(both);
	for (int i = 0; i < 1000; i++) {
		ns = ns * 6364136223846793005u % 1000000007;
		histogram_record(i % 3 ? *state : other, ns);
		histogram_record(both, ns);
	}
	histogram_merge(*state, other);
	assert_int_equal(histogram_count(*state), 1000);
	assert_int_equal(histogram_min(*state), histogram_min(both));
	assert_int_equal(histogram_max(*state), histogram_max(both));
	for (double percent = 0; percent <= 100; percent += 0.5)
		assert_int_equal(
			histogram_percentile(*state, percent), histogram_percentile(both, percent));
	assert_true(histogram_mean(*state) == histogram_mean(both));
	histogram_destroy(other);
	histogram_destroy(both);
}

static void merge_of_an_empty_one_changes_nothing(void **state)
{
	struct histogram *empty = histogram_create();

	assert_non_null(empty);
	histogram_record(*state, 5);
	histogram_merge(*state, empty);
	assert_int_equal(histogram_min(*state), 5);
	assert_int_equal(histogram_count(*state), 1);
	histogram_merge(empty, *state);
	assert_int_equal(histogram_min(empty), 5);
	histogram_destroy(empty);
}

static void destroy_accepts_null(void **state)
{
	(void)state;
	histogram_destroy(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(empty_histogram_is_all_zero),
		T(single_value_is_every_percentile),
		T(small_values_are_exact),
		T(every_magnitude_is_kept_to_three_digits),
		T(percentile_is_the_value_that_this_share_does_not_exceed),
		T(percentile_beyond_the_ends_is_an_end),
		T(percentile_never_exceeds_the_maximum),
		T(mean_is_exact),
		T(zero_is_counted_as_the_smallest),
		T(more_than_an_hour_is_counted_as_an_hour),
		T(reset_forgets_everything),
		T(merge_is_as_if_all_were_recorded_in_one),
		T(merge_of_an_empty_one_changes_nothing),
		cmocka_unit_test(destroy_accepts_null),
	};

	return cmocka_run_group_tests_name("base/histogram", tests, NULL, NULL);
}
