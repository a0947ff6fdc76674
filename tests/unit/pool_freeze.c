/* Leases that are idle for too long, where the embedder can freeze: frozen, thawed, ended. */
#include "tests/unit/pool_world.h"

static const struct pool_config sleepy = {.min = 1,
	.max = 8,
	.build_concurrency = 2,
	.waiters_max = 8,
	.idle_ms = 300,
	.frozen_ms = 1000};

static struct world *open_ready(const struct pool_config *config)
{
	struct world *w = world_open_freezing(config);

	world_build_all(w);
	return w;
}

/* A pool with one lease, frozen since just now. */
static struct world *open_frozen(const struct pool_config *config, struct pool_sandbox **ret_frozen)
{
	struct world *w = open_ready(config);

	*ret_frozen = world_lease(w);
	world_pass(w, 300);
	assert_int_equal(world_counters(w).frozen, 1);
	return w;
}

static void an_idle_lease_is_frozen_and_its_owner_told_the_time_left(void **state)
{
	struct world *w = open_ready(&sleepy);
	struct pool_sandbox *sandbox = world_lease(w);

	(void)state;
	assert_int_equal(world_pass(w, 299), 1);
	assert_int_equal(w->frosted, 0);
	assert_int_equal(world_pass(w, 1), 1000);
	assert_int_equal(w->frosted, 1);
	assert_int_equal(w->frosts[0].sandbox_id, sandbox->id);
	assert_true(w->frosts[0].is_frozen);
	assert_int_equal(w->frosts[0].left_ms, 1000);
	assert_true(sandbox->is_frozen);
	assert_int_equal(sandbox->state, SANDBOX_LEASED);
	assert_int_equal(world_counters(w).frozen, 1);
	assert_int_equal(w->ended, 0);
	world_close(w);
}

static void a_lease_that_stays_frozen_ends_as_idle(void **state)
{
	struct pool_sandbox *sandbox;
	struct world *w = open_frozen(&sleepy, &sandbox);

	(void)state;
	assert_int_equal(world_pass(w, 999), 1);
	assert_int_equal(w->ended, 0);
	world_pass(w, 1);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->endings[0].reason, LEASE_IDLE);
	assert_int_equal(w->discards, 1);
	assert_int_equal(world_counters(w).frozen, 0);
	assert_int_equal(w->frosted, 1); /* it was not thawed before */
	world_close(w);
}

static void a_touch_thaws_and_starts_the_idle_time_anew(void **state)
{
	struct pool_sandbox *sandbox;
	struct world *w = open_frozen(&sleepy, &sandbox);

	(void)state;
	world_pass(w, 500);
	world_touch(w, sandbox);
	assert_int_equal(w->frosted, 2);
	assert_false(w->frosts[1].is_frozen);
	assert_int_equal(w->frosts[1].left_ms, 0);
	assert_false(sandbox->is_frozen);
	assert_int_equal(world_counters(w).frozen, 0);
	assert_int_equal(world_pass(w, 0), 300); /* nearer than the end of the frost was */
	assert_int_equal(world_pass(w, 300), 1000);
	assert_int_equal(w->frosted, 3);
	assert_int_equal(w->frosts[2].left_ms, 1000);
	world_close(w);
}

static void a_touch_of_one_that_is_not_frozen_thaws_nothing(void **state)
{
	struct world *w = open_ready(&sleepy);
	struct pool_sandbox *sandbox = world_lease(w);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		world_pass(w, 200);
		world_touch(w, sandbox);
	}
	assert_int_equal(w->frosted, 0);
	world_close(w);
}

static void without_a_setting_a_lease_is_frozen_as_long_as_it_was_idle(void **state)
{
	struct pool_config config = sleepy;
	struct pool_request request = {.lessee = "a", .idle_ms = 70};
	struct world *w;

	(void)state;
	config.frozen_ms = 0;
	w = open_ready(&config);
	assert_int_equal(world_acquire_as(w, &request), 0);
	assert_int_equal(world_pass(w, 70), 70);
	assert_int_equal(w->frosts[0].left_ms, 70);
	world_pass(w, 70);
	assert_int_equal(w->endings[0].reason, LEASE_IDLE);
	world_close(w);
}

static void a_frozen_lease_ends_at_its_deadline_and_is_told_so_before(void **state)
{
	struct pool_config config = sleepy;
	struct pool_sandbox *sandbox;
	struct world *w;

	(void)state;
	config.lease_ms = 800;
	w = open_frozen(&config, &sandbox);
	assert_int_equal(w->frosts[0].left_ms, 500);
	world_pass(w, 500);
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->endings[0].reason, LEASE_DEADLINE);
	assert_int_equal(world_counters(w).frozen, 0);
	world_close(w);
}

static void a_deadline_that_has_passed_leaves_nothing_to_freeze(void **state)
{
	struct pool_config config = sleepy;
	struct world *w;

	(void)state;
	config.lease_ms = 800;
	w = open_ready(&config);
	world_lease(w);
	world_pass(w, 5000);
	assert_int_equal(w->frosted, 0);
	assert_int_equal(w->endings[0].reason, LEASE_DEADLINE);
	world_close(w);
}

static void nobody_ends_as_idle_without_having_been_frozen(void **state)
{
	struct world *w = open_ready(&sleepy);

	(void)state;
	world_lease(w);
	world_pass(w, 50000); /* the embedder was late: the time counts from now */
	assert_int_equal(w->frosted, 1);
	assert_int_equal(w->frosts[0].left_ms, 1000);
	assert_int_equal(w->ended, 0);
	world_close(w);
}

static void a_lease_may_stay_frozen_for_ever(void **state)
{
	struct pool_config config = sleepy;
	struct pool_sandbox *sandbox;
	struct world *w;

	(void)state;
	config.frozen_ms = UINT64_MAX;
	w = open_frozen(&config, &sandbox);
	assert_true(w->frosts[0].left_ms == UINT64_MAX);
	assert_int_equal(world_pass(w, UINT64_MAX / 2), UINT64_MAX);
	assert_int_equal(w->ended, 0);
	world_touch(w, sandbox);
	assert_int_equal(world_pass(w, 0), 300);
	world_close(w);
}

static void release(struct world *w, struct pool_sandbox *sandbox)
{
	pool_release(w->pool, w->now_ms, sandbox);
}

static void kill(struct world *w, struct pool_sandbox *sandbox)
{
	assert_int_equal(pool_kill(w->pool, w->now_ms, sandbox), 0);
}

static void lose_owner(struct world *w, struct pool_sandbox *sandbox)
{
	pool_lessee_gone(w->pool, w->now_ms, sandbox->lessee);
}

static void drain(struct world *w, struct pool_sandbox *sandbox)
{
	(void)sandbox;
	pool_drain(w->pool, w->now_ms);
}

static void a_frozen_lease_is_discarded_as_any_other_and_not_thawed(void **state)
{
	static void (*const ways[])(struct world * w, struct pool_sandbox * sandbox) = {
		release, kill, lose_owner, drain};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct pool_sandbox *sandbox;
		struct world *w = open_frozen(&sleepy, &sandbox);

		ways[i](w, sandbox);
		world_settle(w);
		assert_int_equal(sandbox->state, SANDBOX_DISCARDING);
		assert_true(sandbox->is_frozen); /* whoever discards it may want to know */
		assert_int_equal(world_counters(w).frozen, 0);
		assert_int_equal(w->frosted, 1);
		world_touch(w, sandbox); /* too late */
		assert_int_equal(w->frosted, 1);
		world_close(w);
	}
}

static void a_frozen_sandbox_that_died_is_not_counted_any_more(void **state)
{
	struct pool_sandbox *sandbox;
	struct world *w = open_frozen(&sleepy, &sandbox);

	(void)state;
	world_died(w, sandbox, LEASE_OOM);
	assert_int_equal(w->endings[0].reason, LEASE_OOM);
	assert_int_equal(world_counters(w).frozen, 0);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_lease_is_frozen_and_its_owner_told_the_time_left),
		cmocka_unit_test(a_lease_that_stays_frozen_ends_as_idle),
		cmocka_unit_test(a_touch_thaws_and_starts_the_idle_time_anew),
		cmocka_unit_test(a_touch_of_one_that_is_not_frozen_thaws_nothing),
		cmocka_unit_test(without_a_setting_a_lease_is_frozen_as_long_as_it_was_idle),
		cmocka_unit_test(a_frozen_lease_ends_at_its_deadline_and_is_told_so_before),
		cmocka_unit_test(a_deadline_that_has_passed_leaves_nothing_to_freeze),
		cmocka_unit_test(nobody_ends_as_idle_without_having_been_frozen),
		cmocka_unit_test(a_lease_may_stay_frozen_for_ever),
		cmocka_unit_test(a_frozen_lease_is_discarded_as_any_other_and_not_thawed),
		cmocka_unit_test(a_frozen_sandbox_that_died_is_not_counted_any_more),
	};

	return cmocka_run_group_tests_name("pool_freeze", tests, NULL, NULL);
}
