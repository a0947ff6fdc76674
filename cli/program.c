/*
 * program.c - commands of bin/hearth that live in a program of their own below libexec/hearth.
 *
 * That program has the same table and reads the same command line; see cli.h for why it is one.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/instance.h"

int cli_become(const struct cli *cli, const char *name)
{
	char relative[64], installed[INSTANCE_PATH_MAX], path[INSTANCE_PATH_MAX];
	struct error err;
	int r;

	snprintf(relative, sizeof(relative), "libexec/hearth/%s", name);
	snprintf(installed, sizeof(installed), HEARTH_LIBEXECDIR "/%s", name);
	r = instance_program(relative, installed, path, &err);
	if (r < 0)
		return cli_fail(cli, &err, "install Hearth with make install");
	execv(path, cli->command_line);
	error_errno(&err, "start %s", path);
	return cli_fail(cli, &err, NULL);
}
