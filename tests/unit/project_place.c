/* place.h: on which line a value stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "agentd/project/place.h"

#define KEY(text)                                                                                  \
	{                                                                                          \
		.key = text                                                                        \
	}
#define INDEX(number)                                                                              \
	{                                                                                          \
		.index = number                                                                    \
	}

static const char text[] = "\n"			     /* 1 */
			   "[\n"		     /* 2 */
			   " {\"a\": 1,\n"	     /* 3 */
			   "  \"b\": [1,\n"	     /* 4 */
			   "    2]},\n"		     /* 5 */
			   "\n"			     /* 6 */
			   " \"x, ]} \\\" \\\\\",\n" /* 7 */
			   " {\"a\": {\"b\":\n"	     /* 8 */
			   "   {\"c\": {}}},\n"	     /* 9 */
			   "  \"ab\": [[], {}],\n"   /* 10 */
			   "  \"c\"\n"		     /* 11 */
			   "  : 3}\n"		     /* 12 */
			   "]\n";		     /* 13 */

static unsigned line(const struct place_step *steps, size_t count)
{
	return place_line(text, steps, count);
}

static void every_value_has_its_line(void **state)
{
	(void)state;
	assert_int_equal(line(NULL, 0), 2);
	assert_int_equal(line((struct place_step[]){INDEX(0)}, 1), 3);
	assert_int_equal(line((struct place_step[]){INDEX(0), KEY("a")}, 2), 3);
	assert_int_equal(line((struct place_step[]){INDEX(0), KEY("b")}, 2), 4);
	assert_int_equal(line((struct place_step[]){INDEX(0), KEY("b"), INDEX(1)}, 3), 5);
	assert_int_equal(line((struct place_step[]){INDEX(1)}, 1), 7);
	assert_int_equal(line((struct place_step[]){INDEX(2)}, 1), 8);
	assert_int_equal(line((struct place_step[]){INDEX(2), KEY("a"), KEY("b"), KEY("c")}, 4), 9);
	assert_int_equal(line((struct place_step[]){INDEX(2), KEY("ab")}, 2), 10);
	assert_int_equal(line((struct place_step[]){INDEX(2), KEY("c")}, 2), 11);
}

static void what_is_not_there_is_told_by_what_holds_it(void **state)
{
	(void)state;
	assert_int_equal(line((struct place_step[]){INDEX(0), KEY("z")}, 2), 3);
	assert_int_equal(line((struct place_step[]){INDEX(2), KEY("ab"), INDEX(9)}, 3), 10);
	assert_int_equal(line((struct place_step[]){INDEX(3)}, 1), 2);
	assert_int_equal(line((struct place_step[]){KEY("a")}, 1), 2);
	assert_int_equal(line((struct place_step[]){INDEX(2), INDEX(0)}, 2), 8);
}

static void a_text_that_is_cut_anywhere_ends_the_search(void **state)
{
	char cut[sizeof(text)];
	const struct place_step steps[] = {INDEX(2), KEY("ab"), INDEX(1)};

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		unsigned found;

		memcpy(cut, text, i);
		cut[i] = '\0';
		found = place_line(cut, steps, 3);
		assert_true(found >= 1 && found <= 10);
	}
	assert_int_equal(place_line("", steps, 3), 1);
	assert_int_equal(place_line("]]]}}}", steps, 3), 1);
	assert_int_equal(place_line("\"\\", steps, 3), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_its_line),
		cmocka_unit_test(what_is_not_there_is_told_by_what_holds_it),
		cmocka_unit_test(a_text_that_is_cut_anywhere_ends_the_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
