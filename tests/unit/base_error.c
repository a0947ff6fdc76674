/* error.h: code and sentence, however long, with or without a place for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void set_keeps_code_and_text_and_returns_the_negative_code(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(error_set(&err, ENOENT, "image %s: no such %d", "base", 7), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.text, "image base: no such 7");
}

static void errno_is_described_behind_the_text(void **state)
{
	struct error err;

	(void)state;
	errno = EACCES;
	assert_int_equal(error_errno(&err, "open %s", "x"), -EACCES);
	assert_int_equal(err.code, EACCES);
	assert_string_equal(err.text, "open x: Permission denied");
}

static void prefixes_pile_up_in_front(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, EPERM, "mount");
	assert_int_equal(error_prefix(&err, -EPERM, "jail %s", "k7"), -EPERM);
	assert_int_equal(error_prefix(&err, -EPERM, "slot %d", 3), -EPERM);
	assert_string_equal(err.text, "slot 3: jail k7: mount");
	assert_int_equal(err.code, EPERM);
}

static void nobody_has_to_want_the_reason(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ENOENT, "x"), -ENOENT);
	errno = EIO;
	assert_int_equal(error_errno(NULL, "x"), -EIO);
	assert_int_equal(error_prefix(NULL, -EPERM, "x"), -EPERM);
}

static void long_texts_are_cut_and_terminated(void **state)
{
	char longest[2 * ERROR_TEXT_MAX];
	struct error err;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	error_set(&err, EIO, "%s", longest);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	errno = EIO;
	error_errno(&err, "%s", longest);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_prefix(&err, -EIO, "%s", longest);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_set(&err, EIO, "%s", longest);
	error_prefix(&err, -EIO, "why");
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "why: xxx", 8);
}

static void names_are_those_of_errno_h(void **state)
{
	(void)state;
	assert_string_equal(error_name(ENOENT), "ENOENT");
	assert_string_equal(error_name(EAGAIN), "EAGAIN");
	assert_string_equal(error_name(ECANCELED), "ECANCELED");
	assert_string_equal(error_name(0), "E?");
	assert_string_equal(error_name(-ENOENT), "E?");
	assert_string_equal(error_name(99999), "E?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_keeps_code_and_text_and_returns_the_negative_code),
		cmocka_unit_test(errno_is_described_behind_the_text),
		cmocka_unit_test(prefixes_pile_up_in_front),
		cmocka_unit_test(nobody_has_to_want_the_reason),
		cmocka_unit_test(long_texts_are_cut_and_terminated),
		cmocka_unit_test(names_are_those_of_errno_h),
	};

	return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
