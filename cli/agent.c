/* agent.c - hearth agent validate: becomes hearth-agentd, which has the parsers of a project's folder. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/instance.h"

int cli_agent_validate(struct cli *cli, int argc, char **argv)
{
	char program[INSTANCE_PATH_MAX];
	char *words[] = {program, (char *)"--check", argc > 1 ? argv[1] : (char *)".",
		cli->json ? (char *)"--json" : NULL, NULL};
	struct error err;
	int r = instance_program(
		"sbin/hearth-agentd", HEARTH_SBINDIR "/hearth-agentd", program, &err);

	if (r < 0)
		return cli_fail(cli, &err, "install Hearth with make install");
	execv(program, words);
	error_errno(&err, "start %s", program);
	return cli_fail(cli, &err, NULL);
}
