/*
 * http_call.h - a call that came by HTTP, from its head to its answer; what front_http.c and http_stream.c share.
 *
 * Made when a request's head has come, so that a refusal knows it too. It is freed by its answer, or, before it has
 * begun to run, when its client leaves.
 */
#ifndef AGENTD_API_HTTP_CALL_H
#define AGENTD_API_HTTP_CALL_H
#include "agentd/api/connection.h"
#include "agentd/api/connection_set.h"
#include "agentd/api/front.h"
#include "agentd/api/front_http.h"
#include "agentd/api/keys.h"
#include "agentd/api/route.h"
#include "base/list.h"

#define HTTP_ORIGIN_MAX 256 /* bytes of an Origin header */

struct evbuffer;
struct event;

struct front_http {
	struct connection_set set;
	struct route_set routes;
	struct api_http_options options;
	struct limits callers;
	struct list calls;
};

enum http_state {
	HTTP_READING, /* before run() */
	HTTP_RUNNING,
	HTTP_KEPT_ALIVE, /* headers are sent, blanks follow */
	HTTP_STREAMING,
};

struct http_call {
	struct api_call call;
	struct front_http *http; /* NULL: it has gone meanwhile */
	struct list in_http;
	struct connection *connection;	/* NULL: the client has gone */
	struct evhttp_request *request; /* evhttp's while connected, then ours */
	enum http_state state;
	struct route_match match;
	enum api_shape shape;
	char name[LIMITS_NAME_MAX]; /* whom the limits count: a key's id or an address */
	char key_id[API_KEY_ID_MAX];
	char origin[HTTP_ORIGIN_MAX]; /* one that is allowed, or "" */
	bool is_head, is_preflight, is_counted;
	bool is_full;
	struct event *timer; /* of pings and blanks */
};

/* By this front: struct api_front's functions but those of streams, which are http_stream.c's. */
extern const struct api_front http_call_front;

/* NULL: out of memory. */
struct http_call *http_call_create(struct front_http *http, struct connection *connection);
/* Not its request. Accepts NULL. */
void http_call_destroy(struct http_call *call);

/* The call and its connection know each other no more; the request is ours if the client has gone. */
void http_call_on_gone(struct http_call *call);
/* The headers that every answer has. */
void http_call_add_headers(struct http_call *call);
/* The answer is body (of type, may be NULL), and the end of the call. Takes over body; NULL: out of memory. */
void http_call_answer(struct http_call *call, int status, const char *reason, const char *type,
	struct evbuffer *body);
/* Headers leave, then what follows; a timer runs on_ping. */
void http_call_start(struct http_call *call, const char *type, enum http_state state);
/* More of a body that has begun. Takes over more; NULL: out of memory, and the client is dropped. */
void http_call_send(struct http_call *call, struct evbuffer *more);
/* The end of a body that has begun, and of the call. */
void http_call_end(struct http_call *call);

/* JSON and a line's end as a buffer; NULL: out of memory. Takes over value. */
struct evbuffer *http_call_json(json_t *value);

#endif
