/* list.h: order, removal, and lists of nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
	int number;
	struct list list; /* not first, so that list_entry() has something to subtract */
};

struct fixture {
	struct list head;
	struct item items[3];
};

static int set_up(void **state)
{
	static struct fixture f;

	list_init(&f.head);
	for (int i = 0; i < 3; i++) {
		f.items[i].number = i;
		list_init(&f.items[i].list);
	}
	*state = &f;
	return 0;
}

/* The members' numbers as decimal digits: 0, 1, 2 is 12; empty is -1. */
static int contents(struct list *head)
{
	int digits = list_is_empty(head) ? -1 : 0;

	list_for_each(pos, head) digits = digits * 10 + list_entry(pos, struct item, list)->number;
	return digits;
}

static void new_list_is_empty_and_has_no_first(void **state)
{
	struct fixture *f = *state;

	assert_true(list_is_empty(&f->head));
	assert_null(list_first(&f->head, struct item, list));
	assert_int_equal(contents(&f->head), -1);
}

static void appended_come_out_in_order(void **state)
{
	struct fixture *f = *state;

	list_append(&f->head, &f->items[2].list);
	list_append(&f->head, &f->items[0].list);
	list_append(&f->head, &f->items[1].list);
	assert_int_equal(contents(&f->head), 201);
	assert_ptr_equal(list_first(&f->head, struct item, list), &f->items[2]);
	assert_false(list_is_empty(&f->head));
}

static void prepended_come_out_in_reverse(void **state)
{
	struct fixture *f = *state;

	list_prepend(&f->head, &f->items[1].list);
	list_prepend(&f->head, &f->items[2].list);
	assert_int_equal(contents(&f->head), 21);
	list_append(&f->head, &f->items[0].list);
	assert_int_equal(contents(&f->head), 210);
}

static void removed_is_in_no_list_and_may_be_removed_again(void **state)
{
	struct fixture *f = *state;

	for (int i = 2; i >= 0; i--)
		list_append(&f->head, &f->items[i].list);
	list_remove(&f->items[1].list);
	assert_int_equal(contents(&f->head), 20);
	assert_true(list_is_empty(&f->items[1].list));
	list_remove(&f->items[1].list);
	assert_int_equal(contents(&f->head), 20);
	list_append(&f->head, &f->items[1].list);
	assert_int_equal(contents(&f->head), 201);
}

static void last_one_out_leaves_it_empty(void **state)
{
	struct fixture *f = *state;

	list_append(&f->head, &f->items[0].list);
	list_remove(&f->items[0].list);
	assert_true(list_is_empty(&f->head));
}

static void all_can_be_removed_while_walking(void **state)
{
	struct fixture *f = *state;
	int seen = 0;

	for (int i = 0; i < 3; i++)
		list_append(&f->head, &f->items[i].list);
	list_for_each_safe(pos, next, &f->head)
	{
		seen++;
		list_remove(pos);
	}
	assert_int_equal(seen, 3);
	assert_true(list_is_empty(&f->head));
}

#define T(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(new_list_is_empty_and_has_no_first),
		T(appended_come_out_in_order),
		T(prepended_come_out_in_reverse),
		T(removed_is_in_no_list_and_may_be_removed_again),
		T(last_one_out_leaves_it_empty),
		T(all_can_be_removed_while_walking),
	};

	return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
