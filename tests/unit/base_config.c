/* config.h: what a file may hold, and which files are read at all. */
#include "tests/unit/config_fixture.h"

#include <sys/stat.h>

static void empty_file_leaves_every_default(void **state)
{
	struct fixture *f = *state;

	accepted(f, "");
	assert_string_equal(f->daemon.name, "hearth");
	assert_false(f->daemon.verbose);
	assert_int_equal(f->daemon.memory, UINT64_C(1) << 30);
	assert_int_equal(f->pool_count, 0);
}

static void every_key_of_a_section_lands_in_its_field(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[daemon]\nname = night\nverbose = yes\nmemory = 256M\n");
	assert_string_equal(f->daemon.name, "night");
	assert_true(f->daemon.verbose);
	assert_int_equal(f->daemon.memory, 256 << 20);
}

static void named_sections_repeat_and_each_has_its_own_values(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[pool \"a\"]\nmin = 1\non-empty = fail\n[pool \"b\"]\nimage = tiny\n");
	assert_int_equal(f->pool_count, 2);
	assert_string_equal(f->pools[0].name, "a");
	assert_int_equal(f->pools[0].min, 1);
	assert_int_equal(f->pools[0].on_empty, 3);
	assert_string_equal(f->pools[0].image, "");
	assert_string_equal(f->pools[1].name, "b");
	assert_int_equal(f->pools[1].min, 8);
	assert_int_equal(f->pools[1].on_empty, 1);
	assert_string_equal(f->pools[1].image, "tiny");
}

static void section_without_a_key_makes_its_element(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[pool \"a\"]");
	assert_int_equal(f->pool_count, 1);
	assert_int_equal(f->pools[0].min, 8);
}

static void sections_may_stand_in_any_order(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[pool \"a\"]\nmin = 1\n[daemon]\nname = x\n[pool \"b\"]\nmin = 2\n");
	assert_string_equal(f->daemon.name, "x");
	assert_int_equal(f->pools[1].min, 2);
}

static void comments_blank_lines_and_indentation_are_ignored(void **state)
{
	struct fixture *f = *state;

	accepted(f, "# one\n; two\n\n   [daemon] ; behind a section\n\t name=x ; behind a value\n  "
		    "# x\n");
	assert_string_equal(f->daemon.name, "x");
}

static void what_follows_a_semicolon_is_a_comment_whatever_it_is(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[daemon]\nname = x ; # y\n");
	assert_string_equal(f->daemon.name, "x");
}

static void indented_line_is_not_the_rest_of_the_line_before(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[daemon]\nname = x\n  verbose = yes\n");
	assert_string_equal(f->daemon.name, "x");
	assert_true(f->daemon.verbose);
}

static void long_comment_is_no_long_line(void **state)
{
	struct fixture *f = *state;
	char text[2000];

	memset(text, '#', sizeof(text) - 1);
	strcpy(text + 1000, "\n[daemon]\nname = x");
	accepted(f, text);
	assert_string_equal(f->daemon.name, "x");
}

static void crlf_line_ends_are_accepted(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[daemon]\r\nname = x\r\n\r\n[pool \"a\"]\r\nmin = 3\r\n");
	assert_string_equal(f->daemon.name, "x");
	assert_int_equal(f->pools[0].min, 3);
}

static void byte_order_mark_is_accepted(void **state)
{
	struct fixture *f = *state;

	accepted(f, "\xef\xbb\xbf[daemon]\nname = x\n");
	assert_string_equal(f->daemon.name, "x");
}

static void last_line_needs_no_newline(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[daemon]\nname = x");
	assert_string_equal(f->daemon.name, "x");
}

static void same_key_in_two_named_sections_is_no_duplicate(void **state)
{
	accepted(*state, "[pool \"a\"]\nmin = 1\n[pool \"b\"]\nmin = 1\n");
}

static void section_name_may_touch_its_section(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[ pool\"a\" ]\nmin = 4\n");
	assert_int_equal(f->pools[0].min, 4);
}

static void key_of_a_list_may_repeat_and_its_default_is_empty_again_in_each_file(void **state)
{
	static const struct config_option list[] = {{"daemon", "name", CONFIG_LIST,
		CONFIG_FIELD(struct fixture, daemon.name), 0, 0, "", NULL, "Words."}};
	static const struct config_schema list_schema = {sections, 2, list, 1};
	static const char text[] = "[daemon]\nname = a, b\nname = c\n";
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			config_parse("x", text, strlen(text), &list_schema, f, &f->err), 0);
		assert_string_equal(f->daemon.name, "a, b c");
	}
}

static void text_over_one_mebibyte_is_refused(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(CONFIG_FILE_MAX + 1);

	assert_non_null(text);
	memset(text, '\n', CONFIG_FILE_MAX + 1);
	assert_int_equal(parse_bytes(f, text, CONFIG_FILE_MAX), 0);
	assert_int_equal(parse_bytes(f, text, CONFIG_FILE_MAX + 1), -EFBIG);
	free(text);
	assert_string_equal(f->err.text, "hearth.conf: larger than 1 MiB");
}

static void table_with_a_bad_default_is_found_at_once(void **state)
{
	static const struct config_option bad[] = {{"daemon", "verbose", CONFIG_BOOL,
		CONFIG_FIELD(struct fixture, daemon.verbose), 0, 0, "maybe", NULL, "Bad."}};
	static const struct config_schema bad_schema = {sections, 2, bad, 1};
	struct fixture *f = *state;

	assert_int_equal(config_parse("x", "", 0, &bad_schema, f, &f->err), -EINVAL);
	assert_string_equal(f->err.text, "default: [daemon] verbose = maybe: want yes or no");
}

static void single_value_can_be_set_as_by_a_command_line(void **state)
{
	struct fixture *f = *state;
	struct pool pool;

	assert_int_equal(config_set_defaults(&schema, "pool", &pool, &f->err), 0);
	assert_int_equal(pool.min, 8);
	assert_int_equal(config_set(&schema, "pool", "min", "5", &pool, &f->err), 0);
	assert_int_equal(pool.min, 5);
	assert_int_equal(config_set(&schema, "pool", "min", "x", &pool, &f->err), -EINVAL);
	assert_string_equal(f->err.text, "[pool] min = x: want a whole number from 0 to 4096");
	assert_int_equal(config_set(&schema, "pool", "mim", "5", &pool, &f->err), -EINVAL);
	assert_string_equal(f->err.text, "unknown key 'mim' in [pool]: did you mean 'min'?");
	assert_int_equal(pool.min, 5);
}

static void errors_need_no_place_to_go(void **state)
{
	assert_int_equal(config_parse("x", "[daemon]\nx\n", 11, &schema, *state, NULL), -EINVAL);
	assert_int_equal(config_load("/nonexistent/x", &schema, *state, NULL), -ENOENT);
}

static void write_file(struct fixture *f, const char *text, mode_t mode)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(f->path, mode), 0);
}

static int load(struct fixture *f)
{
	return config_load(f->path, &schema, f, &f->err);
}

static void file_is_loaded(void **state)
{
	struct fixture *f = *state;

	write_file(f, "[daemon]\nname = x\n", 0664);
	assert_int_equal(load(f), 0);
	assert_string_equal(f->daemon.name, "x");
}

static void missing_file_is_told_apart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f), -ENOENT);
	assert_non_null(strstr(f->err.text, f->path));
}

static void world_writable_file_is_refused(void **state)
{
	struct fixture *f = *state;

	write_file(f, "[daemon]\nname = x\n", 0646);
	assert_int_equal(load(f), -EPERM);
	assert_non_null(strstr(f->err.text, "everybody may write it"));
}

static void directory_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(config_load(f->directory, &schema, f, &f->err), -EINVAL);
	assert_non_null(strstr(f->err.text, "not a regular file"));
}

static void fifo_is_refused_without_waiting_for_its_writer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(load(f), -EINVAL);
	assert_non_null(strstr(f->err.text, "not a regular file"));
}

static void file_over_one_mebibyte_is_refused(void **state)
{
	struct fixture *f = *state;

	write_file(f, "[daemon]\n", 0600);
	assert_int_equal(truncate(f->path, INT64_C(1) << 40), 0);
	assert_int_equal(load(f), -EFBIG);
}

static void table_with_too_many_options_is_found_at_once(void **state)
{
	static const struct config_schema large = {sections, 2, options, CONFIG_OPTIONS_MAX + 1};
	struct fixture *f = *state;

	assert_int_equal(config_parse("x", "", 0, &large, f, &f->err), -EINVAL);
	assert_string_equal(f->err.text, "more than 128 options");
}

static void file_that_cannot_be_read_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(config_load("/proc/self/mem", &schema, f, &f->err), -EIO);
	assert_non_null(strstr(f->err.text, "read /proc/self/mem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(empty_file_leaves_every_default),
		T(every_key_of_a_section_lands_in_its_field),
		T(named_sections_repeat_and_each_has_its_own_values),
		T(section_without_a_key_makes_its_element),
		T(sections_may_stand_in_any_order),
		T(comments_blank_lines_and_indentation_are_ignored),
		T(what_follows_a_semicolon_is_a_comment_whatever_it_is),
		T(indented_line_is_not_the_rest_of_the_line_before),
		T(long_comment_is_no_long_line),
		T(crlf_line_ends_are_accepted),
		T(byte_order_mark_is_accepted),
		T(last_line_needs_no_newline),
		T(same_key_in_two_named_sections_is_no_duplicate),
		T(section_name_may_touch_its_section),
		T(key_of_a_list_may_repeat_and_its_default_is_empty_again_in_each_file),
		T(text_over_one_mebibyte_is_refused),
		T(table_with_a_bad_default_is_found_at_once),
		T(single_value_can_be_set_as_by_a_command_line),
		T(errors_need_no_place_to_go),
		T(file_is_loaded),
		T(missing_file_is_told_apart),
		T(world_writable_file_is_refused),
		T(directory_is_refused),
		T(fifo_is_refused_without_waiting_for_its_writer),
		T(file_over_one_mebibyte_is_refused),
		T(table_with_too_many_options_is_found_at_once),
		T(file_that_cannot_be_read_is_told),
	};

	return cmocka_run_group_tests_name("base/config", tests, NULL, NULL);
}
