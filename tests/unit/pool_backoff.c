/* What failing builds lead to. */
#include "tests/unit/pool_world.h"

static const struct pool_config two_at_once = {.min = 2,
	.max = 8,
	.build_concurrency = 2,
	.waiters_max = 8,
	.wait_ms = 60000,
	.backoff_min_ms = 100,
	.backoff_max_ms = 350};

static struct world *open_with(uint32_t min, uint32_t build_concurrency)
{
	struct pool_config config = two_at_once;

	config.min = min;
	config.build_concurrency = build_concurrency;
	return world_open(&config);
}

static void a_failed_build_stops_building_until_the_back_off_is_over(void **state)
{
	struct world *w = open_with(1, 1);

	(void)state;
	world_build_failed(w);
	assert_int_equal(w->builds, 1);
	assert_int_equal(world_pass(w, 0), 100);
	assert_int_equal(world_pass(w, 99), 1);
	assert_int_equal(w->builds, 1);
	world_pass(w, 1);
	assert_int_equal(w->builds, 2);
	assert_int_equal(world_counters(w).build_failures, 1);
	world_close(w);
}

static void the_back_off_doubles_up_to_its_longest_and_ends_with_a_success(void **state)
{
	static const uint64_t pauses[] = {100, 200, 350, 350};
	struct world *w = open_with(1, 1);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		world_build_failed(w);
		assert_int_equal(pool_failures_in_row(w->pool), i + 1);
		assert_int_equal(world_pass(w, 0), pauses[i]);
		world_pass(w, pauses[i]);
		assert_int_equal(w->in_flight, 1);
	}
	world_built(w);
	assert_int_equal(pool_failures_in_row(w->pool), 0);
	world_lease(w);
	world_build_failed(w);
	assert_int_equal(world_pass(w, 0), 100);
	world_close(w);
}

static void failures_of_one_wave_double_the_back_off_once(void **state)
{
	struct world *w = world_open(&two_at_once);

	(void)state;
	world_build_failed(w);
	assert_int_equal(world_pass(w, 30), 70);
	world_build_failed(w);
	assert_int_equal(world_pass(w, 0), 70);
	assert_int_equal(pool_failures_in_row(w->pool), 2);
	world_pass(w, 70);
	assert_int_equal(w->in_flight, 2);
	world_build_failed(w);
	world_build_failed(w);
	assert_int_equal(world_pass(w, 0), 200);
	world_close(w);
}

static void a_failure_at_the_very_end_of_the_back_off_is_a_new_one(void **state)
{
	struct world *w = world_open(&two_at_once);

	(void)state;
	world_build_failed(w);
	w->now_ms += 100;
	world_build_failed(w);
	assert_int_equal(world_pass(w, 0), 200);
	world_close(w);
}

static void a_success_of_the_same_wave_ends_the_back_off(void **state)
{
	struct world *w = world_open(&two_at_once);

	(void)state;
	world_build_failed(w);
	world_built(w);
	assert_int_equal(pool_failures_in_row(w->pool), 0);
	assert_int_equal(w->in_flight, 1);
	world_close(w);
}

static void an_acquire_that_nothing_in_flight_can_serve_is_refused_broken(void **state)
{
	static const enum control_on_empty all[] = {ON_EMPTY_BUILD, ON_EMPTY_WAIT, ON_EMPTY_FAIL};
	struct world *w = open_with(1, 1);

	(void)state;
	world_build_failed(w);
	world_pass(w, 40);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(world_acquire(w, i, all[i]), -EAGAIN);
		assert_int_equal(w->refusal, REFUSED_BROKEN);
		assert_int_equal(w->retry_ms, 60);
	}
	world_close(w);
}

static void an_acquire_after_the_back_off_builds_even_before_the_tick(void **state)
{
	struct world *w = open_with(0, 1);

	(void)state;
	world_acquire(w, 1, ON_EMPTY_BUILD);
	world_build_failed(w);
	assert_int_equal(w->answers[0].refusal, REFUSED_BROKEN);
	assert_int_equal(w->answers[0].retry_ms, 100);
	w->now_ms += 100;
	assert_int_equal(world_acquire(w, 2, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(w->builds, 2);
	world_close(w);
}

static void in_the_back_off_only_as_many_wait_as_builds_are_in_flight(void **state)
{
	struct world *w = world_open(&two_at_once);

	(void)state;
	world_build_failed(w);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_WAIT), -EINPROGRESS);
	assert_int_equal(world_acquire(w, 2, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_BROKEN);
	world_built(w);
	assert_int_equal(w->answers[0].request_id, 1);
	assert_non_null(w->answers[0].sandbox);
	world_close(w);
}

static void a_failure_refuses_the_last_of_the_queue_and_keeps_the_first(void **state)
{
	struct world *w = world_open(&two_at_once);

	(void)state;
	for (uint32_t id = 1; id <= 3; id++)
		assert_int_equal(world_acquire(w, id, ON_EMPTY_BUILD), -EINPROGRESS);
	world_build_failed(w);
	assert_int_equal(w->answered, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w->answers[i].request_id, i + 2);
		assert_int_equal(w->answers[i].refusal, REFUSED_BROKEN);
	}
	world_build_failed(w);
	assert_int_equal(w->answers[2].request_id, 1);
	assert_int_equal(w->answers[2].refusal, REFUSED_BROKEN);
	world_close(w);
}

static void a_ready_sandbox_is_leased_during_the_back_off(void **state)
{
	struct world *w = world_open(&two_at_once);

	(void)state;
	world_built(w);
	world_build_failed(w);
	world_lease(w);
	assert_int_equal(w->builds, 2);
	world_close(w);
}

static void a_build_that_cannot_start_refuses_the_acquire_that_wanted_it(void **state)
{
	struct world *w = open_with(0, 2);

	(void)state;
	world_fail(WORLD_START, 1, true);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(w->answered, 1);
	assert_int_equal(w->answers[0].refusal, REFUSED_BROKEN);
	assert_int_equal(w->answers[0].retry_ms, 100);
	assert_int_equal(world_counters(w).build_failures, 1);
	assert_int_equal(world_counters(w).building, 0);
	world_close(w);
}

static void a_build_that_cannot_start_strands_earlier_waiters_too(void **state)
{
	struct world *w = open_with(0, 2);

	(void)state;
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_WAIT), -EINPROGRESS);
	world_fail(WORLD_START, 1, true);
	assert_int_equal(world_acquire(w, 2, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(w->answered, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w->answers[i].request_id, i + 1);
		assert_int_equal(w->answers[i].refusal, REFUSED_BROKEN);
	}
	world_close(w);
}

static void no_memory_for_a_refill_is_a_build_that_could_not_start(void **state)
{
	struct world *w = open_with(1, 1);

	(void)state;
	world_built(w);
	world_fail(WORLD_CALLOC, 1, false);
	world_lease(w); /* is served all the same */
	assert_int_equal(w->in_flight, 0);
	assert_int_equal(pool_failures_in_row(w->pool), 1);
	world_pass(w, 100);
	assert_int_equal(w->in_flight, 1);
	world_close(w);
}

static void without_settings_the_back_off_is_100_ms_to_30_s(void **state)
{
	struct pool_config config = {.min = 1, .max = 1, .build_concurrency = 1};
	struct world *w = world_open(&config);
	uint64_t pause = 100;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		world_build_failed(w);
		assert_int_equal(world_pass(w, 0), pause);
		world_pass(w, pause);
		pause = pause * 2 < 30000 ? pause * 2 : 30000;
	}
	world_close(w);

	config.backoff_min_ms = 60000; /* a longest that was left out is at least the shortest */
	w = world_open(&config);
	world_build_failed(w);
	assert_int_equal(world_pass(w, 0), 60000);
	world_close(w);
}

static void a_back_off_beyond_the_end_of_time_does_not_wrap_around(void **state)
{
	struct pool_config config = two_at_once;
	struct world *w;

	(void)state;
	config.backoff_min_ms = UINT64_MAX - 10;
	config.backoff_max_ms = UINT64_MAX;
	w = world_open(&config);
	world_build_failed(w);
	assert_int_equal(world_pass(w, 50000), UINT64_MAX);
	assert_int_equal(w->in_flight, 1);
	world_build_failed(w);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->retry_ms, UINT32_MAX);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_build_stops_building_until_the_back_off_is_over),
		cmocka_unit_test(the_back_off_doubles_up_to_its_longest_and_ends_with_a_success),
		cmocka_unit_test(failures_of_one_wave_double_the_back_off_once),
		cmocka_unit_test(a_failure_at_the_very_end_of_the_back_off_is_a_new_one),
		cmocka_unit_test(a_success_of_the_same_wave_ends_the_back_off),
		cmocka_unit_test(an_acquire_that_nothing_in_flight_can_serve_is_refused_broken),
		cmocka_unit_test(an_acquire_after_the_back_off_builds_even_before_the_tick),
		cmocka_unit_test(in_the_back_off_only_as_many_wait_as_builds_are_in_flight),
		cmocka_unit_test(a_failure_refuses_the_last_of_the_queue_and_keeps_the_first),
		cmocka_unit_test(a_ready_sandbox_is_leased_during_the_back_off),
		cmocka_unit_test(a_build_that_cannot_start_refuses_the_acquire_that_wanted_it),
		cmocka_unit_test(a_build_that_cannot_start_strands_earlier_waiters_too),
		cmocka_unit_test(no_memory_for_a_refill_is_a_build_that_could_not_start),
		cmocka_unit_test(without_settings_the_back_off_is_100_ms_to_30_s),
		cmocka_unit_test(a_back_off_beyond_the_end_of_time_does_not_wrap_around),
	};

	return cmocka_run_group_tests_name("pool_backoff", tests, NULL, NULL);
}
