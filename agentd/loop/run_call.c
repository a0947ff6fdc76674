/*
 * One call of the model's reply, from its name to the message that answers it.
 *
 * A call that may change something begins once its start is on disk: after a crash it is told to the model as "outcome
 * unknown" and not made again. One that only reads begins at once, and nobody records that; after a crash it is made
 * again.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/loop/paths.h"
#include "agentd/loop/run_private.h"
#include "agentd/loop/service.h"
#include "agentd/sandbox.h"
#include "agentd/schema.h"
#include "agentd/server.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "proto/receipt.h"

#define PLACES_SIZE 512 /* of a text that names them */

static void tell(struct run_call *call, const char *state)
{
	json_t *data =
		json_pack("{s:s,s:s,s:s}", "id", call->id, "name", call->name, "state", state);

	if (call->result) {
		json_object_set(data, "result", json_object_get(call->result, "content"));
		if (call->receipt)
			json_object_set(data, "receipt", call->receipt);
	} else if (call->arguments) {
		json_object_set(data, "arguments", call->arguments);
	} else {
		json_object_set_new(data, "arguments", json_string(call->text));
	}
	run_log(call->run, "tool_call", data);
}

/* The call is over: content, taken over, answers it. */
void run_call_finish(struct run_call *call, json_t *content, bool is_error)
{
	struct run *run = call->run;

	if (!content)
		content = json_string("Error: out of memory: ask for less");
	call->state = RUN_CALL_DONE;
	call->work = NULL;
	if (run->is_abandoned) {
		json_decref(content);
		return;
	}
	call->result = json_pack(
		"{s:s,s:s,s:o}", "role", "tool", "tool_call_id", call->id, "content", content);
	tell(call, is_error ? "error" : "completed");
	run_keep_cwd(run);
	run_log_flush(run); /* into the same transaction */
	run->writes++;
	if (store_call_finish(run->service->store, run->id, run->turn, call->position, call->result,
		    call->receipt, run_written, run) < 0)
		run_wrote(run, -EBUSY);
	run_next(run, run->state == RUN_ENDING ? run_conclude : run_calls_go);
}

void run_call_refuse(struct run_call *call, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	run_call_finish(call, utf8_to_json(text, strlen(text)), true);
}

static json_t *text_of(const struct tool_result *result)
{
	const unsigned char *text = evbuffer_pullup(result->text, -1);

	return utf8_to_json(
		text ? (const char *)text : "", text ? evbuffer_get_length(result->text) : 0);
}

static json_t *describe_receipt(
	const struct run_call *call, const struct guest_reply *reply, bool is_error)
{
	json_t *receipt = receipt_of_reply(reply);

	json_object_set_new(receipt, "exit_code", json_integer((json_int_t)reply->exit_status));
	json_object_set_new(receipt, "is_error", json_boolean(is_error));
	json_object_set_new(receipt, "limits",
		receipt_limit_texts(reply->limits_hit, &call->work->request.limits));
	return receipt;
}

static enum metrics_tool_result judge(const struct tool_result *result)
{
	if (result->reply->end == GUEST_END_LOST)
		return METRICS_TOOL_LOST;
	return result->is_error ? METRICS_TOOL_ERROR : METRICS_TOOL_OK;
}

static void on_done(void *arg, const struct tool_result *result)
{
	struct run_call *call = arg;
	struct run *run = call->run;

	metrics_count_tool(&run->service->server->metrics, call->tool, judge(result));
	if (result->reply->end == GUEST_END_LOST) {
		/* Why, is told right after this, by the sandbox's end. */
		call->work = NULL;
		run_next(run, run->state == RUN_ENDING ? run_conclude : run_calls_go);
		return;
	}
	call->receipt = describe_receipt(call, result->reply, result->is_error);
	run_call_finish(call, text_of(result), result->is_error);
}

/* Its arguments are fit, its start is recorded, there is a sandbox if it needs one. */
static void start(struct run_call *call)
{
	struct run *run = call->run;
	struct sandbox *sandbox = run->bench.sandbox;
	struct tool_request request = {.tool = call->tool,
		.arguments = call->arguments,
		.base = run->service->server->base,
		.shell = &run->shell,
		.memory = &run->memory,
		.search = run->service->search};
	const struct tool_callbacks callbacks = {.on_done = on_done, .arg = call};
	struct error err;
	int r;

	if (sandbox) {
		run->shell.workspace = sandbox->lease.workspace[0] ? TOOL_WORKSPACE : NULL;
		if (!run->shell.cwd[0] && run->shell.workspace)
			text_copy(run->shell.cwd, sizeof(run->shell.cwd), TOOL_WORKSPACE);
		request.guest = sandbox->guest;
		request.limits = limit_values_of(&sandbox->lease);
		request.has_bash = sandbox->has_bash;
	}
	call->state = RUN_CALL_RUNNING;
	r = tool_start(&request, &callbacks, &call->work, &err);
	if (sandbox && call->tool == &tool_bash)
		sandbox_ask_shell(sandbox);
	if (sandbox)
		sandbox_update(sandbox);
	if (r == -EPIPE)
		run_next(run, run_calls_go);
	else if (r < 0)
		run_call_refuse(call, "Error: %s", err.text);
}

static void on_recorded(void *arg, int r, json_t *result, const struct error *err)
{
	struct run_call *call = arg;
	struct run *run = call->run;

	(void)result;
	(void)err;
	if (r == 0 && run->state == RUN_TOOLS && call->state == RUN_CALL_RECORDING) {
		if (run->is_cancelled)
			run_call_refuse(call, "Error: cancelled before it began");
		else if (call->tool->place == TOOL_IN_SANDBOX && !run->bench.sandbox)
			call->state = RUN_CALL_WAITING;
		else
			start(call);
		run_next(run, run_calls_go);
	}
	run_wrote(run, r);
}

static void record_start(struct run_call *call)
{
	struct run *run = call->run;

	call->state = RUN_CALL_RECORDING;
	call->is_recorded = true;
	run->writes++;
	if (store_call_start(
		    run->service->store, run->id, run->turn, call->position, on_recorded, call) < 0)
		run_wrote(run, -EBUSY);
}

void run_call_begin(struct run_call *call)
{
	struct run *run = call->run;

	tell(call, "calling");
	if (call->is_recorded || call->tool->is_reader) {
		start(call);
	} else {
		run_log_flush(run); /* into the same transaction */
		record_start(call);
	}
}

/* A tool that names a path, beside the agent's places. */
static bool goes_astray(const struct run_call *call)
{
	const json_t *schema = service_schema(call->run->service, call->tool);
	const char *path = json_string_value(json_object_get(call->arguments, "path"));

	return json_object_get(json_object_get(schema, "properties"), "path") &&
	       !paths_allow(
		       call->run->agent->allowed_paths, call->run->shell.cwd, path ? path : ".");
}

static const char *list_paths(const struct project_agent *agent, char text[static PLACES_SIZE])
{
	size_t used = 0;

	text[0] = '\0';
	for (const char *const *path = agent->allowed_paths; *path && used < PLACES_SIZE; path++)
		used += (size_t)snprintf(text + used, PLACES_SIZE - used, " %s", *path);
	return text;
}

bool run_call_check(struct run_call *call)
{
	const struct project_agent *agent = call->run->agent;
	char places[PLACES_SIZE];
	json_error_t why;
	struct error err;

	if (!call->tool || !project_agent_may_call(agent, call->name)) {
		run_call_refuse(call,
			"Error: %s the tool %.64s: use one of those that you were told of",
			call->tool ? "you may not call" : "there is no such thing as", call->name);
		return false;
	}
	if (!call->arguments)
		call->arguments = json_loads(call->text[0] ? call->text : "{}", 0, &why);
	if (!json_is_object(call->arguments)) {
		run_call_refuse(call,
			"Error: the arguments are not a JSON object%s%s: call it again",
			call->arguments ? "" : ": ", call->arguments ? "" : why.text);
		return false;
	}
	if (schema_check(service_schema(call->run->service, call->tool), call->arguments,
		    "arguments", &err) < 0) {
		run_call_refuse(call, "Error: %s: %s: call it again", call->name, err.text);
		return false;
	}
	if (goes_astray(call)) {
		run_call_refuse(call,
			"Error: this path is none of yours: the agent's allowedPaths are%s",
			list_paths(agent, places));
		return false;
	}
	return true;
}
