/* limits.h: how many at a time, how many a second, and that names are forgotten. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agentd/api/limits.h"

static void as_many_enter_as_may_be_and_each_name_has_its_own(void **state)
{
	struct limits limits;

	(void)state;
	limits_init(&limits, 2, 0, 0);
	assert_int_equal(limits_enter(&limits, "a"), 0);
	assert_int_equal(limits_enter(&limits, "a"), 0);
	assert_int_equal(limits_enter(&limits, "a"), -EBUSY);
	assert_int_equal(limits_enter(&limits, "b"), 0);
	limits_leave(&limits, "a");
	assert_int_equal(limits_enter(&limits, "a"), 0);
	assert_int_equal(limits_enter(&limits, "a"), -EBUSY);
	limits_leave(&limits, "nobody");
	limits_finish(&limits);
}

static void a_name_that_holds_nothing_is_forgotten(void **state)
{
	struct limits limits;

	(void)state;
	limits_init(&limits, 1, 0, 0);
	limits_enter(&limits, "a");
	assert_int_equal(limits.count, 1);
	limits_leave(&limits, "a");
	assert_int_equal(limits.count, 0);
	limits_finish(&limits);
}

static void a_bucket_lets_a_burst_through_and_then_its_rate(void **state)
{
	struct limits limits;
	uint32_t retry_ms = 0;
	uint64_t now = 1000;

	(void)state;
	limits_init(&limits, 1, 10, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(limits_take(&limits, "a", now, &retry_ms), 0);
	assert_int_equal(limits_take(&limits, "a", now, &retry_ms), -EAGAIN);
	assert_int_equal(retry_ms, 100);
	assert_int_equal(limits_take(&limits, "b", now, &retry_ms), 0);
	assert_int_equal(limits_take(&limits, "a", now + 99, &retry_ms), -EAGAIN);
	assert_int_equal(retry_ms, 1);
	assert_int_equal(limits_take(&limits, "a", now + 100, &retry_ms), 0);
	assert_int_equal(limits_take(&limits, "a", now + 100, &retry_ms), -EAGAIN);
	/* However long it was quiet, no more than the burst. */
	now += 1000 * 1000 * 1000;
	for (int i = 0; i < 3; i++)
		assert_int_equal(limits_take(&limits, "a", now, &retry_ms), 0);
	assert_int_equal(limits_take(&limits, "a", now, &retry_ms), -EAGAIN);
	limits_finish(&limits);
}

static void without_a_rate_everything_passes(void **state)
{
	struct limits limits;
	uint32_t retry_ms;

	(void)state;
	limits_init(&limits, 1, 0, 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(limits_take(&limits, "a", 0, &retry_ms), 0);
	assert_int_equal(limits.count, 0);
	limits_finish(&limits);
}

static void names_that_are_still_counted_fill_the_table_and_idle_ones_make_room(void **state)
{
	struct limits limits;
	uint32_t retry_ms;
	char name[LIMITS_NAME_MAX];

	(void)state;
	limits_init(&limits, 1, 1, 1);
	for (unsigned i = 0; i < LIMITS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "name %u", i);
		assert_int_equal(limits_take(&limits, name, 1000, &retry_ms), 0);
	}
	assert_int_equal(limits_take(&limits, "one more", 1000, &retry_ms), -ENOMEM);
	assert_int_equal(limits_take(&limits, "one more", 2000, &retry_ms), 0);
	assert_int_equal(limits.count, 1);
	limits_finish(&limits);
}

static void a_name_longer_than_there_is_room_for_is_refused(void **state)
{
	static const char name[] = "123456789 123456789 123456789 123456789 12345678";
	struct limits limits;

	(void)state;
	_Static_assert(sizeof(name) == LIMITS_NAME_MAX + 1, "one too long");
	limits_init(&limits, 1, 0, 0);
	assert_int_equal(limits_enter(&limits, name), -ENOMEM);
	assert_int_equal(limits.count, 0);
	limits_finish(&limits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_enter_as_may_be_and_each_name_has_its_own),
		cmocka_unit_test(a_name_that_holds_nothing_is_forgotten),
		cmocka_unit_test(a_bucket_lets_a_burst_through_and_then_its_rate),
		cmocka_unit_test(without_a_rate_everything_passes),
		cmocka_unit_test(
			names_that_are_still_counted_fill_the_table_and_idle_ones_make_room),
		cmocka_unit_test(a_name_longer_than_there_is_room_for_is_refused),
	};

	return cmocka_run_group_tests_name("api_limits", tests, NULL, NULL);
}
