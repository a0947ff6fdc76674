/* Whose turn it is, when several wait. */
#include "tests/unit/pool_world.h"

static const struct pool_config crowded = {
	.min = 0, .max = 128, .build_concurrency = 1, .waiters_max = 128, .wait_ms = 1000};

static char lessees[128]; /* their addresses are who they are */

static void ask(struct world *w, unsigned lessee, uint32_t id)
{
	struct pool_request request = {.lessee = &lessees[lessee], .request_id = id};

	assert_int_equal(world_acquire_as(w, &request), -EINPROGRESS);
}

static void assert_answered(const struct world *w, const uint32_t *ids, int count)
{
	assert_int_equal(w->answered, count);
	for (int i = 0; i < count; i++) {
		assert_non_null(w->answers[i].sandbox);
		assert_int_equal(w->answers[i].request_id, ids[i]);
	}
}

static void a_burst_of_one_client_is_answered_in_arrival_order(void **state)
{
	struct world *w = world_open(&crowded);
	uint32_t ids[100];

	(void)state;
	for (uint32_t id = 0; id < 100; id++)
		ask(w, 0, ids[id] = id);
	world_build_all(w);
	assert_answered(w, ids, 100);
	world_close(w);
}

static void a_burst_of_many_clients_is_answered_in_arrival_order(void **state)
{
	struct world *w = world_open(&crowded);
	uint32_t ids[100];

	(void)state;
	for (uint32_t id = 0; id < 100; id++) {
		ask(w, id, ids[id] = id);
		if (id % 3 == 2) /* while it lasts, some are answered */
			world_built(w);
	}
	world_build_all(w);
	assert_answered(w, ids, 100);
	world_close(w);
}

static void whoever_comes_behind_a_clients_many_waits_for_one_of_them(void **state)
{
	static const uint32_t ids[] = {0, 50, 1, 51, 2, 3, 4};
	struct world *w = world_open(&crowded);

	(void)state;
	for (uint32_t id = 0; id < 5; id++)
		ask(w, 0, id);
	ask(w, 1, 50);
	ask(w, 1, 51);
	world_build_all(w);
	assert_answered(w, ids, 7);
	world_close(w);
}

static void a_client_that_asks_again_and_again_does_not_overtake_one_that_waits(void **state)
{
	struct world *w = world_open(&crowded);
	int others = 0;

	(void)state;
	for (uint32_t id = 0; id < 5; id++)
		ask(w, 0, id);
	for (uint32_t id = 100; w->answered < 10; id++) {
		ask(w, 1, id); /* one at a time, as soon as the last one was answered */
		do
			world_built(w);
		while (w->answers[w->answered - 1].request_id != id);
	}
	for (int i = 0; i < 10; i++)
		others += w->answers[i].request_id < 100;
	assert_int_equal(others, 5); /* every other one was the first client's */
	world_close(w);
}

static void new_clients_for_ever_do_not_starve_the_second_of_an_old_one(void **state)
{
	struct world *w = world_open(&crowded);
	int before = 0;

	(void)state;
	ask(w, 0, 0);
	ask(w, 0, 1);
	for (unsigned lessee = 1; lessee < 30; lessee++) {
		ask(w, lessee, 100 + lessee);
		world_built(w);
	}
	while (before < w->answered && w->answers[before].request_id != 1)
		before++;
	assert_in_range(before, 1, 3);
	world_close(w);
}

static void the_turns_of_who_gave_up_pass_to_the_others(void **state)
{
	static const uint32_t ids[] = {0, 2};
	struct world *w = world_open(&crowded);
	struct pool_request request = {.lessee = &lessees[0], .request_id = 1, .wait_ms = 10};

	(void)state;
	ask(w, 0, 0);
	assert_int_equal(world_acquire_as(w, &request), -EINPROGRESS);
	ask(w, 1, 50);
	ask(w, 0, 2);
	pool_lessee_gone(w->pool, w->now_ms, &lessees[1]);
	world_pass(w, 10);
	assert_int_equal(w->answers[0].refusal, REFUSED_TIMEOUT);
	w->answered = 0;
	world_build_all(w);
	assert_answered(w, ids, 2);
	world_close(w);
}

static void in_the_back_off_it_is_the_next_in_turn_who_waits_for_what_is_in_flight(void **state)
{
	struct pool_config config = crowded;
	struct world *w;

	(void)state;
	config.build_concurrency = 3;
	w = world_open(&config);
	for (uint32_t id = 0; id < 3; id++)
		ask(w, 0, id);
	ask(w, 1, 50);
	world_build_failed(w);
	assert_int_equal(w->answered, 2);
	assert_int_equal(w->answers[0].request_id, 1);
	assert_int_equal(w->answers[1].request_id, 2);
	world_built(w);
	world_built(w);
	assert_int_equal(w->answers[2].request_id, 0);
	assert_int_equal(w->answers[3].request_id, 50);
	assert_non_null(w->answers[3].sandbox);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_of_one_client_is_answered_in_arrival_order),
		cmocka_unit_test(a_burst_of_many_clients_is_answered_in_arrival_order),
		cmocka_unit_test(whoever_comes_behind_a_clients_many_waits_for_one_of_them),
		cmocka_unit_test(
			a_client_that_asks_again_and_again_does_not_overtake_one_that_waits),
		cmocka_unit_test(new_clients_for_ever_do_not_starve_the_second_of_an_old_one),
		cmocka_unit_test(the_turns_of_who_gave_up_pass_to_the_others),
		cmocka_unit_test(
			in_the_back_off_it_is_the_next_in_turn_who_waits_for_what_is_in_flight),
	};

	return cmocka_run_group_tests_name("pool_fair", tests, NULL, NULL);
}
