/* bench_figures.h, bench_report.h: what is said of samples is in them, and reads back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "cli/bench_figures.h"
#include "cli/bench_report.h"
#include "proto/control.h"

static struct bench_plan plan_of(enum bench_kind kind, unsigned long count, unsigned long clients)
{
	return (struct bench_plan){
		.kind = kind, .name = "x", .image = "", .count = count, .clients = clients};
}

static void shares_are_even_and_add_up(void **state)
{
	unsigned long sum = 0;

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		unsigned long share = bench_share(100, 7, i);

		assert_true(share == 14 || share == 15);
		sum += share;
	}
	assert_int_equal(sum, 100);
}

static void rungs_are_counted(void **state)
{
	static const uint32_t rungs[] = {RUNG_READY, RUNG_BOUND, RUNG_BUILT, RUNG_WAITED, 0, 0};
	const struct bench_plan plan = plan_of(BENCH_ACQUIRE, 6, 1);
	struct bench_sample samples[6] = {0};
	const struct bench_result result = {.samples = samples};
	struct bench_figures f;

	(void)state;
	for (int i = 0; i < 6; i++)
		samples[i].rung = rungs[i];
	assert_int_equal(bench_figures_init(&f, &plan, &result, NULL), 0);
	assert_int_equal(f.ready, 2);
	assert_int_equal(f.built, 1);
	assert_int_equal(f.waited, 1);
	assert_int_equal(f.refused, 2);
	bench_figures_finish(&f);
}

static void the_least_and_most_favoured_client_are_found(void **state)
{
	const struct bench_plan plan = plan_of(BENCH_ACQUIRE, 9, 3);
	struct bench_sample samples[9] = {0};
	const struct bench_result result = {.samples = samples};
	struct bench_figures f;

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		samples[i].latency_ns = (i / 3 == 1 ? 500 : 100 * (i / 3 + 1)) + i % 3;
	assert_int_equal(bench_figures_init(&f, &plan, &result, NULL), 0);
	assert_int_equal(f.client_low_ns, 101);
	assert_int_equal(f.client_high_ns, 501);
	assert_int_equal(f.latency_ns[0], 100);
	assert_int_equal(f.latency_ns[8], 502);
	bench_figures_finish(&f);
}

static void stages_are_sorted_each_for_itself(void **state)
{
	const struct bench_plan plan = plan_of(BENCH_CHURN, 2, 1);
	struct bench_sample samples[2] = {
		{.started_ns = 1000000000, .latency_ns = 9, .stage_ns = {5, 1, 3}},
		{.started_ns = 1500000000, .latency_ns = 500000000, .stage_ns = {4, 2, 2}}};
	const struct bench_result result = {.samples = samples};
	struct bench_figures f;

	(void)state;
	assert_int_equal(bench_figures_init(&f, &plan, &result, NULL), 0);
	assert_string_equal(bench_stage_names(&plan)[2], "destroy");
	assert_int_equal(f.stage_ns[0][0], 4);
	assert_int_equal(f.stage_ns[1][0], 1);
	assert_int_equal(f.stage_ns[2][1], 3);
	assert_null(f.stage_ns[3]);
	assert_true(f.per_second > 1.999 && f.per_second < 2.001);
	bench_figures_finish(&f);
}

/* Two clients, two bursts of four: the samples of a client are together. */
static void bursts_are_put_together_from_their_clients(void **state)
{
	static const uint64_t latencies[] = {
		10, 20, 100, 200, /* second client */ 15, 40, 110, 400};
	struct bench_plan plan = plan_of(BENCH_BURST, 8, 2);
	struct bench_sample samples[8] = {0};
	const struct bench_result result = {.samples = samples};
	struct bench_figures f;

	(void)state;
	plan.burst = 4;
	plan.batch = 1;
	for (int i = 0; i < 8; i++)
		samples[i].latency_ns = latencies[i];
	assert_int_equal(bench_figures_init(&f, &plan, &result, NULL), 0);
	assert_int_equal(f.burst.first_ns, 10);	 /* of 10 and 100 */
	assert_int_equal(f.burst.median_ns, 15); /* of 15 and 110 */
	assert_int_equal(f.burst.last_ns, 40);	 /* of 40 and 400 */
	assert_int_equal(f.burst.last_max_ns, 400);
	bench_figures_finish(&f);
}

static void every_sample_is_a_line_of_csv(void **state)
{
	const struct bench_plan plan = plan_of(BENCH_ACQUIRE, 2, 1);
	struct bench_sample samples[2] = {{.started_ns = 5000,
						  .latency_ns = 1500,
						  .stage_ns = {1, 2, 3, 4000},
						  .rung = RUNG_BUILT},
		{.started_ns = 7000, .latency_ns = 2500, .floor_ns = 42}};
	const struct bench_result result = {.samples = samples};
	char path[] = "/tmp/hearth-unit.XXXXXX", text[1000];
	int fd = mkstemp(path);
	ssize_t n;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bench_write_csv(path, &plan, &result, NULL), 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	unlink(path);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "sample,client,started_us,latency_us,rung,floor_us,wait_us,queue_"
				  "us,bind_us,build_us\n"
				  "1,1,0.000,1.500,built,,0.001,0.002,0.003,4.000\n"
				  "2,1,2.000,2.500,,0.042,0.000,0.000,0.000,0.000\n");
}

static void a_full_disk_is_a_failure(void **state)
{
	const struct bench_plan plan = plan_of(BENCH_EXEC, 1, 1);
	struct bench_sample sample = {0};
	const struct bench_result result = {.samples = &sample};
	struct error err;

	(void)state;
	assert_int_equal(bench_write_csv("/dev/full", &plan, &result, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "/dev/full"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_even_and_add_up),
		cmocka_unit_test(rungs_are_counted),
		cmocka_unit_test(the_least_and_most_favoured_client_are_found),
		cmocka_unit_test(stages_are_sorted_each_for_itself),
		cmocka_unit_test(bursts_are_put_together_from_their_clients),
		cmocka_unit_test(every_sample_is_a_line_of_csv),
		cmocka_unit_test(a_full_disk_is_a_failure),
	};

	return cmocka_run_group_tests_name("bench_figures", tests, NULL, NULL);
}
