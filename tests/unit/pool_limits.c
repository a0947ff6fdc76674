/* Limits that change while the pool runs; and when whoever is refused shall try again. */
#include "tests/unit/pool_world.h"

static const struct pool_config plain = {
	.min = 2, .max = 6, .build_concurrency = 2, .waiters_max = 4, .wait_ms = 60000};

static void set_limits(struct world *w, uint32_t min, uint32_t max)
{
	assert_int_equal(pool_set_limits(w->pool, w->now_ms, min, max, NULL), 0);
	world_settle(w);
}

static void a_higher_min_builds_more(void **state)
{
	struct world *w = world_open(&plain);

	(void)state;
	world_build_all(w);
	set_limits(w, 5, 6);
	assert_int_equal(pool_target(w->pool), 5);
	world_build_all(w);
	assert_int_equal(world_counters(w).ready, 5);
	world_close(w);
}

static void a_lower_max_lets_leases_live_and_discards_ready_ones_beyond(void **state)
{
	struct world *w = world_open(&plain);

	(void)state;
	world_build_all(w);
	for (unsigned i = 0; i < 3; i++) {
		world_lease(w);
		world_build_all(w);
	}
	assert_int_equal(world_counters(w).ready, 2);
	set_limits(w, 1, 4);
	assert_int_equal(world_counters(w).leased, 3);
	assert_int_equal(world_counters(w).ready, 1);
	set_limits(w, 1, 2);
	assert_int_equal(world_counters(w).leased, 3);
	assert_int_equal(world_counters(w).ready, 0);
	world_reap_all(w);
	assert_int_equal(w->in_flight, 0); /* three live, two may */
	assert_int_equal(w->ended, 0);
	world_close(w);
}

static void what_is_built_beyond_a_lower_max_is_discarded_unless_somebody_waits(void **state)
{
	struct world *w = world_open(&plain);

	(void)state;
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_WAIT), -EINPROGRESS);
	set_limits(w, 0, 1);
	world_built(w);
	assert_non_null(w->answers[0].sandbox);
	world_built(w);
	assert_int_equal(w->discards, 1);
	world_close(w);
}

static void a_higher_max_builds_for_whoever_waits(void **state)
{
	struct pool_config config = plain;
	struct world *w;

	(void)state;
	config.min = 0;
	config.max = 1;
	w = world_open(&config);
	world_acquire(w, 1, ON_EMPTY_BUILD);
	world_acquire(w, 2, ON_EMPTY_BUILD);
	assert_int_equal(w->in_flight, 1);
	set_limits(w, 0, 2);
	assert_int_equal(w->in_flight, 2);
	world_close(w);
}

static void limits_that_make_no_sense_change_nothing_and_say_why(void **state)
{
	static const struct {
		uint32_t min, max;
		const char *text;
	} rows[] = {{3, 2, "pool: min 3 is more than max 2"},
		{0, 0, "pool: max 0 is not in 1..16384"},
		{0, 16385, "pool: max 16385 is not in 1..16384"}};
	struct world *w = world_open(&plain);

	(void)state;
	world_build_all(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err;

		assert_int_equal(
			pool_set_limits(w->pool, w->now_ms, rows[i].min, rows[i].max, &err),
			-EINVAL);
		assert_string_equal(err.text, rows[i].text);
		world_settle(w);
		assert_int_equal(pool_target(w->pool), 2);
		assert_int_equal(world_counters(w).ready, 2);
	}
	world_close(w);
}

/* Refused just now: with what time to try again? */
static uint32_t retry_ms(struct world *w)
{
	assert_int_equal(world_acquire(w, 99, ON_EMPTY_FAIL), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_EMPTY);
	return w->retry_ms;
}

static void a_pool_that_knows_nothing_yet_guesses_a_time_to_retry(void **state)
{
	struct world *w = world_open(&plain);

	(void)state;
	assert_int_equal(retry_ms(w), 100);
	world_close(w);
}

static void while_builds_are_possible_the_time_to_retry_is_made_of_theirs(void **state)
{
	struct pool_config config = plain;
	struct world *w;

	(void)state;
	config.max = 40;
	w = world_open(&config);
	world_pass(w, 30);
	world_built(w); /* it took 30 ms */
	world_lease(w);
	assert_int_equal(retry_ms(w), 31);
	world_acquire(w, 1, ON_EMPTY_BUILD);
	assert_int_equal(retry_ms(w), 31);
	world_acquire(w, 2, ON_EMPTY_BUILD);
	assert_int_equal(retry_ms(w), 61); /* two at once, behind two that wait */
	world_close(w);
}

static struct world *open_full(const struct pool_config *config)
{
	struct world *w = world_open(config);

	world_build_all(w);
	for (uint32_t i = 0; i < config->max; i++) {
		world_lease(w);
		world_build_all(w);
	}
	return w;
}

static void at_max_the_time_to_retry_is_when_the_next_lease_ends_by_itself(void **state)
{
	struct pool_config config = plain;
	struct world *w;

	(void)state;
	config.lease_ms = 80;
	w = open_full(&config);
	world_settle(w);
	assert_int_equal(retry_ms(w), 80);
	w->now_ms += 30;
	assert_int_equal(retry_ms(w), 50);
	world_close(w);
}

static void or_when_one_is_released_as_others_were(void **state)
{
	struct pool_config config = plain;
	struct pool_sandbox *sandbox;
	struct world *w;

	(void)state;
	config.min = 1;
	config.max = 4;
	w = world_open(&config);
	world_built(w);
	sandbox = world_lease(w);
	world_pass(w, 600);
	world_release(w, sandbox); /* leases last 600 ms, so far */
	world_reap(w);
	world_built(w);
	for (unsigned i = 0; i < 4; i++) {
		world_lease(w);
		world_build_all(w);
	}
	assert_int_equal(retry_ms(w), 150); /* one of four */
	world_acquire(w, 1, ON_EMPTY_WAIT);
	assert_int_equal(retry_ms(w), 300);
	world_close(w);
}

static void nobody_is_told_to_stay_away_for_longer_than_a_minute(void **state)
{
	struct pool_config config = plain;
	struct pool_sandbox *sandbox;
	struct world *w;

	(void)state;
	config.min = 0;
	config.max = 1;
	w = world_open(&config);
	world_acquire(w, 1, ON_EMPTY_BUILD);
	world_built(w);
	sandbox = w->answers[0].sandbox;
	world_pass(w, 10000000);
	world_release(w, sandbox);
	world_reap(w);
	world_acquire(w, 2, ON_EMPTY_BUILD);
	world_built(w);
	assert_int_equal(retry_ms(w), 60000);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_higher_min_builds_more),
		cmocka_unit_test(a_lower_max_lets_leases_live_and_discards_ready_ones_beyond),
		cmocka_unit_test(
			what_is_built_beyond_a_lower_max_is_discarded_unless_somebody_waits),
		cmocka_unit_test(a_higher_max_builds_for_whoever_waits),
		cmocka_unit_test(limits_that_make_no_sense_change_nothing_and_say_why),
		cmocka_unit_test(a_pool_that_knows_nothing_yet_guesses_a_time_to_retry),
		cmocka_unit_test(while_builds_are_possible_the_time_to_retry_is_made_of_theirs),
		cmocka_unit_test(at_max_the_time_to_retry_is_when_the_next_lease_ends_by_itself),
		cmocka_unit_test(or_when_one_is_released_as_others_were),
		cmocka_unit_test(nobody_is_told_to_stay_away_for_longer_than_a_minute),
	};

	return cmocka_run_group_tests_name("pool_limits", tests, NULL, NULL);
}
