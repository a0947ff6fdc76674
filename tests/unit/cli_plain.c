/* plain.c, progress.c, log_reason.c: foreign text that cannot steer a terminal, and what of a log is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pty.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/log_reason.h"
#include "cli/plain.h"
#include "cli/progress.h"

static char shown[512];

static const char *print(const char *text)
{
	FILE *to = fmemopen(shown, sizeof(shown), "w");

	shown[0] = '\0';
	assert_non_null(to);
	plain_print(to, text, strlen(text));
	assert_int_equal(fclose(to), 0);
	return shown;
}

static const char *print_line(const char *text, size_t max)
{
	FILE *to = fmemopen(shown, sizeof(shown), "w");

	shown[0] = '\0';
	assert_non_null(to);
	plain_print_line(to, text, max);
	assert_int_equal(fclose(to), 0);
	return shown;
}

/* What comes out of both plain_print() and plain_clean(). */
static const char *const texts[][2] = {
	{"", ""}, {"plain text", "plain text"}, {"a\n\tb\n", "a\n\tb\n"},
	{"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
	{"\033[2J", "?[2J"}, {"a\rb\bc\a", "a?b?c?"}, {"\x7f\x01\x1f", "???"},
	{"\xc2\x9b"
	 "31m\xc2\x80\xc2\x9f\xc2\xa0",
		"?31m??\xc2\xa0"}, /* C1, and the first behind it */
	{"\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e\xd8\x9c", "?????"}, /* direction */
	{"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf", "??\xe2\x80\xaf"}, {"\xff\xfe", "??"},
	{"\xc3", "?"}, {"\xe2\x82", "??"}, {"\xc0\x9b\xe0\x80\x9b", "?????"}, /* overlong */
	{"\xed\xa0\x80", "???"},					      /* a surrogate */
};

static void text_is_shown_and_steers_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_string_equal(print(texts[i][0]), texts[i][1]);
}

static void text_is_cleaned_in_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_free char *text = strdup(texts[i][0]);

		assert_non_null(text);
		plain_clean(text);
		assert_string_equal(text, texts[i][1]);
	}
}

static void a_line_has_one_blank_for_many(void **state)
{
	(void)state;
	assert_string_equal(print_line("  a\n\n\tb \r\n c  \n", 100), "a b c");
	assert_string_equal(print_line("", 10), "");
	assert_string_equal(print_line(" \n ", 10), "");
	assert_string_equal(print_line("a\033b\x7f", 10), "a?b?");
}

static void a_line_is_cut_by_characters(void **state)
{
	(void)state;
	assert_string_equal(print_line("abcde", 5), "abcde");
	assert_string_equal(print_line("abcdef", 5), "abcde...");
	assert_string_equal(print_line("abcde \n", 5), "abcde");
	assert_string_equal(print_line("abcd ef", 5), "abcd...");
	assert_string_equal(print_line("\xc3\xa4\xc3\xb6\xc3\xbc", 2), "\xc3\xa4\xc3\xb6...");
}

static void what_is_no_terminal_has_no_colour(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	assert_int_equal(unsetenv("NO_COLOR"), 0);
	assert_false(plain_has_colour(file));
	fclose(file);
}

static void what_a_recipe_says_of_its_progress_steers_nothing(void **state)
{
	auto_close int saved = dup(STDERR_FILENO), terminal = -1, other = -1;
	struct cli_progress progress;
	char text[512];
	ssize_t n;

	(void)state;
	assert_int_equal(openpty(&terminal, &other, NULL, NULL, NULL), 0);
	dup2(other, STDERR_FILENO);
	cli_progress_start(&progress, true);
	cli_progress_report(&progress, -1, "\033]0;x\a\033[31mred");
	dup2(saved, STDERR_FILENO);
	n = read(terminal, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "\r?]0;x??[31mred, 0 s\033[K");
}

static const char *reason(const char *text)
{
	auto_free char *copy = strdup(text);

	assert_non_null(copy);
	log_reason(copy, shown, sizeof(shown));
	return shown;
}

static void the_reason_is_the_last_failure_that_was_logged(void **state)
{
	(void)state;
	assert_string_equal(reason(""), "");
	assert_string_equal(reason("\n\n"), "");
	assert_string_equal(reason("a\nb: no \033[31m\n\n"), "b: no ?[31m");
	assert_string_equal(
		reason("{\"level\":\"error\",\"message\":\"no \\\"x\\\"\",\"a\":\"b\"}\n"
		       "{\"level\":\"info\",\"message\":\"ending\"}\n"
		       "{\"level\":\"warning\",\"event\":\"x\"}\n"),
		"no \"x\"");
	assert_string_equal(reason("{\"level\":\"info\",\"message\":\"ready\"}\n"), "");
	assert_string_equal(reason("{\"error\": {\"message\": \"gone\", \"code\": 3}}\n"), "gone");
	assert_string_equal(reason("{\"level\":\"error\",\"mess"), "{\"level\":\"error\",\"mess");
}

static void the_reason_of_a_file_is_at_its_end(void **state)
{
	char path[] = "/tmp/hearth-unit.XXXXXX";
	auto_close int fd = mkstemp(path);
	FILE *file = fdopen(dup(fd), "w");

	(void)state;
	assert_non_null(file);
	fputs("of an earlier run\n", file);
	fflush(file);
	log_reason_of_file(path, ftell(file), shown, sizeof(shown));
	assert_string_equal(shown, "");
	/* More than is looked at, so that half a line comes first. */
	fprintf(file, "{\"level\":\"error\",\"message\":\"why\"}\n");
	for (int i = 0; i < 1000; i++)
		fprintf(file, "{\"level\":\"info\",\"message\":\"%0*d\"}\n", i % 7, i);
	fflush(file);
	log_reason_of_file(path, 0, shown, sizeof(shown));
	assert_string_equal(shown, "");
	fputs("{\"level\":\"error\",\"message\":\"why\"}\n", file);
	fclose(file);
	log_reason_of_file(path, 0, shown, sizeof(shown));
	assert_string_equal(shown, "why");
	unlink(path);
	log_reason_of_file(path, 0, shown, sizeof(shown));
	assert_string_equal(shown, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_shown_and_steers_nothing),
		cmocka_unit_test(text_is_cleaned_in_place),
		cmocka_unit_test(a_line_has_one_blank_for_many),
		cmocka_unit_test(a_line_is_cut_by_characters),
		cmocka_unit_test(what_is_no_terminal_has_no_colour),
		cmocka_unit_test(what_a_recipe_says_of_its_progress_steers_nothing),
		cmocka_unit_test(the_reason_is_the_last_failure_that_was_logged),
		cmocka_unit_test(the_reason_of_a_file_is_at_its_end),
	};

	return cmocka_run_group_tests_name("cli_plain", tests, NULL, NULL);
}
