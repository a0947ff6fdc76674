/* exec.c - hearth exec. */
#include "cli/cli.h"

int cli_exec(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return cli_usage_error(cli, "exec");
}
