/* Any words, cut at NULs, as the command line of `hearth`: a command, help, or an error that says why. */
#include "base/cleanup.h"
#include "cli/parse.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

#define WORDS_MAX 64

static int no_command(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	return CLI_OK;
}

static const struct cli_option options[] = {
	{"color", 'c', "NAME", "a color"},
	{"fast", 'f', NULL, "go fast"},
	{NULL, 0, NULL, NULL},
};

const struct cli_command cli_commands[] = {
	{"up", "", "start", "Starts.", options, 0, 0, CLI_NO_COMMAND_LINE, false, no_command},
	{"run", "COMMAND...", "run", "Runs.", options, 1, -1, 0, true, no_command},
	{"exec", "ID COMMAND...", "run there", "Runs.", options, 2, -1, 1, true, no_command},
	{"wall ls", "", "list", "Lists.", options, 0, 0, CLI_NO_COMMAND_LINE, false, no_command},
	{"wall rm", "NAME...", "remove", "Removes.", options, 1, 3, CLI_NO_COMMAND_LINE, false,
		no_command},
};
const unsigned cli_command_count = ARRAY_SIZE(cli_commands);

static void check(const struct parse *parse)
{
	const struct cli *cli = parse->cli;
	int n = parse->operand_count;

	if (cli->given_count > CLI_GIVEN_MAX || n < 0 || n > WORDS_MAX)
		abort();
	if (parse->err.code) {
		if (parse->err.text[0] == '\0')
			abort();
		return;
	}
	if (!cli->command && !parse->wants_help && !parse->wants_version)
		abort();
	if (!cli->command || parse->wants_help || parse->wants_version)
		return;
	if (!cli->directory || parse->operands[n] != NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[WORDS_MAX + 1], *argv[WORDS_MAX + 1], *operands[WORDS_MAX + 2] = {NULL};
	struct cli cli = {.directory = "/run/hearth"};
	struct parse parse = {.cli = &cli, .argv = argv, .operands = operands};
	size_t count = 0;

	while (size > 0 && count < WORDS_MAX)
		words[count++] = fuzz_next_text(&data, &size);
	words[count] = NULL;
	memcpy(argv, words, (count + 1) * sizeof(words[0]));
	parse_words(&parse);
	check(&parse);
	for (size_t i = 0; i < count; i++)
		free(words[i]);
	return 0;
}
