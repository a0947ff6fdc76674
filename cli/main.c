/*
 * hearth - the command line of Hearth: starts and stops an instance, runs commands in its warm
 * sandboxes, shows what it holds, measures it.
 *
 * Three programs are made of these sources: bin/hearth, which every `hearth run` starts and which
 * therefore links little, and libexec/hearth/hearth-image and hearth-doctor, which `hearth image` and
 * `hearth doctor` become. All have the one table of commands.c. What a sandbox sends is read only after the process has become user
 * hearth without capabilities (drop.h).
 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
