/*
 * parse.h - from the words of a command line and the table of commands to a struct cli.
 */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H
#include "base/error.h"
#include "cli/cli.h"

/* The options of every command, up to a NULL name. */
extern const struct cli_option parse_common_options[];

struct parse {
	struct cli *cli; /* filled */
	char **argv;	 /* what is left to read, up to a NULL */
	char **operands; /* room for every word and a NULL; [0] is the command's last word */
	int operand_count;
	bool wants_help, wants_version;
	char noun[32];	  /* first word of a command of two */
	struct error err; /* code 0: none. The first one; reading goes on, for a --json behind it */
};

/* Read all words. Afterwards parse->cli->command is set, or help, version or an error says why not. */
void parse_words(struct parse *parse);
#endif
