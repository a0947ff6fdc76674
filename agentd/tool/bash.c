/*
 * A command line by `bash -c`, or by `sh -c` in an image without bash.
 *
 * Where bash is not known to be there (request.has_bash), sh looks for it first, which costs one
 * small program more. With background, the command goes on after the answer and writes to a file that
 * the answer names. In a session (request.shell) it starts where the last one ended, see shell.h: one
 * small request more, to read where that is.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>

#include "agentd/tool/shell.h"
#include "agentd/tool/tool.h"
#include "base/error.h"

/* What stderr gets at least of the characters kept, when both streams are long. */
#define STDERR_SHARE (HEADTAIL_KEPT / 3)
/* As a shell says it: the program is there, and yet nothing has run. */
#define EXIT_NOT_STARTED 126

static const char find_shell[] = "command -v bash >/dev/null 2>&1 && exec bash -c \"$1\"\n"
				 "exec sh -c \"$1\"";
static const char run_behind[] = "command -v bash >/dev/null 2>&1 && s=bash || s=sh\n"
				 "f=$(mktemp /tmp/background.XXXXXX) || exit\n"
				 "\"$s\" -c \"$1\" </dev/null >\"$f\" 2>&1 &\n"
				 "echo \"started in the background: pid $!, output in $f\"";

static int start(struct tool_run *run, struct error *err);

void tool_shell_argv(bool has_bash, const char *command, const char *argv[static 6])
{
	size_t n = 0;

	argv[n++] = has_bash ? "bash" : "sh";
	argv[n++] = "-c";
	if (!has_bash) {
		argv[n++] = find_shell;
		argv[n++] = "sh";
	}
	argv[n++] = command;
	argv[n] = NULL;
}

static void say_stream(
	struct tool_run *run, const char *name, const struct headtail *kept, size_t budget)
{
	if (kept->total == 0)
		return;
	tool_say(run, "%s:\n", name);
	if (headtail_format(kept, budget, run->text) < 0)
		run->is_out_of_memory = true;
	tool_end_line(run);
}

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

static void say_outputs(struct tool_run *run)
{
	size_t errors = smaller(run->errors.total, STDERR_SHARE);
	size_t output = smaller(run->output.total, HEADTAIL_KEPT - errors);

	errors = smaller(run->errors.total, HEADTAIL_KEPT - output);
	say_stream(run, "stdout", &run->output, output);
	say_stream(run, "stderr", &run->errors, errors);
}

/* The time limit is told by the first line of its error. */
static void say_limits(struct tool_run *run, uint32_t limits_hit)
{
	char text[LIMIT_TEXT_MAX];

	limits_hit &= ~(uint32_t)LIMIT_HIT_TIME;
	if (limits_hit)
		tool_say(run, "hit a limit: %s\n",
			limit_text_all(limits_hit, &run->request.limits, text));
}

/* The session's directory has gone, or is that of another sandbox: once more, from the image's. */
static bool starts_again(struct tool_run *run, const struct guest_reply *reply)
{
	struct tool_shell *shell = run->request.shell;

	if (!shell || !shell->cwd[0] || reply->end != GUEST_END_FAILED ||
		reply->exit_status != EXIT_NOT_STARTED)
		return false;
	tool_say(run, "The working directory has gone: ");
	tool_say_name(run, shell->cwd);
	tool_say(run, ": started in the first one\n");
	shell->cwd[0] = '\0';
	free(run->state);
	run->state = NULL;
	return start(run, NULL) == 0;
}

static void on_cwd(struct tool_run *run, const struct guest_reply *reply)
{
	const struct shell_wrap *wrap = run->state;
	size_t size;
	const char *data = tool_data(run, &size);

	if (reply->end == GUEST_END_DONE)
		shell_learn(run->request.shell, wrap->mark, data, size);
}

/* The command's own reply stays the receipt. What keeps this one from being sent keeps the cwd. */
static void ask_cwd(struct tool_run *run, const struct guest_reply *reply)
{
	const struct guest_file_options options = {
		.type = GUEST_READ, .path = SHELL_CWD_FILE, .max_bytes = SHELL_ANSWER_MAX};
	const struct shell_wrap *wrap = run->state;

	if (!wrap || !wrap->mark[0] || reply->end != GUEST_END_DONE)
		return;
	run->receipt = *reply;
	run->has_receipt = true;
	tool_send_file(run, &options, on_cwd, NULL);
}

static void on_exited(struct tool_run *run, const struct guest_reply *reply)
{
	char text[LIMIT_TEXT_MAX];

	if (starts_again(run, reply))
		return;
	switch ((enum guest_end)reply->end) {
	case GUEST_END_FAILED:
		tool_has_failed(run, reply, "bash");
		return;
	case GUEST_END_TIMEOUT:
		tool_fail(run,
			"%s, everything it started was killed: set a longer timeout, or "
			"background\n",
			limit_text(LIMIT_HIT_TIME, &run->request.limits, text));
		break;
	case GUEST_END_CANCELLED:
		tool_fail(run, "cancelled, everything it started was killed\n");
		break;
	case GUEST_END_DONE:
	case GUEST_END_LOST:
		break;
	}
	tool_say(run, "exit code: %u\n", reply->exit_status);
	if (reply->signal && reply->end == GUEST_END_DONE)
		tool_say(run, "killed by signal %u\n", reply->signal);
	say_limits(run, reply->limits_hit);
	say_outputs(run);
	ask_cwd(run, reply);
}

static int wrap_command(struct tool_run *run, struct guest_exec_options *options, struct error *err)
{
	const struct tool_request *request = &run->request;
	const char *command = tool_string(run, "command", "");
	struct shell_wrap *wrap = malloc(sizeof(*wrap));
	int r;

	run->state = wrap;
	if (!wrap)
		return error_set(err, ENOMEM, "out of memory");
	if (tool_flag(run, "background"))
		r = shell_wrap_script(wrap, request->shell, command, run_behind, err);
	else
		r = shell_wrap(wrap, request->shell, command, request->has_bash, err);
	options->argv = wrap->argv;
	options->env = wrap->env;
	return r;
}

static int start(struct tool_run *run, struct error *err)
{
	const char *command = tool_string(run, "command", "");
	const char *const behind[] = {"sh", "-c", run_behind, "sh", command, NULL};
	const char *argv[6];
	struct guest_exec_options options = {.argv = argv,
		.cwd = tool_cwd(run),
		.timeout_ms = (uint32_t)tool_number(run, "timeout", TOOL_BASH_TIMEOUT_MS),
		.output_max = TOOL_BASH_OUTPUT_MAX};
	int r;

	tool_shell_argv(run->request.has_bash, command, argv);
	if (tool_flag(run, "background"))
		options.argv = behind;
	r = run->request.shell ? wrap_command(run, &options, err) : 0;
	if (r < 0)
		return r;
	run->request.limits.time_ms = options.timeout_ms;
	run->request.limits.output_bytes = options.output_max;
	return tool_send_exec(run, &options, on_exited, err);
}

const struct tool tool_bash = {
	.name = "bash",
	.description = "Run a command line in the sandbox by bash (sh where there is no bash), "
		       "fresh each time; in a session the working directory lasts. Answers exit "
		       "code, stdout and stderr; of long output the head and the tail. It returns "
		       "when the shell exits.",
	.parameters =
		"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"command\"],"
		"\"properties\":{"
		"\"command\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":120000,"
		"\"description\":\"Command line\"},"
		"\"timeout\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400000,"
		"\"description\":\"Milliseconds until it is killed with all that it started, exit "
		"124 (120000)\"},"
		"\"background\":{\"type\":\"boolean\","
		"\"description\":\"Do not wait: answers the pid and the file with the output\"}}}",
	.start = start,
};
