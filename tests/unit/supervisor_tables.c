/* The tables of the supervisor: who may ask what, and which slot is next. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proto/control.h"
#include "supervisor/permission.h"
#include "supervisor/slots.h"

#define TENANT ((struct sandbox *)(uintptr_t)64) /* never looked into */

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
		assert_int_equal(permission_allows(ROLE_USER, (uint16_t)type),
			is_request && type != CONTROL_POOL_SET);
		assert_false(permission_allows(ROLE_NONE, (uint16_t)type));
	}
}

static void no_slot_is_free_before_its_builder_has_started(void **state)
{
	struct slots *slots = slots_create(5, 2);

	(void)state;
	assert_int_equal(slots_take(slots, 0, TENANT), -1);
	slots_builder_started(slots, 1);
	assert_false(slots_has_free(slots, 0));
	assert_int_equal(slots_take(slots, 1, TENANT), 1);
	assert_int_equal(slots_take(slots, 1, TENANT), 3);
	assert_int_equal(slots_take(slots, 1, TENANT), -1);
	slots_destroy(slots);
}

static void the_slot_that_rested_longest_is_next(void **state)
{
	struct slots *slots = slots_create(4, 1);

	(void)state;
	slots_builder_started(slots, 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 1);
	slots_give(slots, 1);
	slots_give(slots, 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 2);
	assert_int_equal(slots_take(slots, 0, TENANT), 3);
	assert_int_equal(slots_take(slots, 0, TENANT), 1);
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	slots_destroy(slots);
}

static void what_is_made_is_used_before_more_is_made(void **state)
{
	struct slots *slots = slots_create(4, 1);

	(void)state;
	slots_builder_started(slots, 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	slots_set_made(slots, 0, true);
	assert_int_equal(slots_take(slots, 0, TENANT), 1);
	slots_give(slots, 0);
	slots_give(slots, 1); /* it could not be made */
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 2);
	assert_int_equal(slots_take(slots, 0, TENANT), 3);
	assert_int_equal(slots_take(slots, 0, TENANT), 1);
	slots_destroy(slots);
}

static void a_lost_builder_takes_its_slots_and_what_was_made_of_them(void **state)
{
	struct slots *slots = slots_create(4, 2);

	(void)state;
	slots_builder_started(slots, 0);
	slots_builder_started(slots, 1);
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	slots_set_made(slots, 0, true);
	slots_set_made(slots, 1, true);
	slots_builder_lost(slots, 0);
	assert_false(slots_has_free(slots, 0));
	assert_false(slots_is_made(slots, 0));
	assert_true(slots_has_free(slots, 1));
	assert_true(slots_is_made(slots, 1));
	slots_builder_started(slots, 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 2);
	assert_int_equal(slots_take(slots, 0, TENANT), -1);
	slots_destroy(slots);
}

static void a_dirty_slot_is_free_again_only_once_it_has_been_flushed(void **state)
{
	struct slots *slots = slots_create(3, 1);

	(void)state;
	slots_builder_started(slots, 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	assert_ptr_equal(slots_tenant(slots, 0), TENANT);
	assert_int_equal(slots_take(slots, 0, TENANT), 1);
	slots_set_dirty(slots, 1);
	assert_null(slots_tenant(slots, 1));
	assert_int_equal(slots_next_to_flush(slots, 0), 1);
	assert_int_equal(slots_next_to_flush(slots, 2), -1);
	slots_set_flushing(slots, 1, true);
	assert_int_equal(slots_next_to_flush(slots, 0), -1);
	assert_int_equal(slots_take(slots, 0, TENANT), 2);
	assert_false(slots_has_free(slots, 0));
	slots_set_clean(slots, 1);
	assert_int_equal(slots_take(slots, 0, TENANT), 1);
	assert_int_equal(slots_next_to_flush(slots, 0), -1);
	slots_destroy(slots);
}

/* Slot 1: flushed while its builder is away; slot 2: its tenant died with the builder. */
static void a_replacement_gets_the_clean_slots_and_the_others_as_they_are_flushed(void **state)
{
	struct slots *slots = slots_create(4, 1);

	(void)state;
	slots_builder_started(slots, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(slots_take(slots, 0, TENANT), i);
	slots_set_dirty(slots, 1);
	slots_set_flushing(slots, 1, true);
	slots_set_dirty(slots, 3);
	slots_set_flushing(slots, 3, true);
	slots_builder_lost(slots, 0);
	slots_set_dirty(slots, 2);
	assert_int_equal(slots_next_to_flush(slots, 0), -1); /* nothing is proven dead */
	slots_set_clean(slots, 1);
	assert_false(slots_has_free(slots, 0));
	slots_builder_started(slots, 0);
	assert_int_equal(slots_next_to_flush(slots, 0), 2);
	assert_int_equal(slots_take(slots, 0, TENANT), 0);
	assert_int_equal(slots_take(slots, 0, TENANT), 1);
	assert_int_equal(slots_take(slots, 0, TENANT), -1);
	slots_set_clean(slots, 3);
	assert_int_equal(slots_take(slots, 0, TENANT), 3);
	slots_destroy(slots);
}

static void a_profile_that_was_refused_is_unknown(void **state)
{
	struct slots *slots = slots_create(1, 1);

	(void)state;
	assert_int_equal(slots_profile(slots, 0), 0);
	slots_ask_profile(slots, 0, NETWORK_OPEN);
	slots_ask_profile(slots, 0, NETWORK_NONE);
	assert_int_equal(slots_profile(slots, 0), NETWORK_NONE);
	slots_answer_profile(slots, 0, true);
	assert_true(slots_awaits_profile(slots, 0));
	assert_int_equal(slots_profile(slots, 0), NETWORK_NONE);
	slots_answer_profile(slots, 0, false);
	assert_false(slots_awaits_profile(slots, 0));
	assert_int_equal(slots_profile(slots, 0), 0);
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
		cmocka_unit_test(what_is_made_is_used_before_more_is_made),
		cmocka_unit_test(a_lost_builder_takes_its_slots_and_what_was_made_of_them),
		cmocka_unit_test(a_dirty_slot_is_free_again_only_once_it_has_been_flushed),
		cmocka_unit_test(
			a_replacement_gets_the_clean_slots_and_the_others_as_they_are_flushed),
		cmocka_unit_test(a_profile_that_was_refused_is_unknown),
		cmocka_unit_test(slots_destroy_accepts_nothing),
	};

	return cmocka_run_group_tests_name("supervisor_tables", tests, NULL, NULL);
}
