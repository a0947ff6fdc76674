/* regex.h: what people write becomes what regcomp() takes, and means the same. */
#include <errno.h>
#include <locale.h>
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

static void a_hyphen_makes_a_range_between_any_two_characters_and_nowhere_else(void **state)
{
	static const struct row rows[] = {
		{"^[a-zA-Z0-9-_]+$", "a-9_Z", true},
		{"^[a-zA-Z0-9-_]+$", "a+b", false},
		{"^[a-c-x]$", "m", false},
		{"^[a-\\d]+$", "a-1", true},
		{"^[a-[:digit:]]+$", "a-1", true},
		{"^[\\--/]+$", "-./", true},
		{"^[+-\\]]+$", "+A]\\[", true},
		{"^[+-\\]]$", "^", false},
		{"^[a+-^]+$", "aZ]^", true},
		{"^[x\\]-b]+$", "x]^_ab", true},
		{"^[x\\^-b]$", "]", false},
		{"^[[-\\]]+$", "[\\]", true},
		{"^[^+-\\]]$", "a", true},
		{"^[]-^]$", "-", false},
		{"^[\\[:]+$", "[:", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void characters_are_named_by_their_code(void **state)
{
	static const struct row rows[] = {
		{"^\\x41$", "A", true},
		{"^\\x2e$", ".", true},
		{"^\\x2e$", "x", false},
		{"^\\x3Cb$", "<b", true},
		{"^\\xe4$", "\xc3\xa4", true},
		{"^[\\x41-\\x43]+$", "ABC", true},
		{"[^\\x00-\\x7F]", "~\x01\t", false},
		{"[^\\x00-\\x7F]", "x\xc3\xa4", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

static void what_is_no_ascii_is_one_character(void **state)
{
	static const struct row rows[] = {
		{"x.y", "x\xc3\xa4y", true},
		{"^.$", "\xe2\x82\xac", true},
		{"[\xc3\xa4\xc3\xb6]", "\xc3\xa9", false}, /* shares a byte with both */
		{"^Stra\xc3\x9f?e$", "Strae", true},
		{"\\bsum\\b", "r\xc3\xa9sum\xc3\xa9", false},
		{"^\\w+$", "\xc3\xa4", true},
	};

	(void)state;
	check(rows, ARRAY_SIZE(rows));
}

/* Matched by the guest's C library; the one of this test refuses such ranges. */
static void ranges_may_have_ends_that_are_no_ascii(void **state)
{
	const char *why;

	(void)state;
	regex_translate("[\\xe0-\\xff]", ere, sizeof(ere), &why);
	assert_string_equal(ere, "[\xc3\xa0-\xc3\xbf]");
	regex_translate("[\xc3\xa4-\xc3\xbc-x]", ere, sizeof(ere), &why);
	assert_string_equal(ere, "[\xc3\xa4-\xc3\xbcx-]");
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
	assert_refused("\\y", "unknown escape: a letter or digit behind a backslash");
	assert_refused("[\\p{L}]", "unknown escape: a letter or digit behind a backslash");
	assert_refused("[a\\h]", "unknown escape: a letter or digit behind a backslash");
	assert_refused("\\x4", "\\x wants two hexadecimal digits");
	assert_refused("\\x00", "\\x00 stands in no line of text");
	assert_refused("[a\\x00]", "\\x00 stands in no line of text");
	assert_refused("[z-a]", "a range in brackets ends before it begins");
	assert_refused("[\\^-\\]]", "a range in brackets ends before it begins");
	assert_refused("a\xff", "not UTF-8");
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

static void a_line_break_is_refused_where_it_would_have_to_match(void **state)
{
	static const char why[] = "a line break stands in no line: search for one of the lines";
	static const struct row rows[] = {
		{"^[^\\n]+$", "ab", true},
		{"^a[^\\r\\n]$", "a\r", false},
	};

	(void)state;
	assert_refused("a\\nb", why);
	assert_refused("a\nb", why);
	assert_refused("a\\x0ab", why);
	assert_refused("[a\\n]", why);
	check(rows, ARRAY_SIZE(rows));
}

/* regcomp() writes them out: it would take minutes, or all memory. */
static void repetitions_that_multiply_are_refused(void **state)
{
	static const char why[] =
		"repetitions in repetitions are too many: use smaller numbers in {}";
	static const struct row rows[] = {
		{"^([a-f]{1,10}-){10,20}$", "a-b-c-d-e-f-a-b-c-d-", true},
		{"^(a{255}){2}$", "a", false},
	};

	(void)state;
	assert_refused("((a*){255}){60}", why);
	assert_refused("((ab){100,}){1,30}", why);
	assert_refused("(a{99999999999999999999})", why);
	assert_refused("[ab]{4096}c{2}", why);
	check(rows, ARRAY_SIZE(rows));
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
	static const char *const patterns[] = {"\\w\\d[^]\\s^-]{2}", "[]]", "[\\^]", "[\\^-]",
		"a\\.b", "(?:x)", "[a\\]b]", "[+-\\]]", "[\\x41-\\xff[]", "\\xe4"};

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
		cmocka_unit_test(
			a_hyphen_makes_a_range_between_any_two_characters_and_nowhere_else),
		cmocka_unit_test(characters_are_named_by_their_code),
		cmocka_unit_test(what_is_no_ascii_is_one_character),
		cmocka_unit_test(ranges_may_have_ends_that_are_no_ascii),
		cmocka_unit_test(groups_and_repetitions_of_other_dialects_are_understood),
		cmocka_unit_test(braces_that_repeat_nothing_mean_themselves),
		cmocka_unit_test(other_bytes_behind_a_backslash_mean_themselves),
		cmocka_unit_test(back_references_are_refused),
		cmocka_unit_test(bad_patterns_are_errors_that_say_why),
		cmocka_unit_test(a_line_break_is_refused_where_it_would_have_to_match),
		cmocka_unit_test(repetitions_that_multiply_are_refused),
		cmocka_unit_test(a_pattern_that_is_too_long_is_refused),
		cmocka_unit_test(a_translation_never_leaves_its_room),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
