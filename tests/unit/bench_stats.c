/* bench_stats.h: percentiles are samples that were seen; runs differ only where the interval says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/bench_stats.h"

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
	uint64_t samples[10000];

	(void)state;
	for (uint64_t i = 0; i < 10000; i++)
		samples[i] = i + 1;
	assert_int_equal(bench_percentile(samples, 10000, 5000), 5000);
	assert_int_equal(bench_percentile(samples, 10000, 9900), 9900);
	assert_int_equal(bench_percentile(samples, 10000, 9990), 9990);
	assert_int_equal(bench_percentile(samples, 10000, 9999), 9999);
	assert_int_equal(bench_percentile(samples, 10000, 10000), 10000);
	assert_int_equal(bench_percentile(samples, 10000, 0), 1);
}

static void few_samples_give_the_worst_of_them(void **state)
{
	const uint64_t samples[] = {10, 20, 30};

	(void)state;
	assert_int_equal(bench_percentile(samples, 3, 5000), 20);
	assert_int_equal(bench_percentile(samples, 3, 9900), 30);
	assert_int_equal(bench_percentile(samples, 1, 5000), 10);
}

static void no_samples_give_nothing(void **state)
{
	(void)state;
	assert_int_equal(bench_percentile(NULL, 0, 5000), 0);
	assert_false(bench_supports(0, 5000));
	assert_false(bench_supports(0, 10000));
}

static void a_percentile_needs_a_sample_beyond_it(void **state)
{
	static const struct {
		unsigned quantile;
		unsigned long least;
	} rows[] = {{5000, 2}, {9000, 10}, {9900, 100}, {9990, 1000}, {9999, 10000}, {10000, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(bench_supports(rows[i].least, rows[i].quantile));
		assert_false(bench_supports(rows[i].least - 1, rows[i].quantile));
	}
}

static void values_are_kept_to_three_digits(void **state)
{
	(void)state;
	assert_int_equal(bench_round(0), 0);
	assert_int_equal(bench_round(999), 999);
	assert_int_equal(bench_round(1000), 1000);
	assert_int_equal(bench_round(1004), 1000);
	assert_int_equal(bench_round(1005), 1010);
	assert_int_equal(bench_round(9996), 10000);
	assert_int_equal(bench_round(123456789), 123000000);
	assert_int_equal(
		bench_round(UINT64_C(18446744073709551615)), UINT64_C(18400000000000000000));
}

static void blocks_are_of_equal_size_and_in_order(void **state)
{
	unsigned sizes[BENCH_BLOCKS] = {0}, last = 0;

	(void)state;
	for (unsigned long i = 0; i < 1000; i++) {
		unsigned block = bench_block(i, 1000);

		assert_true(block >= last && block < BENCH_BLOCKS);
		sizes[block]++;
		last = block;
	}
	for (int i = 0; i < BENCH_BLOCKS; i++)
		assert_true(sizes[i] == 1000 / BENCH_BLOCKS || sizes[i] == 1000 / BENCH_BLOCKS + 1);
}

/* count samples around base, as the same generator gives them each time; shift is added to every one. */
static struct bench_distribution make(
	unsigned long count, uint64_t base, int64_t shift, unsigned seed)
{
	struct bench_distribution d = {.cells = calloc(count, sizeof(*d.cells))};

	assert_non_null(d.cells);
	for (unsigned long i = 0; i < count; i++) {
		uint64_t noise = (uint64_t)rand_r(&seed) % (base / 10);

		d.cells[d.cell_count++] = (struct bench_cell){
			(uint64_t)((int64_t)(base + noise) + shift), bench_block(i, count), 1};
	}
	d.n = count;
	bench_sort_cells(&d);
	return d;
}

static struct bench_difference difference(
	struct bench_distribution a, struct bench_distribution b, unsigned quantile)
{
	struct bench_difference d;

	assert_int_equal(bench_compare(&a, &b, quantile, &d, NULL), 0);
	free(a.cells);
	free(b.cells);
	return d;
}

static void the_same_samples_are_no_change(void **state)
{
	static const unsigned quantiles[] = {5000, 9900};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bench_difference d =
			difference(make(2000, 10000, 0, 1), make(2000, 10000, 0, 1), quantiles[i]);

		assert_int_equal(d.verdict, BENCH_NO_CHANGE);
		assert_int_equal(d.a_ns, d.b_ns);
		assert_true(d.low_ns <= 0 && d.high_ns >= 0);
	}
}

static void other_samples_of_the_same_kind_are_no_change(void **state)
{
	unsigned changes = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++)
		changes += difference(make(1000, 10000, 0, seed), make(1000, 10000, 0, seed + 100),
				   5000)
				   .verdict != BENCH_NO_CHANGE;
	assert_true(changes <= 6); /* of 40 two are expected beyond 95 % */
}

static void shifted_samples_are_a_change_with_its_sign(void **state)
{
	struct bench_difference slower =
		difference(make(1000, 10000, 0, 1), make(1000, 10000, 500, 2), 5000);
	struct bench_difference faster =
		difference(make(1000, 10000, 0, 1), make(1000, 10000, -500, 2), 9900);

	(void)state;
	assert_int_equal(slower.verdict, BENCH_SLOWER);
	assert_true(slower.low_ns > 0 && slower.low_ns < 500 && slower.high_ns > 500);
	assert_true(slower.b_ns > slower.a_ns);
	assert_int_equal(faster.verdict, BENCH_FASTER);
	assert_true(faster.high_ns < 0 && faster.low_ns < -500 && faster.high_ns > -500);
}

/* Each block slow or fast as a whole: 1000 samples say no more than 32. */
static struct bench_distribution make_drifting(unsigned long count, unsigned seed, uint64_t shift)
{
	struct bench_distribution d = {.cells = calloc(count, sizeof(*d.cells)), .n = count};
	uint64_t level[BENCH_BLOCKS];

	assert_non_null(d.cells);
	for (int i = 0; i < BENCH_BLOCKS; i++)
		level[i] = 10000 + (uint64_t)rand_r(&seed) % 5000;
	for (unsigned long i = 0; i < count; i++)
		d.cells[d.cell_count++] = (struct bench_cell){
			level[bench_block(i, count)] + shift, bench_block(i, count), 1};
	bench_sort_cells(&d);
	return d;
}

static void what_drifts_within_a_run_widens_the_interval(void **state)
{
	struct bench_difference d =
		difference(make_drifting(10000, 1, 0), make_drifting(10000, 2, 200), 5000);

	(void)state;
	assert_int_equal(d.verdict, BENCH_NO_CHANGE);
	assert_true(d.high_ns - d.low_ns > 500);
}

static void too_few_samples_say_so(void **state)
{
	struct bench_difference d =
		difference(make(99, 10000, 0, 1), make(5000, 10000, 5000, 2), 5000);

	(void)state;
	assert_int_equal(d.verdict, BENCH_TOO_FEW);
	assert_int_equal(d.a_ns, 0);
	/* Ten beyond the quantile, of either. */
	d = difference(make(5000, 10000, 0, 1), make(999, 10000, 5000, 2), 9900);
	assert_int_equal(d.verdict, BENCH_TOO_FEW);
	d = difference(make(5000, 10000, 0, 1), make(1000, 10000, 5000, 2), 9900);
	assert_int_equal(d.verdict, BENCH_SLOWER);
	d = difference(make(0, 10000, 0, 1), make(0, 10000, 0, 1), 5000);
	assert_int_equal(d.verdict, BENCH_TOO_FEW);
}

static void the_interval_is_the_same_each_time(void **state)
{
	struct bench_difference a =
		difference(make(500, 10000, 0, 3), make(500, 10000, 50, 4), 5000);
	struct bench_difference b =
		difference(make(500, 10000, 0, 3), make(500, 10000, 50, 4), 5000);

	(void)state;
	assert_true(a.low_ns == b.low_ns && a.high_ns == b.high_ns);
	assert_true(a.low_ns < a.high_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_sorted_upwards),
		cmocka_unit_test(a_percentile_is_the_nearest_rank),
		cmocka_unit_test(few_samples_give_the_worst_of_them),
		cmocka_unit_test(no_samples_give_nothing),
		cmocka_unit_test(a_percentile_needs_a_sample_beyond_it),
		cmocka_unit_test(values_are_kept_to_three_digits),
		cmocka_unit_test(blocks_are_of_equal_size_and_in_order),
		cmocka_unit_test(the_same_samples_are_no_change),
		cmocka_unit_test(other_samples_of_the_same_kind_are_no_change),
		cmocka_unit_test(shifted_samples_are_a_change_with_its_sign),
		cmocka_unit_test(what_drifts_within_a_run_widens_the_interval),
		cmocka_unit_test(too_few_samples_say_so),
		cmocka_unit_test(the_interval_is_the_same_each_time),
	};

	return cmocka_run_group_tests_name("bench_stats", tests, NULL, NULL);
}
