/*
 * inside.h - what run and exec share: the command line of a command inside a sandbox.
 */
#ifndef CLI_INSIDE_H
#define CLI_INSIDE_H
#include "proto/console.h"

struct cli;

struct inside {
	struct console_command command; /* everything in it is borrowed from the command line */
	const char *env[512 + 1];	/* NULL-terminated; as many as there can be options */
	unsigned env_count;
};

/* From the options env, cwd, timeout, interactive, tty. 0, or the exit code of a printed usage error. */
int inside_parse(const struct cli *cli, char **argv, struct inside *ret_inside);
#endif
