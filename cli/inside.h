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

/*
 * Let the command have those of stdin, stdout and stderr that are pipes: bulk data then goes past the guest.
 * Not where its bytes are counted or limited. Before privileges are dropped: only who made a pipe can open
 * it again, so that no flag that is set inside stays on the caller's own, and to the sandbox's users, so
 * that /dev/stdout can be opened there. Files are left alone: whoever runs inside could cut and overwrite
 * them, and see their names.
 */
void inside_pass_pipes(const struct cli *cli, struct inside *inside);
/* The command has them, or never will. Again: nothing. */
void inside_close_pipes(struct inside *inside);

/* One line on stderr for all limits that the command hit, but that of its time. None with --json: there is a receipt. */
void inside_say_limits(
	const struct cli *cli, uint32_t limits_hit, const struct limit_values *values);
#endif
