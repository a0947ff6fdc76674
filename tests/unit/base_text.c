/* text.h: copies that fit, names, UTF-8 by the book, slips of the pen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/text.h"

static void copy_takes_what_fits_with_its_terminator(void **state)
{
	char to[4] = "zzz";

	(void)state;
	assert_int_equal(text_copy(to, sizeof(to), "abc"), 0);
	assert_string_equal(to, "abc");
	assert_int_equal(text_copy(to, sizeof(to), ""), 0);
	assert_string_equal(to, "");
}

static void copy_leaves_nothing_of_what_does_not_fit(void **state)
{
	char to[4] = "zzz";

	(void)state;
	assert_int_equal(text_copy(to, sizeof(to), "abcd"), -ENAMETOOLONG);
	assert_string_equal(to, "");
}

static void terminator_is_looked_for_in_the_field_only(void **state)
{
	(void)state;
	assert_true(text_is_terminated("ab", 3));
	assert_false(text_is_terminated("ab", 2));
	assert_true(text_is_terminated("", 1));
	assert_false(text_is_terminated("", 0));
}

static void names_are_lower_case_digits_and_three_marks(void **state)
{
	(void)state;
	assert_true(text_is_name("a", 8));
	assert_true(text_is_name("0", 8));
	assert_true(text_is_name("base-1.2_x", 16));
	assert_true(text_is_name("z9-", 8));
}

static void everything_else_is_no_name(void **state)
{
	static const char *const bad[] = {"", ".", "..", "-a", "_a", "A", "aB", "a b", "a/b", "a\n",
		"a\"", "a%", "\xc3\xa4", "a\xff", "a,b", "a:b"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (text_is_name(bad[i], 16))
			fail_msg("'%s' counts as a name", bad[i]);
}

static void names_have_a_longest_length(void **state)
{
	(void)state;
	assert_true(text_is_name("12345678", 8));
	assert_false(text_is_name("123456789", 8));
}

struct bytes {
	const char *text;
	size_t length;
};
#define B(literal)                                                                                 \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

static void well_formed_utf8_is_accepted(void **state)
{
	static const struct bytes good[] = {
		B(""),
		B("plain"),
		B("a\0b"), /* NUL is a character too; who minds it looks for it */
		B("\x7f"),
		B("\xc2\x80"),	       /* U+0080, the first of two bytes */
		B("\xdf\xbf"),	       /* U+07FF */
		B("\xe0\xa0\x80"),     /* U+0800 */
		B("\xed\x9f\xbf"),     /* U+D7FF, the last before the surrogates */
		B("\xee\x80\x80"),     /* U+E000, the first behind them */
		B("\xef\xbf\xbf"),     /* U+FFFF */
		B("\xf0\x90\x80\x80"), /* U+10000 */
		B("\xf4\x8f\xbf\xbf"), /* U+10FFFF, the last */
		B("x\xc3\xa4y\xf0\x9f\x94\xa5z"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!text_is_utf8(good[i].text, good[i].length))
			fail_msg("well-formed text %zu is refused", i);
}

static void malformed_utf8_is_refused(void **state)
{
	static const struct bytes bad[] = {
		B("\x80"), /* a continuation on its own */
		B("a\xbf"),
		B("\xc3"), /* cut */
		B("\xe2\x82"),
		B("\xf0\x9f\x94"),
		B("\xc3z"), /* not continued */
		B("\xe2\x82z"),
		B("\xc0\x80"),	       /* overlong NUL */
		B("\xc1\xbf"),	       /* overlong U+007F */
		B("\xe0\x9f\xbf"),     /* overlong U+07FF */
		B("\xf0\x8f\xbf\xbf"), /* overlong U+FFFF */
		B("\xed\xa0\x80"),     /* U+D800 */
		B("\xed\xbf\xbf"),     /* U+DFFF */
		B("\xf4\x90\x80\x80"), /* U+110000 */
		B("\xf5\x80\x80\x80"),
		B("\xf8\x88\x80\x80\x80"), /* five bytes */
		B("\xfe"),
		B("\xff"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (text_is_utf8(bad[i].text, bad[i].length))
			fail_msg("malformed text %zu is accepted", i);
}

static void sequence_length_is_that_of_the_first_character(void **state)
{
	(void)state;
	assert_int_equal(text_utf8_sequence("ab", 2), 1);
	assert_int_equal(text_utf8_sequence("\xc3\xa4x", 3), 2);
	assert_int_equal(text_utf8_sequence("\xe2\x82\xac", 3), 3);
	assert_int_equal(text_utf8_sequence("\xf0\x9f\x94\xa5", 4), 4);
	assert_int_equal(text_utf8_sequence("\xf0\x9f\x94\xa5", 3), 0);
	assert_int_equal(text_utf8_sequence("\xa4", 1), 0);
}

static void distance_counts_single_edits(void **state)
{
	(void)state;
	assert_int_equal(text_distance("image", "image"), 0);
	assert_int_equal(text_distance("imag", "image"), 1);
	assert_int_equal(text_distance("image", "imago"), 1);
	assert_int_equal(text_distance("image", "mage"), 1);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("abc", ""), 3);
	assert_int_equal(text_distance("", ""), 0);
}

static void distance_of_very_long_texts_is_far(void **state)
{
	char longest[65];

	(void)state;
	memset(longest, 'x', 64);
	longest[64] = '\0';
	assert_int_equal(text_distance(longest, longest), 64);
	longest[63] = '\0';
	assert_int_equal(text_distance(longest, longest), 0);
	assert_int_equal(text_distance(longest, ""), 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_takes_what_fits_with_its_terminator),
		cmocka_unit_test(copy_leaves_nothing_of_what_does_not_fit),
		cmocka_unit_test(terminator_is_looked_for_in_the_field_only),
		cmocka_unit_test(names_are_lower_case_digits_and_three_marks),
		cmocka_unit_test(everything_else_is_no_name),
		cmocka_unit_test(names_have_a_longest_length),
		cmocka_unit_test(well_formed_utf8_is_accepted),
		cmocka_unit_test(malformed_utf8_is_refused),
		cmocka_unit_test(sequence_length_is_that_of_the_first_character),
		cmocka_unit_test(distance_counts_single_edits),
		cmocka_unit_test(distance_of_very_long_texts_is_far),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
