/*
 * cli.h - what every command of `hearth` shares: the table's row, the parsed command line, errors.
 *
 * One const table (commands.c) holds each command's name, synopsis, help, options and function;
 * --help, usage errors and the parser are fed by it. A command is one file with one function; its
 * options are parsed before it runs and asked for by name. Errors and usage go to stderr, results
 * to stdout; with --json both are JSON.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct cli;

#define CLI_GIVEN_MAX 512 /* options on one command line */

/* Exit codes of every command but run and exec, which pass the command's own status through. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_DENIED = 4,
	CLI_EXHAUSTED = 5,
	CLI_TIMEOUT = 6,
	CLI_UNSUPPORTED = 7,
	CLI_OWN_FAILURE = 125, /* run, exec: Hearth failed, not the command */
};

/* argv[0] is the command's last word ("ls"), then its operands; options are taken out. Returns the exit code. */
typedef int (*cli_command_fn)(struct cli *cli, int argc, char **argv);

struct cli_option {
	const char *name;     /* without the dashes; NULL ends a list */
	char letter;	      /* 0: none */
	const char *argument; /* name of its argument in --help; NULL: a flag */
	const char *help;
};

/* Where the options end and a command line of somebody else's begins: after so many operands. */
#define CLI_NO_COMMAND_LINE (-1)

struct cli_command {
	const char *name;		  /* one or two words: "run", "sandbox ls" */
	const char *synopsis;		  /* what follows the name: "[OPTION...] -- COMMAND..." */
	const char *summary;		  /* one line of `hearth --help` */
	const char *help;		  /* paragraphs of `hearth NAME --help` */
	const struct cli_option *options; /* beside --dir, --json, --quiet and --help */
	int operands_min, operands_max;	  /* -1: no end */
	int operands_before_command;	  /* CLI_NO_COMMAND_LINE, or the operands before COMMAND */
	bool is_passing_status;		  /* own failures exit 125 */
	cli_command_fn run;
};

struct cli {
	const struct cli_command *command;
	const char *directory; /* of the instance: --dir, else HEARTH_DIR, else /run/hearth */
	bool json, quiet;
	char **command_line; /* the program's whole argv */
	unsigned given_count;
	struct {
		const struct cli_option *option;
		const char *value; /* "" for a flag */
	} given[CLI_GIVEN_MAX];
};

/* The last value of an option, or NULL when it was not given. */
const char *cli_option(const struct cli *cli, const char *name);

/* Each value of an option in turn: *position starts at 0. NULL at the end. */
const char *cli_option_next(const struct cli *cli, const char *name, unsigned *position);

/* A whole number option in min..max; fallback when not given. 0, or the exit code of a printed usage error. */
int cli_option_number(const struct cli *cli, const char *name, unsigned long min, unsigned long max,
	unsigned long fallback, unsigned long *ret_value);

/* An operand that names a sandbox by its number. 0, or the exit code of a printed usage error. */
int cli_operand_sandbox(const struct cli *cli, const char *operand, uint64_t *ret_id);

/*
 * Say why the command failed and return its exit code: "hearth: TEXT (ERRNO): ADVICE", or with
 * --json {"error":{"message","code","errno"}}. The code comes from err->code; advice may be NULL.
 */
int cli_fail(const struct cli *cli, const struct error *err, const char *advice);

/* As cli_fail() for a wrong command line: 2, or 125 where the command's own status is passed through. */
int cli_usage_error(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A JSON string of text that others gave: what does not print, bytes that are no UTF-8 among it, is '?'. NULL of NULL. */
json_t *cli_json_text(const char *text);

/*
 * Print one JSON value, which is taken over, as a line on stdout. NULL, as json_pack() has it of text that is not
 * UTF-8, prints nothing, and the program fails.
 */
void cli_print_json(json_t *value);

/* Exit code of a positive errno. */
enum cli_exit cli_exit_code(int code);

/* The whole program: finds the command, parses, runs. */
int cli_main(int argc, char **argv);

extern const struct cli_command cli_commands[];
extern const unsigned cli_command_count;

/* Become libexec/hearth/NAME with the same command line. Returns an exit code only when that fails. */
int cli_become(const struct cli *cli, const char *name);

/* The commands, one file each. */
int cli_up(struct cli *cli, int argc, char **argv);
int cli_down(struct cli *cli, int argc, char **argv);
int cli_run(struct cli *cli, int argc, char **argv);
int cli_exec(struct cli *cli, int argc, char **argv);
int cli_sandbox_ls(struct cli *cli, int argc, char **argv);
int cli_sandbox_kill(struct cli *cli, int argc, char **argv);
int cli_sandbox_net(struct cli *cli, int argc, char **argv);
int cli_sandbox_inspect(struct cli *cli, int argc, char **argv);
int cli_pool_ls(struct cli *cli, int argc, char **argv);
int cli_pool_set(struct cli *cli, int argc, char **argv);
int cli_top(struct cli *cli, int argc, char **argv);
/* bench acquire | exec | churn | miss | burst: argv[0] says which. */
int cli_bench(struct cli *cli, int argc, char **argv);
int cli_bench_compare(struct cli *cli, int argc, char **argv);
int cli_init(struct cli *cli, int argc, char **argv);
int cli_start(struct cli *cli, int argc, char **argv);
int cli_chat(struct cli *cli, int argc, char **argv);
int cli_session_ls(struct cli *cli, int argc, char **argv);
int cli_session_show(struct cli *cli, int argc, char **argv);
int cli_session_rm(struct cli *cli, int argc, char **argv);
int cli_key_create(struct cli *cli, int argc, char **argv);
int cli_key_ls(struct cli *cli, int argc, char **argv);
int cli_key_revoke(struct cli *cli, int argc, char **argv);
int cli_agent_validate(struct cli *cli, int argc, char **argv);
int cli_version(struct cli *cli, int argc, char **argv);
/*
 * image build NAME | ls | verify NAME | rm NAME: argv[0] is the verb. In cli/image.c, linked into
 * libexec/hearth/hearth-image only: libcrypto costs a program 0.7 ms at its start, which
 * `hearth run` must not pay. In `hearth` itself image_program.c execs that program.
 */
int cli_image(struct cli *cli, int argc, char **argv);
/* In libexec/hearth/hearth-doctor, likewise: bin/hearth does not link the jail. */
int cli_doctor(struct cli *cli, int argc, char **argv);
#endif
