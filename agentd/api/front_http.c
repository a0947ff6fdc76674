#include "agentd/api/front_http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agentd/api/api_fault.h"
#include "agentd/api/http_call.h"
#include "agentd/api/keys.h"
#include "agentd/api/origin.h"
#include "agentd/api/params.h"
#include "agentd/schema.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

#define BUSY_RETRY_MS 1000

const struct api_limits api_limits_default = {
	.connections = {.connections_max = 2048,
		.address_connections_max = 1024,
		.head_ms = 10 * 1000,
		.body_ms = 60 * 1000,
		.idle_ms = 75 * 1000,
		.write_ms = 60 * 1000,
		.bodies_max = 256u << 20},
	.calls_max = 256,
	.rate = 100,
	.burst = 200,
	.body_max = 1u << 20,
	.large_body_max = 32u << 20,
	.ping_ms = 15 * 1000,
	.stream_high = 256u << 10,
	.stream_cap = 4u << 20,
};

static const char *const default_origins[] = {"http://localhost:*", "http://127.0.0.1:*", NULL};

/* Each check refuses and returns false, or lets the next one look. */

static bool check_share(struct http_call *call, struct connection *c)
{
	(void)call;
	if (c->is_over_share)
		connection_refuse(c, API_RATE_LIMITED, BUSY_RETRY_MS,
			"too many connections from your address: close some");
	return !c->is_refused;
}

static bool check_host(struct http_call *call, struct connection *c)
{
	const char *host = framing_find(&c->framing, "host");
	bool is_unix = strcmp(c->address, "unix") == 0;

	if (!is_unix && !host && c->framing.minor == 1)
		connection_refuse(c, API_INVALID_REQUEST, 0, "no Host header");
	else if (host && c->is_loopback && !origin_is_own_host(host, call->http->options.hosts))
		connection_refuse(c, API_DENIED, 0,
			"the Host header names another server: use localhost or 127.0.0.1");
	return !c->is_refused;
}

/*
 * Browsers say whose page asks. A stranger's may not even when the browser would not show it the answer: on
 * loopback there may be no key that it lacks.
 */
static bool check_origin(struct http_call *call, struct connection *c)
{
	const char *const *allowed = call->http->options.origins;
	const char *origin = framing_find(&c->framing, "origin");

	if (!origin)
		return true;
	if (!origin_is_allowed(origin, allowed ? allowed : default_origins) ||
		text_copy(call->origin, sizeof(call->origin), origin) < 0)
		connection_refuse(c, API_DENIED, 0,
			"pages of this origin may not call: allow it in the configuration");
	return !c->is_refused;
}

static bool check_route(struct http_call *call, struct connection *c)
{
	struct error err;
	int r = route_find(
		&call->http->routes, c->framing.method, c->framing.target, &call->match, &err);

	call->is_preflight = r == -ENOTSUP && strcmp(c->framing.method, "OPTIONS") == 0;
	if (r == -ENOENT)
		connection_refuse(c, API_NOT_FOUND, 0, "%s", err.text);
	else if (r == -ENOTSUP && !call->is_preflight)
		connection_refuse(c, API_METHOD_NOT_ALLOWED, 0, "%s", err.text);
	else if (r < 0 && !call->is_preflight)
		connection_refuse(
			c, r == -EINVAL ? API_INVALID_REQUEST : API_INTERNAL, 0, "%s", err.text);
	return !c->is_refused;
}

/* The token of "Bearer TOKEN", or "". */
static const char *bearer_of(const struct connection *c)
{
	const char *text = framing_find(&c->framing, "authorization");

	if (!text || strncasecmp(text, "bearer ", 7) != 0)
		return "";
	return text + 7 + strspn(text + 7, " ");
}

static bool check_key(struct http_call *call, struct connection *c)
{
	const struct api_keys *keys = call->http->options.keys;
	const struct api_key *key;

	if (call->is_preflight || call->match.route->access == ROUTE_OPEN)
		return true;
	if (keys->count == 0 && call->http->set.is_all_local)
		return true;
	key = api_keys_find(keys, bearer_of(c));
	if (!key) {
		connection_refuse(c, API_INVALID_KEY, 0,
			keys->count == 0
				? "this server has no API key yet: make one with hearth key create"
				: "no valid API key: send Authorization: Bearer sk_live_...");
		return false;
	}
	text_copy(call->key_id, sizeof(call->key_id), key->id);
	text_copy(call->name, sizeof(call->name), key->id);
	return true;
}

static bool check_rate(struct http_call *call, struct connection *c)
{
	struct limits *callers = &call->http->callers;
	uint32_t retry_ms = BUSY_RETRY_MS;

	if (limits_take(callers, call->name, clock_now_ms(), &retry_ms) < 0) {
		connection_refuse(c, API_RATE_LIMITED, retry_ms,
			"more than %u requests a second: wait", call->http->options.limits.rate);
		return false;
	}
	if (limits_enter(callers, call->name) < 0) {
		connection_refuse(c, API_RATE_LIMITED, BUSY_RETRY_MS,
			"more than %u requests at a time: wait for one to end",
			call->http->options.limits.calls_max);
		return false;
	}
	call->is_counted = true;
	return true;
}

static bool is_type(const char *type, const char *name)
{
	size_t length = strlen(name);

	if (strncasecmp(type, name, length) != 0)
		return false;
	type += length;
	type += strspn(type, " \t");
	return *type == '\0' || *type == ';';
}

/* What curl -d says, and what says nothing, is taken for JSON too; a page of a browser is told by its origin. */
static bool may_be_json(const char *type)
{
	return !type || is_type(type, "application/json") ||
	       is_type(type, "application/x-www-form-urlencoded");
}

static bool check_body(struct http_call *call, struct connection *c)
{
	const struct api_limits *limits = &call->http->options.limits;
	const struct route *route = call->match.route;
	const char *method = c->framing.method;
	const char *coding = framing_find(&c->framing, "content-encoding");
	const char *type = framing_find(&c->framing, "content-type");

	c->framing.body_max = route && route->is_large ? limits->large_body_max : limits->body_max;
	if (!framing_has_body(&c->framing)) {
		if (type && !c->framing.has_length && method[0] == 'P')
			connection_refuse(
				c, API_LENGTH_REQUIRED, 0, "a Content-Type but no Content-Length");
		return !c->is_refused;
	}
	if (!route || strcmp(route->method, "GET") == 0)
		connection_refuse(c, API_INVALID_REQUEST, 0, "%s takes no body", method);
	else if (c->framing.length > c->framing.body_max)
		connection_refuse(c, API_TOO_LARGE, 0, "the body is larger than %llu bytes",
			(unsigned long long)c->framing.body_max);
	else if (coding && strcasecmp(coding, "identity") != 0)
		connection_refuse(c, API_MEDIA_TYPE, 0,
			"the body is compressed: send it without Content-Encoding");
	else if (!may_be_json(type))
		connection_refuse(c, API_MEDIA_TYPE, 0,
			"the body is not said to be JSON: send Content-Type: application/json");
	return !c->is_refused;
}

static void on_head(struct connection *c)
{
	static bool (*const checks[])(struct http_call *, struct connection *) = {check_share,
		check_host, check_origin, check_route, check_key, check_rate, check_body};
	struct http_call *call = http_call_create(c->set->arg, c);

	if (!call) {
		connection_refuse(c, API_INTERNAL, 0, "out of memory");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		if (!checks[i](call, c))
			return;
	}
}

/* Headers that say what a member may say too, for routes that have it. */
static const struct {
	const char *header, *param;
} header_params[] = {{"x-session-id", "sessionId"}, {"last-event-id", "cursor"}};

/* Path, query, body and headers into what the handler gets. -EINVAL: *bad_member may be the one that does not fit. */
static int collect(
	struct http_call *call, struct connection *c, const char **bad_member, struct error *err)
{
	const char *query = strchr(c->framing.target, '?');
	size_t size = evbuffer_get_length(c->body);
	int r;

	call->call.params = take_ptr(&call->match.params);
	r = params_type(call->call.params, call->match.schema, err);
	if (r == 0)
		r = params_add_query(
			call->call.params, query ? query + 1 : NULL, call->match.schema, err);
	if (r == 0 && size > 0) {
		const char *text = (const char *)evbuffer_pullup(c->body, -1);

		r = text ? params_add_body(call->call.params, text, size, err)
			 : error_set(err, ENOMEM, "out of memory");
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(header_params); i++)
		r = params_add_header(call->call.params, header_params[i].param,
			framing_find(&c->framing, header_params[i].header), call->match.schema,
			err);
	if (r == 0)
		r = schema_check_members(
			call->match.schema, call->call.params, "request", bad_member, err);
	return r;
}

static void run(struct http_call *call, struct connection *c)
{
	const char *bad_member = NULL;
	struct error err;
	int r = collect(call, c, &bad_member, &err);

	if (r == 0) {
		call->call.route = call->match.route;
		call->match.route->run(&call->call);
		return;
	}
	api_fail(&call->call,
		r == -ENOMEM  ? API_INTERNAL
		: r == -E2BIG ? API_TOO_LARGE
			      : API_INVALID_REQUEST,
		bad_member, 0, "%s", err.text);
}

static void answer_options(struct http_call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);

	evhttp_add_header(headers, "Allow", call->match.allow);
	if (call->origin[0]) {
		evhttp_add_header(headers, "Access-Control-Allow-Methods", call->match.allow);
		/* "*" leaves Authorization out; clients have headers of their own. */
		evhttp_add_header(headers, "Access-Control-Allow-Headers", "*, Authorization");
		evhttp_add_header(headers, "Access-Control-Max-Age", "600");
	}
	http_call_answer(call, 204, "No Content", NULL, NULL);
}

static void on_request(struct connection *c)
{
	struct http_call *call = c->call ? c->call : http_call_create(c->set->arg, c);

	if (!call) {
		evhttp_send_error(c->request, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	call->request = c->request;
	call->state = HTTP_RUNNING;
	if (c->is_refused)
		api_fail(&call->call, c->fault, NULL, c->retry_ms, "%s", c->why);
	else if (call->is_preflight)
		answer_options(call);
	else
		run(call, c);
	if (c->call)
		connection_watch(c);
}

static void on_gone(struct connection *c)
{
	http_call_on_gone(c->call);
}

static void on_idle(struct connection_set *set)
{
	const struct front_http *http = set->arg;

	if (http->options.on_idle)
		http->options.on_idle(http->options.server);
}

static const struct connection_hooks hooks = {
	.on_idle = on_idle, .on_head = on_head, .on_request = on_request, .on_gone = on_gone};

int front_http_create(
	const struct api_http_options *options, struct front_http **ret_http, struct error *err)
{
	struct front_http *http = calloc(1, sizeof(*http));
	const struct api_limits *limits = &options->limits;
	int r;

	if (!http)
		return error_set(err, ENOMEM, "HTTP: out of memory");
	list_init(&http->calls);
	http->options = *options;
	http->set.base = options->base;
	http->set.limits = limits->connections;
	http->set.hooks = hooks;
	http->set.arg = http;
	limits_init(&http->callers, limits->calls_max, limits->rate, limits->burst);
	r = route_set_init(&http->routes, options->routes, options->route_count, err);
	if (r == 0)
		r = connection_set_init(&http->set, err);
	if (r < 0) {
		front_http_destroy(http);
		return r;
	}
	*ret_http = http;
	return 0;
}

void front_http_destroy(struct front_http *http)
{
	if (!http)
		return;
	connection_set_finish(&http->set);
	list_for_each_safe(member, next, &http->calls)
	{
		list_entry(member, struct http_call, in_http)->http = NULL;
		list_remove(member);
	}
	route_set_finish(&http->routes);
	limits_finish(&http->callers);
	free(http);
}

int front_http_listen(struct front_http *http, int socket, struct error *err)
{
	return connection_set_listen(&http->set, socket, err);
}

void front_http_stop(struct front_http *http)
{
	connection_set_stop(&http->set);
}

bool front_http_is_busy(const struct front_http *http)
{
	return http->set.count > 0;
}

void front_http_keys_changed(struct front_http *http)
{
	list_for_each(member, &http->calls)
	{
		struct http_call *call = list_entry(member, struct http_call, in_http);

		if (call->connection && call->key_id[0] &&
			!api_keys_has_id(http->options.keys, call->key_id))
			connection_drop(call->connection);
	}
}
