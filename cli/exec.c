/*
 * exec.c - hearth exec: a command in a sandbox that a client of agentd holds, through agentd.
 *
 * Who we are is told by the connection (SO_PEERCRED); behind it root is not needed any more. One
 * sandbox.stdin is under way at a time: its answer says that the command has room for more.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/drop.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/inside.h"
#include "cli/plain.h"
#include "cli/rpc_link.h"
#include "proto/base64.h"
#include "proto/guest.h"
#include "proto/limit_text.h"

struct exec {
	struct cli *cli;
	struct stream stream;
	struct inside inside;
	struct rpc_link *link;
	json_int_t id;	     /* of sandbox.exec */
	json_int_t stdin_id; /* of the sandbox.stdin under way; 0: none */
	bool is_over;
	int status;
	struct error failed; /* code 0: it did not */
	json_t *result;	     /* NULL: it has none */
};

static uint32_t credit(void *arg)
{
	const struct exec *exec = arg;

	return exec->stdin_id ? 0 : GUEST_CHUNK_MAX;
}

static int input(void *arg, const void *data, uint32_t size)
{
	struct exec *exec = arg;
	auto_free char *text = base64_encode(data, size);
	struct error err;

	if (!text)
		return -ENOMEM;
	return rpc_link_send(exec->link, "sandbox.stdin",
		json_pack("{s:I, s:s, s:b}", "request", exec->id, "data_base64", text, "end",
			size == 0),
		&exec->stdin_id, &err);
}

static void pass_signal(void *arg, int signal)
{
	struct exec *exec = arg;
	struct error err;
	json_int_t id;

	rpc_link_send(exec->link, "sandbox.signal",
		json_pack("{s:I, s:i}", "request", exec->id, "signal", signal), &id, &err);
}

static void resize(void *arg, uint16_t rows, uint16_t columns)
{
	struct exec *exec = arg;
	struct error err;
	json_int_t id;

	rpc_link_send(exec->link, "sandbox.resize",
		json_pack("{s:I, s:i, s:i}", "request", exec->id, "rows", (int)rows, "columns",
			(int)columns),
		&id, &err);
}

static int check_text(const char *what, const char *text, struct error *err)
{
	if (text_is_utf8(text, strlen(text)))
		return 0;
	return error_set(err, EILSEQ,
		"%s '%.80s' is not UTF-8, and agentd takes no other text: use hearth run", what,
		text);
}

/* Refused here: JSON would leave it out, and another command would run. */
static int check_texts(const struct inside *inside, struct error *err)
{
	const struct console_command *command = &inside->command;
	int r = command->cwd ? check_text("--cwd", command->cwd, err) : 0;

	for (unsigned i = 0; r == 0 && i < inside->env_count; i++)
		r = check_text("--env", inside->env[i], err);
	for (size_t i = 0; r == 0 && command->argv[i]; i++)
		r = check_text("the command's argument", command->argv[i], err);
	return r;
}

static json_t *make_params(const struct exec *exec, uint64_t sandbox)
{
	const struct inside *inside = &exec->inside;
	const struct console_command *command = &inside->command;
	json_t *params = json_pack("{s:I}", "id", (json_int_t)sandbox), *argv = json_array(),
	       *env = json_object();
	uint16_t rows, columns;

	for (size_t i = 0; command->argv[i]; i++)
		json_array_append_new(argv, json_string(command->argv[i]));
	for (unsigned i = 0; i < inside->env_count; i++) {
		size_t length = strcspn(inside->env[i], "=");
		auto_free char *name = strndup(inside->env[i], length);

		if (name)
			json_object_set_new(env, name, json_string(inside->env[i] + length + 1));
	}
	json_object_set_new(params, "argv", argv);
	json_object_set_new(params, "env", env);
	if (command->cwd)
		json_object_set_new(params, "cwd", json_string(command->cwd));
	if (command->timeout_ms)
		json_object_set_new(params, "timeout_ms", json_integer(command->timeout_ms));
	if (command->output_max)
		json_object_set_new(
			params, "output_max", json_integer((json_int_t)command->output_max));
	if (command->has_stdin)
		json_object_set_new(params, "stdin", json_string("stream"));
	if (command->has_tty) {
		terminal_size(&rows, &columns);
		json_object_set_new(params, "pty",
			json_pack("{s:i, s:i}", "rows", (int)rows, "columns", (int)columns));
	}
	return params;
}

static int on_output(struct exec *exec, const json_t *params)
{
	const char *stream = json_string_value(json_object_get(params, "stream"));
	const json_t *text = json_object_get(params, "data");
	const json_t *coded = json_object_get(params, "data_base64");
	int fd = stream && strcmp(stream, "stderr") == 0 ? STDERR_FILENO : STDOUT_FILENO;
	size_t length = json_string_length(coded);
	auto_free char *data = NULL;
	ssize_t size;

	if (text)
		return stream_write(
			&exec->stream, fd, json_string_value(text), json_string_length(text));
	data = malloc(length + 1);
	if (!data)
		return -ENOMEM;
	size = coded ? base64_decode(json_string_value(coded), length, data) : -EPROTO;
	return size < 0 ? (int)size : stream_write(&exec->stream, fd, data, (size_t)size);
}

/* In one line, as agentd says it. That of the time has a sentence of its own. */
static void say_limits(const json_t *result)
{
	const char *name, *between = "hearth: the command hit a limit: ";
	json_t *text;

	json_object_foreach(json_object_get(result, "limits"), name, text)
	{
		if (strcmp(name, limit_name(LIMIT_HIT_TIME)) == 0 || !json_is_string(text))
			continue;
		fputs(between, stderr);
		plain_print_line(stderr, json_string_value(text), LIMIT_TEXT_MAX);
		between = "; ";
	}
	if (between[0] == ';')
		fputc('\n', stderr);
}

/* With --json all that agentd says of it, on stderr, because stdout is the command's. */
static void say_result(const struct exec *exec)
{
	if (!exec->cli->json) {
		say_limits(exec->result);
	} else if (exec->result) {
		json_dumpf(exec->result, stderr, JSON_REAL_PRECISION(6));
		fputc('\n', stderr);
	}
}

/* Of a command whose sandbox has ended, as hearth run has it. */
static int status_of_end(const json_t *data)
{
	const char *reason = json_string_value(json_object_get(data, "reason"));

	if (reason && strcmp(reason, control_reason_name(LEASE_OOM)) == 0)
		return 128 + SIGKILL;
	if (reason && (strcmp(reason, control_reason_name(LEASE_DEADLINE)) == 0 ||
			      strcmp(reason, control_reason_name(LEASE_IDLE)) == 0))
		return 124;
	return CLI_OWN_FAILURE;
}

/* The one answer to sandbox.exec. */
static void on_end(struct exec *exec, const struct rpc_message *message)
{
	const json_t *data = json_object_get(message->error, "data");
	const json_t *status =
		json_object_get(message->error ? data : message->result, "exit_code");

	exec->is_over = true;
	exec->status =
		json_is_integer(status) ? (int)json_integer_value(status) : status_of_end(data);
	exec->result = json_incref(message->result);
	if (message->error)
		rpc_link_explain(message->error, &exec->failed);
	else if (!json_is_integer(status))
		error_set(&exec->failed, EPROTO, "agentd: an answer without exit_code");
	else if (exec->status == 124 && exec->inside.command.timeout_ms)
		error_set(&exec->failed, ETIMEDOUT, "%.80s: ended after %u ms, its --timeout",
			exec->inside.command.argv[0], exec->inside.command.timeout_ms);
}

static int on_message(struct exec *exec, const struct rpc_message *message, struct error *err)
{
	json_int_t id = json_integer_value(message->id);
	int r = 0;

	if (message->kind == RPC_NOTIFICATION && strcmp(message->method, "sandbox.output") == 0)
		r = on_output(exec, message->params);
	else if (rpc_link_is_answer(message, exec->id))
		on_end(exec, message);
	else if (message->kind == RPC_RESPONSE && id == exec->stdin_id)
		exec->stdin_id = 0;
	return r < 0 ? error_set(err, -r, "write the output: %s", strerror(-r)) : 0;
}

/* Until the answer is there; then exec->status, and exec->failed where something is to be said. */
static int attend(struct exec *exec, struct error *err)
{
	int r = 0;

	while (r == 0 && !exec->is_over) {
		struct rpc_message message;

		r = rpc_link_receive(exec->link, &message, err);
		if (r == 1) {
			r = on_message(exec, &message, err);
			rpc_message_finish(&message);
		} else if (r == 0) {
			struct pollfd p = {.fd = rpc_link_fd(exec->link), .events = POLLIN};

			r = stream_wait(&exec->stream, &p, 1, err);
		}
	}
	return r;
}

static int start(struct exec *exec, uint64_t sandbox, struct error *err)
{
	static const struct stream_ops ops = {credit, input, pass_signal, resize};
	int r = rpc_link_open(exec->cli->directory, &exec->link, err);

	if (r == 0)
		r = drop_privileges(err);
	if (r == 0)
		r = stream_start(&exec->stream, exec->inside.command.has_stdin,
			exec->inside.command.has_tty, &ops, exec, err);
	if (r == 0)
		r = rpc_link_send(
			exec->link, "sandbox.exec", make_params(exec, sandbox), &exec->id, err);
	return r;
}

int cli_exec(struct cli *cli, int argc, char **argv)
{
	struct exec exec = {.cli = cli};
	uint64_t sandbox;
	struct error err;
	int r;

	(void)argc;
	r = cli_operand_sandbox(cli, argv[1], &sandbox);
	if (r == 0)
		r = inside_parse(cli, argv + 2, &exec.inside);
	if (r != 0)
		return r;
	r = check_texts(&exec.inside, &err);
	if (r < 0)
		return cli_fail(cli, &err, NULL);
	r = start(&exec, sandbox, &err);
	if (r == 0)
		r = attend(&exec, &err);
	stream_finish(&exec.stream);
	rpc_link_close(exec.link);
	if (r < 0)
		return cli_fail(cli, &err, NULL);
	if (exec.failed.code)
		cli_fail(cli, &exec.failed, NULL);
	say_result(&exec);
	json_decref(exec.result);
	return exec.status;
}
