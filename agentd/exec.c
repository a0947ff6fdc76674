#include "agentd/exec.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/call.h"
#include "proto/receipt.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

static void destroy(struct exec *exec)
{
	if (!exec)
		return;
	if (exec->input)
		evbuffer_free(exec->input);
	free(exec);
}

static void cleanup_exec(struct exec **exec)
{
	destroy(*exec);
}
#define auto_exec __attribute__((cleanup(cleanup_exec)))

/* Those whose data is on its way. */
static void answer_writers(struct exec *exec)
{
	struct call *writer;

	while ((writer = list_first(&exec->writers, struct call, of_exec)) &&
		writer->exec_position <= exec->sent)
		call_result(writer, json_object());
}

/* As much as the guest has room for. */
static void pump(struct exec *exec)
{
	while (exec->has_stdin && !exec->is_end_sent) {
		size_t left = evbuffer_get_length(exec->input);
		size_t size = left < GUEST_CHUNK_MAX ? left : GUEST_CHUNK_MAX;
		uint32_t credit = guest_request_credit(exec->request);
		bool is_end;

		if (size > credit)
			size = credit;
		is_end = exec->is_input_closed && size == left;
		if (size == 0 && !is_end)
			return;
		/* A failure is the channel's end: the reply is on its way. */
		if (guest_request_input(exec->request,
			    evbuffer_pullup(exec->input, (ev_ssize_t)size), (uint32_t)size,
			    is_end) < 0)
			return;
		evbuffer_drain(exec->input, size);
		exec->sent += size;
		exec->is_end_sent = is_end;
		answer_writers(exec);
	}
}

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct exec *exec = arg;

	output_send(&exec->output, exec->call, stream, data, size);
}

static void on_credit(void *arg)
{
	pump(arg);
}

static const char *end_name(uint32_t end)
{
	switch ((enum guest_end)end) {
	case GUEST_END_TIMEOUT:
		return "timeout";
	case GUEST_END_CANCELLED:
		return "cancelled";
	case GUEST_END_DONE:
	case GUEST_END_FAILED:
	case GUEST_END_LOST:
		break;
	}
	return "done";
}

static uint64_t number_of(const struct call *call, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(call->params, name));
}

static json_t *describe_reply(const struct call *call, const struct guest_reply *reply)
{
	struct limit_values values = limit_values_of(&call->sandbox->lease);

	values.time_ms = number_of(call, "timeout_ms");
	values.output_bytes = number_of(call, "output_max");
	return json_pack("{s:i,s:i,s:s,s:o,s:o,s:o,s:I,s:I}", "exit_code", (int)reply->exit_status,
		"signal", (int)reply->signal, "end", end_name(reply->end), "limits_hit",
		receipt_limits(reply->limits_hit), "limits",
		receipt_limit_texts(reply->limits_hit, &values), "receipt", receipt_of_reply(reply),
		"stdout_bytes", (json_int_t)reply->stdout_bytes, "stderr_bytes",
		(json_int_t)reply->stderr_bytes);
}

static void fail_to_start(struct call *call, const struct guest_reply *reply)
{
	json_t *data = json_pack("{s:s,s:i}", "errno", error_name((int)reply->error), "exit_code",
		reply->error == ENOENT ? 127 : 126);
	char text[ERROR_TEXT_MAX];

	snprintf(text, sizeof(text), "%s",
		reply->text[0] ? reply->text : strerror((int)reply->error));
	call_fail_data(call, reply->error == EBUSY ? FAULT_BUSY : FAULT_COMMAND_FAILED, data, text);
}

/* Those that still wait. Of a sandbox that has ended, they learn why as all its calls do. */
static void end_writers(struct exec *exec, bool is_lost)
{
	struct call *writer;

	while ((writer = list_first(&exec->writers, struct call, of_exec))) {
		if (is_lost)
			list_remove(&writer->of_exec);
		else
			call_fail(writer, FAULT_NO_REQUEST, "the command has ended");
	}
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct exec *exec = arg;
	struct call *call = exec->call;

	call->exec = NULL;
	call->on_cancel = NULL;
	metrics_count_exec(&call->server->metrics, clock_now_ns() - call->started_ns);
	end_writers(exec, reply->end == GUEST_END_LOST);
	output_finish(&exec->output, call);
	destroy(exec);
	if (reply->end == GUEST_END_LOST)
		call_lost(call);
	else if (reply->end == GUEST_END_FAILED)
		fail_to_start(call, reply);
	else
		call_result(call, describe_reply(call, reply));
}

static void on_cancel(struct call *call)
{
	struct sandbox *sandbox = call->sandbox;

	guest_request_cancel(call->exec->request);
	sandbox_update(sandbox);
}

int exec_start(struct call *call, const struct guest_exec_options *options, const json_t *text,
	struct error *err)
{
	auto_exec struct exec *exec = calloc(1, sizeof(*exec));
	struct guest_callbacks callbacks = {
		.on_output = on_output, .on_credit = on_credit, .on_reply = on_reply, .arg = exec};
	int r;

	if (!exec || !(exec->input = evbuffer_new()))
		return error_set(err, ENOMEM, "out of memory");
	list_init(&exec->writers);
	exec->call = call;
	exec->has_stdin = options->flags & GUEST_EXEC_STDIN;
	exec->is_input_closed = text != NULL;
	if (text &&
		evbuffer_add(exec->input, json_string_value(text), json_string_length(text)) < 0)
		return error_set(err, ENOMEM, "out of memory");
	r = guest_client_exec(call->sandbox->guest, options, &callbacks, &exec->request, err);
	if (r < 0)
		return r;
	call->exec = exec;
	call->on_cancel = on_cancel;
	pump(take_ptr(&exec));
	sandbox_update(call->sandbox);
	return 0;
}

int exec_write(struct exec *exec, struct call *writer, const void *data, size_t size, bool is_end)
{
	struct sandbox *sandbox = exec->call->sandbox;

	if (!exec->has_stdin || exec->is_input_closed)
		return -EINVAL;
	if (evbuffer_get_length(exec->input) + size > EXEC_INPUT_MAX)
		return -EBUSY;
	if (evbuffer_add(exec->input, data, size) < 0)
		return -ENOMEM;
	exec->added += size;
	exec->is_input_closed = is_end;
	writer->exec_position = exec->added;
	list_append(&exec->writers, &writer->of_exec);
	call_attach(writer, sandbox);
	pump(exec);
	answer_writers(exec); /* also that of an end without data */
	sandbox_update(sandbox);
	return 0;
}
