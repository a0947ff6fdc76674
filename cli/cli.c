/* cli.c - the program around a command: --help, options by name, errors and exit codes. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/number.h"
#include "cli/parse.h"
#include "cli/plain.h"
#include "proto/instance.h"

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
		json_auto_t *why = json_pack("{s:{s:o*, s:s, s:s, s:o*}}", "error", "message",
			cli_json_text(err->text), "code", exit_name(code), "errno", name, "advice",
			cli_json_text(advice));

		if (why)
			json_dumpf(why, stderr, 0);
		fputc('\n', stderr);
	} else {
		struct error shown = *err;

		plain_clean(shown.text);
		fprintf(stderr, "hearth: %s (%s)%s%s\n", shown.text, name, advice ? ": " : "",
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

json_t *cli_json_text(const char *text)
{
	auto_free char *shown = text ? strdup(text) : NULL;

	if (!shown)
		return NULL;
	plain_clean(shown);
	return json_string(shown);
}

static bool a_result_is_lost;

void cli_print_json(json_t *value)
{
	a_result_is_lost |= !value;
	if (!value)
		return;
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

int cli_operand_sandbox(const struct cli *cli, const char *operand, uint64_t *ret_id)
{
	if (number_parse(operand, 1, INT64_MAX, ret_id) < 0)
		return cli_usage_error(cli,
			"'%.40s': a sandbox's number is wanted, see hearth sandbox ls", operand);
	return 0;
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
		print_options(parse_common_options);
		return CLI_OK;
	}
	printf("Usage: hearth COMMAND [OPTION...]\n\n"
	       "Serves agents that work in warm sandboxes, and runs commands in "
	       "them.\n\nCommands:\n");
	for (unsigned i = 0; i < cli_command_count; i++)
		printf("  %-16s %s\n", cli_commands[i].name, cli_commands[i].summary);
	printf("\nOptions of every command:\n");
	print_options(parse_common_options);
	printf("\nExit codes: 0, 1 failed, 2 usage, 3 not found, 4 denied, 5 exhausted, 6 "
	       "timeout,\n"
	       "7 host unsupported. run and exec pass the command's own status through: 125 is "
	       "then\n"
	       "Hearth's own failure, 124 a timeout, 126 and 127 as in a shell, 128 + N signal N.\n"
	       "`hearth COMMAND --help` says more.\n");
	return CLI_OK;
}

/* A socket that got the number of a closed standard stream would be taken for it. */
static void reserve_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	fd_close(fd);
}

/* Of output that was lost earlier only the fact is known: the rest may have been written since. */
static int flush_output(struct error *err)
{
	if (a_result_is_lost)
		return error_set(err, EILSEQ,
			"the result cannot be said in JSON: it is not UTF-8, or memory ran out");
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (errno == 0)
		errno = EIO;
	return error_errno(err, "write to standard output");
}

int cli_main(int argc, char **argv)
{
	const char *directory = getenv("HEARTH_DIR");
	struct cli cli = {
		.directory = directory && *directory ? directory : INSTANCE_DIRECTORY_DEFAULT,
		.command_line = argv};
	auto_free char **operands = calloc((size_t)argc + 1, sizeof(*operands));
	struct parse parse = {.cli = &cli, .argv = argv + (argc > 0), .operands = operands};
	int status;

	reserve_standard_fds();
	signal(SIGCHLD, SIG_DFL); /* ignored, as an exec keeps it, no child could be waited for */
	if (!operands)
		return CLI_EXHAUSTED;
	parse_words(&parse);
	if (parse.err.code)
		return cli_usage_error(&cli, "%s", parse.err.text);
	if (parse.wants_help)
		status = print_help(cli.command);
	else if (parse.wants_version)
		status = cli_version(&cli, 0, NULL);
	else
		status = cli.command->run(&cli, parse.operand_count, operands);
	if (status == CLI_OK && flush_output(&parse.err) < 0)
		return cli_fail(&cli, &parse.err, NULL);
	return status;
}
