/*
 * image_program.c - `hearth image` in bin/hearth: becomes libexec/hearth/hearth-image.
 *
 * That program has the same table and reads the same command line; see cli.h for why it is one.
 */
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/instance.h"

int cli_image(struct cli *cli, int argc, char **argv)
{
	char path[INSTANCE_PATH_MAX];
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = instance_program(
		"libexec/hearth/hearth-image", HEARTH_LIBEXECDIR "/hearth-image", path, &err);
	if (r < 0)
		return cli_fail(cli, &err, "install Hearth with make install");
	execv(path, cli->command_line);
	error_errno(&err, "start %s", path);
	return cli_fail(cli, &err, NULL);
}
