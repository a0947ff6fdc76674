/* sandbox.exec, and what can be said to a command under way: stdin, signal, resize, cancel. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/exec.h"
#include "agentd/handle.h"
#include "agentd/method.h"
#include "agentd/sandbox.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/base64.h"

/* What a command line is made of, on the heap as long as it is being sent. */
struct command {
	const char **argv;
	char **env;
	size_t env_count;
};

static void command_finish(struct command *command)
{
	for (size_t i = 0; i < command->env_count; i++)
		free(command->env[i]);
	free(command->env);
	free(command->argv);
}
#define auto_command __attribute__((cleanup(command_finish)))

static int fill_argv(struct command *command, struct call *call)
{
	const json_t *argv = json_object_get(call->params, "argv");
	const char *line = json_string_value(json_object_get(call->params, "command"));
	size_t index;
	json_t *word;

	command->argv = calloc(json_array_size(argv) + 6, sizeof(*command->argv));
	if (!command->argv)
		return -ENOMEM;
	if (line) {
		tool_shell_argv(call->sandbox->has_bash, line, command->argv);
		sandbox_ask_shell(call->sandbox);
		return 0;
	}
	json_array_foreach(argv, index, word) command->argv[index] = json_string_value(word);
	return 0;
}

static int fill_env(struct command *command, const json_t *env, struct error *err)
{
	const char *name;
	json_t *value;

	command->env = calloc(json_object_size(env) + 1, sizeof(*command->env));
	if (!command->env)
		return error_set(err, ENOMEM, "out of memory");
	json_object_foreach((json_t *)env, name, value)
	{
		if (!json_is_string(value) || name[0] == '\0' || strchr(name, '='))
			return error_set(err, EINVAL,
				"params.env: wants names without = and values that are strings");
		if (asprintf(&command->env[command->env_count], "%s=%s", name,
			    json_string_value(value)) < 0)
			return error_set(err, ENOMEM, "out of memory");
		command->env_count++;
	}
	return 0;
}

static void fill_options(const struct call *call, struct guest_exec_options *options)
{
	const json_t *pty = json_object_get(call->params, "pty");

	options->cwd = json_string_value(json_object_get(call->params, "cwd"));
	options->timeout_ms =
		(uint32_t)json_integer_value(json_object_get(call->params, "timeout_ms"));
	options->output_max =
		(uint64_t)json_integer_value(json_object_get(call->params, "output_max"));
	options->rows = (uint16_t)json_integer_value(json_object_get(pty, "rows"));
	options->columns = (uint16_t)json_integer_value(json_object_get(pty, "columns"));
	options->flags |= pty ? GUEST_EXEC_PTY : 0;
	options->flags |= json_object_get(call->params, "stdin") ? GUEST_EXEC_STDIN : 0;
}

static int start(struct call *call, struct error *err)
{
	const json_t *input = json_object_get(call->params, "stdin");
	bool is_stream = input && strcmp(json_string_value(input), "stream") == 0;
	auto_command struct command command = {.argv = NULL};
	struct guest_exec_options options = {.flags = 0};
	int r;

	if (fill_argv(&command, call) < 0)
		return error_set(err, ENOMEM, "out of memory");
	r = fill_env(&command, json_object_get(call->params, "env"), err);
	if (r < 0)
		return r;
	fill_options(call, &options);
	options.argv = command.argv;
	options.env = (const char *const *)command.env;
	return exec_start(call, &options, is_stream ? NULL : input, err);
}

void method_exec(struct call *call)
{
	bool has_argv = json_object_get(call->params, "argv") != NULL;
	struct sandbox *sandbox;
	struct error err;
	int r;

	if (has_argv == (json_object_get(call->params, "command") != NULL)) {
		call_fail(call, FAULT_INVALID_ARGUMENTS, "params: wants argv or command");
		return;
	}
	sandbox = handle_find(call);
	if (!sandbox)
		return;
	call_attach(call, sandbox);
	r = start(call, &err);
	if (r == -EPIPE)
		call_lost(call);
	else if (r < 0)
		call_fail(call, fault_of_errno(r), "%s", err.text);
}

/* The command under way that params.request names. NULL: the call is answered. */
static struct call *find_target(struct call *call)
{
	const json_t *id = json_object_get(call->params, "request");
	struct call *target = client_find_call(call->client, id);

	if (target && target->on_cancel)
		return target;
	call_fail(call, FAULT_NO_REQUEST,
		"no such request of this connection is under way: it may have ended");
	return NULL;
}

static struct exec *find_exec(struct call *call)
{
	struct call *target = find_target(call);

	if (target && !target->exec)
		call_fail(call, FAULT_UNSUPPORTED, "the request is no sandbox.exec");
	return target ? target->exec : NULL;
}

/* 0 or what a method of the guest client says. */
static void answer(struct call *call, int r)
{
	if (r == 0)
		call_result(call, json_object());
	else
		call_fail(call, fault_of_errno(r), "%s", strerror(-r));
}

/* The bytes of data or data_base64, the caller's to free. -EINVAL, -ENOMEM. */
static int get_data(const struct call *call, char **ret_data, size_t *ret_size)
{
	const json_t *text = json_object_get(call->params, "data");
	const json_t *coded = json_object_get(call->params, "data_base64");
	const json_t *given = text ? text : coded;
	char *data = malloc(json_string_length(given) + 1);
	ssize_t size = (ssize_t)json_string_length(given);

	if (!data)
		return -ENOMEM;
	if (coded && !text)
		size = base64_decode(json_string_value(coded), (size_t)size, data);
	else if (size > 0)
		memcpy(data, json_string_value(text), (size_t)size);
	if (size < 0 || (coded && text)) {
		free(data);
		return -EINVAL;
	}
	*ret_data = data;
	*ret_size = (size_t)size;
	return 0;
}

void method_stdin(struct call *call)
{
	struct exec *exec = find_exec(call);
	auto_free char *data = NULL;
	size_t size;
	int r;

	if (!exec)
		return;
	r = get_data(call, &data, &size);
	if (r < 0) {
		call_fail(call, fault_of_errno(r), "params: wants data or valid data_base64");
		return;
	}
	r = exec_write(exec, call, data, size, json_is_true(json_object_get(call->params, "end")));
	if (r == 0)
		return;
	/* Nobody would learn that a part is missing: end the command instead. */
	if (!call->id)
		exec->call->on_cancel(exec->call);
	if (r == -EBUSY)
		call_fail(call, FAULT_BUSY,
			"%d bytes wait for the command to read: wait for the answers",
			EXEC_INPUT_MAX);
	else
		call_fail(call, fault_of_errno(r), "the command has no stdin, or its end was sent");
}

/* "TERM", "SIGTERM", 15; 0 for what is none. */
static int parse_signal(const json_t *value)
{
	const char *name = json_string_value(value);

	if (!name)
		return json_integer_value(value) >= 1 && json_integer_value(value) <= 64
			       ? (int)json_integer_value(value)
			       : 0;
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (int number = 1; number <= SIGSYS; number++) {
		const char *known = sigabbrev_np(number);

		if (known && strcmp(known, name) == 0)
			return number;
	}
	return 0;
}

void method_signal(struct call *call)
{
	struct exec *exec = find_exec(call);
	int number;

	if (!exec)
		return;
	number = parse_signal(json_object_get(call->params, "signal"));
	if (number == 0) {
		call_fail(call, FAULT_INVALID_ARGUMENTS,
			"params.signal: wants a name such as TERM or a number from 1 to 64");
		return;
	}
	answer(call, guest_request_signal(exec->request, number));
	sandbox_update(exec->call->sandbox);
}

void method_resize(struct call *call)
{
	struct exec *exec = find_exec(call);

	if (!exec)
		return;
	answer(call,
		guest_request_resize(exec->request,
			(uint16_t)json_integer_value(json_object_get(call->params, "rows")),
			(uint16_t)json_integer_value(json_object_get(call->params, "columns"))));
	sandbox_update(exec->call->sandbox);
}

void method_cancel(struct call *call)
{
	struct call *target = find_target(call);

	if (!target)
		return;
	target->on_cancel(target);
	call_result(call, json_object());
}
