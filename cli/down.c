/* down.c - hearth down: nothing of the instance is left when it returns. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/instance.h"

int cli_down(struct cli *cli, int argc, char **argv)
{
	unsigned stopped = 0;
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	if (geteuid() != 0) {
		error_set(&err, EPERM, "an instance is stopped by root only");
		return cli_fail(cli, &err, "run it as root");
	}
	r = access(cli->directory, F_OK) < 0 && errno == ENOENT
		    ? 0
		    : instance_stop(cli->directory, &stopped, &err);
	if (r < 0)
		return cli_fail(cli, &err, NULL);
	if (cli->json)
		printf("{\"stopped\": %u}\n", stopped);
	else if (!cli->quiet)
		printf("hearth: %s\n", stopped ? "stopped, nothing is left" : "nothing runs there");
	return CLI_OK;
}
