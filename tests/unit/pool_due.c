/* Leases by the time at which something is due, many of them. */
#include "pool/due.h"

#include <stdlib.h>

#include "tests/unit/pool_world.h"

#define MANY 3000

struct fixture {
	struct due due;
	struct pool_sandbox *sandboxes; /* MANY */
	uint64_t random;
};

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	*state = f;
	f->sandboxes = test_calloc(MANY, sizeof(*f->sandboxes));
	f->random = 1;
	return due_init(&f->due);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	due_finish(&f->due);
	test_free(f->sandboxes);
	test_free(f);
	return 0;
}

static uint64_t random_below(struct fixture *f, uint64_t below)
{
	f->random = f->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (f->random >> 33) % below;
}

static void the_first_is_the_one_with_the_earliest_time(void **state)
{
	struct fixture *f = *state;

	assert_null(due_first(&f->due));
	due_set(&f->due, &f->sandboxes[0], 30);
	due_set(&f->due, &f->sandboxes[1], 20);
	due_set(&f->due, &f->sandboxes[2], 40);
	assert_ptr_equal(due_first(&f->due)->sandbox, &f->sandboxes[1]);
	due_set(&f->due, &f->sandboxes[1], 50); /* put off */
	assert_ptr_equal(due_first(&f->due)->sandbox, &f->sandboxes[0]);
	due_set(&f->due, &f->sandboxes[2], 10); /* brought nearer */
	assert_int_equal(due_first(&f->due)->ms, 10);
	due_set(&f->due, &f->sandboxes[2], UINT64_MAX);
	assert_int_equal(due_first(&f->due)->ms, 30);
	assert_int_equal(f->sandboxes[2].due_index, 0);
}

static void out_is_out_however_often_and_whoever_was_the_last(void **state)
{
	struct fixture *f = *state;

	due_set(&f->due, &f->sandboxes[0], UINT64_MAX);
	due_set(&f->due, &f->sandboxes[0], 5);
	due_set(&f->due, &f->sandboxes[0], UINT64_MAX);
	due_set(&f->due, &f->sandboxes[0], UINT64_MAX);
	assert_null(due_first(&f->due));
	assert_int_equal(f->due.count, 0);
}

static void thousands_set_and_moved_at_random_come_in_order(void **state)
{
	struct fixture *f = *state;
	uint64_t before_ms = 0;
	uint32_t in = 0;

	for (unsigned i = 0; i < 20 * MANY; i++) {
		struct pool_sandbox *sandbox = &f->sandboxes[random_below(f, MANY)];
		bool goes = random_below(f, 4) == 0;

		in -= sandbox->due_index > 0;
		in += !goes;
		due_set(&f->due, sandbox, goes ? UINT64_MAX : random_below(f, 1000));
		assert_int_equal(f->due.count, in);
	}
	assert_in_range(in, MANY / 2, MANY);
	while (due_first(&f->due)) {
		struct due_entry first = *due_first(&f->due);

		assert_true(first.ms >= before_ms);
		assert_int_equal(first.sandbox->due_index, 1);
		before_ms = first.ms;
		due_set(&f->due, first.sandbox, UINT64_MAX);
		in--;
	}
	assert_int_equal(in, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_first_is_the_one_with_the_earliest_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			out_is_out_however_often_and_whoever_was_the_last, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			thousands_set_and_moved_at_random_come_in_order, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("pool_due", tests, NULL, NULL);
}
