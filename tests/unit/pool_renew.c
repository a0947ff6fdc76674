/* Ready sandboxes that have grown old are replaced. */
#include "tests/unit/pool_world.h"

static const struct pool_config ageing = {
	.min = 3, .max = 8, .build_concurrency = 4, .waiters_max = 8, .ttl_ms = 10000};

static struct world *open_ready(const struct pool_config *config)
{
	struct world *w = world_open(config);

	world_build_all(w);
	return w;
}

static void an_old_one_is_discarded_once_its_replacement_is_ready(void **state)
{
	struct world *w = open_ready(&ageing);

	(void)state;
	assert_int_equal(world_pass(w, 0), 10000);
	assert_int_equal(world_pass(w, 9999), 1);
	assert_int_equal(w->in_flight, 0);
	world_pass(w, 1);
	assert_int_equal(w->in_flight, 1);
	assert_int_equal(w->discards, 0);
	world_built(w);
	assert_int_equal(w->discards, 1);
	assert_int_equal(w->dying[0]->id, 1);
	assert_int_equal(world_counters(w).ready, 3);
	world_close(w);
}

static void those_born_together_are_replaced_one_after_the_other(void **state)
{
	struct world *w = open_ready(&ageing);

	(void)state;
	world_pass(w, 10000);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(w->in_flight, 1);
		world_pass(w, 7);
		assert_int_equal(w->in_flight, 1);
		world_built(w);
		assert_int_equal(w->discards, i);
		world_reap(w);
	}
	assert_int_equal(w->in_flight, 0);
	assert_int_equal(world_pass(w, 0), 9986); /* the first of the new ones */
	world_close(w);
}

static void an_old_one_is_still_handed_out_and_first(void **state)
{
	struct world *w = open_ready(&ageing);

	(void)state;
	world_pass(w, 10000);
	assert_int_equal(world_lease(w)->id, 1);
	assert_int_equal(w->in_flight, 2); /* the one it takes anyway, and the next old one's */
	world_build_all(w);
	assert_int_equal(world_counters(w).ready, 3);
	world_close(w);
}

static void a_young_pool_and_one_without_ttl_renew_nothing(void **state)
{
	struct pool_config config = ageing;
	struct world *w;

	(void)state;
	config.ttl_ms = 0;
	w = open_ready(&config);
	assert_int_equal(world_pass(w, UINT64_MAX / 2), UINT64_MAX);
	assert_int_equal(w->builds, 3);
	world_close(w);
}

static void at_max_the_old_one_goes_first(void **state)
{
	struct pool_config config = ageing;
	struct world *w;

	(void)state;
	config.max = 3;
	w = open_ready(&config);
	world_pass(w, 10000);
	assert_int_equal(w->discards, 1);
	assert_int_equal(w->in_flight, 0);
	world_pass(w, 0);
	assert_int_equal(w->discards, 1); /* one at a time */
	world_reap(w);
	assert_int_equal(w->in_flight, 1);
	assert_int_equal(w->discards, 1);
	world_built(w);
	assert_int_equal(w->discards, 2);
	world_close(w);
}

static void where_the_budget_has_no_room_for_both_the_old_one_goes_first(void **state)
{
	struct pool_budget budget = {.limit_bytes = 12};
	struct pool_config config = ageing;
	struct world *w;

	(void)state;
	config.budget = &budget;
	config.idle_bytes = 1;
	config.lease_bytes = 10;
	w = open_ready(&config);
	assert_int_equal(world_counters(w).ready, 3);
	world_pass(w, 10000);
	assert_int_equal(w->in_flight, 0);
	assert_int_equal(w->discards, 1);
	world_reap(w);
	assert_int_equal(w->in_flight, 1);
	world_close(w);
}

static void an_old_one_that_the_budget_would_not_replace_is_kept(void **state)
{
	struct pool_budget budget = {.limit_bytes = 20};
	struct pool_config config = ageing;
	struct world *w;

	(void)state;
	config.budget = &budget;
	config.idle_bytes = 1;
	config.lease_bytes = 10;
	w = open_ready(&config);
	budget.promised_bytes += 9;		      /* another pool's */
	assert_int_equal(world_pass(w, 10000), 1000); /* it looks again */
	assert_int_equal(w->discards, 0);
	assert_int_equal(w->in_flight, 0);
	budget.promised_bytes -= 9;
	world_pass(w, 1000);
	assert_int_equal(w->in_flight, 1);
	world_close(w);
}

static void a_replacement_that_fails_leaves_the_old_one_and_is_tried_again(void **state)
{
	struct world *w = open_ready(&ageing);

	(void)state;
	world_pass(w, 10000);
	world_build_failed(w);
	assert_int_equal(w->discards, 0);
	assert_int_equal(world_pass(w, 0), 100);
	assert_int_equal(w->in_flight, 0);
	world_pass(w, 100);
	assert_int_equal(w->in_flight, 1);
	world_built(w);
	assert_int_equal(w->discards, 1);
	world_close(w);
}

static void an_old_one_beyond_the_target_is_not_replaced(void **state)
{
	struct world *w = open_ready(&ageing);

	(void)state;
	world_pass(w, 9999);
	assert_int_equal(pool_set_limits(w->pool, w->now_ms, 2, 8, NULL), 0);
	world_pass(w, 1);
	assert_int_equal(w->discards, 1);
	assert_int_equal(w->builds, 4); /* the next one's */
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_old_one_is_discarded_once_its_replacement_is_ready),
		cmocka_unit_test(those_born_together_are_replaced_one_after_the_other),
		cmocka_unit_test(an_old_one_is_still_handed_out_and_first),
		cmocka_unit_test(a_young_pool_and_one_without_ttl_renew_nothing),
		cmocka_unit_test(at_max_the_old_one_goes_first),
		cmocka_unit_test(where_the_budget_has_no_room_for_both_the_old_one_goes_first),
		cmocka_unit_test(an_old_one_that_the_budget_would_not_replace_is_kept),
		cmocka_unit_test(a_replacement_that_fails_leaves_the_old_one_and_is_tried_again),
		cmocka_unit_test(an_old_one_beyond_the_target_is_not_replaced),
	};

	return cmocka_run_group_tests_name("pool_renew", tests, NULL, NULL);
}
