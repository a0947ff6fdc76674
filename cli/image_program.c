/* image_program.c - `hearth image` in bin/hearth: becomes libexec/hearth/hearth-image. */
#include "cli/cli.h"

int cli_image(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return cli_become(cli, "hearth-image");
}
