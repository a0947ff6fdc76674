#include "agentd/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agentd/client.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define FAULT_TEXT_MAX 512

struct call *call_create(struct client *client, json_t *id, json_t *params, size_t line_bytes)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->server = client->server;
	call->client = client;
	call->id = json_incref(id);
	call->params = json_incref(params);
	call->started_ns = clock_now_ns();
	list_init(&call->of_sandbox);
	list_init(&call->of_exec);
	list_append(&client->calls, &call->of_client);
	client->call_count++;
	call->line_bytes = line_bytes;
	client->held_bytes += line_bytes;
	return call;
}

void call_attach(struct call *call, struct sandbox *sandbox)
{
	call->sandbox = sandbox;
	list_append(&sandbox->calls, &call->of_sandbox);
	if (call->client && call->client->is_slow)
		sandbox->slow_calls++;
	sandbox_touch(sandbox);
}

static void detach(struct call *call)
{
	struct sandbox *sandbox = call->sandbox;

	if (!sandbox)
		return;
	list_remove(&call->of_sandbox);
	call->sandbox = NULL;
	if (call->client && call->client->is_slow)
		sandbox->slow_calls--;
	sandbox_touch(sandbox);
	sandbox_update(sandbox);
}

static void leave_client(struct call *call)
{
	if (!call->client)
		return;
	if (call->sandbox && call->client->is_slow)
		call->sandbox->slow_calls--;
	list_remove(&call->of_client);
	call->client->call_count--;
	call->client->held_bytes -= call->line_bytes;
	call->client = NULL;
}

static void destroy(struct call *call)
{
	detach(call);
	leave_client(call);
	list_remove(&call->of_exec);
	json_decref(call->id);
	json_decref(call->params);
	free(call);
}

static bool is_heard(const struct call *call)
{
	return call->client && call->id;
}

void call_result(struct call *call, json_t *result)
{
	char *line = NULL;
	size_t size = 0;

	if (!result) {
		call_fail(call, FAULT_INTERNAL, "out of memory");
		return;
	}
	if (!is_heard(call)) {
		json_decref(result);
		destroy(call);
		return;
	}
	if (rpc_encode_result(call->id, result, &line, &size) == -EMSGSIZE) {
		call_fail(call, FAULT_TOO_LARGE,
			"the answer has more than %d bytes: ask for less at a time", RPC_LINE_MAX);
		return;
	}
	client_send(call->client, line, size);
	destroy(call);
}

void call_fail_data(struct call *call, enum fault fault, json_t *data, const char *text)
{
	char *line = NULL;
	size_t size = 0;

	if (!is_heard(call)) {
		json_decref(data);
		destroy(call);
		return;
	}
	if (!data)
		data = json_object();
	json_object_set_new(data, "type", json_string(fault_name(fault)));
	rpc_encode_error(call->id, fault_code(fault), text, data, &line, &size);
	client_send(call->client, line, size);
	destroy(call);
}

void call_fail(struct call *call, enum fault fault, const char *format, ...)
{
	char text[FAULT_TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	call_fail_data(call, fault, NULL, text);
}

void call_abandon(struct call *call)
{
	struct sandbox *sandbox = call->sandbox;

	leave_client(call);
	if (sandbox)
		sandbox_update(sandbox);
	if (call->on_cancel)
		call->on_cancel(call);
}

void call_lost(struct call *call)
{
	call->work = NULL;
	call->exec = NULL;
	call->on_cancel = NULL;
}

int call_notify(struct call *call, const char *method, json_t *params)
{
	if (call->client)
		return client_notify(call->client, method, params);
	json_decref(params);
	return 0;
}
