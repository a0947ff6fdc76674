/* How many ready sandboxes the acquires of late ask for, and what becomes of the others. */
#include "pool/demand.h"
#include "tests/unit/pool_world.h"

static void demand_wants_the_least_that_serves_99_of_100(void **state)
{
	/* From the distribution function of Poisson's distribution; 0: fewer than one of 100 meet. */
	static const struct {
		double mean;
		uint32_t wanted;
	} rows[] = {{0, 0}, {0.005, 0}, {0.0105, 2}, {0.1, 2}, {0.5, 4}, {1, 5}, {2, 7}, {4, 10},
		{10, 19}, {50, 68}, {100, 125}, {400, 448}, {690, 753}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct demand demand = {.rate = rows[i].mean / 2, .build_s = 2};

		assert_int_equal(demand_wanted(&demand, 10000), rows[i].wanted);
		assert_int_equal(
			demand_wanted(&demand, 3), rows[i].wanted < 3 ? rows[i].wanted : 3);
	}
}

static void demand_beyond_all_measure_wants_a_tenth_more_or_the_most(void **state)
{
	struct demand demand = {.rate = 1000, .build_s = 2};

	(void)state;
	assert_in_range(demand_wanted(&demand, 10000), 2199, 2200);
	assert_int_equal(demand_wanted(&demand, 1000), 1000);
	demand.rate = 1e300;
	assert_int_equal(demand_wanted(&demand, 10000), 10000);
}

static void the_rate_comes_near_what_arrives_and_fades(void **state)
{
	struct demand demand = {0};
	uint64_t now_ms = 5000;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) { /* twenty seconds */
		demand.arrived += 3;
		demand_look(&demand, now_ms += 10);
	}
	assert_in_range((uint64_t)demand.rate, 295, 305);
	demand_look(&demand, now_ms + DEMAND_MEMORY_MS);
	assert_in_range((uint64_t)demand.rate, 109, 112); /* by e */
	for (unsigned ms = DEMAND_MEMORY_MS; ms <= 2 * DEMAND_MEMORY_MS; ms++)
		demand_look(&demand, now_ms + ms);
	assert_in_range((uint64_t)demand.rate, 40, 42); /* in small steps as in one */
	demand_look(&demand, UINT64_MAX - 1);
	assert_true(demand.rate <= 0);
}

static void a_time_that_lies_a_little_before_changes_no_rate(void **state)
{
	struct demand demand = {.rate = 100, .seen_ms = 5000};

	(void)state;
	demand_look(&demand, 4998);
	assert_int_equal((uint64_t)demand.rate, 100);
	assert_int_equal(demand.seen_ms, 5000);
}

static void builds_are_averaged_with_the_late_ones_counting_most(void **state)
{
	struct demand demand = {0};

	(void)state;
	demand_built(&demand, 8000000);
	assert_int_equal((uint64_t)(demand.build_s * 1e6 + 0.5), 8000);
	demand_built(&demand, 16000000);
	assert_int_equal((uint64_t)(demand.build_s * 1e6 + 0.5), 9000);
}

/* A steady demand: one acquire each `every_ms`, released at once; a build takes build_ms. */
struct steady {
	struct world *w;
	uint64_t every_ms, build_ms;
	unsigned served, missed;
};

static void finish_due_builds(struct steady *s)
{
	struct world *w = s->w;

	while (w->in_flight > 0 && w->building[0]->created_ms + s->build_ms <= w->now_ms)
		world_built(w);
	world_reap_all(w);
	w->answered = w->ended = 0;
}

static void demand_for(struct steady *s, uint64_t ms)
{
	struct world *w = s->w;

	s->served = s->missed = 0;
	for (uint64_t end_ms = w->now_ms + ms; w->now_ms < end_ms;) {
		world_pass(w, 1);
		finish_due_builds(s);
		if (w->now_ms % s->every_ms != 0)
			continue;
		if (world_acquire(w, 1, ON_EMPTY_FAIL) == 0) {
			s->served++;
			world_release(w, w->sandbox);
		} else {
			s->missed++;
		}
	}
}

static void be_quiet_for(struct steady *s, uint64_t ms)
{
	for (uint64_t end_ms = s->w->now_ms + ms; s->w->now_ms < end_ms;) {
		world_pass(s->w, 1);
		finish_due_builds(s);
	}
}

static const struct pool_config busy = {.min = 2, .max = 60, .build_concurrency = 60};

static void the_target_rises_with_demand_until_nobody_misses(void **state)
{
	struct steady s = {.w = world_open(&busy), .every_ms = 5, .build_ms = 50};

	(void)state;
	be_quiet_for(&s, 100);
	assert_int_equal(pool_target(s.w->pool), 2);
	demand_for(&s, 10000); /* ten come while one is built: two would serve every fifth */
	assert_in_range(pool_target(s.w->pool), 18, 20);
	demand_for(&s, 10000);
	assert_int_equal(s.missed, 0);
	assert_int_equal(s.served, 2000);
	world_close(s.w);
}

static void the_target_has_its_ceiling_and_its_floor(void **state)
{
	static const struct {
		uint32_t min, max, target_max, target;
	} rows[] = {{2, 60, 7, 7}, {2, 60, 100, 19}, {2, 5, 0, 5}, {9, 60, 7, 9}, {40, 60, 0, 40}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pool_config config = busy;
		struct steady s = {.every_ms = 5, .build_ms = 50};

		config.min = rows[i].min;
		config.max = rows[i].max;
		config.target_max = rows[i].target_max;
		s.w = world_open(&config);
		demand_for(&s, 10000);
		assert_in_range(pool_target(s.w->pool), rows[i].target, rows[i].target + 1);
		world_close(s.w);
	}
}

static void a_pool_at_rest_keeps_min_and_sleeps(void **state)
{
	struct world *w = world_open(&busy);

	(void)state;
	world_build_all(w);
	assert_int_equal(pool_target(w->pool), 2);
	assert_int_equal(world_pass(w, 0), UINT64_MAX);
	world_close(w);
}

static void without_demand_the_target_falls_and_the_oldest_go_one_a_second(void **state)
{
	struct steady s = {.w = world_open(&busy), .every_ms = 5, .build_ms = 50};
	struct world *w = s.w;
	uint32_t ready;
	int discards;

	(void)state;
	demand_for(&s, 10000);
	be_quiet_for(&s, 4900);
	ready = world_counters(w).ready;
	assert_in_range(ready, 17, 21);
	discards = w->discards;
	be_quiet_for(&s, 1000);
	assert_int_equal(w->discards, discards + 1);
	be_quiet_for(&s, 1000);
	assert_int_equal(w->discards, discards + 2);
	be_quiet_for(&s, 30000);
	assert_int_equal(pool_target(w->pool), 2);
	assert_int_equal(world_counters(w).ready, 2);
	assert_int_equal(w->discards, discards + (int)ready - 2);
	assert_int_equal(world_pass(w, 0), UINT64_MAX);	      /* and sleeps */
	assert_int_equal(world_lease(w)->id, w->next_id - 2); /* the two youngest are left */
	world_close(w);
}

static void whoever_comes_puts_the_shrinking_off(void **state)
{
	struct world *w = world_open(&busy);

	(void)state;
	world_build_all(w);
	assert_int_equal(pool_set_limits(w->pool, w->now_ms, 0, 60, NULL), 0);
	assert_int_equal(world_pass(w, 0), 5000);
	world_pass(w, 4000);
	world_lease(w);
	assert_int_equal(w->discards, 0);
	assert_int_equal(world_pass(w, 4000), 1000);
	assert_int_equal(w->discards, 0);
	world_pass(w, 1000);
	assert_int_equal(w->discards, 1);
	world_close(w);
}

static void many_too_many_go_faster(void **state)
{
	struct pool_config config = {.min = 60, .max = 130, .build_concurrency = 60};
	struct world *w = world_open(&config);

	(void)state;
	world_build_all(w);
	assert_int_equal(pool_set_limits(w->pool, w->now_ms, 120, 130, NULL), 0);
	world_pass(w, 0);
	world_build_all(w);
	assert_int_equal(pool_set_limits(w->pool, w->now_ms, 0, 130, NULL), 0);
	world_pass(w, 0);
	world_pass(w, 5000);
	assert_int_equal(w->discards, 2); /* one of each 64 */
	for (unsigned i = 0; i < 27; i++)
		world_pass(w, 1000);
	assert_int_equal(w->discards, 56);
	world_pass(w, 1000);
	assert_int_equal(w->discards, 57); /* of the last 64 one at a time */
	world_close(w);
}

static void builds_that_fail_keep_what_works(void **state)
{
	struct world *w = world_open(&busy);

	(void)state;
	world_built(w);
	world_build_failed(w);
	assert_int_equal(pool_set_limits(w->pool, w->now_ms, 0, 60, NULL), 0);
	w->now_ms += 50;
	assert_int_equal(world_pass(w, 0), 50); /* the back-off only */
	assert_int_equal(w->discards, 0);
	assert_int_equal(world_pass(w, 50), 5000);
	world_close(w);
}

static void under_sustained_arrivals_the_refill_never_starves(void **state)
{
	struct pool_config config = {.min = 4, .max = 60, .build_concurrency = 2, .target_max = 30};
	struct steady s = {.every_ms = 2, .build_ms = 5};

	(void)state;
	/* Five hundred come in a second, four hundred can be built: each build goes to somebody. */
	s.w = world_open(&config);
	demand_for(&s, 5000);
	demand_for(&s, 10000);
	assert_in_range(s.served, 3900, 4100);
	/* Less come than can be built: nobody misses, though there is no pause between them. */
	s.every_ms = 3;
	demand_for(&s, 5000);
	demand_for(&s, 9000);
	assert_int_equal(s.missed, 0);
	world_close(s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(demand_wants_the_least_that_serves_99_of_100),
		cmocka_unit_test(demand_beyond_all_measure_wants_a_tenth_more_or_the_most),
		cmocka_unit_test(the_rate_comes_near_what_arrives_and_fades),
		cmocka_unit_test(a_time_that_lies_a_little_before_changes_no_rate),
		cmocka_unit_test(builds_are_averaged_with_the_late_ones_counting_most),
		cmocka_unit_test(the_target_rises_with_demand_until_nobody_misses),
		cmocka_unit_test(the_target_has_its_ceiling_and_its_floor),
		cmocka_unit_test(a_pool_at_rest_keeps_min_and_sleeps),
		cmocka_unit_test(without_demand_the_target_falls_and_the_oldest_go_one_a_second),
		cmocka_unit_test(whoever_comes_puts_the_shrinking_off),
		cmocka_unit_test(many_too_many_go_faster),
		cmocka_unit_test(builds_that_fail_keep_what_works),
		cmocka_unit_test(under_sustained_arrivals_the_refill_never_starves),
	};

	return cmocka_run_group_tests_name("pool_demand", tests, NULL, NULL);
}
