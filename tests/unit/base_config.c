/* config.h: what a file may hold, and what it says when it holds something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/error.h"
#include "base/text.h"

#define POOLS_MAX 130

struct pool {
	char name[CONFIG_NAME_MAX + 1];
	char image[16];
	uint32_t min;
	int on_empty;
};

struct fixture {
	struct {
		char name[16];
		bool verbose;
		uint64_t memory;
	} daemon;
	struct pool pools[POOLS_MAX];
	size_t pool_count;

	struct error err;
	char directory[32];
	char path[64];
};

static const struct config_choice on_empty_choices[] = {
	{"build", 1}, {"wait", 2}, {"fail", 3}, {NULL, 0}};

static const struct config_option options[] = {
	{"daemon", "name", CONFIG_NAME, CONFIG_FIELD(struct fixture, daemon.name), 0, 0, "hearth",
		NULL, "A name."},
	{"daemon", "verbose", CONFIG_BOOL, CONFIG_FIELD(struct fixture, daemon.verbose), 0, 0, "no",
		NULL, "More words."},
	{"daemon", "memory", CONFIG_SIZE, CONFIG_FIELD(struct fixture, daemon.memory), 4096,
		UINT64_C(1) << 40, "1G", NULL, "A limit."},
	{"pool", "image", CONFIG_NAME, CONFIG_FIELD(struct pool, image), 0, 0, "", NULL,
		"An image."},
	{"pool", "min", CONFIG_NUMBER, CONFIG_FIELD(struct pool, min), 0, 4096, "8", NULL,
		"Ready ones."},
	{"pool", "on-empty", CONFIG_CHOICE, CONFIG_FIELD(struct pool, on_empty), 0, 0, "build",
		on_empty_choices, "What to do."},
};

static int add_pool(void *config, const char *name, void **ret_element, struct error *err)
{
	struct fixture *f = config;
	struct pool *pool = &f->pools[f->pool_count];

	if (strcmp(name, "forbidden") == 0)
		return error_set(err, EACCES, "this pool is forbidden");
	assert_true(f->pool_count < POOLS_MAX);
	assert_int_equal(text_copy(pool->name, sizeof(pool->name), name), 0);
	f->pool_count++;
	*ret_element = pool;
	return 0;
}

static const struct config_section sections[] = {{"daemon", NULL}, {"pool", add_pool}};
static const struct config_schema schema = {sections, 2, options, 6};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	strcpy(f->directory, "/tmp/hearth-config-XXXXXX");
	if (!mkdtemp(f->directory)) {
		free(f);
		return -1;
	}
	snprintf(f->path, sizeof(f->path), "%s/hearth.conf", f->directory);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	rmdir(f->directory);
	free(f);
	return 0;
}

static int parse_bytes(struct fixture *f, const char *text, size_t size)
{
	return config_parse("hearth.conf", text, size, &schema, f, &f->err);
}

static void accepted(struct fixture *f, const char *text)
{
	int r = parse_bytes(f, text, strlen(text));

	if (r < 0)
		fail_msg("refused: %s", f->err.text);
}

static void refused(struct fixture *f, const char *text, const char *message)
{
	assert_int_equal(parse_bytes(f, text, strlen(text)), -EINVAL);
	assert_int_equal(f->err.code, EINVAL);
	assert_string_equal(f->err.text, message);
}

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

static void unknown_key_names_line_and_nearest(void **state)
{
	refused(*state, "[daemon]\n\n[pool \"base\"]\nmin = 2\nimag = x\n",
		"hearth.conf:5: unknown key 'imag' in [pool \"base\"]: did you mean 'image'?");
}

static void unknown_key_like_no_other_gets_no_guess(void **state)
{
	refused(*state, "[pool \"base\"]\nzzzzzzzz = 1\n",
		"hearth.conf:2: unknown key 'zzzzzzzz' in [pool \"base\"]");
}

static void key_of_another_section_is_unknown(void **state)
{
	refused(*state, "[daemon]\nmin = 1\n", "hearth.conf:2: unknown key 'min' in [daemon]");
}

static void unknown_section_names_line_and_nearest(void **state)
{
	refused(*state, "[poll \"a\"]\n",
		"hearth.conf:1: unknown section [poll]: did you mean [pool]?");
}

static void unknown_section_like_no_other_gets_no_guess(void **state)
{
	refused(*state, "\n[zzzzzzzzz]\n", "hearth.conf:2: unknown section [zzzzzzzzz]");
}

static void section_names_are_never_cut(void **state)
{
	refused(*state, "[daemonxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]\n",
		"hearth.conf:1: unknown section "
		"[daemonxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]");
}

static void wrong_type_names_line_value_and_what_is_wanted(void **state)
{
	refused(*state, "[pool \"a\"]\nmin = many\n",
		"hearth.conf:2: [pool \"a\"] min = many: want a whole number from 0 to 4096");
}

static void value_out_of_range_names_the_range(void **state)
{
	refused(*state, "[daemon]\nmemory = 1K\n",
		"hearth.conf:2: [daemon] memory = 1K: want a size from 4K to 1T, as 256M");
}

static void duplicate_key_names_both_lines(void **state)
{
	refused(*state, "[daemon]\nname = a\nverbose = no\nname = a\n",
		"hearth.conf:4: key 'name' stands twice in [daemon], first at line 2");
}

static void same_key_in_two_named_sections_is_no_duplicate(void **state)
{
	accepted(*state, "[pool \"a\"]\nmin = 1\n[pool \"b\"]\nmin = 1\n");
}

static void duplicate_section_names_both_lines(void **state)
{
	refused(*state, "[daemon]\n\n[pool \"a\"]\n[daemon]\n",
		"hearth.conf:4: [daemon] stands twice, first at line 1");
}

static void duplicate_named_section_names_both_lines(void **state)
{
	refused(*state, "[pool \"a\"]\n[pool \"b\"]\n[pool \"a\"]\n",
		"hearth.conf:3: [pool \"a\"] stands twice, first at line 1");
}

static void named_section_needs_its_name(void **state)
{
	refused(*state, "[pool]\n", "hearth.conf:1: section [pool] needs a name: [pool \"NAME\"]");
}

static void plain_section_takes_no_name(void **state)
{
	refused(*state, "[daemon \"x\"]\n", "hearth.conf:1: section [daemon] takes no name");
}

static void section_name_must_be_a_name(void **state)
{
	refused(*state, "[pool \"../x\"]\n",
		"hearth.conf:1: [pool \"../x\"]: want a name: 1 to 63 of a-z 0-9 . _ -, a letter "
		"or digit first");
}

static void empty_section_name_is_refused(void **state)
{
	refused(*state, "[pool \"\"]\n",
		"hearth.conf:1: [pool \"\"]: want a name: 1 to 63 of a-z 0-9 . _ -, a letter or "
		"digit first");
}

static void section_name_without_quotes_is_refused(void **state)
{
	refused(*state, "[pool base]\n", "hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void section_name_without_its_second_quote_is_refused(void **state)
{
	refused(*state, "[pool \"base]\n", "hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void section_without_its_bracket_is_refused(void **state)
{
	refused(*state, "[daemon\nname = x\n",
		"hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void text_behind_a_section_is_refused(void **state)
{
	refused(*state, "[daemon] name = x\n",
		"hearth.conf:1: want [SECTION] or [SECTION \"NAME\"]");
}

static void section_name_may_touch_its_section(void **state)
{
	struct fixture *f = *state;

	accepted(f, "[ pool\"a\" ]\nmin = 4\n");
	assert_int_equal(f->pools[0].min, 4);
}

static void key_before_the_first_section_is_refused(void **state)
{
	refused(*state, "name = x\n", "hearth.conf:1: key 'name' before the first [SECTION]");
}

static void line_without_equals_sign_is_refused(void **state)
{
	refused(*state, "[daemon]\nverbose\nname = x\n", "hearth.conf:2: want 'key = value'");
}

static void last_line_without_equals_sign_is_refused(void **state)
{
	refused(*state, "[daemon]\nverbose", "hearth.conf:2: want 'key = value'");
}

static void line_without_a_key_is_refused(void **state)
{
	refused(*state, "[daemon]\n = x\n", "hearth.conf:2: unknown key '' in [daemon]");
}

static void first_of_several_errors_is_told(void **state)
{
	refused(*state, "[daemon]\nverbose\nfoo = 1\n[nope\n", "hearth.conf:2: want 'key = value'");
}

static void longest_line_is_accepted_and_one_byte_more_refused(void **state)
{
	struct fixture *f = *state;
	char text[400], line[200];

	memset(line, ' ', sizeof(line));
	memcpy(line, "name =", 6);
	line[CONFIG_LINE_MAX - 1] = 'x';
	line[CONFIG_LINE_MAX] = '\0';
	snprintf(text, sizeof(text), "[daemon]\n  %s  \nverbose = yes\n", line);
	accepted(f, text);
	assert_string_equal(f->daemon.name, "x");
	assert_true(f->daemon.verbose);

	strcat(line, "x");
	snprintf(text, sizeof(text), "[daemon]\n%s\n", line);
	refused(f, text, "hearth.conf:2: line longer than 190 bytes");
}

static void nul_byte_is_refused(void **state)
{
	static const char text[] = "[daemon]\nname = a\0b\n";
	struct fixture *f = *state;

	assert_int_equal(parse_bytes(f, text, sizeof(text) - 1), -EINVAL);
	assert_string_equal(f->err.text, "hearth.conf:2: control character 0x00");
}

static void nul_byte_at_the_end_of_a_line_is_refused(void **state)
{
	static const char text[] = "[daemon]\nname = a\0\n";
	struct fixture *f = *state;

	assert_int_equal(parse_bytes(f, text, sizeof(text) - 1), -EINVAL);
	assert_string_equal(f->err.text, "hearth.conf:2: control character 0x00");
}

static void control_character_is_refused(void **state)
{
	refused(*state, "[daemon]\n# \x1b[2J\n", "hearth.conf:2: control character 0x1b");
}

static void invalid_utf8_is_refused(void **state)
{
	refused(*state, "[daemon]\nname = \xff\n", "hearth.conf:2: invalid UTF-8");
}

static void more_sections_than_the_limit_are_refused(void **state)
{
	struct fixture *f = *state;
	char text[8192];
	size_t used = 0;

	for (int i = 0; i <= CONFIG_SECTIONS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "[pool \"p%d\"]\n", i);
	refused(f, text, "hearth.conf:129: more than 128 sections");
	assert_int_equal(f->pool_count, CONFIG_SECTIONS_MAX);
}

static void refusal_of_a_section_by_the_embedder_is_told_with_its_line(void **state)
{
	struct fixture *f = *state;
	const char *text = "[daemon]\n[pool \"forbidden\"]\n";

	assert_int_equal(parse_bytes(f, text, strlen(text)), -EACCES);
	assert_string_equal(f->err.text, "hearth.conf:2: this pool is forbidden");
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

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(empty_file_leaves_every_default),
		T(every_key_of_a_section_lands_in_its_field),
		T(named_sections_repeat_and_each_has_its_own_values),
		T(section_without_a_key_makes_its_element),
		T(sections_may_stand_in_any_order),
		T(comments_blank_lines_and_indentation_are_ignored),
		T(indented_line_is_not_the_rest_of_the_line_before),
		T(long_comment_is_no_long_line),
		T(crlf_line_ends_are_accepted),
		T(byte_order_mark_is_accepted),
		T(last_line_needs_no_newline),
		T(unknown_key_names_line_and_nearest),
		T(unknown_key_like_no_other_gets_no_guess),
		T(key_of_another_section_is_unknown),
		T(unknown_section_names_line_and_nearest),
		T(unknown_section_like_no_other_gets_no_guess),
		T(section_names_are_never_cut),
		T(wrong_type_names_line_value_and_what_is_wanted),
		T(value_out_of_range_names_the_range),
		T(duplicate_key_names_both_lines),
		T(same_key_in_two_named_sections_is_no_duplicate),
		T(duplicate_section_names_both_lines),
		T(duplicate_named_section_names_both_lines),
		T(named_section_needs_its_name),
		T(plain_section_takes_no_name),
		T(section_name_must_be_a_name),
		T(empty_section_name_is_refused),
		T(section_name_without_quotes_is_refused),
		T(section_name_without_its_second_quote_is_refused),
		T(section_without_its_bracket_is_refused),
		T(text_behind_a_section_is_refused),
		T(section_name_may_touch_its_section),
		T(key_before_the_first_section_is_refused),
		T(line_without_equals_sign_is_refused),
		T(last_line_without_equals_sign_is_refused),
		T(line_without_a_key_is_refused),
		T(first_of_several_errors_is_told),
		T(longest_line_is_accepted_and_one_byte_more_refused),
		T(nul_byte_is_refused),
		T(nul_byte_at_the_end_of_a_line_is_refused),
		T(control_character_is_refused),
		T(invalid_utf8_is_refused),
		T(more_sections_than_the_limit_are_refused),
		T(refusal_of_a_section_by_the_embedder_is_told_with_its_line),
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
	};

	return cmocka_run_group_tests_name("base/config", tests, NULL, NULL);
}
