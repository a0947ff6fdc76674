#include "agentd/api/http_call.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agentd/api/api_fault.h"
#include "agentd/api/http_stream.h"
#include "base/cleanup.h"
#include "base/text.h"

#define JSON_TYPE "application/json"

static void choose_request_id(struct http_call *call, const char *wanted)
{
	uint64_t words[2] = {0};
	size_t length = wanted ? strspn(wanted, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						"abcdefghijklmnopqrstuvwxyz._-")
			       : 0;

	if (length >= 1 && length <= API_REQUEST_ID_MAX && wanted[length] == '\0') {
		strcpy(call->call.request_id, wanted);
		return;
	}
	if (getrandom(words, sizeof(words), GRND_NONBLOCK) < 0)
		words[0] =
			(uintptr_t)call; /* before the kernel has randomness: a name, no secret */
	snprintf(call->call.request_id, sizeof(call->call.request_id), "req_%016llx%016llx",
		(unsigned long long)words[0], (unsigned long long)words[1]);
}

struct http_call *http_call_create(struct front_http *http, struct connection *connection)
{
	const struct framing *framing = &connection->framing;
	struct http_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->http = http;
	call->connection = connection;
	call->call.server = http->options.server;
	call->call.front = &http_call_front;
	text_copy(call->name, sizeof(call->name), connection->address);
	choose_request_id(call, framing_find(framing, "x-request-id"));
	call->is_head = framing->method && strcmp(framing->method, "HEAD") == 0;
	call->shape =
		framing->target ? route_shape(&http->routes, framing->target) : API_SHAPE_REST;
	list_append(&http->calls, &call->in_http);
	connection->call = call;
	return call;
}

void http_call_destroy(struct http_call *call)
{
	if (!call)
		return;
	if (call->connection)
		call->connection->call = NULL;
	if (call->is_counted && call->http)
		limits_leave(&call->http->callers, call->name);
	if (call->timer)
		event_free(call->timer);
	list_remove(&call->in_http);
	json_decref(call->call.params);
	json_decref(call->match.params);
	free(call);
}

void http_call_on_gone(struct http_call *call)
{
	call->connection->call = NULL;
	call->connection = NULL;
	if (call->state == HTTP_READING) {
		http_call_destroy(call);
		return;
	}
	if (call->timer)
		event_del(call->timer);
	call->is_full = false;
	call->call.is_gone = true;
	if (call->call.on_gone)
		call->call.on_gone(&call->call);
}

/* Its client has gone: evhttp has cut the request from the connection, and it is ours to free, by its answer. */
static void end_gone(struct http_call *call)
{
	evhttp_send_reply_end(call->request);
	http_call_destroy(call);
}

void http_call_add_headers(struct http_call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);

	evhttp_add_header(headers, "x-request-id", call->call.request_id);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	if (!call->origin[0])
		return;
	evhttp_add_header(headers, "Access-Control-Allow-Origin", call->origin);
	evhttp_add_header(headers, "Access-Control-Expose-Headers",
		"x-session-id, x-run-id, x-request-id, x-should-retry, Retry-After");
	evhttp_add_header(headers, "Vary", "Origin");
}

static void tell_answer(const struct http_call *call, int status)
{
	const struct api_http_options *options = &call->http->options;

	if (options->on_answer)
		options->on_answer(options->server,
			call->match.route ? call->match.route->path : NULL, status);
}

void http_call_answer(struct http_call *call, int status, const char *reason, const char *type,
	struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);
	char length[24];

	if (!call->connection) {
		if (body)
			evbuffer_free(body);
		end_gone(call);
		return;
	}
	if (type && !body) {
		status = api_fault_status(API_INTERNAL);
		reason = api_fault_reason(API_INTERNAL);
	}
	tell_answer(call, status);
	http_call_add_headers(call);
	if (type) {
		snprintf(length, sizeof(length), "%zu", body ? evbuffer_get_length(body) : 0);
		evhttp_add_header(headers, "Content-Type", type);
		evhttp_add_header(headers, "Content-Length", length);
	}
	/* evhttp would send HEAD's body. */
	evhttp_send_reply(call->request, status, reason, call->is_head ? NULL : body);
	if (body)
		evbuffer_free(body);
	connection_answered(call->connection);
	http_call_destroy(call);
}

struct evbuffer *http_call_json(json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	struct evbuffer *buffer = text ? evbuffer_new() : NULL;

	if (buffer && evbuffer_add_printf(buffer, "%s\n", text) < 0) {
		evbuffer_free(buffer);
		buffer = NULL;
	}
	free(text);
	json_decref(value);
	return buffer;
}

/* Everything has been taken. */
static void on_written(struct evhttp_connection *evhttp, void *arg)
{
	struct http_call *call = arg;
	bool was_full = call->is_full;

	(void)evhttp;
	call->is_full = false;
	if (was_full && call->call.on_drained)
		call->call.on_drained(&call->call);
}

/* Takes over more, if there is any. */
static void put(struct http_call *call, struct evbuffer *more)
{
	if (!more) {
		connection_drop(call->connection);
		return;
	}
	evhttp_send_reply_chunk_with_cb(call->request, more, on_written, call);
	evbuffer_free(more);
	connection_watch(call->connection);
}

void http_call_send(struct http_call *call, struct evbuffer *more)
{
	const struct api_limits *limits = &call->http->options.limits;
	size_t unsent = connection_unsent(call->connection);
	size_t size = more ? evbuffer_get_length(more) : 0;

	/* evhttp would drop it, and never say that it is written. */
	if (call->is_head && more) {
		evbuffer_free(more);
		return;
	}
	/* Until all is written, also when a ping finds less. */
	call->is_full |= unsent + size > limits->stream_high;
	/* One frame of any size is taken; until the loop gets to drop it, it costs no more. */
	if (unsent > limits->stream_cap) {
		evbuffer_free(more);
		more = NULL;
	}
	put(call, more);
}

static struct timeval interval_of(const struct http_call *call)
{
	unsigned ms = call->http->options.limits.ping_ms;

	return (struct timeval){ms / 1000, (suseconds_t)(ms % 1000) * 1000};
}

static void on_ping(evutil_socket_t fd, short events, void *arg)
{
	struct http_call *call = arg;
	const char *text = call->state == HTTP_STREAMING ? ": ping\n\n" : " ";
	struct evbuffer *more;

	(void)fd;
	(void)events;
	if (call->is_head && call->state == HTTP_STREAMING && call->call.on_gone) {
		call->call.is_gone = true;
		call->call.on_gone(&call->call);
		return;
	}
	more = evbuffer_new();
	if (more)
		evbuffer_add(more, text, strlen(text));
	http_call_send(call, more);
}

void http_call_start(struct http_call *call, const char *type, enum http_state state)
{
	const struct timeval interval = interval_of(call);

	call->state = state;
	if (call->timer)
		event_free(take_ptr(&call->timer));
	if (!call->connection)
		return;
	tell_answer(call, 200);
	http_call_add_headers(call);
	evhttp_add_header(evhttp_request_get_output_headers(call->request), "Content-Type", type);
	evhttp_send_reply_start(call->request, 200, "OK");
	connection_watch(call->connection);
	call->timer = event_new(call->http->set.base, -1, EV_PERSIST, on_ping, call);
	if (call->timer)
		event_add(call->timer, &interval);
}

void http_call_end(struct http_call *call)
{
	struct evhttp_request *request = call->request;
	struct connection *c = call->connection;

	if (!c) {
		end_gone(call);
		return;
	}
	http_call_destroy(call); /* before: evhttp may find everything sent, and close */
	evhttp_send_reply_end(request);
	connection_answered(c);
}

static void header(struct api_call *api_call, const char *name, const char *value)
{
	struct http_call *call = (struct http_call *)api_call;

	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return; /* it would be a header of its own, or the answer's end */
	}
	evhttp_add_header(evhttp_request_get_output_headers(call->request), name, value);
}

/* The whole answer, or what ends one that was kept alive. */
static void send_json(struct http_call *call, enum api_fault fault, bool is_fault, json_t *value)
{
	struct evbuffer *body = http_call_json(value);

	if (call->state == HTTP_KEPT_ALIVE) {
		if (call->connection)
			put(call, body);
		else if (body)
			evbuffer_free(body);
		http_call_end(call);
		return;
	}
	http_call_answer(call, is_fault ? api_fault_status(fault) : 200,
		is_fault ? api_fault_reason(fault) : "OK", JSON_TYPE, body);
}

static void reply(struct api_call *api_call, json_t *result)
{
	struct http_call *call = (struct http_call *)api_call;

	if (call->shape == API_SHAPE_REST)
		result = json_pack("{s:b, s:o}", "ok", 1, "data", result);
	send_json(call, API_INTERNAL, false, result);
}

static void fail(struct api_call *api_call, enum api_fault fault, const char *param,
	uint32_t retry_ms, const char *text)
{
	struct http_call *call = (struct http_call *)api_call;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);
	json_t *error = api_fault_body(call->shape, fault, param, text);
	char seconds[16];

	if (call->state == HTTP_STREAMING) {
		http_stream_fail(call, error);
		return;
	}
	if (retry_ms > 0) {
		snprintf(seconds, sizeof(seconds), "%u", retry_ms / 1000 + (retry_ms % 1000 != 0));
		evhttp_add_header(headers, "Retry-After", seconds);
	}
	if (fault == API_METHOD_NOT_ALLOWED)
		evhttp_add_header(headers, "Allow", call->match.allow);
	if (fault == API_INVALID_KEY)
		evhttp_add_header(headers, "WWW-Authenticate", "Bearer");
	send_json(call, fault, true, error);
}

/* Until now its status could still be that of a failure. */
static void on_long(evutil_socket_t fd, short events, void *arg)
{
	struct http_call *call = arg;

	(void)fd;
	(void)events;
	event_free(take_ptr(&call->timer));
	http_call_start(call, JSON_TYPE, HTTP_KEPT_ALIVE);
	on_ping(-1, 0, call);
}

static void keep_alive(struct api_call *api_call)
{
	struct http_call *call = (struct http_call *)api_call;
	const struct timeval interval = interval_of(call);

	if (call->state != HTTP_RUNNING || call->timer || !call->connection)
		return;
	call->timer = evtimer_new(call->http->set.base, on_long, call);
	if (call->timer)
		event_add(call->timer, &interval);
}

const struct api_front http_call_front = {
	.header = header,
	.reply = reply,
	.fail = fail,
	.stream_start = http_stream_start,
	.stream_send = http_stream_send,
	.stream_is_full = http_stream_is_full,
	.stream_end = http_stream_end,
	.keep_alive = keep_alive,
};
