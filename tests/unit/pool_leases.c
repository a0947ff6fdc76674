/* How leases and sandboxes end. */
#include "tests/unit/pool_world.h"

static const struct pool_config limited = {.min = 2,
	.max = 8,
	.build_concurrency = 2,
	.waiters_max = 8,
	.lease_ms = 1000,
	.idle_ms = 300};

static struct world *open_ready(const struct pool_config *config)
{
	struct world *w = world_open(config);

	world_build_all(w);
	return w;
}

static void assert_ended(const struct world *w, int ended, enum lease_end_reason reason)
{
	assert_int_equal(w->ended, ended);
	if (ended > 0)
		assert_int_equal(w->endings[ended - 1].reason, reason);
}

static void an_idle_lease_ends_when_its_limit_is_reached(void **state)
{
	struct world *w = open_ready(&limited);
	struct pool_sandbox *sandbox = world_lease(w);

	(void)state;
	assert_int_equal(world_pass(w, 299), 1);
	assert_int_equal(sandbox->state, SANDBOX_LEASED);
	assert_int_equal(world_pass(w, 1), UINT64_MAX);
	assert_int_equal(sandbox->state, SANDBOX_DISCARDING);
	assert_ended(w, 1, LEASE_IDLE);
	world_close(w);
}

static void a_sandbox_knows_since_when_it_is_in_its_state(void **state)
{
	struct world *w = world_open(&limited);
	struct pool_sandbox *sandbox = w->building[0];

	(void)state;
	assert_int_equal(sandbox->created_ms, 1000);
	world_pass(w, 5);
	world_build_all(w);
	assert_int_equal(sandbox->state_since_ms, 1005);
	world_pass(w, 5);
	assert_ptr_equal(world_lease(w), sandbox);
	assert_int_equal(sandbox->state_since_ms, 1010);
	assert_int_equal(sandbox->created_ms, 1000);
	world_close(w);
}

static void the_lessee_is_told_before_the_discard(void **state)
{
	struct world *w = open_ready(&limited);

	(void)state;
	world_lease(w);
	world_pass(w, 300);
	assert_int_equal(w->endings[0].discards_before, 0);
	assert_string_equal(w->endings[0].lessee, "a");
	assert_int_equal(w->discards, 1);
	world_close(w);
}

static void a_touch_starts_the_idle_time_anew_but_not_the_deadline(void **state)
{
	struct world *w = open_ready(&limited);
	struct pool_sandbox *sandbox = world_lease(w);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		world_pass(w, 200);
		world_touch(w, sandbox);
	}
	assert_ended(w, 0, 0);
	assert_int_equal(world_pass(w, 199), 1);
	world_pass(w, 1);
	assert_ended(w, 1, LEASE_DEADLINE);
	world_close(w);
}

static void of_two_limits_that_have_passed_the_earlier_is_the_reason(void **state)
{
	struct world *w = open_ready(&limited);

	(void)state;
	world_lease(w);
	world_pass(w, 5000);
	assert_ended(w, 1, LEASE_IDLE);
	world_close(w);
}

static void a_lease_without_limits_never_ends_by_itself(void **state)
{
	struct pool_config config = {.min = 1, .max = 2, .build_concurrency = 1};
	struct world *w = open_ready(&config);

	(void)state;
	world_lease(w);
	assert_int_equal(world_pass(w, UINT64_MAX / 2), UINT64_MAX);
	assert_int_equal(world_pass(w, UINT64_MAX - 1 - w->now_ms), UINT64_MAX);
	assert_ended(w, 0, 0);
	world_close(w);
}

static void a_request_may_shorten_the_limits_but_not_stretch_them(void **state)
{
	static const struct {
		uint32_t lease_ms, idle_ms;
		uint64_t ends_ms;
	} rows[] = {{100, 0, 100}, {0, 70, 70}, {9000, 9000, 300}, {0, 0, 300}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = open_ready(&limited);
		struct pool_request request = {
			.lessee = "a", .lease_ms = rows[i].lease_ms, .idle_ms = rows[i].idle_ms};

		assert_int_equal(world_acquire_as(w, &request), 0);
		assert_int_equal(world_pass(w, 0), rows[i].ends_ms);
		world_close(w);
	}
}

static void a_request_may_set_limits_where_the_pool_has_none(void **state)
{
	struct pool_config config = {.min = 0, .max = 2, .build_concurrency = 1, .waiters_max = 1};
	struct pool_request request = {.lessee = "a", .lease_ms = 500, .idle_ms = 50};
	struct world *w = world_open(&config);

	(void)state;
	assert_int_equal(world_acquire_as(w, &request), -EINPROGRESS);
	world_pass(w, 25);
	world_built(w); /* the lease begins when it is granted, not when it was asked for */
	assert_int_equal(world_pass(w, 30), 20);
	assert_int_equal(w->answers[0].sandbox->deadline_ms, w->now_ms + 470);
	world_close(w);
}

static void limits_beyond_the_end_of_time_are_never(void **state)
{
	struct pool_config config = limited;
	struct world *w;

	(void)state;
	config.idle_ms = UINT64_MAX;
	config.lease_ms = UINT64_MAX - 1;
	config.wait_ms = UINT64_MAX;
	w = open_ready(&config);
	world_lease(w);
	world_lease(w);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_WAIT), -EINPROGRESS);
	assert_int_equal(world_pass(w, UINT64_MAX - 1 - w->now_ms), UINT64_MAX);
	assert_ended(w, 0, 0);
	assert_int_equal(w->answered, 0);
	world_close(w);
}

static void release_and_touch_of_a_lease_that_has_ended_do_nothing(void **state)
{
	struct world *w = open_ready(&limited);
	struct pool_sandbox *sandbox = world_lease(w);
	uint64_t touched_ms = sandbox->touched_ms;

	(void)state;
	world_pass(w, 300);
	world_release(w, sandbox);
	pool_touch(w->pool, w->now_ms, sandbox);
	assert_int_equal(w->discards, 1);
	assert_int_equal(sandbox->touched_ms, touched_ms);
	world_close(w);
}

static void a_lessee_that_is_gone_loses_its_leases_only(void **state)
{
	struct world *w = open_ready(&limited);
	struct pool_sandbox *hers = world_lease(w);
	struct pool_request request = {.lessee = "b"};

	(void)state;
	assert_int_equal(world_acquire_as(w, &request), 0);
	pool_lessee_gone(w->pool, w->now_ms, request.lessee);
	world_check(w);
	assert_int_equal(w->sandbox->state, SANDBOX_DISCARDING);
	assert_int_equal(hers->state, SANDBOX_LEASED);
	assert_ended(w, 0, 0);
	world_close(w);
}

static void of_many_lessees_each_loses_its_own_lease_only(void **state)
{
	struct pool_config config = {.min = 100, .max = 110, .build_concurrency = 100};
	static char lessees[100 *
			    100]; /* the squares' addresses are who they are; some share a bucket */
	struct world *w = open_ready(&config);

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct pool_request request = {.lessee = &lessees[i * i]};

		assert_int_equal(world_acquire_as(w, &request), 0);
	}
	for (int i = 0; i < 100; i++) {
		pool_lessee_gone(w->pool, w->now_ms, &lessees[i * i]);
		world_check(w);
		assert_int_equal(w->discards, i + 1);
	}
	world_close(w);
}

static void a_lease_leaves_its_lessees_list_when_it_ends(void **state)
{
	struct world *w = open_ready(&limited);
	struct list leases;

	(void)state;
	list_init(&leases);
	list_append(&leases, &world_lease(w)->by_lessee);
	list_append(&leases, &world_lease(w)->by_lessee);
	world_build_all(w);
	list_append(&leases, &world_lease(w)->by_lessee);
	world_release(w, list_entry(leases.next, struct pool_sandbox, by_lessee));
	world_died(w, list_entry(leases.next, struct pool_sandbox, by_lessee), LEASE_OOM);
	world_pass(w, 300);
	assert_true(list_is_empty(&leases));
	world_close(w);
}

static void a_ready_sandbox_that_died_is_replaced(void **state)
{
	struct world *w = world_open(&limited);
	struct pool_sandbox *sandbox = w->building[0];

	(void)state;
	world_build_all(w);
	world_died(w, sandbox, LEASE_GUEST_DIED);
	assert_int_equal(w->in_flight, 1);
	assert_int_equal(w->discards, 0);
	assert_int_equal(world_counters(w).deaths, 1);
	assert_ended(w, 0, 0);
	world_close(w);
}

static void a_leased_sandbox_that_died_ends_its_lease_with_the_reason(void **state)
{
	struct world *w = open_ready(&limited);

	(void)state;
	world_died(w, world_lease(w), LEASE_OOM);
	assert_ended(w, 1, LEASE_OOM);
	assert_int_equal(w->discards, 0);
	assert_int_equal(world_counters(w).leased, 0);
	assert_int_equal(world_counters(w).deaths, 1);
	world_close(w);
}

static void a_sandbox_that_died_while_being_built_is_a_failed_build(void **state)
{
	struct world *w = world_open(&limited);

	(void)state;
	world_died(w, w->building[0], LEASE_BUILDER_LOST);
	assert_int_equal(world_counters(w).build_failures, 1);
	assert_int_equal(world_counters(w).deaths, 0);
	assert_int_equal(world_pass(w, 0), 100);
	world_close(w);
}

static void a_discarded_sandbox_that_died_is_gone(void **state)
{
	struct world *w = open_ready(&limited);
	struct pool_sandbox *sandbox = world_lease(w);

	(void)state;
	world_release(w, sandbox);
	world_died(w, sandbox, LEASE_GUEST_DIED);
	assert_int_equal(world_counters(w).discarding, 0);
	assert_int_equal(world_counters(w).deaths, 0);
	assert_ended(w, 0, 0);
	world_close(w);
}

static void a_suspect_is_never_handed_out(void **state)
{
	struct world *w = world_open(&limited);
	struct pool_sandbox *suspect = w->building[0];

	(void)state;
	world_build_all(w);
	pool_suspect(w->pool, w->now_ms, suspect);
	world_settle(w);
	assert_int_equal(w->discards, 1);
	assert_int_equal(w->in_flight, 1);
	assert_ptr_not_equal(world_lease(w), suspect);
	world_died(w, suspect, LEASE_GUEST_DIED);
	assert_int_equal(world_counters(w).deaths, 1);
	world_close(w);
}

static void only_a_ready_sandbox_can_be_suspect(void **state)
{
	struct world *w = open_ready(&limited);
	struct pool_sandbox *sandbox = world_lease(w);

	(void)state;
	pool_suspect(w->pool, w->now_ms, sandbox);
	assert_int_equal(sandbox->state, SANDBOX_LEASED);
	assert_int_equal(w->discards, 0);
	world_close(w);
}

static void a_drain_ends_everything_and_leaves_the_pool_empty(void **state)
{
	struct pool_config config = limited;
	struct world *w;

	(void)state;
	config.max = 5;
	w = world_open(&config);
	world_built(w);
	world_lease(w); /* one leased, two in flight */
	for (uint32_t id = 1; id <= 3; id++)
		assert_int_equal(world_acquire(w, id, ON_EMPTY_BUILD), -EINPROGRESS);
	pool_drain(w->pool, w->now_ms);
	world_check(w);
	assert_ended(w, 1, LEASE_SHUTDOWN);
	assert_int_equal(w->answered, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(w->answers[i].refusal, REFUSED_STOPPING);
	assert_int_equal(world_acquire(w, 4, ON_EMPTY_BUILD), -EAGAIN);
	assert_int_equal(w->refusal, REFUSED_STOPPING);
	assert_int_equal(w->retry_ms, 0);
	assert_false(pool_is_empty(w->pool));

	world_built(w); /* too late */
	assert_int_equal(w->discards, 2);
	world_build_failed(w);
	world_pass(w, 100000);
	world_reap_all(w);
	assert_true(pool_is_empty(w->pool));
	assert_int_equal(w->builds, 3);
	world_close(w);
}

static void a_drain_discards_the_ready_ones(void **state)
{
	struct world *w = open_ready(&limited);

	(void)state;
	pool_drain(w->pool, w->now_ms);
	assert_int_equal(w->discards, 2);
	world_reap_all(w);
	assert_true(pool_is_empty(w->pool));
	assert_ended(w, 0, 0);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_lease_ends_when_its_limit_is_reached),
		cmocka_unit_test(a_sandbox_knows_since_when_it_is_in_its_state),
		cmocka_unit_test(the_lessee_is_told_before_the_discard),
		cmocka_unit_test(a_touch_starts_the_idle_time_anew_but_not_the_deadline),
		cmocka_unit_test(of_two_limits_that_have_passed_the_earlier_is_the_reason),
		cmocka_unit_test(a_lease_without_limits_never_ends_by_itself),
		cmocka_unit_test(a_request_may_shorten_the_limits_but_not_stretch_them),
		cmocka_unit_test(a_request_may_set_limits_where_the_pool_has_none),
		cmocka_unit_test(limits_beyond_the_end_of_time_are_never),
		cmocka_unit_test(release_and_touch_of_a_lease_that_has_ended_do_nothing),
		cmocka_unit_test(a_lessee_that_is_gone_loses_its_leases_only),
		cmocka_unit_test(of_many_lessees_each_loses_its_own_lease_only),
		cmocka_unit_test(a_lease_leaves_its_lessees_list_when_it_ends),
		cmocka_unit_test(a_ready_sandbox_that_died_is_replaced),
		cmocka_unit_test(a_leased_sandbox_that_died_ends_its_lease_with_the_reason),
		cmocka_unit_test(a_sandbox_that_died_while_being_built_is_a_failed_build),
		cmocka_unit_test(a_discarded_sandbox_that_died_is_gone),
		cmocka_unit_test(a_suspect_is_never_handed_out),
		cmocka_unit_test(only_a_ready_sandbox_can_be_suspect),
		cmocka_unit_test(a_drain_ends_everything_and_leaves_the_pool_empty),
		cmocka_unit_test(a_drain_discards_the_ready_ones),
	};

	return cmocka_run_group_tests_name("pool_leases", tests, NULL, NULL);
}
