/* regex.h: what people write becomes what regcomp() takes, and means the same. */
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "nsjail-lite/guest/regex.h"

struct row {
	const char *pattern, *line;
	bool matches;
};

static char ere[4 * REGEX_PATTERN_MAX];

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *why = "";
		regex_t regex;
		bool matches;

		if (regex_translate(rows[i].pattern, ere, sizeof(ere), &why) < 0)
			fail_msg("\"%s\": %s", rows[i].pattern, why);
		if (regcomp(&regex, ere, REG_EXTENDED | REG_NOSUB) != 0)
			fail_msg("\"%s\" became \"%s\"", rows[i].pattern, ere);
		matches = regexec(&regex, rows[i].line, 0, NULL, 0) == 0;
		regfree(&regex);
		if (matches != rows[i].matches)
			fail_msg("\"%s\", which became \"%s\", of \"%s\": not %d", rows[i].pattern,
				ere, rows[i].line, rows[i].matches);
	}
}

static void letters_behind_a_backslash_stand_for_their_class(void **state)
{
	static const struct row rows[] = {
		{"^\\d+$", "0123", true},
		{"^\\d+$", "12a", false},
		{"^\\D+$", "abc", true},
		{"^\\D+$", "ab1", false},
		{"^\\w+$", "az_AZ09", true},
		{"^\\w+$", "a-b", false},
		{"^\\W+$", "-+ ", true},
		{"^\\W+$", "_", false},
		{"a\\sb", "a b", true},
		{"a\\sb", "a\tb", true},
		{"a\\sb", "aXb", false},
		{"^\\S+$", "a b", false},
		{"a\\tb", "a\tb", true},
		{"a\\tb", "atb", false},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void word_boundaries_are_found(void **state)
{
	static const struct row rows[] = {
		{"\\bcat\\b", "the cat sat", true},
		{"\\bcat\\b", "concatenate", false},
		{"\\bcat", "catalogue", true},
		{"\\Bcat", "concat", true},
		{"\\Bcat", "cat", false},
		{"\\<cat\\>", "a cat", true},
		{"\\<cat\\>", "cats", false},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void escapes_work_inside_brackets(void **state)
{
	static const struct row rows[] = {
		{"^[\\d.]+$", "1.2.3", true},
		{"^[\\d.]+$", "1-2", false},
		{"^[\\w-]+$", "a-b_c", true},
		{"^[\\w-.]+$", "a-b.c", true}, /* a class begins no range */
		{"^[\\w-.]+$", "a b", false},
		{"^[[:alpha:]-.]+$", "a-b.c", true},
		{"^[^\\s]+$", "ab", true},
		{"^[^\\s]+$", "a b", false},
		{"^[\\]]$", "]", true},
		{"^[\\[]$", "[", true},
		{"^[a\\]b]+$", "a]b", true},
		{"^[\\\\]$", "\\", true},
		{"^[\\t]$", "\t", true},
		{"^[\\t]$", "t", false},
		{"^[[:digit:]x]+$", "1x2", true},
		{"^[[:digit:]x]+$", "y", false},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void what_is_special_in_brackets_keeps_its_meaning_wherever_it_stands(void **state)
{
	static const struct row rows[] = {
		{"^[]a]+$", "a]", true},
		{"^[^]a]+$", "b", true},
		{"^[^]a]+$", "]", false},
		{"^[\\^]$", "^", true},
		{"^[\\^]$", "a", false},
		{"^[a^]+$", "^a", true},
		{"^[^^]$", "a", true},
		{"^[^^]$", "^", false},
		{"^[\\^-]+$", "-^", true}, /* no negation */
		{"^[\\^-]$", "a", false},
		{"^[\\^\\]]+$", "]^", true},
		{"^[\\^\\]]$", "a", false},
		{"^[a\\-z]+$", "a-z", true},
		{"^[a\\-z]+$", "m", false},
		{"^[a-z]+$", "m", true},
		{"^[-a]+$", "-a", true},
		{"^[a-]+$", "-a", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void groups_and_repetitions_of_other_dialects_are_understood(void **state)
{
	static const struct row rows[] = {
		{"^(?:ab)+$", "abab", true},
		{"^(?:ab)+$", "aba", false},
		{"a.*?b", "axxb", true},
		{"a+?b", "aab", true},
		{"^a{2}$", "aa", true},
		{"^a{2}$", "a{2}", false},
		{"^a{2,}$", "aaa", true},
		{"^a{1,2}$", "aaa", false},
		{"a|b", "b", true},
		{"^x(a|b)y$", "xby", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void braces_that_repeat_nothing_mean_themselves(void **state)
{
	static const struct row rows[] = {
		{"{", "a{b", true},
		{"}", "a}b", true},
		{"struct x {", "struct x {", true},
		{"f() {}", "f {}", true},
		{"a{x}", "a{x}", true},
		{"a{,2}", "a{,2}", true},
		{"\\$\\{HOME\\}", "${HOME}", true},
		{"\\$\\{HOME\\}", "$HOME", false},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void other_bytes_behind_a_backslash_mean_themselves(void **state)
{
	static const struct row rows[] = {
		{"a\\.b", "a.b", true},
		{"a\\.b", "axb", false},
		{"\\(\\)", "f()", true},
		{"\\*", "a*b", true},
		{"\\*", "ab", false},
		{"\\/", "a/b", true},
		{"\\-", "a-b", true},
		{"\\\"x\\\"", "\"x\"", true},
		{"^\\^$", "^", true},
		{"\xc3\xa4", "\xc3\xa4", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void assert_refused(const char *pattern, const char *expected)
{
	const char *why = NULL;

	if (regex_translate(pattern, ere, sizeof(ere), &why) != -EINVAL)
		fail_msg("\"%s\" became \"%s\"", pattern, ere);
	assert_string_equal(why, expected);
}

static void back_references_are_refused(void **state)
{
	(void)state;
	assert_refused("(a)\\1", "back-references are not supported");
	assert_refused("\\0", "back-references are not supported");
	assert_refused("(a)(b)\\9x", "back-references are not supported");
}

static void bad_patterns_are_errors_that_say_why(void **state)
{
	(void)state;
	assert_refused("a\\", "backslash at the end");
	assert_refused("\\y", "unknown escape: a letter behind a backslash");
	assert_refused("[a", "unmatched [");
	assert_refused("[", "unmatched [");
	assert_refused("[^", "unmatched [");
	assert_refused("[]", "unmatched [");
	assert_refused("[a\\", "unmatched [");
	assert_refused("*a", "nothing to repeat");
	assert_refused("a**", "nothing to repeat");
	assert_refused("(+a)", "nothing to repeat");
	assert_refused("a|?", "nothing to repeat");
	assert_refused("(?i)a", "(? is supported as (?: only");
	assert_refused("(?<n>a)", "(? is supported as (?: only");
	assert_refused("(?", "(? is supported as (?: only");
	assert_refused("[\\W]", "this escape has no meaning in brackets");
	assert_refused("[\\b]", "this escape has no meaning in brackets");
}

static void a_pattern_that_is_too_long_is_refused(void **state)
{
	static char pattern[REGEX_PATTERN_MAX + 2];
	const char *why = NULL;

	(void)state;
	memset(pattern, 'a', REGEX_PATTERN_MAX);
	assert_int_equal(regex_translate(pattern, ere, sizeof(ere), &why), 0);
	assert_string_equal(ere, pattern);
	pattern[REGEX_PATTERN_MAX] = 'a';
	assert_refused(pattern, "the pattern is too long");
}

/* Every room from none to enough; the sanitizers see what goes beyond. */
static void a_translation_never_leaves_its_room(void **state)
{
	static const char *const patterns[] = {
		"\\w\\d[^]\\s^-]{2}", "[]]", "[\\^]", "[\\^-]", "a\\.b", "(?:x)", "[a\\]b]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		const char *why = NULL;
		size_t needed;

		assert_int_equal(regex_translate(patterns[i], ere, sizeof(ere), &why), 0);
		needed = strlen(ere) + 1;
		for (size_t size = 1; size < needed; size++) {
			char *to = malloc(size);

			assert_non_null(to);
			why = NULL;
			assert_int_equal(regex_translate(patterns[i], to, size, &why), -EINVAL);
			assert_string_equal(why, "the pattern is too long");
			free(to);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_behind_a_backslash_stand_for_their_class),
		cmocka_unit_test(word_boundaries_are_found),
		cmocka_unit_test(escapes_work_inside_brackets),
		cmocka_unit_test(what_is_special_in_brackets_keeps_its_meaning_wherever_it_stands),
		cmocka_unit_test(groups_and_repetitions_of_other_dialects_are_understood),
		cmocka_unit_test(braces_that_repeat_nothing_mean_themselves),
		cmocka_unit_test(other_bytes_behind_a_backslash_mean_themselves),
		cmocka_unit_test(back_references_are_refused),
		cmocka_unit_test(bad_patterns_are_errors_that_say_why),
		cmocka_unit_test(a_pattern_that_is_too_long_is_refused),
		cmocka_unit_test(a_translation_never_leaves_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
