/*
 * api.h - a request of the HTTP API or of JSON-RPC, from its checked arguments to its one answer or its stream.
 *
 * A route (route.h) is one row: method, path, JSON-RPC name, schema, handler. Its handler gets a call whose params
 * fit the schema (path, query and body members in one object) and answers by exactly one of api_reply(), api_fail()
 * and api_stream_start() ... api_stream_end(), at once or later. It does not know which front it came by:
 * front_http.c (evhttp) or front_rpc.c (agentd.sock).
 */
#ifndef AGENTD_API_API_H
#define AGENTD_API_API_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_call;
struct api_front;
struct server;

#define API_TEXT_MAX	   512 /* bytes of an error's sentence */
#define API_REQUEST_ID_MAX 64

/* What can go wrong for a client: one row of a const table each (HTTP status, type, code). */
enum api_fault {
	API_INVALID_REQUEST,	/* 400 invalid_request_error */
	API_INVALID_KEY,	/* 401 invalid_api_key */
	API_DENIED,		/* 403 */
	API_NOT_FOUND,		/* 404 not_found */
	API_AGENT_NOT_FOUND,	/* 404 agent_not_found */
	API_SESSION_NOT_FOUND,	/* 404 session_not_found */
	API_RUN_NOT_FOUND,	/* 404 run_not_found */
	API_METHOD_NOT_ALLOWED, /* 405 */
	API_CONFLICT,		/* 409 conflict */
	API_TOO_LARGE,		/* 413 */
	API_RATE_LIMITED,	/* 429 rate_limit_exceeded, Retry-After */
	API_INTERNAL,		/* 500 */
	API_UPSTREAM,		/* 502 upstream_error */
	API_POOL_EXHAUSTED,	/* 503 pool_exhausted, Retry-After */
	API_STOPPING,		/* 503 stopping, Retry-After */
	/* Of HTTP alone. */
	API_TIMED_OUT,		/* 408 */
	API_LENGTH_REQUIRED,	/* 411 */
	API_TARGET_TOO_LONG,	/* 414 */
	API_MEDIA_TYPE,		/* 415 */
	API_EXPECTATION_FAILED, /* 417 */
	API_HEAD_TOO_LARGE,	/* 431 */
	API_NOT_IMPLEMENTED,	/* 501 */
	API_BAD_VERSION,	/* 505 */
};

/* How errors and results are wrapped over HTTP. */
enum api_shape {
	API_SHAPE_OPENAI, /* as they are; {error: {message, type, code, param}} */
	API_SHAPE_REST,	  /* {ok: true, data}; {ok: false, error, code, details} */
};

struct api_call {
	struct server *server;
	const struct api_front *front;
	const struct route *route;
	json_t *params;				 /* fit the route's schema; an object */
	char request_id[API_REQUEST_ID_MAX + 1]; /* x-request-id */
	void *work;				 /* of the handler */
	/* The client has gone, reads too slowly, or wants a stream's head only: nothing that is sent is read any more; the handler still ends the call. NULL: not told; who sets it late looks at is_gone. */
	void (*on_gone)(struct api_call *call);
	/* A stream whose client reads again after api_stream_is_full(). NULL: not told. */
	void (*on_drained)(struct api_call *call);
	bool is_gone;
};

/* A member of the params: its text, or NULL; its number, or what stands for it. */
const char *api_text(const struct api_call *call, const char *name);
int64_t api_number(const struct api_call *call, const char *name, int64_t otherwise);
/* r: what asking for something that answers later has said. False: too much is under way, and the call is over. */
bool api_is_asked(struct api_call *call, int r);

/* A header of the answer, before it begins (x-session-id); one with control characters is left out. No front but HTTP shows it. */
void api_header(struct api_call *call, const char *name, const char *value);
/* The end of the call. Takes over result; NULL: out of memory. */
void api_reply(struct api_call *call, json_t *result);
/* The end of the call, also of a stream that has begun (there it is one last frame). param: which argument, or NULL; retry_ms 0: not said. */
void api_fail(struct api_call *call, enum api_fault fault, const char *param, uint32_t retry_ms,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Begin a stream of frames: SSE over HTTP, notifications over JSON-RPC. A ping goes every 15 s by itself. */
void api_stream_start(struct api_call *call);
/* One frame: `data: {json}`, after `id: ID` when id is not 0 and `event: NAME` when name is not NULL. Takes over frame. Flushed. */
void api_stream_send(struct api_call *call, uint64_t id, const char *name, json_t *frame);
/* More than the high mark waits for the client. Beyond the cap it is dropped with an error (on_gone). */
bool api_stream_is_full(const struct api_call *call);
/* The end of the call. last: one more frame's text as it stands ("[DONE]"), or NULL. */
void api_stream_end(struct api_call *call, const char *last);

/*
 * An answer that is not a stream may take long: once 15 s have passed without an end (api_limits.ping_ms), headers go
 * with status 200, then a blank every 15 s. A failure after that stands in the body only. HTTP only; else nothing.
 */
void api_keep_alive(struct api_call *call);
#endif
