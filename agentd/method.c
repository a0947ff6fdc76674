#include "agentd/method.h"

#include <errno.h>
#include <string.h>

#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/front_rpc.h"
#include "agentd/handle.h"
#include "agentd/schema.h"
#include "agentd/server.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"

#define NO_PARAMETERS "{\"type\":\"object\",\"additionalProperties\":false}"
#define OBJECT(required, properties)                                                               \
	"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required              \
	"],\"properties\":{" properties "}}"
/* A time in ms: at most CONTROL_DEADLINE_MAX and GUEST_TIMEOUT_MAX, which are both a day. */
#define MILLISECONDS(name) "\"" name "\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":86400000}"
#define OUTPUT_MAX	   "\"output_max\":{\"type\":\"integer\",\"minimum\":0}"
#define WINDOW                                                                                     \
	"\"rows\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000},"                         \
	"\"columns\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000}"
/* The id of the sandbox.exec or tool.call that is meant. */
#define REQUEST	     "\"request\":{\"type\":[\"string\",\"integer\",\"number\"]}"
#define STRING(name) "\"" name "\":{\"type\":\"string\"}"
#define NAME(name)   "\"" name "\":{\"type\":\"string\",\"maxLength\":31}"

#define ON_EMPTY "\"on_empty\":{\"type\":\"string\",\"enum\":[\"build\",\"wait\",\"fail\"]}"
#define TIMES	 MILLISECONDS("wait_ms") "," MILLISECONDS("lease_ms") "," MILLISECONDS("idle_ms")
/* What a lease has of its own: names of CONTROL_BIND_MAX, and limits in the range of a pool's. */
#define OWN_NAME(name)	  "\"" name "\":{\"type\":\"string\",\"maxLength\":63}"
#define OWN_NAMES	  OWN_NAME("workspace") "," OWN_NAME("hostname")
#define LIMIT(name, most) "\"" name "\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":" most "}"
#define MEMORY_LIMIT	  LIMIT("memory_bytes", "17592186044416")
#define OTHER_LIMITS	  LIMIT("pids", "4194304") "," LIMIT("cpu_milli", "1024000")
#define LEASE		  TIMES "," OWN_NAMES "," MEMORY_LIMIT "," OTHER_LIMITS

static const struct method methods[] = {
	{"sandbox.acquire", OBJECT("", NAME("template") "," NAME("net") "," ON_EMPTY "," LEASE),
		method_acquire},
	{"sandbox.release", OBJECT("\"id\"", HANDLE_SCHEMA), method_release},
	{"sandbox.list", NO_PARAMETERS, method_sandbox_list},
	{"sandbox.exec",
		OBJECT("\"id\"", HANDLE_SCHEMA
			","
			"\"argv\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":4096,"
			"\"items\":{\"type\":\"string\"}},"
			"\"command\":{\"type\":\"string\",\"minLength\":1},"
			"\"env\":{\"type\":\"object\"}," STRING("cwd") "," MILLISECONDS(
				"timeout_ms") "," OUTPUT_MAX
					      "," STRING("stdin") ","
								  "\"pty\":{\"type\":\"object\","
								  "\"additionalProperties\":false,"
								  "\"properties\":{" WINDOW "}}"),
		method_exec},
	{"sandbox.stdin",
		OBJECT("\"request\"", REQUEST "," STRING("data") "," STRING(
					      "data_base64") ","
							     "\"end\":{\"type\":\"boolean\"}"),
		method_stdin},
	{"sandbox.signal",
		OBJECT("\"request\",\"signal\"",
			REQUEST ",\"signal\":{\"type\":[\"string\",\"integer\"]}"),
		method_signal},
	{"sandbox.resize", OBJECT("\"request\",\"rows\",\"columns\"", REQUEST "," WINDOW),
		method_resize},
	{"sandbox.cancel", OBJECT("\"request\"", REQUEST), method_cancel},
	{"tool.call",
		OBJECT("\"id\",\"name\",\"arguments\"", HANDLE_SCHEMA
			"," STRING("name") ",\"arguments\":{\"type\":\"object\"},"
					   "\"cwd\":{\"type\":\"string\",\"minLength\":1},"
					   "\"stream\":{\"type\":\"boolean\"}"),
		method_tool_call},
	{"tool.list", NO_PARAMETERS, method_tool_list},
	{"pool.status", NO_PARAMETERS, method_pool_status},
	{"agentd.version", NO_PARAMETERS, method_version},
};
_Static_assert(ARRAY_SIZE(methods) <= SERVER_METHODS_MAX, "raise SERVER_METHODS_MAX");

static json_t *parse_schema(const char *name, const char *text, struct error *err)
{
	json_error_t why;
	json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	if (!schema)
		error_set(err, EINVAL, "schema of %s: %s", name, why.text);
	return schema;
}

int method_load(struct server *server, struct error *err)
{
	server->tools = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		server->method_schemas[i] =
			parse_schema(methods[i].name, methods[i].parameters, err);
		if (!server->method_schemas[i])
			return -EINVAL;
	}
	for (size_t i = 0; i < tool_count; i++) {
		const struct tool *tool = tool_table[i];
		json_t *schema;

		if (tool->place != TOOL_IN_SANDBOX)
			continue;
		schema = parse_schema(tool->name, tool->parameters, err);
		if (!schema)
			return -EINVAL;
		if (json_array_append_new(server->tools,
			    json_pack("{s:s,s:s,s:o}", "name", tool->name, "description",
				    tool->description, "parameters", schema)) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

void method_unload(struct server *server)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		json_decref(server->method_schemas[i]);
	json_decref(server->tools);
}

/* Its function, or an answer that says why not. */
static void run(struct call *call, const char *name)
{
	json_t *schema;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (strcmp(methods[i].name, name) != 0)
			continue;
		schema = call->server->method_schemas[i];
		if (schema_check(schema, call->params, "params", &err) < 0)
			call_fail(call, FAULT_INVALID_ARGUMENTS, "%s", err.text);
		else
			methods[i].run(call);
		return;
	}
	if (!front_rpc_run(call, name))
		call_fail(call, FAULT_UNKNOWN_METHOD, "there is no method %s", name);
}

/* Another call of this client with the same id would make `request` ambiguous. */
static bool has_twin(const struct client *client, const struct call *call)
{
	return call->id && client_find_call(client, call->id) != call;
}

void method_dispatch(
	struct client *client, json_t *id, const char *name, json_t *params, size_t line_bytes)
{
	json_auto_t *none = params ? NULL : json_object();
	struct call *call = call_create(client, id, params ? params : none, line_bytes);

	if (!call)
		client_send(client, NULL, 0);
	else if (client->call_count > CLIENT_CALLS_MAX)
		call_fail(call, FAULT_BUSY, "%d requests of this connection are under way",
			CLIENT_CALLS_MAX);
	else if (client->held_bytes > CLIENT_HELD_MAX)
		call_fail(call, FAULT_BUSY,
			"the requests of this connection under way have more than %d bytes",
			CLIENT_HELD_MAX);
	else if (has_twin(client, call))
		call_fail(call, FAULT_INVALID_ARGUMENTS,
			"a request with this id is under way on this connection");
	else
		run(call, name);
}
