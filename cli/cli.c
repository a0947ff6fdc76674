/* cli.c - the command line: from the table to a parsed struct cli, --help, and errors. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/number.h"
#include "base/text.h"

#define NEAREST_MAX 3 /* edits at which "did you mean" still helps */

static const struct cli_option common_options[] = {
	{"dir", 0, "DIR", "directory of the instance (HEARTH_DIR, else /run/hearth)"},
	{"json", 0, NULL, "print results and errors as JSON"},
	{"quiet", 'q', NULL, "print names or ids only, no progress"},
	{"help", 'h', NULL, "show this help"},
	{"version", 0, NULL, "show the version"},
	{NULL, 0, NULL, NULL},
};

struct parser {
	struct cli *cli;
	char **argv; /* what is left to read, up to a NULL */
	char **operands;
	int operand_count;
	bool wants_help, wants_version;
	char noun[32];	  /* first word of a command of two */
	struct error err; /* the first one; reading goes on, for a --json that stands behind it */
};

enum cli_exit cli_exit_code(int code)
{
	switch (code) {
	case ENOENT:
	case ESRCH:
	case ECONNREFUSED:
		return CLI_NOT_FOUND;
	case EACCES:
	case EPERM:
		return CLI_DENIED;
	case EAGAIN:
	case EBUSY:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC:
	case EUSERS:
		return CLI_EXHAUSTED;
	case ETIME:
	case ETIMEDOUT:
		return CLI_TIMEOUT;
	case ENODEV:
	case ENOSYS:
	case EOPNOTSUPP:
		return CLI_UNSUPPORTED;
	default:
		return CLI_FAILED;
	}
}

static const char *exit_name(enum cli_exit code)
{
	switch (code) {
	case CLI_OK:
		return "ok";
	case CLI_FAILED:
		return "failed";
	case CLI_USAGE:
		return "usage";
	case CLI_NOT_FOUND:
		return "not_found";
	case CLI_DENIED:
		return "denied";
	case CLI_EXHAUSTED:
		return "exhausted";
	case CLI_TIMEOUT:
		return "timeout";
	case CLI_UNSUPPORTED:
		return "unsupported";
	case CLI_OWN_FAILURE:
		break;
	}
	return "own_failure";
}

static int say(
	const struct cli *cli, enum cli_exit code, const struct error *err, const char *advice)
{
	const char *name = error_name(err->code);

	fflush(stdout);
	if (cli->json) {
		json_auto_t *why = json_pack("{s:{s:s, s:s, s:s, s:s*}}", "error", "message",
			err->text, "code", exit_name(code), "errno", name, "advice", advice);

		if (why)
			json_dumpf(why, stderr, 0);
		fputc('\n', stderr);
	} else {
		fprintf(stderr, "hearth: %s (%s)%s%s\n", err->text, name, advice ? ": " : "",
			advice ? advice : "");
	}
	return cli->command && cli->command->is_passing_status ? CLI_OWN_FAILURE : (int)code;
}

int cli_fail(const struct cli *cli, const struct error *err, const char *advice)
{
	return say(cli, cli_exit_code(err->code), err, advice);
}

int cli_usage_error(const struct cli *cli, const char *format, ...)
{
	struct error err = {.code = EINVAL};
	char advice[96];
	va_list ap;

	va_start(ap, format);
	vsnprintf(err.text, sizeof(err.text), format, ap);
	va_end(ap);
	snprintf(advice, sizeof(advice), "see hearth %s%s--help",
		cli->command ? cli->command->name : "", cli->command ? " " : "");
	return say(cli, CLI_USAGE, &err, advice);
}

void cli_print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(value);
}

const char *cli_option_next(const struct cli *cli, const char *name, unsigned *position)
{
	while (*position < cli->given_count) {
		unsigned at = (*position)++;

		if (strcmp(cli->given[at].option->name, name) == 0)
			return cli->given[at].value;
	}
	return NULL;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	const char *last = NULL, *value;
	unsigned position = 0;

	while ((value = cli_option_next(cli, name, &position)))
		last = value;
	return last;
}

int cli_option_number(const struct cli *cli, const char *name, unsigned long min, unsigned long max,
	unsigned long fallback, unsigned long *ret_value)
{
	const char *text = cli_option(cli, name);
	uint64_t value = fallback;

	if (text && number_parse(text, min, max, &value) < 0)
		return cli_usage_error(cli, "--%s '%s': a whole number from %lu to %lu is wanted",
			name, text, min, max);
	*ret_value = (unsigned long)value;
	return 0;
}

/* The first error of a command line counts; later ones may only follow from it. */
__attribute__((format(printf, 2, 3))) static void complain(
	struct parser *p, const char *format, ...)
{
	va_list ap;

	if (p->err.code)
		return;
	p->err.code = EINVAL;
	va_start(ap, format);
	vsnprintf(p->err.text, sizeof(p->err.text), format, ap);
	va_end(ap);
}

static const struct cli_option *find_option(
	const struct cli_option *list, const char *name, size_t length, char letter)
{
	for (; list && list->name; list++)
		if (letter ? list->letter == letter
			   : strncmp(list->name, name, length) == 0 && !list->name[length])
			return list;
	return NULL;
}

static const struct cli_option *look_up(
	const struct parser *p, const char *name, size_t length, char letter)
{
	const struct cli_option *found = find_option(common_options, name, length, letter);

	if (!found && p->cli->command)
		found = find_option(p->cli->command->options, name, length, letter);
	return found;
}

static const char *nearest(
	const char *word, const char *candidate, const char *best, unsigned *best_distance)
{
	unsigned distance = text_distance(word, candidate);

	if (distance > NEAREST_MAX || distance >= *best_distance)
		return best;
	*best_distance = distance;
	return candidate;
}

static void complain_option(struct parser *p, const char *word, size_t length)
{
	const struct cli_option *lists[] = {
		common_options, p->cli->command ? p->cli->command->options : NULL};
	unsigned distance = NEAREST_MAX + 1;
	const char *best = NULL;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)(length < 63 ? length : 63), word);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct cli_option *o = lists[i]; o && o->name; o++)
			best = nearest(name, o->name, best, &distance);
	complain(p, "unknown option '--%s'%s%s%s", name, best ? ", did you mean '--" : "",
		best ? best : "", best ? "'?" : "");
}

static void complain_command(struct parser *p, const char *word)
{
	unsigned distance = NEAREST_MAX + 1;
	const char *best = NULL;

	for (unsigned i = 0; i < cli_command_count; i++)
		best = nearest(word, cli_commands[i].name, best, &distance);
	complain(p, "unknown command '%s'%s%s%s", word, best ? ", did you mean '" : "",
		best ? best : "", best ? "'?" : "");
}

static void give(struct parser *p, const struct cli_option *option, const char *value)
{
	struct cli *cli = p->cli;

	if (strcmp(option->name, "help") == 0)
		p->wants_help = true;
	else if (strcmp(option->name, "version") == 0)
		p->wants_version = true;
	else if (strcmp(option->name, "json") == 0)
		cli->json = true;
	else if (strcmp(option->name, "quiet") == 0)
		cli->quiet = true;
	else if (strcmp(option->name, "dir") == 0)
		cli->directory = value;
	else if (cli->given_count == CLI_GIVEN_MAX)
		complain(p, "more than %d options", CLI_GIVEN_MAX);
	else {
		cli->given[cli->given_count].option = option;
		cli->given[cli->given_count++].value = value;
	}
}

static void read_long(struct parser *p, const char *word)
{
	size_t length = strcspn(word, "=");
	const struct cli_option *option = look_up(p, word, length, 0);

	if (!option)
		complain_option(p, word, length);
	else if (!option->argument && word[length])
		complain(p, "option '--%s' takes no value", option->name);
	else if (!option->argument)
		give(p, option, "");
	else if (word[length])
		give(p, option, word + length + 1);
	else if (*p->argv)
		give(p, option, *p->argv++);
	else
		complain(p, "option '--%s' needs %s", option->name, option->argument);
}

/* "-it": flags in one word; one that takes a value takes the rest of the word, or the next one. */
static void read_letters(struct parser *p, const char *letters)
{
	for (; *letters; letters++) {
		const struct cli_option *option = look_up(p, NULL, 0, *letters);

		if (!option) {
			complain(p, "unknown option '-%c'", *letters);
			return;
		}
		if (!option->argument) {
			give(p, option, "");
			continue;
		}
		if (letters[1])
			give(p, option, letters + 1);
		else if (*p->argv)
			give(p, option, *p->argv++);
		else
			complain(p, "option '-%c' needs %s", *letters, option->argument);
		return;
	}
}

/* The first word, or the first two, name the command. */
static void read_command(struct parser *p, char *word)
{
	char name[64];
	size_t length;
	bool is_noun = false;

	snprintf(name, sizeof(name), "%s%s%s", p->noun, p->noun[0] ? " " : "", word);
	length = strlen(name);
	for (unsigned i = 0; i < cli_command_count; i++) {
		if (strcmp(cli_commands[i].name, name) == 0) {
			p->cli->command = &cli_commands[i];
			p->operands[p->operand_count++] = word; /* argv[0] */
			return;
		}
		if (strncmp(cli_commands[i].name, name, length) == 0 &&
			cli_commands[i].name[length] == ' ')
			is_noun = true;
	}
	if (is_noun && text_copy(p->noun, sizeof(p->noun), word) == 0)
		return;
	complain_command(p, name);
}

/* Operands so far, the command's name not counted. */
static bool begins_command_line(const struct parser *p)
{
	const struct cli_command *command = p->cli->command;

	return command && command->operands_before_command != CLI_NO_COMMAND_LINE &&
	       p->operand_count - 1 >= command->operands_before_command;
}

static void read_words(struct parser *p)
{
	bool is_ended = false; /* by "--", or by the first word of somebody else's command line */

	while (*p->argv && !(p->err.code && is_ended)) {
		char *word = *p->argv++;

		if (!is_ended && strcmp(word, "--") == 0)
			is_ended = true;
		else if (!is_ended && strncmp(word, "--", 2) == 0)
			read_long(p, word + 2);
		else if (!is_ended && word[0] == '-' && word[1])
			read_letters(p, word + 1);
		else if (!p->cli->command && !p->err.code)
			read_command(p, word);
		else if (p->cli->command) {
			is_ended = is_ended || begins_command_line(p);
			p->operands[p->operand_count++] = word;
		}
	}
}

static void check_operands(struct parser *p)
{
	const struct cli_command *command = p->cli->command;
	int count = p->operand_count - 1;

	if (!command && p->noun[0])
		complain(p, "'%s' needs a second word", p->noun);
	else if (!command)
		complain(p, "a command is missing");
	else if (count < command->operands_min)
		complain(p, "%s: an operand is missing: hearth %s %s", command->name, command->name,
			command->synopsis);
	else if (command->operands_max >= 0 && count > command->operands_max)
		complain(p, "%s: unexpected operand '%s'", command->name,
			p->operands[command->operands_max + 1]);
}

static void print_options(const struct cli_option *list)
{
	for (; list && list->name; list++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", list->letter ? '-' : ' ',
			list->letter ? list->letter : ' ', list->letter ? ", " : "  ", list->name,
			list->argument ? " " : "", list->argument ? list->argument : "");
		printf("  %-26s %s\n", left, list->help);
	}
}

static int print_help(const struct cli_command *command)
{
	if (command) {
		printf("Usage: hearth %s %s\n\n%s\n\nOptions:\n", command->name, command->synopsis,
			command->help);
		print_options(command->options);
		print_options(common_options);
		return CLI_OK;
	}
	printf("Usage: hearth COMMAND [OPTION...]\n\n"
	       "Keeps warm sandboxes ready and runs commands in them.\n\nCommands:\n");
	for (unsigned i = 0; i < cli_command_count; i++)
		printf("  %-16s %s\n", cli_commands[i].name, cli_commands[i].summary);
	printf("\nOptions of every command:\n");
	print_options(common_options);
	printf("\nExit codes: 0, 1 failed, 2 usage, 3 not found, 4 denied, 5 exhausted, 6 "
	       "timeout,\n"
	       "7 host unsupported. run and exec pass the command's own status through: 125 is "
	       "then\n"
	       "Hearth's own failure, 124 a timeout, 126 and 127 as in a shell, 128 + N signal N.\n"
	       "`hearth COMMAND --help` says more.\n");
	return CLI_OK;
}

int cli_main(int argc, char **argv)
{
	const char *directory = getenv("HEARTH_DIR");
	struct cli cli = {.directory = directory && *directory ? directory : "/run/hearth",
		.command_line = argv};
	auto_free char **operands = calloc((size_t)argc + 1, sizeof(*operands));
	struct parser parser = {.cli = &cli, .argv = argv + (argc > 0), .operands = operands};
	int status;

	if (!operands)
		return CLI_EXHAUSTED;
	read_words(&parser);
	if (parser.wants_help && !parser.err.code)
		return print_help(cli.command);
	if (parser.wants_version && !parser.err.code)
		return cli_version(&cli, 0, NULL);
	check_operands(&parser);
	if (parser.err.code)
		return cli_usage_error(&cli, "%s", parser.err.text);
	status = cli.command->run(&cli, parser.operand_count, operands);
	if (fflush(stdout) == EOF && status == CLI_OK) {
		error_errno(&parser.err, "write to standard output");
		return cli_fail(&cli, &parser.err, NULL);
	}
	return status;
}
