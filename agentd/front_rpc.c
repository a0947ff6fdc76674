#include "agentd/front_rpc.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agentd/api/api_fault.h"
#include "agentd/api/front.h"
#include "agentd/api/route.h"
#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/schema.h"
#include "agentd/server.h"
#include "base/error.h"

struct rpc_call {
	struct api_call api;
	struct call *call;
	/* A frame was not taken: no more is sent, and the call ends with this. NULL: all were. */
	struct event *cutter;
	enum fault cut;
	const char *why;
};

static struct rpc_call *of(const struct api_call *api)
{
	return list_entry(api, struct rpc_call, api);
}

/* The call without us, to be answered. */
static struct call *let_go(struct api_call *api)
{
	struct rpc_call *rpc = of(api);
	struct call *call = rpc->call;

	call->work = NULL;
	call->on_cancel = NULL;
	call->on_drained = NULL;
	if (rpc->cutter)
		event_free(rpc->cutter);
	free(rpc);
	return call;
}

static enum fault fault_of(enum api_fault fault)
{
	switch (fault) {
	case API_INVALID_REQUEST:
		return FAULT_INVALID_ARGUMENTS;
	case API_INVALID_KEY:
	case API_DENIED:
		return FAULT_DENIED;
	case API_NOT_FOUND:
	case API_AGENT_NOT_FOUND:
	case API_SESSION_NOT_FOUND:
	case API_RUN_NOT_FOUND:
		return FAULT_NOT_FOUND;
	case API_CONFLICT:
		return FAULT_CONFLICT;
	case API_TOO_LARGE:
		return FAULT_TOO_LARGE;
	case API_RATE_LIMITED:
		return FAULT_BUSY;
	case API_UPSTREAM:
		return FAULT_UPSTREAM;
	case API_POOL_EXHAUSTED:
		return FAULT_POOL_EXHAUSTED;
	case API_STOPPING:
		return FAULT_STOPPING;
	case API_INTERNAL:
	case API_METHOD_NOT_ALLOWED:
	case API_TIMED_OUT:
	case API_LENGTH_REQUIRED:
	case API_TARGET_TOO_LONG:
	case API_MEDIA_TYPE:
	case API_EXPECTATION_FAILED:
	case API_HEAD_TOO_LARGE:
	case API_NOT_IMPLEMENTED:
	case API_BAD_VERSION:
		break;
	}
	return FAULT_INTERNAL;
}

static void header(struct api_call *api, const char *name, const char *value)
{
	(void)api;
	(void)name;
	(void)value;
}

static void reply(struct api_call *api, json_t *result)
{
	call_result(let_go(api), result);
}

static void fail(struct api_call *api, enum api_fault fault, const char *param, uint32_t retry_ms,
	const char *text)
{
	json_t *data =
		json_pack("{s:s,s:i}", "code", api_fault_code(fault), "retry_ms", (int)retry_ms);

	if (param)
		json_object_set_new(data, "param", json_string(param));
	call_fail_data(let_go(api), fault_of(fault), data, text);
}

static void stream_start(struct api_call *api)
{
	(void)api;
}

static void end_gone(struct rpc_call *rpc)
{
	rpc->api.is_gone = true;
	if (rpc->api.on_gone)
		rpc->api.on_gone(&rpc->api);
}

static void on_cut(evutil_socket_t fd, short events, void *arg)
{
	struct rpc_call *rpc = arg;

	(void)fd;
	(void)events;
	rpc->call->on_cancel = NULL;
	end_gone(rpc);
}

/* Later, from the loop: its handler sends just now. */
static void cut(struct rpc_call *rpc, int r)
{
	rpc->cut = r == -EMSGSIZE ? FAULT_TOO_LARGE : FAULT_BUSY;
	rpc->why = r == -EMSGSIZE ? "the next frame is too large for a line: HTTP has it"
				  : "what was sent is not read: follow the run from there";
	rpc->cutter = event_new(rpc->api.server->base, -1, 0, on_cut, rpc);
	if (rpc->cutter)
		event_active(rpc->cutter, 0, 0);
}

static void stream_send(struct api_call *api, uint64_t id, const char *name, json_t *frame)
{
	struct rpc_call *rpc = of(api);
	struct call *call = rpc->call;
	json_t *params = json_pack("{s:O?,s:o}", "request", call->id, "data", frame);
	int r;

	if (rpc->why) {
		json_decref(params);
		return;
	}
	if (id)
		json_object_set_new(params, "seq", json_integer((json_int_t)id));
	if (name)
		json_object_set_new(params, "event", json_string(name));
	r = call_notify(call, "stream.frame", params);
	if (r == 0 && call->client && client_unread(call->client) > CLIENT_STREAM_MAX)
		r = -ENOBUFS;
	if (r < 0)
		cut(rpc, r);
}

static bool stream_is_full(const struct api_call *api)
{
	const struct client *client = of(api)->call->client;

	return client && client->is_slow;
}

static void stream_end(struct api_call *api, const char *last)
{
	const char *why = of(api)->why;
	enum fault fault = of(api)->cut;

	(void)last;
	if (why)
		call_fail(let_go(api), fault, "%s", why);
	else
		call_result(let_go(api), json_object());
}

static void keep_alive(struct api_call *api)
{
	(void)api;
}

static const struct api_front front = {
	.header = header,
	.reply = reply,
	.fail = fail,
	.stream_start = stream_start,
	.stream_send = stream_send,
	.stream_is_full = stream_is_full,
	.stream_end = stream_end,
	.keep_alive = keep_alive,
};

/* Cancelled, or its client has gone: its handler ends it. */
static void on_cancel(struct call *call)
{
	call->on_cancel = NULL;
	end_gone(call->work);
}

static void on_drained(struct call *call)
{
	struct rpc_call *rpc = call->work;

	if (rpc->api.on_drained)
		rpc->api.on_drained(&rpc->api);
}

static bool may_ask(const struct call *call, const struct route *route)
{
	uid_t uid = call->client->owner.peer.uid;

	return route->access != ROUTE_ADMIN || uid == 0 || uid == geteuid();
}

static void run(struct call *call, const struct route *route)
{
	struct rpc_call *rpc = calloc(1, sizeof(*rpc));

	if (!rpc) {
		call_fail(call, FAULT_INTERNAL, "out of memory");
		return;
	}
	rpc->call = call;
	rpc->api.server = call->server;
	rpc->api.front = &front;
	rpc->api.route = route;
	rpc->api.params = call->params;
	call->work = rpc;
	call->on_cancel = on_cancel;
	call->on_drained = on_drained;
	route->run(&rpc->api);
}

bool front_rpc_run(struct call *call, const char *name)
{
	const json_t *schema = NULL;
	const struct route *route = route_find_rpc(&call->server->routes, name, &schema);
	struct error err;

	if (!route)
		return false;
	if (!call->server->service.server)
		call_fail(call, FAULT_UNKNOWN_METHOD, "%s needs a project: hearth start serves one",
			name);
	else if (!may_ask(call, route))
		call_fail(call, FAULT_DENIED, "%s is for root only", name);
	else if (schema_check(schema, call->params, "params", &err) < 0)
		call_fail(call, FAULT_INVALID_ARGUMENTS, "%s", err.text);
	else
		run(call, route);
	return true;
}
