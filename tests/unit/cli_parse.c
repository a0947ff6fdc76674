/* The parser and the errors of cli.c, on a table of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cli.h"
#include "tests/unit/cli_capture.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, 0, NULL, NULL                                                                \
	}

/* What the last command saw. */
static struct {
	bool has_run, json, quiet;
	char name[32], directory[64], words[256], color[32], sizes[64];
	bool is_fast, is_loud;
} seen;

static int observe(struct cli *cli, int argc, char **argv)
{
	const char *value;
	unsigned position = 0;

	seen.has_run = true;
	seen.json = cli->json;
	seen.quiet = cli->quiet;
	snprintf(seen.name, sizeof(seen.name), "%s", cli->command->name);
	snprintf(seen.directory, sizeof(seen.directory), "%s", cli->directory);
	for (int i = 0; i < argc; i++)
		snprintf(seen.words + strlen(seen.words), sizeof(seen.words) - strlen(seen.words),
			"%s|", argv[i]);
	value = cli_option(cli, "color");
	snprintf(seen.color, sizeof(seen.color), "%s", value ? value : "none");
	while ((value = cli_option_next(cli, "size", &position)))
		snprintf(seen.sizes + strlen(seen.sizes), sizeof(seen.sizes) - strlen(seen.sizes),
			"%s,", value);
	seen.is_fast = cli_option(cli, "fast");
	seen.is_loud = cli_option(cli, "loud");
	return CLI_OK;
}

static int count(struct cli *cli, int argc, char **argv)
{
	unsigned long value;
	int r = cli_option_number(cli, "size", 2, 10, 5, &value);

	(void)argc;
	(void)argv;
	if (r != 0)
		return r;
	printf("%lu\n", value);
	return CLI_OK;
}

static int break_down(struct cli *cli, int argc, char **argv)
{
	struct error err;

	(void)argc;
	error_set(&err, atoi(argv[1]), "thing \"x\": broken");
	return cli_fail(cli, &err, "mend it");
}

static const struct cli_option options[] = {
	{"color", 'c', "NAME", "a color"},
	{"fast", 'f', NULL, "go fast"},
	{"loud", 'l', NULL, "be loud"},
	{"size", 0, "N", "a size; may be repeated"},
	END,
};

const struct cli_command cli_commands[] = {
	{"paint", "THING...", "paint things", "Paints.", options, 1, 3, CLI_NO_COMMAND_LINE, false,
		observe},
	{"wall ls", "", "list walls", "Lists.", options, 0, 0, CLI_NO_COMMAND_LINE, false, observe},
	{"wall rm", "NAME", "remove a wall", "Removes.", options, 1, 1, CLI_NO_COMMAND_LINE, false,
		observe},
	{"do", "COMMAND...", "do something", "Does.", options, 1, -1, 0, true, observe},
	{"at", "ID COMMAND...", "do it there", "Does it there.", options, 2, -1, 1, true, observe},
	{"count", "", "count", "Counts.", options, 0, 0, CLI_NO_COMMAND_LINE, false, count},
	{"fail", "ERRNO", "fail", "Fails.", NULL, 1, 1, CLI_NO_COMMAND_LINE, false, break_down},
	{"run fail", "ERRNO", "fail", "Fails.", NULL, 1, 1, CLI_NO_COMMAND_LINE, true, break_down},
};
const unsigned cli_command_count = ARRAY_SIZE(cli_commands);

/* The version command is the only one that cli.c calls by its name. */
int cli_version(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	printf("version 7\n");
	return CLI_OK;
}

static int set_up(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	unsetenv("HEARTH_DIR");
	return 0;
}

/* Run "hearth LINE"; words are parted by blanks, '' is an empty one. */
static int hearth(const char *line)
{
	char text[4096], *argv[1024], *rest = text, *word;
	int argc = 0, status;

	assert_true(snprintf(text, sizeof(text), "%s", line) < (int)sizeof(text));
	argv[argc++] = (char *)"hearth";
	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[argc++] = strcmp(word, "''") == 0 ? (char *)"" : word;
	argv[argc] = NULL;
	capture_begin();
	status = cli_main(argc, argv);
	capture_end();
	return status;
}

static void assert_usage_error(const char *line, const char *text)
{
	assert_int_equal(hearth(line), CLI_USAGE);
	assert_false(seen.has_run);
	if (!strstr(captured_err, text))
		fail_msg("%s: '%s' is not in: %s", line, text, captured_err);
	assert_string_equal(captured_out, "");
}

static void options_stand_before_between_and_behind_operands(void **state)
{
	(void)state;
	assert_int_equal(hearth("paint -c red door --fast window --size=3 --size 4"), 0);
	assert_string_equal(seen.words, "paint|door|window|");
	assert_string_equal(seen.color, "red");
	assert_string_equal(seen.sizes, "3,4,");
	assert_true(seen.is_fast);
	assert_false(seen.is_loud);
}

static void common_options_may_stand_before_the_command(void **state)
{
	(void)state;
	assert_int_equal(hearth("--dir /x --json -q paint door"), 0);
	assert_string_equal(seen.directory, "/x");
	assert_true(seen.json);
	assert_true(seen.quiet);
}

static void letters_may_share_a_word_and_the_last_may_take_its_value(void **state)
{
	(void)state;
	assert_int_equal(hearth("paint -flcblue door"), 0);
	assert_true(seen.is_fast);
	assert_true(seen.is_loud);
	assert_string_equal(seen.color, "blue");
	set_up(NULL);
	assert_int_equal(hearth("paint -lc green door"), 0);
	assert_string_equal(seen.color, "green");
}

static void the_last_value_of_an_option_counts(void **state)
{
	(void)state;
	assert_int_equal(hearth("paint -c red --color=blue door"), 0);
	assert_string_equal(seen.color, "blue");
}

static void an_empty_value_is_a_value(void **state)
{
	(void)state;
	assert_int_equal(hearth("paint --color= door"), 0);
	assert_string_equal(seen.color, "");
}

static void two_dashes_end_the_options(void **state)
{
	(void)state;
	assert_int_equal(hearth("paint -- --fast -c"), 0);
	assert_string_equal(seen.words, "paint|--fast|-c|");
	assert_false(seen.is_fast);
}

static void a_single_dash_is_an_operand(void **state)
{
	(void)state;
	assert_int_equal(hearth("paint -"), 0);
	assert_string_equal(seen.words, "paint|-|");
}

static void a_command_line_of_somebody_else_keeps_its_options(void **state)
{
	(void)state;
	assert_int_equal(hearth("do -f ls -l --color=never --json"), 0);
	assert_string_equal(seen.words, "do|ls|-l|--color=never|--json|");
	assert_true(seen.is_fast);
	assert_false(seen.is_loud);
	assert_false(seen.json);
}

static void a_second_pair_of_dashes_belongs_to_the_command_line(void **state)
{
	(void)state;
	assert_int_equal(hearth("do -- ls -- -l"), 0);
	assert_string_equal(seen.words, "do|ls|--|-l|");
}

static void options_may_follow_the_operand_before_a_command_line(void **state)
{
	(void)state;
	assert_int_equal(hearth("at 7 -f -c red -- ls -l"), 0);
	assert_string_equal(seen.words, "at|7|ls|-l|");
	assert_string_equal(seen.color, "red");
	set_up(NULL);
	assert_int_equal(hearth("at 7 ls -l"), 0);
	assert_string_equal(seen.words, "at|7|ls|-l|");
	assert_false(seen.is_loud);
}

static void two_words_name_a_command(void **state)
{
	(void)state;
	assert_int_equal(hearth("wall rm --json north"), 0);
	assert_string_equal(seen.name, "wall rm");
	assert_string_equal(seen.words, "rm|north|");
}

static void the_directory_comes_from_the_option_the_environment_or_the_default(void **state)
{
	(void)state;
	assert_int_equal(hearth("wall ls"), 0);
	assert_string_equal(seen.directory, "/run/hearth");
	setenv("HEARTH_DIR", "/from/environment", 1);
	assert_int_equal(hearth("wall ls"), 0);
	assert_string_equal(seen.directory, "/from/environment");
	assert_int_equal(hearth("wall ls --dir /from/option"), 0);
	assert_string_equal(seen.directory, "/from/option");
	setenv("HEARTH_DIR", "", 1);
	assert_int_equal(hearth("wall ls"), 0);
	assert_string_equal(seen.directory, "/run/hearth");
}

static void wrong_command_lines_are_refused_with_the_reason(void **state)
{
	(void)state;
	assert_usage_error("", "a command is missing");
	assert_usage_error("wall", "'wall' needs a second word");
	assert_usage_error("pain door", "unknown command 'pain', did you mean 'paint'?");
	assert_usage_error("wall sl", "unknown command 'wall sl', did you mean 'wall ls'?");
	assert_usage_error("somethingelse", "unknown command 'somethingelse' (EINVAL)");
	assert_usage_error(
		"paint --colr=red door", "unknown option '--colr', did you mean '--color'?");
	assert_usage_error(
		"paint --somethingelse door", "unknown option '--somethingelse' (EINVAL)");
	assert_usage_error("paint -x door", "unknown option '-x'");
	assert_usage_error("paint door -c", "option '-c' needs NAME");
	assert_usage_error("paint door --color", "option '--color' needs NAME");
	assert_usage_error("paint --fast=yes door", "option '--fast' takes no value");
	assert_usage_error("paint", "paint: an operand is missing");
	assert_usage_error("paint a b c d", "paint: unexpected operand 'd'");
	assert_usage_error("-z wall ls", "unknown option '-z'");
}

static void a_wrong_command_line_of_a_passing_command_is_hearths_own_failure(void **state)
{
	(void)state;
	assert_int_equal(hearth("do --colr red ls"), CLI_OWN_FAILURE);
	assert_int_equal(hearth("do"), CLI_OWN_FAILURE);
	assert_false(seen.has_run);
}

static void more_options_than_can_be_kept_are_refused(void **state)
{
	char line[4096] = "paint door";

	(void)state;
	for (int i = 0; i <= CLI_GIVEN_MAX; i++)
		strcat(line, " -f");
	assert_usage_error(line, "more than 512 options");
}

static void errors_of_the_command_line_are_json_wherever_the_option_stands(void **state)
{
	json_t *why;

	(void)state;
	assert_int_equal(hearth("paint --colr=red door --json"), CLI_USAGE);
	why = json_loads(captured_err, 0, NULL);
	assert_non_null(why);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(why, "error"), "code")), "usage");
	json_decref(why);
}

static void numbers_are_checked_against_their_range(void **state)
{
	(void)state;
	assert_int_equal(hearth("count"), 0);
	assert_string_equal(captured_out, "5\n");
	assert_int_equal(hearth("count --size 10"), 0);
	assert_string_equal(captured_out, "10\n");
	assert_usage_error("count --size 1", "--size '1': a whole number from 2 to 10 is wanted");
	assert_usage_error("count --size 11", "from 2 to 10");
	assert_usage_error("count --size 3x", "from 2 to 10");
	assert_usage_error("count --size=", "from 2 to 10");
}

static void an_error_tells_what_why_and_what_to_do(void **state)
{
	(void)state;
	assert_int_equal(hearth("fail 2"), CLI_NOT_FOUND);
	assert_string_equal(captured_err, "hearth: thing \"x\": broken (ENOENT): mend it\n");
}

static void an_error_is_json_when_asked_for(void **state)
{
	const char *message = NULL, *code = NULL, *name = NULL, *advice = NULL;
	json_t *why;

	(void)state;
	assert_int_equal(hearth("fail --json 13"), CLI_DENIED);
	why = json_loads(captured_err, 0, NULL);
	assert_int_equal(json_unpack(why, "{s:{s:s, s:s, s:s, s:s}}", "error", "message", &message,
				 "code", &code, "errno", &name, "advice", &advice),
		0);
	assert_string_equal(message, "thing \"x\": broken");
	assert_string_equal(code, "denied");
	assert_string_equal(name, "EACCES");
	assert_string_equal(advice, "mend it");
	json_decref(why);
}

static void an_errno_decides_the_exit_code(void **state)
{
	static const struct {
		int code;
		enum cli_exit exit;
	} rows[] = {
		{ENOENT, CLI_NOT_FOUND},
		{ESRCH, CLI_NOT_FOUND},
		{ECONNREFUSED, CLI_NOT_FOUND},
		{EACCES, CLI_DENIED},
		{EPERM, CLI_DENIED},
		{EAGAIN, CLI_EXHAUSTED},
		{ENOSPC, CLI_EXHAUSTED},
		{EMFILE, CLI_EXHAUSTED},
		{ENOMEM, CLI_EXHAUSTED},
		{EUSERS, CLI_EXHAUSTED},
		{ETIMEDOUT, CLI_TIMEOUT},
		{EOPNOTSUPP, CLI_UNSUPPORTED},
		{ENODEV, CLI_UNSUPPORTED},
		{ENOSYS, CLI_UNSUPPORTED},
		{EIO, CLI_FAILED},
		{EPIPE, CLI_FAILED},
		{EEXIST, CLI_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(cli_exit_code(rows[i].code), rows[i].exit);
}

static void a_passing_command_has_one_code_for_all_its_own_failures(void **state)
{
	(void)state;
	assert_int_equal(hearth("run fail 2"), CLI_OWN_FAILURE);
	assert_int_equal(hearth("run fail 5"), CLI_OWN_FAILURE);
}

static void help_lists_every_command_and_its_options(void **state)
{
	(void)state;
	assert_int_equal(hearth("--help"), 0);
	for (unsigned i = 0; i < cli_command_count; i++)
		assert_non_null(strstr(captured_out, cli_commands[i].summary));
	assert_int_equal(hearth("paint --help"), 0);
	assert_non_null(strstr(captured_out, "Usage: hearth paint THING..."));
	assert_non_null(strstr(captured_out, "-c, --color NAME"));
	assert_non_null(strstr(captured_out, "--dir DIR"));
	assert_false(seen.has_run);
}

static void help_behind_two_dashes_belongs_to_the_command(void **state)
{
	(void)state;
	assert_int_equal(hearth("do -- ls --help"), 0);
	assert_string_equal(seen.words, "do|ls|--help|");
}

static void version_needs_no_command(void **state)
{
	(void)state;
	assert_int_equal(hearth("--version"), 0);
	assert_string_equal(captured_out, "version 7\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		TEST(options_stand_before_between_and_behind_operands),
		TEST(common_options_may_stand_before_the_command),
		TEST(letters_may_share_a_word_and_the_last_may_take_its_value),
		TEST(the_last_value_of_an_option_counts),
		TEST(an_empty_value_is_a_value),
		TEST(two_dashes_end_the_options),
		TEST(a_single_dash_is_an_operand),
		TEST(a_command_line_of_somebody_else_keeps_its_options),
		TEST(a_second_pair_of_dashes_belongs_to_the_command_line),
		TEST(options_may_follow_the_operand_before_a_command_line),
		TEST(two_words_name_a_command),
		TEST(the_directory_comes_from_the_option_the_environment_or_the_default),
		TEST(wrong_command_lines_are_refused_with_the_reason),
		TEST(a_wrong_command_line_of_a_passing_command_is_hearths_own_failure),
		TEST(more_options_than_can_be_kept_are_refused),
		TEST(errors_of_the_command_line_are_json_wherever_the_option_stands),
		TEST(numbers_are_checked_against_their_range),
		TEST(an_error_tells_what_why_and_what_to_do),
		TEST(an_error_is_json_when_asked_for),
		TEST(an_errno_decides_the_exit_code),
		TEST(a_passing_command_has_one_code_for_all_its_own_failures),
		TEST(help_lists_every_command_and_its_options),
		TEST(help_behind_two_dashes_belongs_to_the_command),
		TEST(version_needs_no_command),
	};

	return cmocka_run_group_tests_name("cli_parse", tests, NULL, NULL);
}
