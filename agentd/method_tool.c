/* tool.call, tool.list. */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/call.h"
#include "agentd/handle.h"
#include "agentd/method.h"
#include "agentd/output.h"
#include "proto/receipt.h"
#include "agentd/sandbox.h"
#include "agentd/schema.h"
#include "agentd/server.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"

/* A tool at work for a call. */
struct work {
	struct call *call;
	struct tool_run *run;
	struct output output;
};

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct work *work = arg;

	output_send(&work->output, work->call, stream, data, size);
}

static json_t *describe_result(const struct work *work, const struct tool_result *result)
{
	const unsigned char *text = evbuffer_pullup(result->text, -1);
	json_t *receipt = receipt_of_reply(result->reply);

	json_object_set_new(
		receipt, "exit_code", json_integer((json_int_t)result->reply->exit_status));
	json_object_set_new(receipt, "limits_hit", receipt_limits(result->reply->limits_hit));
	json_object_set_new(receipt, "limits",
		receipt_limit_texts(result->reply->limits_hit, &work->run->request.limits));
	return json_pack("{s:o,s:b,s:o}", "content",
		utf8_to_json(text ? (const char *)text : "",
			text ? evbuffer_get_length(result->text) : 0),
		"is_error", result->is_error, "receipt", receipt);
}

static enum metrics_tool_result judge(const struct tool_result *result)
{
	if (result->reply->end == GUEST_END_LOST)
		return METRICS_TOOL_LOST;
	return result->is_error ? METRICS_TOOL_ERROR : METRICS_TOOL_OK;
}

static void on_done(void *arg, const struct tool_result *result)
{
	struct work *work = arg;
	struct call *call = work->call;
	bool is_lost = result->reply->end == GUEST_END_LOST;
	json_t *described = is_lost ? NULL : describe_result(work, result);

	metrics_count_tool(&call->server->metrics, work->run->request.tool, judge(result));
	call->work = NULL;
	call->on_cancel = NULL;
	output_finish(&work->output, call);
	free(work);
	if (is_lost)
		call_lost(call);
	else
		call_result(call, described);
}

static void on_cancel(struct call *call)
{
	struct sandbox *sandbox = call->sandbox;
	struct work *work = call->work;

	tool_cancel(work->run);
	sandbox_update(sandbox);
}

static int start(struct call *call, const struct tool *tool, struct error *err)
{
	const struct tool_request request = {.tool = tool,
		.guest = call->sandbox->guest,
		.arguments = json_object_get(call->params, "arguments"),
		.cwd = json_string_value(json_object_get(call->params, "cwd")),
		.limits = limit_values_of(&call->sandbox->lease),
		.has_bash = call->sandbox->has_bash};
	auto_free struct work *work = calloc(1, sizeof(*work));
	bool is_streamed = json_is_true(json_object_get(call->params, "stream"));
	const struct tool_callbacks callbacks = {
		.on_output = is_streamed ? on_output : NULL, .on_done = on_done, .arg = work};
	int r;

	if (!work)
		return error_set(err, ENOMEM, "out of memory");
	work->call = call;
	r = tool_start(&request, &callbacks, &work->run, err);
	if (r < 0)
		return r;
	if (tool == &tool_bash)
		sandbox_ask_shell(call->sandbox);
	call->work = take_ptr(&work);
	call->on_cancel = on_cancel;
	sandbox_update(call->sandbox);
	return 0;
}

static const json_t *schema_of(const struct server *server, const struct tool *tool)
{
	size_t index;
	json_t *one;

	json_array_foreach(server->tools, index, one)
	{
		if (strcmp(json_string_value(json_object_get(one, "name")), tool->name) == 0)
			return json_object_get(one, "parameters");
	}
	return NULL;
}

/* By the tool's schema, before the sandbox is asked. False: the call is answered. */
static bool check_arguments(struct call *call, const struct tool *tool)
{
	const json_t *arguments = json_object_get(call->params, "arguments");
	struct error err;

	if (schema_check(schema_of(call->server, tool), arguments, "arguments", &err) == 0)
		return true;
	call_fail(call, FAULT_INVALID_ARGUMENTS, "%s: %s", tool->name, err.text);
	return false;
}

void method_tool_call(struct call *call)
{
	const char *name = json_string_value(json_object_get(call->params, "name"));
	const struct tool *tool = tool_find(name);
	struct sandbox *sandbox;
	struct error err;
	int r;

	/* The others want a project, which a connection has not. */
	if (!tool || tool->place != TOOL_IN_SANDBOX) {
		call_fail(call, FAULT_UNKNOWN_TOOL, "there is no tool %.64s: see tool.list", name);
		return;
	}
	if (!check_arguments(call, tool))
		return;
	sandbox = handle_find(call);
	if (!sandbox)
		return;
	call_attach(call, sandbox);
	r = start(call, tool, &err);
	if (r == -EPIPE)
		call_lost(call);
	else if (r < 0)
		call_fail(call, fault_of_errno(r), "%s", err.text);
}

void method_tool_list(struct call *call)
{
	call_result(call, json_pack("{s:O}", "tools", call->server->tools));
}
