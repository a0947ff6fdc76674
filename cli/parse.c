/* parse.c - words become the command, its options and its operands. */
#include "cli/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define NEAREST_MAX 3 /* edits at which "did you mean" still helps */

const struct cli_option parse_common_options[] = {
	{"dir", 0, "DIR", "directory of the instance (HEARTH_DIR, else /run/hearth)"},
	{"json", 0, NULL, "print results and errors as JSON"},
	{"quiet", 'q', NULL, "print names or ids only, no progress"},
	{"help", 'h', NULL, "show this help"},
	{"version", 0, NULL, "show the version"},
	{NULL, 0, NULL, NULL},
};

/* The first error of a command line counts; later ones may only follow from it. */
__attribute__((format(printf, 2, 3))) static void complain(struct parse *p, const char *format, ...)
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
	const struct parse *p, const char *name, size_t length, char letter)
{
	const struct cli_option *found = find_option(parse_common_options, name, length, letter);

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

static void complain_option(struct parse *p, const char *word, size_t length)
{
	const struct cli_option *lists[] = {
		parse_common_options, p->cli->command ? p->cli->command->options : NULL};
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

static void complain_command(struct parse *p, const char *word)
{
	unsigned distance = NEAREST_MAX + 1;
	const char *best = NULL;

	for (unsigned i = 0; i < cli_command_count; i++)
		best = nearest(word, cli_commands[i].name, best, &distance);
	complain(p, "unknown command '%s'%s%s%s", word, best ? ", did you mean '" : "",
		best ? best : "", best ? "'?" : "");
}

static void give(struct parse *p, const struct cli_option *option, const char *value)
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

static void read_long(struct parse *p, const char *word)
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
static void read_letters(struct parse *p, const char *letters)
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

/* "bench --compare" is a command although its second word looks like an option. */
static bool completes_command(const struct parse *p, const char *word)
{
	const size_t length = strlen(p->noun);

	if (p->cli->command || !length)
		return false;
	for (unsigned i = 0; i < cli_command_count; i++)
		if (strncmp(cli_commands[i].name, p->noun, length) == 0 &&
			cli_commands[i].name[length] == ' ' &&
			strcmp(cli_commands[i].name + length + 1, word) == 0)
			return true;
	return false;
}

/* The first word, or the first two, name the command. */
static void read_command(struct parse *p, char *word)
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
static bool begins_command_line(const struct parse *p)
{
	const struct cli_command *command = p->cli->command;

	return command && command->operands_before_command != CLI_NO_COMMAND_LINE &&
	       p->operand_count - 1 >= command->operands_before_command;
}

static void read_all(struct parse *p)
{
	bool is_ended = false; /* by "--", or by the first word of somebody else's command line */

	while (*p->argv && !(p->err.code && is_ended)) {
		char *word = *p->argv++;

		if (!is_ended && strcmp(word, "--") == 0)
			is_ended = true;
		else if (!is_ended && completes_command(p, word))
			read_command(p, word);
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

static void check_operands(struct parse *p)
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

void parse_words(struct parse *parse)
{
	read_all(parse);
	if (parse->err.code || (!parse->wants_help && !parse->wants_version))
		check_operands(parse);
}
