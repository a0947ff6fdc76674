/* When a pool builds, whom a ready sandbox goes to, what it counts. */
#include "tests/unit/pool_world.h"

static void starting_builds_min_sandboxes_a_few_at_a_time(void **state)
{
	struct pool_config config = {.min = 4, .max = 10, .build_concurrency = 3};
	struct world *w = world_open(&config);

	(void)state;
	assert_int_equal(w->builds, 3);
	world_built(w);
	assert_int_equal(w->builds, 4);
	world_build_all(w);
	assert_int_equal(w->builds, 4);
	assert_int_equal(world_counters(w).ready, 4);
	world_close(w);
}

static void a_leased_sandbox_is_replaced_at_once_and_not_again_when_released(void **state)
{
	struct pool_config config = {.min = 2, .max = 10, .build_concurrency = 2};
	struct world *w = world_open(&config);
	struct pool_sandbox *sandbox;

	(void)state;
	world_build_all(w);
	sandbox = world_lease(w);
	assert_int_equal(w->builds, 3);
	world_build_all(w);
	world_release(w, sandbox);
	assert_int_equal(w->discards, 1);
	world_reap(w);
	assert_int_equal(w->builds, 3);
	assert_int_equal(world_counters(w).ready, 2);
	world_close(w);
}

static void an_acquire_leaves_the_building_to_the_next_tick(void **state)
{
	struct pool_config config = {.min = 1, .max = 10, .build_concurrency = 4, .waiters_max = 9};
	struct world *w = world_open(&config);
	struct pool_request request = {.lessee = "a"};
	enum control_refusal refusal;
	struct pool_sandbox *sandbox;
	uint32_t retry_ms;

	(void)state;
	world_build_all(w);
	assert_int_equal(
		pool_acquire(w->pool, w->now_ms, &request, &sandbox, &refusal, &retry_ms), 0);
	assert_int_equal(pool_acquire(w->pool, w->now_ms, &request, &sandbox, &refusal, &retry_ms),
		-EINPROGRESS);
	world_check(w);
	assert_int_equal(w->builds, 1);
	pool_tick(w->pool, w->now_ms);
	assert_int_equal(w->builds, 3);
	world_close(w);
}

static void nothing_else_that_happens_builds_before_the_tick(void **state)
{
	struct pool_config config = {.min = 2, .max = 3, .build_concurrency = 1};
	struct world *w = world_open(&config);
	struct pool_sandbox *first = w->building[0];

	(void)state;
	world_build_all(w);
	pool_suspect(w->pool, w->now_ms, first);
	pool_gone(w->pool, w->now_ms, first);
	w->to_reap = 0;
	assert_int_equal(w->builds, 2);
	world_settle(w);
	assert_int_equal(w->builds, 3);
	world_close(w);
}

static void sandboxes_of_all_states_together_never_exceed_max(void **state)
{
	struct pool_config config = {.min = 2, .max = 3, .build_concurrency = 4};
	struct world *w = world_open(&config);
	struct pool_sandbox *first;

	(void)state;
	world_build_all(w);
	first = world_lease(w);
	world_build_all(w);
	world_lease(w);
	assert_int_equal(w->builds, 3); /* one ready, two leased: no room for its replacement */
	world_release(w, first);
	assert_int_equal(w->builds, 3); /* it still takes its place */
	world_reap(w);
	assert_int_equal(w->builds, 4);
	world_close(w);
}

static void the_oldest_ready_sandbox_goes_first(void **state)
{
	struct pool_config config = {.min = 3, .max = 9, .build_concurrency = 1};
	struct world *w = world_open(&config);

	(void)state;
	world_build_all(w);
	assert_int_equal(world_lease(w)->id, 1);
	assert_int_equal(world_lease(w)->id, 2);
	world_close(w);
}

static void ids_are_unique_among_pools_that_share_the_counter(void **state)
{
	struct pool_config config = {.min = 2, .max = 2, .build_concurrency = 2};
	struct world *w = world_open(&config);
	struct pool *second;

	(void)state;
	assert_int_equal(pool_create(&config, &world_ops, w, &w->next_id, &second, NULL), 0);
	pool_start(second, w->now_ms);
	pool_tick(second, w->now_ms);
	assert_int_equal(w->in_flight, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(w->building[i]->id, i + 1);
	pool_destroy(second);
	world_close(w);
}

static void a_pool_that_is_not_started_builds_nothing_and_refuses(void **state)
{
	struct pool_config config = {.min = 2, .max = 2, .build_concurrency = 2};
	struct world *w = world_create(&config);

	(void)state;
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_STOPPING);
	assert_int_equal(world_pass(w, 1000), UINT64_MAX);
	assert_int_equal(w->builds, 0);
	world_close(w);
}

static void the_counters_tell_what_there_is_and_what_was_missed(void **state)
{
	struct pool_config config = {.min = 1, .max = 9, .build_concurrency = 1, .waiters_max = 9};
	struct world *w = world_open(&config);
	struct pool_counters c;

	(void)state;
	world_built(w);
	world_lease(w);
	world_acquire(w, 1, ON_EMPTY_BUILD); /* gets the replacement */
	world_acquire(w, 2, ON_EMPTY_BUILD);
	world_acquire(w, 3, ON_EMPTY_FAIL);
	c = world_counters(w);
	assert_int_equal(c.waiting, 2);
	assert_int_equal(c.building, 1);
	world_built(w);
	world_built(w);
	c = world_counters(w);
	assert_int_equal(c.misses, 3);
	assert_int_equal(c.leased, 3);
	assert_int_equal(c.waiting, 0);
	world_close(w);
}

static void note_id(void *arg, struct pool_sandbox *sandbox)
{
	uint64_t **next = arg;

	*(*next)++ = sandbox->id;
}

static void every_sandbox_is_visited_once_the_oldest_of_a_state_first(void **state)
{
	struct pool_config config = {.min = 3, .max = 9, .build_concurrency = 1};
	struct world *w = world_open(&config);
	uint64_t ids[8] = {0}, *next = ids;
	static const uint64_t expected[] = {6, 4, 5, 2, 3, 1};

	(void)state;
	world_build_all(w);
	world_release(w, world_lease(w));
	world_built(w);
	world_lease(w);
	world_built(w);
	world_lease(w);
	pool_for_each(w->pool, note_id, &next);
	assert_int_equal(next - ids, 6);
	assert_memory_equal(
		ids, expected, sizeof(expected)); /* building, ready, leased, discarding */
	world_close(w);
}

static void settings_that_make_no_sense_are_refused_with_a_reason(void **state)
{
	static const struct {
		struct pool_config config;
		const char *text;
	} rows[] = {
		{{.max = 0, .build_concurrency = 1}, "pool: max 0 is not in 1..16384"},
		{{.max = 16385, .build_concurrency = 1}, "pool: max 16385 is not in 1..16384"},
		{{.min = 3, .max = 2, .build_concurrency = 1}, "pool: min 3 is more than max 2"},
		{{.max = 2}, "pool: build concurrency is 0"},
		{{.max = 2, .build_concurrency = 1, .on_empty = 9}, "pool: on-empty 9 is unknown"},
		{{.max = 2, .build_concurrency = 1, .backoff_min_ms = 9, .backoff_max_ms = 8},
			"pool: the shortest back-off is longer than the longest"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pool *pool = NULL;
		struct error err;
		uint64_t next_id = 1;

		assert_int_equal(
			pool_create(&rows[i].config, &world_ops, NULL, &next_id, &pool, &err),
			-EINVAL);
		assert_string_equal(err.text, rows[i].text);
		assert_null(pool);
	}
}

static void the_smallest_and_the_largest_settings_are_accepted(void **state)
{
	static const struct pool_config configs[] = {
		{.min = 0, .max = 1, .build_concurrency = 1},
		{.min = POOL_SANDBOXES_MAX,
			.max = POOL_SANDBOXES_MAX,
			.build_concurrency = UINT32_MAX,
			.waiters_max = UINT32_MAX,
			.backoff_min_ms = UINT64_MAX,
			.backoff_max_ms = UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		world_close(world_create(&configs[i]));
}

static void out_of_memory_at_creation_is_returned(void **state)
{
	struct pool_config config = {.max = 1, .build_concurrency = 1};
	struct pool *pool = NULL;
	uint64_t next_id = 1;

	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		world_fail(WORLD_CALLOC, n, false);
		assert_int_equal(
			pool_create(&config, &world_ops, NULL, &next_id, &pool, NULL), -ENOMEM);
		assert_null(pool);
		assert_int_equal(world_failed(WORLD_CALLOC), 1);
	}
}

static void destroy_frees_sandboxes_and_waiters_and_accepts_null(void **state)
{
	struct pool_config config = {.min = 3, .max = 9, .build_concurrency = 2, .waiters_max = 9};
	struct world *w = world_open(&config);

	(void)state;
	world_built(w);
	world_lease(w);
	world_acquire(w, 1, ON_EMPTY_BUILD);
	pool_destroy(NULL);
	world_close(w); /* the leak sanitizer looks on */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starting_builds_min_sandboxes_a_few_at_a_time),
		cmocka_unit_test(a_leased_sandbox_is_replaced_at_once_and_not_again_when_released),
		cmocka_unit_test(an_acquire_leaves_the_building_to_the_next_tick),
		cmocka_unit_test(nothing_else_that_happens_builds_before_the_tick),
		cmocka_unit_test(sandboxes_of_all_states_together_never_exceed_max),
		cmocka_unit_test(the_oldest_ready_sandbox_goes_first),
		cmocka_unit_test(ids_are_unique_among_pools_that_share_the_counter),
		cmocka_unit_test(a_pool_that_is_not_started_builds_nothing_and_refuses),
		cmocka_unit_test(the_counters_tell_what_there_is_and_what_was_missed),
		cmocka_unit_test(every_sandbox_is_visited_once_the_oldest_of_a_state_first),
		cmocka_unit_test(settings_that_make_no_sense_are_refused_with_a_reason),
		cmocka_unit_test(the_smallest_and_the_largest_settings_are_accepted),
		cmocka_unit_test(out_of_memory_at_creation_is_returned),
		cmocka_unit_test(destroy_frees_sandboxes_and_waiters_and_accepts_null),
	};

	return cmocka_run_group_tests_name("pool_refill", tests, NULL, NULL);
}
