/* match.h: globs against names and paths, braces, and patterns made to take for ever. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nsjail-lite/guest/match.h"

struct row {
	const char *pattern, *text;
	bool matches;
};

static void check_names(const struct row *rows, size_t count, unsigned flags)
{
	for (size_t i = 0; i < count; i++)
		if (match_name(rows[i].pattern, rows[i].text, flags) != rows[i].matches)
			fail_msg("name \"%s\" against \"%s\": not %d", rows[i].text,
				rows[i].pattern, rows[i].matches);
}

static void check_paths(const struct row *rows, size_t count, unsigned flags)
{
	for (size_t i = 0; i < count; i++)
		if (match_path(rows[i].pattern, rows[i].text, flags) != rows[i].matches)
			fail_msg("path \"%s\" against \"%s\": not %d", rows[i].text,
				rows[i].pattern, rows[i].matches);
}

static void a_star_stands_for_any_number_of_bytes_of_a_name(void **state)
{
	static const struct row rows[] = {
		{"*", "a", true},
		{"*", "", true},
		{"*.c", "main.c", true},
		{"*.c", "main.h", false},
		{"*.c", ".c", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"a**c", "abc", true},
		{"ab*", "ab", true},
		{"ab*", "a", false},
		{"*ab", "aab", true},
		{"", "", true},
		{"", "a", false},
	};

	(void)state;
	check_names(rows, ARRAY_SIZE(rows), 0);
}

static void a_question_mark_stands_for_one_character(void **state)
{
	static const struct row rows[] = {
		{"?", "a", true}, {"?", "", false}, {"?", "ab", false}, {"a?c", "abc", true},
		{"a?c", "ac", false}, {"?", "\xc3\xa4", true}, /* of two bytes */
		{"??", "\xc3\xa4", false}, {"*?x", "ax", true},
		{"?\?\?",
			"\xe2\x82\xac"
			"12",
			true}, /* of three */
	};

	(void)state;
	check_names(rows, ARRAY_SIZE(rows), 0);
}

static void brackets_stand_for_one_of_their_bytes(void **state)
{
	static const struct row rows[] = {
		{"[abc]", "b", true},
		{"[abc]", "d", false},
		{"[a-f]", "e", true},
		{"[a-f]", "g", false},
		{"[!a-f]", "g", true},
		{"[!a-f]", "a", false},
		{"[^a-f]", "a", false},
		{"[]]", "]", true},
		{"[!]]", "]", false},
		{"[a-]", "-", true},
		{"[\\]x]", "]", true},
		{"[z-a]", "m", false},
		{"[", "[", true}, /* without its end it is itself */
		{"[ab", "[ab", true},
		{"[ab", "a", false},
		{"x[0-9][0-9]", "x42", true},
		{"x[0-9][0-9]", "x4", false},
	};

	(void)state;
	check_names(rows, ARRAY_SIZE(rows), 0);
}

static void brackets_know_the_classes_of_posix(void **state)
{
	static const struct row rows[] = {
		{"[[:digit:]]*.log", "5.log", true},
		{"[![:digit:]]", "a", true},
		{"[![:digit:]]", "5", false},
		{"[x[:upper:][:space:]-]", "-", true},
		{"[x[:upper:][:space:]-]", "q", false},
		{"[[:none:]]", "n", false},
		{"[[:digit]]", ":]", true}, /* no name: its bytes */
		{"[[:digit]]", "d]", true},
	};

	(void)state;
	check_names(rows, ARRAY_SIZE(rows), 0);
	check_names(rows, ARRAY_SIZE(rows), MATCH_BYTES);
}

static void brackets_stand_for_characters_unless_bytes_are_asked_for(void **state)
{
	static const struct row characters[] = {
		{"[\xc3\xa4]x", "\xc3\xa4x", true},
		{"[\xc3\xa4]x", "\xc3\xb6x", false}, /* shares a byte */
		{"[!a]", "\xc3\xa4", true},
		{"[\xc3\xa0-\xc3\xbf]", "\xc3\xa4", true},
		{"[a-z]", "\xc3\xa4", false},
		{"*[!a][!a]", "\xe2\x82\xac", false},
	};
	static const struct row bytes[] = {
		{"?", "\xc3\xa4", false},
		{"?\?", "\xc3\xa4", true},
		{"[!a]", "\xc3\xa4", false},
		{"\xc3\xa4*", "\xc3\xa4x", true},
	};

	(void)state;
	check_names(characters, ARRAY_SIZE(characters), 0);
	check_names(bytes, ARRAY_SIZE(bytes), MATCH_BYTES);
}

static void a_backslash_protects_the_byte_behind_it(void **state)
{
	static const struct row rows[] = {
		{"\\*", "*", true},
		{"\\*", "a", false},
		{"\\?", "?", true},
		{"\\?", "a", false},
		{"\\[a]", "[a]", true},
		{"\\\\", "\\", true},
		{"a\\", "a\\", true},
	};

	(void)state;
	check_names(rows, ARRAY_SIZE(rows), 0);
}

static void wildcards_do_not_match_a_dot_in_front_unless_asked(void **state)
{
	static const struct row hidden[] = {
		{"*", ".x", false},
		{"?x", ".x", false},
		{"[.]x", ".x", false},
		{".*", ".x", true},
		{".x", ".x", true},
		{"\\.x", ".x", true},
		{"*", "x.y", true},
	};
	static const struct row wanted[] = {
		{"*", ".x", true},
		{"?x", ".x", true},
		{"[.]x", ".x", true},
	};

	(void)state;
	check_names(hidden, ARRAY_SIZE(hidden), 0);
	check_names(wanted, ARRAY_SIZE(wanted), MATCH_HIDDEN);
}

static void wildcards_stay_within_a_segment_of_a_path(void **state)
{
	static const struct row rows[] = {
		{"*", "a", true},
		{"*", "a/b", false},
		{"*/*", "a/b", true},
		{"*/*", "a", false},
		{"a?b", "a/b", false},
		{"a[/]b", "a/b", false},
		{"src/*.c", "src/main.c", true},
		{"src/*.c", "src/x/main.c", false},
		{"a/b", "a/b", true},
		{"a/b", "a/b/c", false},
		{"a/b/c", "a/b", false},
	};

	(void)state;
	check_paths(rows, ARRAY_SIZE(rows), 0);
}

static void two_stars_stand_for_any_number_of_segments(void **state)
{
	static const struct row rows[] = {
		{"**", "a", true},
		{"**", "a/b/c", true},
		{"**/x", "x", true},
		{"**/x", "a/b/x", true},
		{"**/x", "a/b/xy", false},
		{"a/**", "a/b/c", true},
		{"a/**", "a", false}, /* at the end for at least one */
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**/b", "a/x/y/c", false},
		{"**/a/**/b", "x/a/y/a/z/b", true},
		{"**/a/**/b", "x/b/y/b", false},
		{"**/*.c", "a/b/c.c", true},
		{"**/**", "a", true},
		{"**/*/*", "a", false},
		{"x**", "xa/b", false}, /* no segment of its own: two ordinary stars */
		{"x**", "xab", true},
	};

	(void)state;
	check_paths(rows, ARRAY_SIZE(rows), 0);
}

static void two_stars_do_not_enter_hidden_directories_unless_asked(void **state)
{
	static const struct row hidden[] = {
		{"**/x", ".git/x", false},
		{"**/x", "a/.b/x", false},
		{"**", "a/.b", false},
		{"**/.b/x", "a/.b/x", true},
		{".git/**", ".git/a", true},
	};
	static const struct row wanted[] = {
		{"**/x", ".git/x", true},
		{"**", "a/.b/c", true},
	};

	(void)state;
	check_paths(hidden, ARRAY_SIZE(hidden), 0);
	check_paths(wanted, ARRAY_SIZE(wanted), MATCH_HIDDEN);
}

/* By backtracking each of these would take longer than the universe is old. */
static void patterns_of_many_stars_end(void **state)
{
	static char stars[2001], name[4001], path[4001], deep[3001];

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		memcpy(stars + 2 * i, "*a", 2);
	memset(name, 'a', 4000);
	assert_true(match_name(stars, name, 0));
	name[3999] = 'b';
	assert_false(match_name(stars, name, 0));
	for (size_t i = 0; i < 750; i++)
		memcpy(deep + 4 * i, "**/", 3), deep[4 * i + 3] = 'a';
	for (size_t i = 1; i < 750; i++)
		deep[4 * i - 1] = '/';
	for (size_t i = 0; i < 2000; i++)
		memcpy(path + 2 * i, "b/", 2);
	path[3999] = '\0';
	assert_false(match_path(deep, path, 0));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All that a pattern expands to, sorted, with blanks between. */
static void assert_expands(const char *pattern, const char *expected)
{
	static struct match_patterns patterns;
	char all[256] = "";

	assert_int_equal(match_expand(pattern, &patterns), 0);
	qsort(patterns.list, patterns.count, sizeof(patterns.list[0]), compare);
	for (size_t i = 0; i < patterns.count; i++) {
		strcat(all, i ? " " : "");
		strcat(all, patterns.list[i]);
	}
	match_free(&patterns);
	assert_string_equal(all, expected);
}

static void braces_stand_for_each_of_their_alternatives(void **state)
{
	(void)state;
	assert_expands("plain", "plain");
	assert_expands("{a,b}", "a b");
	assert_expands("x.{c,h}", "x.c x.h");
	assert_expands("{a,b}/{1,2}", "a/1 a/2 b/1 b/2");
	assert_expands("{a,b{1,2}}c", "ac b1c b2c");
	assert_expands("x{,y}", "x xy");
}

static void braces_without_a_comma_or_an_end_mean_themselves(void **state)
{
	(void)state;
	assert_expands("{a}", "{a}");
	assert_expands("{", "{");
	assert_expands("a}", "a}");
	assert_expands("{a,b", "{a,b");
	assert_expands("\\{a,b}", "\\{a,b}");
	assert_expands("[{]a,b}", "[{]a,b}");
	assert_expands("{a\\,b}", "{a\\,b}");
}

static void braces_that_stand_for_too_much_are_refused(void **state)
{
	static struct match_patterns patterns;
	static char longest[MATCH_PATTERN_MAX + 2];

	(void)state;
	assert_expands("{a,b}{a,b}", "aa ab ba bb");
	assert_int_equal(
		match_expand("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", &patterns), -E2BIG);
	memset(longest, 'a', MATCH_PATTERN_MAX);
	assert_int_equal(match_expand(longest, &patterns), 0);
	match_free(&patterns);
	longest[MATCH_PATTERN_MAX] = 'a';
	assert_int_equal(match_expand(longest, &patterns), -E2BIG);
}

/* Each bracket was looked at to the end of the pattern, once for each brace. */
static void many_braces_and_brackets_without_an_end_are_expanded_at_once(void **state)
{
	static struct match_patterns patterns;
	static char pattern[MATCH_PATTERN_MAX + 1];
	struct rlimit cpu = {10, RLIM_INFINITY}; /* it took 15 s */

	(void)state;
	memset(pattern, '{', 1000);
	memset(pattern + 1000, '[', 3000);
	assert_int_equal(setrlimit(RLIMIT_CPU, &cpu), 0);
	assert_int_equal(match_expand(pattern, &patterns), 0);
	assert_int_equal(patterns.count, 1);
	match_free(&patterns);
}

static void a_pattern_is_written_as_the_paths_are(void **state)
{
	static const char *const rows[][2] = {{"src//*.c", "src/*.c"}, {"./src/./a", "src/a"},
		{".//a", "a"}, {"a", "a"}, {"..a/.b/c..", "..a/.b/c.."}, {"[.]/x", "[.]/x"},
		{"{./a/b,a//b}", "a/b"}, {"\\!a\\,b[,{]", "\\!a\\,b[,{]"}};
	static struct match_patterns patterns;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(match_parse(rows[i][0], &patterns, &why), 0);
		for (size_t k = 0; k < patterns.count; k++)
			assert_string_equal(patterns.list[k], rows[i][1]);
		match_free(&patterns);
	}
}

static void a_pattern_that_no_file_can_match_is_refused_with_the_reason(void **state)
{
	static const char *const rows[][2] = {{"../*.log", ".."}, {"a/{b,..}/c", ".."},
		{"**/", "folder"}, {"src/", "folder"}, {"src/.", "folder"}, {".", "folder"},
		{"", "folder"}, {"/src/*.py", "begins with /"}, {"{a,/b}", "begins with /"},
		{"!*.js", "begins with !"}, {"*.py,*.js", "{a,b}"}, {"*.{py}", "{a,b}"},
		{"*.{py,js", "{a,b}"}};
	static struct match_patterns patterns;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(match_parse(rows[i][0], &patterns, &why), -EINVAL);
		if (!strstr(why, rows[i][1]))
			fail_msg("\"%s\": %s", rows[i][0], why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_star_stands_for_any_number_of_bytes_of_a_name),
		cmocka_unit_test(a_question_mark_stands_for_one_character),
		cmocka_unit_test(brackets_stand_for_one_of_their_bytes),
		cmocka_unit_test(brackets_know_the_classes_of_posix),
		cmocka_unit_test(brackets_stand_for_characters_unless_bytes_are_asked_for),
		cmocka_unit_test(a_backslash_protects_the_byte_behind_it),
		cmocka_unit_test(wildcards_do_not_match_a_dot_in_front_unless_asked),
		cmocka_unit_test(wildcards_stay_within_a_segment_of_a_path),
		cmocka_unit_test(two_stars_stand_for_any_number_of_segments),
		cmocka_unit_test(two_stars_do_not_enter_hidden_directories_unless_asked),
		cmocka_unit_test(patterns_of_many_stars_end),
		cmocka_unit_test(braces_stand_for_each_of_their_alternatives),
		cmocka_unit_test(braces_without_a_comma_or_an_end_mean_themselves),
		cmocka_unit_test(braces_that_stand_for_too_much_are_refused),
		cmocka_unit_test(many_braces_and_brackets_without_an_end_are_expanded_at_once),
		cmocka_unit_test(a_pattern_is_written_as_the_paths_are),
		cmocka_unit_test(a_pattern_that_no_file_can_match_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
