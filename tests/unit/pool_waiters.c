/* What an acquire of an empty pool comes to: build, wait, fail; the queue and its deadlines. */
#include "tests/unit/pool_world.h"

static const struct pool_config empty_pool = {
	.min = 0, .max = 8, .build_concurrency = 2, .waiters_max = 8, .wait_ms = 1000};

static void build_starts_a_build_and_the_waiter_gets_it(void **state)
{
	struct world *w = world_open(&empty_pool);

	(void)state;
	assert_int_equal(w->builds, 0);
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(w->builds, 1);
	world_built(w);
	assert_int_equal(w->answered, 1);
	assert_int_equal(w->answers[0].request_id, 7);
	assert_int_equal(w->answers[0].rung, RUNG_BUILT);
	assert_int_equal(w->answers[0].sandbox->state, SANDBOX_LEASED);
	world_close(w);
}

static void what_came_with_an_acquire_comes_back_with_its_answer(void **state)
{
	struct world *w = world_open(&empty_pool);
	struct pool_request request = {.lessee = "a", .request_id = 7, .data = &request};
	enum control_refusal refusal;
	struct pool_sandbox *sandbox;
	uint32_t retry_ms;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pool_acquire(w->pool, w->now_ms, &request, &sandbox, &refusal, &retry_ms),
			-EINPROGRESS);
	world_settle(w);
	world_built(w);
	assert_non_null(w->answers[0].sandbox);
	assert_ptr_equal(w->answers[0].data, &request);
	pool_drain(w->pool, w->now_ms);
	assert_null(w->answers[1].sandbox);
	assert_ptr_equal(w->answers[1].data, &request);
	world_close(w);
}

static void wait_starts_no_build_beyond_min(void **state)
{
	struct world *w = world_open(&empty_pool);

	(void)state;
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_WAIT), -EINPROGRESS);
	assert_int_equal(w->builds, 0);
	world_close(w);
}

static void wait_takes_what_the_refill_had_started(void **state)
{
	struct pool_config config = empty_pool;
	struct world *w;

	(void)state;
	config.min = 1;
	w = world_open(&config);
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_WAIT), -EINPROGRESS);
	assert_int_equal(w->builds, 1);
	world_built(w);
	assert_int_equal(w->answers[0].rung, RUNG_WAITED);
	assert_int_equal(w->builds, 2); /* and it is replaced */
	world_close(w);
}

static void fail_is_refused_with_a_time_to_retry(void **state)
{
	struct world *w = world_open(&empty_pool);

	(void)state;
	assert_int_equal(world_acquire(w, 7, ON_EMPTY_FAIL), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_EMPTY);
	assert_int_not_equal(w->retry_ms, 0);
	assert_int_equal(w->builds, 0);
	world_close(w);
}

static void without_a_wish_the_pool_decides(void **state)
{
	struct pool_config config = empty_pool;
	struct world *w = world_open(&config);

	(void)state;
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_DEFAULT), -EINPROGRESS);
	assert_int_equal(w->builds, 1); /* a pool left at its default builds */
	world_close(w);

	config.on_empty = ON_EMPTY_FAIL;
	w = world_open(&config);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_DEFAULT), -EAGAIN);
	assert_int_equal(world_acquire(w, 2, ON_EMPTY_WAIT), -EINPROGRESS);
	world_close(w);
}

static void waiters_are_served_first_come_first_served(void **state)
{
	struct world *w = world_open(&empty_pool);

	(void)state;
	world_acquire(w, 1, ON_EMPTY_WAIT);
	world_acquire(w, 2, ON_EMPTY_BUILD);
	world_acquire(w, 3, ON_EMPTY_BUILD);
	assert_int_equal(w->in_flight, 2);
	world_build_all(w);
	assert_int_equal(w->answered, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(w->answers[i].request_id, i + 1);
		/* number 1 has taken the first build of the others, who have another built */
		assert_int_equal(w->answers[i].rung, RUNG_BUILT);
	}
	assert_int_equal(w->builds, 3);
	world_close(w);
}

static void a_build_waits_for_room_when_max_is_reached(void **state)
{
	struct pool_config config = empty_pool;
	struct pool_sandbox *sandbox;
	struct world *w;

	(void)state;
	config.max = 1;
	w = world_open(&config);
	world_acquire(w, 1, ON_EMPTY_BUILD);
	world_built(w);
	sandbox = w->answers[0].sandbox;
	assert_int_equal(world_acquire(w, 2, ON_EMPTY_BUILD), -EINPROGRESS);
	world_release(w, sandbox);
	assert_int_equal(w->builds, 1);
	world_reap(w);
	assert_int_equal(w->builds, 2);
	world_built(w);
	assert_int_equal(w->answers[1].request_id, 2);
	world_close(w);
}

static void a_full_queue_refuses_one_more(void **state)
{
	struct pool_config config = empty_pool;
	struct world *w;

	(void)state;
	config.waiters_max = 2;
	w = world_open(&config);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_WAIT), -EINPROGRESS);
	assert_int_equal(world_acquire(w, 2, ON_EMPTY_BUILD), -EINPROGRESS);
	assert_int_equal(world_acquire(w, 3, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_EMPTY);
	assert_int_not_equal(w->retry_ms, 0);
	assert_int_equal(w->builds, 1);
	world_close(w);
}

static void a_waiter_is_refused_when_its_time_is_over_and_not_before(void **state)
{
	struct world *w = world_open(&empty_pool);

	(void)state;
	world_acquire(w, 1, ON_EMPTY_WAIT);
	assert_int_equal(world_pass(w, 0), 1000);
	assert_int_equal(world_pass(w, 999), 1);
	assert_int_equal(w->answered, 0);
	assert_int_equal(world_pass(w, 1), UINT64_MAX);
	assert_int_equal(w->answered, 1);
	assert_int_equal(w->answers[0].refusal, REFUSED_TIMEOUT);
	assert_int_not_equal(w->answers[0].retry_ms, 0);
	world_close(w);
}

static void a_request_may_wait_less_than_the_pool_allows_but_not_longer(void **state)
{
	struct world *w = world_open(&empty_pool);
	struct pool_request shorter = {
		.lessee = "a", .request_id = 1, .on_empty = ON_EMPTY_WAIT, .wait_ms = 20};
	struct pool_request longer = {
		.lessee = "a", .request_id = 2, .on_empty = ON_EMPTY_WAIT, .wait_ms = 5000};

	(void)state;
	world_acquire_as(w, &longer);
	world_acquire_as(w, &shorter);
	assert_int_equal(world_pass(w, 20), 980);
	assert_int_equal(w->answered, 1);
	assert_int_equal(w->answers[0].request_id, 1);
	world_pass(w, 980);
	assert_int_equal(w->answered, 2);
	world_close(w);
}

static void a_pool_without_a_wait_limit_lets_wait_ten_seconds(void **state)
{
	struct pool_config config = empty_pool;
	struct world *w;

	(void)state;
	config.wait_ms = 0;
	w = world_open(&config);
	world_acquire(w, 1, ON_EMPTY_WAIT);
	assert_int_equal(world_pass(w, 0), 10000);
	world_close(w);
}

static void what_was_built_for_a_waiter_that_gave_up_stays_ready(void **state)
{
	struct pool_config config = empty_pool;
	struct world *w;

	(void)state;
	config.wait_ms = 1;
	w = world_open(&config);
	world_acquire(w, 1, ON_EMPTY_BUILD);
	world_pass(w, 1);
	assert_int_equal(w->answers[0].refusal, REFUSED_TIMEOUT);
	world_built(w);
	assert_int_equal(world_counters(w).ready, 1);
	world_lease(w);
	assert_int_equal(w->in_flight, 0); /* it was beyond min: not replaced */
	world_close(w);
}

static void a_waiter_whose_lessee_is_gone_vanishes_without_an_answer(void **state)
{
	struct world *w = world_open(&empty_pool);
	struct pool_request other = {.lessee = "b", .request_id = 2, .on_empty = ON_EMPTY_BUILD};
	char *gone = "a";

	(void)state;
	world_acquire_as(w, &(struct pool_request){.lessee = gone, .request_id = 1});
	world_acquire_as(w, &other);
	pool_lessee_gone(w->pool, w->now_ms, gone);
	world_check(w);
	assert_int_equal(w->answered, 0);
	world_built(w);
	assert_int_equal(w->answers[0].request_id, 2);
	world_built(w);
	assert_int_equal(w->answered, 1);
	world_close(w);
}

static void an_answer_tells_when_its_request_came(void **state)
{
	struct world *w = world_open(&empty_pool);
	struct pool_request request = {.lessee = "a", .request_id = 1, .arrived_ns = 999999999};

	(void)state;
	world_acquire_as(w, &request);
	world_pass(w, 7);
	world_built(w);
	assert_int_equal(w->answers[0].asked_ms, 1000);
	assert_int_equal(w->answers[0].arrived_ns, 999999999);
	world_close(w);
}

static void no_memory_for_a_waiter_is_returned_and_starts_no_build(void **state)
{
	struct world *w = world_open(&empty_pool);

	(void)state;
	world_fail(WORLD_CALLOC, 1, false);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_BUILD), -ENOMEM);
	assert_int_not_equal(w->retry_ms, 0);
	assert_int_equal(w->builds, 0);
	assert_int_equal(world_counters(w).misses, 1);
	assert_int_equal(pool_failures_in_row(w->pool), 0);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_starts_a_build_and_the_waiter_gets_it),
		cmocka_unit_test(what_came_with_an_acquire_comes_back_with_its_answer),
		cmocka_unit_test(wait_starts_no_build_beyond_min),
		cmocka_unit_test(wait_takes_what_the_refill_had_started),
		cmocka_unit_test(fail_is_refused_with_a_time_to_retry),
		cmocka_unit_test(without_a_wish_the_pool_decides),
		cmocka_unit_test(waiters_are_served_first_come_first_served),
		cmocka_unit_test(a_build_waits_for_room_when_max_is_reached),
		cmocka_unit_test(a_full_queue_refuses_one_more),
		cmocka_unit_test(a_waiter_is_refused_when_its_time_is_over_and_not_before),
		cmocka_unit_test(a_request_may_wait_less_than_the_pool_allows_but_not_longer),
		cmocka_unit_test(a_pool_without_a_wait_limit_lets_wait_ten_seconds),
		cmocka_unit_test(what_was_built_for_a_waiter_that_gave_up_stays_ready),
		cmocka_unit_test(a_waiter_whose_lessee_is_gone_vanishes_without_an_answer),
		cmocka_unit_test(an_answer_tells_when_its_request_came),
		cmocka_unit_test(no_memory_for_a_waiter_is_returned_and_starts_no_build),
	};

	return cmocka_run_group_tests_name("pool_waiters", tests, NULL, NULL);
}
