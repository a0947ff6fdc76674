/* doctor_program.c - `hearth doctor` in bin/hearth: becomes libexec/hearth/hearth-doctor. */
#include "cli/cli.h"

int cli_doctor(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return cli_become(cli, "hearth-doctor");
}
