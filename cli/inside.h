/*
 * inside.h - what run and exec share: the command line of a command inside a sandbox.
 */
#ifndef CLI_INSIDE_H
#define CLI_INSIDE_H
#include "proto/console.h"

struct cli;
struct limit_values;

struct inside {
	struct console_command command; /* everything in it is borrowed from the command line */
	const char *env[512 + 1];	/* NULL-terminated; as many as there can be options */
	unsigned env_count;
};

/* From the options env, cwd, timeout, output-max, interactive, tty. 0, or the exit code of a printed usage error. */
int inside_parse(const struct cli *cli, char **argv, struct inside *ret_inside);

/* One line on stderr for all limits that the command hit, but that of its time. None with --json: there is a receipt. */
void inside_say_limits(
	const struct cli *cli, uint32_t limits_hit, const struct limit_values *values);
#endif
