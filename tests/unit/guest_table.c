/* Requests by id: found while they are there, never two with the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/guest_table.h"

static int set_up(void **state)
{
	static struct guest_table table;

	table = (struct guest_table){0};
	*state = &table;
	return 0;
}

static int tear_down(void **state)
{
	guest_table_finish(*state);
	return 0;
}

static void empty_table_finds_nothing(void **state)
{
	assert_null(guest_table_find(*state, 0));
	assert_null(guest_table_find(*state, 1));
}

static void entry_is_found_until_it_is_removed(void **state)
{
	struct guest_table_entry entry = {0};

	assert_int_equal(guest_table_add(*state, &entry), 0);
	assert_int_equal(entry.id, 1);
	assert_ptr_equal(guest_table_find(*state, 1), &entry);
	assert_null(guest_table_find(*state, 0));
	assert_null(guest_table_find(*state, 2));
	guest_table_remove(*state, &entry);
	assert_null(guest_table_find(*state, 1));
	assert_int_equal(entry.id, 0);
}

static void ids_wrap_around_past_zero_and_those_in_use(void **state)
{
	struct guest_table *table = *state;
	struct guest_table_entry entries[5] = {0};

	assert_int_equal(guest_table_add(table, &entries[0]), 0);
	assert_int_equal(guest_table_add(table, &entries[1]), 0);
	guest_table_remove(table, &entries[0]);
	table->last_id = UINT32_MAX - 1;
	for (int i = 2; i < 5; i++)
		assert_int_equal(guest_table_add(table, &entries[i]), 0);
	assert_int_equal(entries[2].id, UINT32_MAX);
	assert_int_equal(entries[3].id, 1);
	assert_int_equal(entries[4].id, 3); /* 2 is in use */
	for (int i = 1; i < 5; i++)
		assert_ptr_equal(guest_table_find(table, entries[i].id), &entries[i]);
}

static void many_come_and_go_in_any_order(void **state)
{
	static struct guest_table_entry entries[5000];
	struct guest_table *table = *state;
	uint32_t in_table = 0;

	srand(1);
	for (int step = 0; step < 200000; step++) {
		struct guest_table_entry *entry = &entries[(size_t)rand() % ARRAY_SIZE(entries)];

		if (entry->id) {
			assert_ptr_equal(guest_table_find(table, entry->id), entry);
			guest_table_remove(table, entry);
			in_table--;
		} else {
			assert_int_equal(guest_table_add(table, entry), 0);
			in_table++;
		}
	}
	assert_int_equal(table->count, in_table);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if (entries[i].id)
			assert_ptr_equal(guest_table_find(table, entries[i].id), &entries[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(empty_table_finds_nothing),
		TEST(entry_is_found_until_it_is_removed),
		TEST(ids_wrap_around_past_zero_and_those_in_use),
		TEST(many_come_and_go_in_any_order),
	};

	return cmocka_run_group_tests_name("guest_table", tests, NULL, NULL);
}
