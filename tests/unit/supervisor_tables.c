/* The tables of the supervisor: who may ask what, and which slot is next. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/control.h"
#include "supervisor/permission.h"
#include "supervisor/slots.h"

static void only_root_and_the_instances_user_have_a_role(void **state)
{
	(void)state;
	assert_int_equal(permission_role(0, 990), ROLE_ROOT);
	assert_int_equal(permission_role(990, 990), ROLE_USER);
	assert_int_equal(permission_role(991, 990), ROLE_NONE);
	assert_int_equal(permission_role((uid_t)-1, 990), ROLE_NONE);
}

static void every_request_stands_in_the_table_and_nothing_else_is_allowed(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		const struct message_rule *rule = check_find(&control_protocol, (uint16_t)type);
		bool is_request = rule && rule->direction == MESSAGE_TO_SERVER;

		assert_int_equal(permission_allows(ROLE_ROOT, (uint16_t)type), is_request);
		assert_int_equal(permission_allows(ROLE_USER, (uint16_t)type), is_request);
		assert_false(permission_allows(ROLE_NONE, (uint16_t)type));
	}
}

static void no_slot_is_free_before_its_builder_has_started(void **state)
{
	struct slots *slots = slots_create(5, 2);

	(void)state;
	assert_int_equal(slots_take(slots, 0), -1);
	slots_builder_started(slots, 1);
	assert_false(slots_has_free(slots, 0));
	assert_int_equal(slots_take(slots, 1), 1);
	assert_int_equal(slots_take(slots, 1), 3);
	assert_int_equal(slots_take(slots, 1), -1);
	slots_destroy(slots);
}

static void the_slot_that_rested_longest_is_next(void **state)
{
	struct slots *slots = slots_create(4, 1);

	(void)state;
	slots_builder_started(slots, 0);
	assert_int_equal(slots_take(slots, 0), 0);
	assert_int_equal(slots_take(slots, 0), 1);
	slots_give(slots, 1);
	slots_give(slots, 0);
	assert_int_equal(slots_take(slots, 0), 2);
	assert_int_equal(slots_take(slots, 0), 3);
	assert_int_equal(slots_take(slots, 0), 1);
	assert_int_equal(slots_take(slots, 0), 0);
	slots_destroy(slots);
}

static void a_lost_builder_takes_its_slots_and_what_was_made_of_them(void **state)
{
	struct slots *slots = slots_create(4, 2);

	(void)state;
	slots_builder_started(slots, 0);
	slots_builder_started(slots, 1);
	assert_int_equal(slots_take(slots, 0), 0);
	slots_set_made(slots, 0);
	slots_set_made(slots, 1);
	slots_builder_lost(slots, 0);
	assert_false(slots_has_free(slots, 0));
	assert_false(slots_is_made(slots, 0));
	assert_true(slots_has_free(slots, 1));
	assert_true(slots_is_made(slots, 1));
	slots_builder_started(slots, 0);
	assert_int_equal(slots_take(slots, 0), 0);
	assert_int_equal(slots_take(slots, 0), 2);
	assert_int_equal(slots_take(slots, 0), -1);
	slots_destroy(slots);
}

static void slots_destroy_accepts_nothing(void **state)
{
	(void)state;
	slots_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_root_and_the_instances_user_have_a_role),
		cmocka_unit_test(every_request_stands_in_the_table_and_nothing_else_is_allowed),
		cmocka_unit_test(no_slot_is_free_before_its_builder_has_started),
		cmocka_unit_test(the_slot_that_rested_longest_is_next),
		cmocka_unit_test(a_lost_builder_takes_its_slots_and_what_was_made_of_them),
		cmocka_unit_test(slots_destroy_accepts_nothing),
	};

	return cmocka_run_group_tests_name("supervisor_tables", tests, NULL, NULL);
}
