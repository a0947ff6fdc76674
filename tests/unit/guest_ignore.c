/* ignore.h and names.h: the rules of .gitignore files, and the names in a directory. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nsjail-lite/guest/ignore.h"
#include "nsjail-lite/guest/names.h"

struct row {
	const char *rules, *path; /* a path that ends with a slash is a directory */
	bool is_ignored;
};

static bool ask(const struct ignore *ignore, const char *path)
{
	char name[256];
	size_t length = strlen(path);
	bool is_directory = path[length - 1] == '/';

	snprintf(name, sizeof(name), "%.*s", (int)(length - is_directory), path);
	return ignore_matches(ignore, name, is_directory);
}

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ignore *ignore = ignore_parse(strdup(rows[i].rules), 0, NULL);
		bool is_ignored = ask(ignore, rows[i].path);

		ignore_free(ignore, NULL);
		if (is_ignored != rows[i].is_ignored)
			fail_msg("row %zu: \"%s\" of \"%s\": not %d", i, rows[i].path,
				rows[i].rules, rows[i].is_ignored);
	}
}

static void a_rule_without_a_slash_holds_for_names_at_any_depth(void **state)
{
	static const struct row rows[] = {
		{"*.o", "a.o", true},
		{"*.o", "x/y/a.o", true},
		{"*.o", "a.c", false},
		{"build", "x/build", true},
		{"build", "build2", false},
		{"*", ".hidden", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void a_rule_with_a_slash_is_anchored_at_its_file(void **state)
{
	static const struct row rows[] = {
		{"/a", "a", true},
		{"/a", "x/a", false},
		{"a/b", "a/b", true},
		{"a/b", "x/a/b", false},
		{"a/*", "a/b", true},
		{"a/*", "a/b/c", false},
		{"**/b", "x/y/b", true},
		{"a/**", "a/x/y", true},
		{"a/**/z", "a/z", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void a_rule_that_ends_with_a_slash_holds_for_directories(void **state)
{
	static const struct row rows[] = {
		{"out/", "out/", true},
		{"out/", "out", false},
		{"out/", "x/out/", true}, /* this slash does not anchor */
		{"/out/", "x/out/", false},
		{"/out/", "out/", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void a_negated_rule_takes_back_what_stands_before_it(void **state)
{
	static const struct row rows[] = {
		{"*.o\n!keep.o", "keep.o", false},
		{"*.o\n!keep.o", "a.o", true},
		{"!keep.o\n*.o", "keep.o", true}, /* the last one decides */
		{"*\n!*.c", "a.c", false},
		{"\\!a", "!a", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void comments_blanks_and_odd_lines_are_no_rules(void **state)
{
	static const struct row rows[] = {
		{"# a\n\n\n", "a", false}, {"#a", "#a", false}, {"\\#a", "#a", true},
		{"a  ", "a", true}, {"a\\ ", "a ", true}, {"a\r\nb\r\n", "a", true},
		{"a\r\nb\r\n", "b", true}, {"/\n!\n", "x", false}, {"", "x", false},
		{"[\n*.o", "a.o", true}, {"\xef\xbb\xbf*.o\n", "a.o", true}, /* a byte order mark */
		{"a\\\\ ", "a\\", true}, {"a\\\\ ", "a\\ ", false}, {"a\\ \\  ", "a  ", true},
		{"a\\", "a\\", false}, /* it protects nothing */
		{"a\\\r\n", "a\\", false}, {"[[:digit:]]*.log", "5.log", true},
		{"?.log", "\xc3\xa4.log", false}, /* of two bytes, as git counts */
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void the_nearest_file_that_says_something_decides(void **state)
{
	struct ignore *top = ignore_parse(strdup("*.o\n/only-here\n"), 0, NULL);
	struct ignore *below = ignore_parse(strdup("!a.o\n/local\n"), strlen("sub/"), top);

	(void)state;
	assert_false(ask(below, "sub/a.o"));
	assert_true(ask(below, "sub/b.o"));
	assert_true(ask(top, "a.o"));
	assert_true(ask(below, "sub/local")); /* anchored at its own file */
	assert_false(ask(below, "sub/x/local"));
	assert_false(ask(below, "sub/only-here"));
	ignore_free(below, top);
	assert_true(ask(top, "only-here"));
	ignore_free(top, NULL);
}

static void no_more_rules_are_kept_than_the_limit(void **state)
{
	char *text = malloc(2 * IGNORE_RULES_MAX + 64);
	struct ignore *ignore;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < IGNORE_RULES_MAX; i++)
		memcpy(text + 2 * i, "a\n", 2);
	strcpy(text + 2 * IGNORE_RULES_MAX, "b\n");
	ignore = ignore_parse(text, 0, NULL);
	assert_int_equal(ignore->count, IGNORE_RULES_MAX);
	assert_true(ask(ignore, "a"));
	assert_false(ask(ignore, "b"));
	ignore_free(ignore, NULL);
}

static char root[64];
static int directory = -1;

static int make_directory(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/hearth-names-XXXXXX");
	assert_non_null(mkdtemp(root));
	directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory < 0;
}

static int remove_directory(void **state)
{
	struct names names;

	(void)state;
	assert_int_equal(lseek(directory, 0, SEEK_SET), 0);
	assert_int_equal(names_read(&names, directory), 0);
	for (size_t i = 0; i < names.count; i++)
		if (unlinkat(directory, names.names[i].text, 0) < 0)
			unlinkat(directory, names.names[i].text, AT_REMOVEDIR);
	names_free(&names);
	close(directory);
	return rmdir(root);
}

static void touch(const char *name)
{
	auto_close int fd = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
}

static void names_come_sorted_by_their_bytes_without_dots(void **state)
{
	static const char *const sorted[] = {".x", "B", "a", "a b", "ab", "\xff"};
	struct names names;

	(void)state;
	for (size_t i = ARRAY_SIZE(sorted); i > 0; i--)
		touch(sorted[i - 1]);
	assert_int_equal(names_read(&names, directory), 0);
	assert_int_equal(names.count, ARRAY_SIZE(sorted));
	assert_int_equal(names.seen, ARRAY_SIZE(sorted));
	for (size_t i = 0; i < names.count; i++)
		assert_string_equal(names.names[i].text, sorted[i]);
	names_free(&names);
	assert_int_equal(names.count, 0);
}

static void names_of_hundreds_of_files_are_all_there(void **state)
{
	struct names names;
	char name[16];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "f%03d", (i * 7) % 300);
		touch(name);
	}
	assert_int_equal(names_read(&names, directory), 0);
	assert_int_equal(names.count, 300);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "f%03d", i);
		assert_string_equal(names.names[i].text, name);
	}
	names_free(&names);
}

static void names_of_what_is_no_directory_are_an_error(void **state)
{
	struct names names;
	auto_close int fd = -1;

	(void)state;
	touch("file");
	fd = openat(directory, "file", O_RDONLY | O_CLOEXEC);
	assert_true(names_read(&names, fd) < 0);
	assert_int_equal(names.count, 0);
	assert_true(names_read(&names, -1) < 0);
}

static void a_gitignore_that_is_no_regular_file_says_nothing(void **state)
{
	struct ignore *above = ignore_parse(strdup("*.o"), 0, NULL);

	(void)state;
	assert_ptr_equal(ignore_load(directory, 0, above), above); /* none */
	assert_int_equal(mkfifoat(directory, ".gitignore", 0644), 0);
	assert_ptr_equal(ignore_load(directory, 0, above), above);
	assert_int_equal(unlinkat(directory, ".gitignore", 0), 0);
	assert_int_equal(mkdirat(directory, ".gitignore", 0755), 0);
	assert_ptr_equal(ignore_load(directory, 0, above), above);
	assert_int_equal(unlinkat(directory, ".gitignore", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("elsewhere", directory, ".gitignore"), 0);
	assert_ptr_equal(ignore_load(directory, 0, above), above);
	ignore_free(above, NULL);
}

static void a_gitignore_is_read_up_to_its_limit_of_size(void **state)
{
	auto_close int fd = openat(directory, ".gitignore", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	const struct ignore *ignore;

	(void)state;
	assert_int_equal(write(fd, "*.o\n", 4), 4);
	ignore = ignore_load(directory, 0, NULL);
	assert_non_null(ignore);
	assert_true(ask(ignore, "a.o"));
	ignore_free(ignore, NULL);
	assert_int_equal(ftruncate(fd, IGNORE_FILE_MAX + 1), 0);
	assert_null(ignore_load(directory, 0, NULL));
}

#define in_directory(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_without_a_slash_holds_for_names_at_any_depth),
		cmocka_unit_test(a_rule_with_a_slash_is_anchored_at_its_file),
		cmocka_unit_test(a_rule_that_ends_with_a_slash_holds_for_directories),
		cmocka_unit_test(a_negated_rule_takes_back_what_stands_before_it),
		cmocka_unit_test(comments_blanks_and_odd_lines_are_no_rules),
		cmocka_unit_test(the_nearest_file_that_says_something_decides),
		cmocka_unit_test(no_more_rules_are_kept_than_the_limit),
		in_directory(names_come_sorted_by_their_bytes_without_dots),
		in_directory(names_of_hundreds_of_files_are_all_there),
		in_directory(names_of_what_is_no_directory_are_an_error),
		in_directory(a_gitignore_that_is_no_regular_file_says_nothing),
		in_directory(a_gitignore_is_read_up_to_its_limit_of_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
