#include "cli/inside.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "proto/limit_text.h"
#include "cli/cli.h"

_Static_assert(
	ARRAY_SIZE(((struct inside *)0)->env) == CLI_GIVEN_MAX + 1, "every option may be an --env");

int inside_parse(const struct cli *cli, char **argv, struct inside *ret_inside)
{
	struct inside *inside = ret_inside;
	const char *text = cli_option(cli, "timeout");
	uint64_t timeout_ms = 0;
	unsigned position = 0;

	memset(inside, 0, sizeof(*inside));
	if (text && number_parse_duration_ms(text, 1, GUEST_TIMEOUT_MAX, &timeout_ms) < 0)
		return cli_usage_error(cli,
			"--timeout '%s': a time such as 250ms, 30s, 5m is wanted, at most 24h",
			text);
	inside->command.timeout_ms = (uint32_t)timeout_ms;
	text = cli_option(cli, "output-max");
	if (text && number_parse_size(text, 1, INT64_MAX, &inside->command.output_max) < 0)
		return cli_usage_error(
			cli, "--output-max '%s': a size such as 4096, 64K, 10M is wanted", text);
	while ((text = cli_option_next(cli, "env", &position))) {
		if (text[0] == '=' || !strchr(text, '='))
			return cli_usage_error(cli, "--env '%s': K=V is wanted", text);
		inside->env[inside->env_count++] = text;
	}
	inside->command.cwd = cli_option(cli, "cwd");
	inside->command.has_stdin = cli_option(cli, "interactive");
	inside->command.has_tty = cli_option(cli, "tty");
	inside->command.argv = (const char *const *)argv;
	inside->command.env = inside->env;
	if (inside->command.cwd && inside->command.cwd[0] != '/')
		return cli_usage_error(
			cli, "--cwd '%s': an absolute path is wanted", inside->command.cwd);
	return 0;
}

/* A pipe without a name (one with a name is a file, whose mode is not ours to change), opened anew; else -1. */
static int reopen_pipe(int fd, int access)
{
	auto_close int again = -1;
	struct statfs fs;
	struct stat st;
	char path[32];

	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || fstatfs(fd, &fs) < 0 ||
		fs.f_type != PIPEFS_MAGIC || (fcntl(fd, F_GETFL) & O_ACCMODE) != access)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, access | O_CLOEXEC);
	if (again < 0 ||
		fchmod(again, (st.st_mode & 0777) | (access == O_RDONLY ? S_IROTH : S_IWOTH)) < 0)
		return -1;
	return take_fd(&again);
}

void inside_pass_pipes(const struct cli *cli, struct inside *inside)
{
	struct console_command *command = &inside->command;

	if (cli->json || command->has_tty || command->output_max)
		return;
	for (int fd = command->has_stdin ? 0 : 1; fd < GUEST_EXEC_FDS_MAX; fd++) {
		command->stdio[fd] = reopen_pipe(fd, fd == 0 ? O_RDONLY : O_WRONLY);
		if (command->stdio[fd] >= 0)
			command->passed |= guest_exec_fd_flag(fd);
	}
}

void inside_close_pipes(struct inside *inside)
{
	struct console_command *command = &inside->command;

	for (int fd = 0; fd < GUEST_EXEC_FDS_MAX; fd++)
		if (command->passed & guest_exec_fd_flag(fd))
			fd_close(command->stdio[fd]);
	command->passed = 0;
}

void inside_say_limits(
	const struct cli *cli, uint32_t limits_hit, const struct limit_values *values)
{
	uint32_t said = limits_hit & ~(uint32_t)LIMIT_HIT_TIME;
	char text[LIMIT_TEXT_MAX];

	if (said && !cli->json)
		fprintf(stderr, "hearth: the command hit a limit: %s\n",
			limit_text_all(said, values, text));
}
