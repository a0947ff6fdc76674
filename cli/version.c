/* version.c - hearth version. */
#include <stdio.h>
#include <sys/utsname.h>

#include "cli/cli.h"
#include "config.h"
#include "proto/control.h"
#include "proto/guest.h"

int cli_version(struct cli *cli, int argc, char **argv)
{
	struct utsname host = {0};

	(void)argc;
	(void)argv;
	uname(&host);
	if (cli->json)
		printf("{\"version\": \"%s\", \"control_protocol\": %u, \"guest_protocol\": %u, "
		       "\"kernel\": \"%s\"}\n",
			PACKAGE_VERSION, (unsigned)CONTROL_VERSION, (unsigned)GUEST_VERSION,
			host.release);
	else if (cli->quiet)
		printf("%s\n", PACKAGE_VERSION);
	else
		printf("hearth %s (control protocol %u, guest protocol %u, kernel %s)\n",
			PACKAGE_VERSION, (unsigned)CONTROL_VERSION, (unsigned)GUEST_VERSION,
			host.release);
	return CLI_OK;
}
