/* The memory that pools share: what counts how much, who is refused, what is not built. */
#include "tests/unit/pool_world.h"

static struct pool_config with(struct pool_budget *budget)
{
	return (struct pool_config){.min = 2,
		.max = 10,
		.build_concurrency = 4,
		.waiters_max = 4,
		.backoff_min_ms = 10,
		.budget = budget,
		.idle_bytes = 1,
		.lease_bytes = 10};
}

static void each_sandbox_counts_for_its_state_until_it_is_gone(void **state)
{
	struct pool_budget budget = {.limit_bytes = 100};
	struct pool_config config = with(&budget);
	struct world *w = world_open(&config);
	struct pool_sandbox *sandbox;

	(void)state;
	assert_int_equal(budget.promised_bytes, 2); /* building */
	world_build_all(w);
	assert_int_equal(budget.promised_bytes, 2); /* ready */
	sandbox = world_lease(w);
	assert_int_equal(budget.promised_bytes, 10 + 1 + 1); /* with the one that replaces it */
	world_build_all(w);
	world_release(w, sandbox);
	assert_int_equal(budget.promised_bytes, 12);
	world_reap(w);
	assert_int_equal(budget.promised_bytes, 2);
	world_close(w);
	assert_int_equal(budget.promised_bytes, 0);
}

static void a_lease_beyond_the_budget_is_refused_though_one_is_ready(void **state)
{
	struct pool_budget budget = {.limit_bytes = 19};
	struct pool_config config = with(&budget);
	struct world *w = world_open(&config);
	struct pool_sandbox *sandbox;

	(void)state;
	world_build_all(w);
	sandbox = world_lease(w);
	world_build_all(w);
	assert_int_equal(world_counters(w).ready, 1);
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_LIMIT);
	assert_true(w->retry_ms > 0); /* somebody may release */
	assert_int_equal(budget.promised_bytes, 11);
	world_release(w, sandbox);
	world_reap(w);
	world_lease(w);
	world_close(w);
}

static void a_lease_that_no_budget_holds_is_refused_for_good(void **state)
{
	struct pool_budget budget = {.limit_bytes = 9};
	struct pool_config config = with(&budget);
	struct world *w = world_open(&config);

	(void)state;
	assert_int_equal(w->builds, 0); /* none that nobody could have */
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_LIMIT);
	assert_int_equal(w->retry_ms, 0);
	world_close(w);
}

static void the_refill_pauses_at_the_budget_and_has_not_failed(void **state)
{
	struct pool_budget budget = {.limit_bytes = 12};
	struct pool_config config = with(&budget);
	struct world *w;

	(void)state;
	config.min = 8;
	w = world_open(&config);
	world_build_all(w);
	assert_int_equal(world_counters(w).ready, 3); /* with room left to lease one of them */
	assert_true(pool_is_starved(w->pool));
	assert_int_equal(world_counters(w).build_failures, 0);
	assert_int_equal(pool_failures_in_row(w->pool), 0);
	world_lease(w);
	world_close(w);
}

static void a_pool_goes_on_when_another_has_released(void **state)
{
	struct pool_budget budget = {.limit_bytes = 30, .promised_bytes = 25};
	struct pool_config config = with(&budget);
	struct world *w = world_open(&config);

	(void)state;
	assert_int_equal(w->builds, 0);
	assert_true(pool_is_starved(w->pool));
	world_pass(w, 0);
	assert_int_equal(w->builds, 0);
	budget.promised_bytes -= 25;
	world_pass(w, 0);
	assert_int_equal(w->builds, 2);
	assert_false(pool_is_starved(w->pool));
	world_close(w);
	assert_int_equal(budget.promised_bytes, 0);
}

static void who_waits_has_his_lease_promised_and_gets_his_build(void **state)
{
	struct pool_budget budget = {.limit_bytes = 10};
	struct pool_config config = with(&budget);
	struct world *w;

	(void)state;
	config.min = 0;
	w = world_open(&config);
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(budget.promised_bytes, 11); /* the build is covered by what was promised */
	assert_int_equal(world_acquire(w, 8, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_LIMIT);
	world_built(w);
	assert_int_equal(w->answered, 1);
	assert_non_null(w->answers[0].sandbox);
	assert_int_equal(budget.promised_bytes, 10);
	world_close(w);
	assert_int_equal(budget.promised_bytes, 0);
}

static void who_waits_for_the_refill_is_built_for_when_it_has_to_pause(void **state)
{
	struct pool_budget budget = {.limit_bytes = 21};
	struct pool_config config = with(&budget);
	struct world *w;

	(void)state;
	config.build_concurrency = 1;
	w = world_open(&config);
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_WAIT), -EINPROGRESS);
	assert_int_equal(world_acquire(w, 8, ON_EMPTY_WAIT), -EINPROGRESS);
	assert_int_equal(budget.promised_bytes, 21);
	world_built(w);
	world_built(w);
	assert_int_equal(w->answered, 2);
	assert_non_null(w->answers[1].sandbox);
	assert_int_equal(budget.promised_bytes, 20);
	assert_int_equal(w->in_flight, 0); /* nobody waits: now it pauses */
	assert_true(pool_is_starved(w->pool));
	world_close(w);
}

static void who_gives_up_gives_his_promise_back(void **state)
{
	static char leaver[] = "b";
	struct pool_request request = {.lessee = leaver, .request_id = 9};
	struct pool_budget budget = {.limit_bytes = 100};
	struct pool_config config = with(&budget);
	struct world *w;

	(void)state;
	config.min = 0;
	config.wait_ms = 50;
	w = world_open(&config);
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(world_acquire(w, 8, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(budget.promised_bytes, 22);
	world_pass(w, 50);
	assert_int_equal(w->answered, 2);
	assert_int_equal(budget.promised_bytes, 2); /* the builds go on */
	assert_int_equal(world_acquire_as(w, &request), -EINPROGRESS);
	assert_int_equal(budget.promised_bytes, 12);
	pool_lessee_gone(w->pool, w->now_ms, request.lessee);
	assert_int_equal(budget.promised_bytes, 2);
	world_build_failed(w);
	assert_int_equal(budget.promised_bytes, 1);
	world_close(w);
}

static void what_idle_ones_cost_is_measured_later(void **state)
{
	struct pool_budget budget = {.limit_bytes = 100};
	struct pool_config config = with(&budget);
	struct world *w = world_open(&config);

	(void)state;
	world_build_all(w);
	pool_set_idle_bytes(w->pool, 3);
	assert_int_equal(pool_idle_bytes(w->pool), 3);
	assert_int_equal(budget.promised_bytes, 2); /* of those that are there it is not known */
	world_lease(w);
	assert_int_equal(budget.promised_bytes, 10 + 1 + 3);
	pool_set_idle_bytes(w->pool, 20); /* more than the limit says: then that counts */
	assert_int_equal(pool_lease_bytes(w->pool), 20);
	world_close(w);
	assert_int_equal(budget.promised_bytes, 0);
}

static void kill_ends_a_lease_and_nothing_else(void **state)
{
	struct pool_config config = {.min = 1, .max = 4, .build_concurrency = 1};
	struct world *w = world_open(&config);
	struct pool_sandbox *sandbox;

	(void)state;
	world_build_all(w);
	sandbox = world_lease(w);
	assert_int_equal(pool_kill(w->pool, w->now_ms, sandbox), 0);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->endings[0].reason, LEASE_KILLED);
	assert_int_equal(w->endings[0].discards_before, 0);
	assert_int_equal(w->discards, 1);
	assert_int_equal(pool_kill(w->pool, w->now_ms, sandbox), -ESTALE);
	assert_int_equal(w->ended, 1);
	world_check(w);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sandbox_counts_for_its_state_until_it_is_gone),
		cmocka_unit_test(a_lease_beyond_the_budget_is_refused_though_one_is_ready),
		cmocka_unit_test(a_lease_that_no_budget_holds_is_refused_for_good),
		cmocka_unit_test(the_refill_pauses_at_the_budget_and_has_not_failed),
		cmocka_unit_test(a_pool_goes_on_when_another_has_released),
		cmocka_unit_test(who_waits_has_his_lease_promised_and_gets_his_build),
		cmocka_unit_test(who_waits_for_the_refill_is_built_for_when_it_has_to_pause),
		cmocka_unit_test(who_gives_up_gives_his_promise_back),
		cmocka_unit_test(what_idle_ones_cost_is_measured_later),
		cmocka_unit_test(kill_ends_a_lease_and_nothing_else),
	};

	return cmocka_run_group_tests_name("pool_budget", tests, NULL, NULL);
}
