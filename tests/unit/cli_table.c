/* table.c: the same rows for people, as JSON and as bare names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "tests/unit/cli_capture.h"

static const struct cli_column columns[] = {{"NAME", false}, {"COUNT", true}};

static struct cli_table *make(const struct cli *cli)
{
	struct cli_table *table = NULL;

	assert_int_equal(cli_table_create(cli, "things", columns, 2, &table, NULL), 0);
	return table;
}

static void print(const struct cli *cli, bool with_rows)
{
	struct cli_table *table;

	capture_begin();
	table = make(cli);
	if (with_rows) {
		cli_table_add(table, "%s", "door \"a\"");
		cli_table_add(table, "%d", 3);
		cli_table_add(table, "%s", "b");
		cli_table_add(table, "%d", 12);
	}
	assert_int_equal(cli_table_print(table, NULL), 0);
	cli_table_destroy(table);
	capture_end();
}

static void people_get_a_head_and_aligned_columns(void **state)
{
	(void)state;
	print(&(struct cli){0}, true);
	assert_string_equal(captured_out, "NAME     COUNT\ndoor \"a\"     3\nb           12\n");
}

static void programs_get_numbers_as_numbers_and_escaped_text(void **state)
{
	json_t *root, *first;

	(void)state;
	print(&(struct cli){.json = true}, true);
	root = json_loads(captured_out, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "things")), 2);
	first = json_array_get(json_object_get(root, "things"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "name")), "door \"a\"");
	assert_int_equal(json_integer_value(json_object_get(first, "count")), 3);
	json_decref(root);
}

static void an_empty_table_is_an_empty_array(void **state)
{
	json_t *root;

	(void)state;
	print(&(struct cli){.json = true}, false);
	root = json_loads(captured_out, 0, NULL);
	assert_true(json_is_array(json_object_get(root, "things")));
	assert_int_equal(json_array_size(json_object_get(root, "things")), 0);
	json_decref(root);
}

static void quiet_prints_the_first_column_alone(void **state)
{
	(void)state;
	print(&(struct cli){.quiet = true}, true);
	assert_string_equal(captured_out, "door \"a\"\nb\n");
	print(&(struct cli){.quiet = true}, false);
	assert_string_equal(captured_out, "");
}

static void json_wins_over_quiet(void **state)
{
	json_t *root;

	(void)state;
	print(&(struct cli){.quiet = true, .json = true}, true);
	root = json_loads(captured_out, 0, NULL);
	assert_non_null(root);
	json_decref(root);
}

static void text_is_shown_as_the_locale_can_and_steers_nothing(void **state)
{
	struct cli_table *table;

	(void)state;
	setenv("LC_ALL", "C.UTF-8", 1);
	capture_begin();
	table = make(&(struct cli){0});
	cli_table_add(table, "%s", "gr\u00fc\u00dfe");
	cli_table_add(table, "%d", 3);
	cli_table_add(table, "%s", "a\033[31m\302\233\u202eb\377");
	cli_table_add(table, "%d", 12);
	assert_int_equal(cli_table_print(table, NULL), 0);
	cli_table_destroy(table);
	capture_end();
	assert_string_equal(
		captured_out, "NAME       COUNT\ngr\u00fc\u00dfe          3\na?[31m??b?    12\n");
}

static void nothing_is_destroyed_without_harm(void **state)
{
	(void)state;
	cli_table_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_get_a_head_and_aligned_columns),
		cmocka_unit_test(programs_get_numbers_as_numbers_and_escaped_text),
		cmocka_unit_test(an_empty_table_is_an_empty_array),
		cmocka_unit_test(quiet_prints_the_first_column_alone),
		cmocka_unit_test(json_wins_over_quiet),
		cmocka_unit_test(text_is_shown_as_the_locale_can_and_steers_nothing),
		cmocka_unit_test(nothing_is_destroyed_without_harm),
	};

	return cmocka_run_group_tests_name("cli_table", tests, NULL, NULL);
}
