/*
 * front_http.h - the routes over HTTP/1: who may ask, how much, and what an answer looks like on the wire.
 *
 * In agentd's loop; all bytes are hostile. connection.c brings requests; here each is judged by its head before its
 * body is read (host, origin, route, key, rate, type, size), and answered through struct api_front. The program ignores SIGPIPE.
 */
#ifndef AGENTD_API_FRONT_HTTP_H
#define AGENTD_API_FRONT_HTTP_H
#include "agentd/api/connection.h"
#include "agentd/api/connection_set.h"
#include "agentd/api/route.h"

struct api_keys;
struct event_base;
struct front_http;

struct api_limits {
	struct connection_limits connections;
	unsigned calls_max;    /* at a time, of one key; without keys: of one address */
	unsigned rate, burst;  /* calls a second, likewise */
	size_t body_max;       /* bytes of a body */
	size_t large_body_max; /* of routes that are is_large */
	unsigned ping_ms;      /* of streams, and of answers kept alive */
	size_t stream_high;    /* bytes unsent: api_stream_is_full() */
	size_t stream_cap;     /* bytes unsent beyond which the client is dropped */
};

/* What a server has whose configuration says nothing else. */
extern const struct api_limits api_limits_default;

struct api_http_options {
	struct event_base *base;
	struct server *server; /* of the calls; not looked at */
	void (*on_idle)(struct server
			*server); /* stopping, and nobody is connected any more; may be NULL */
	/* An answer begins: the path of its route, or NULL. May be NULL. */
	void (*on_answer)(struct server *server, const char *route, int status);
	const struct route *routes;
	size_t route_count;
	/* Without any, every bearer passes, as long as each listener is a Unix socket or on loopback. */
	struct api_keys *keys;	  /* borrowed; may change: front_http_keys_changed() */
	const char *const *hosts; /* more names of ours, NULL-terminated, or NULL */
	const char *const *
		origins; /* pages that may call, NULL-terminated; NULL: of localhost and 127.0.0.1 */
	struct api_limits limits;
};

/* Strings and tables of the options are borrowed. 0 or -errno. */
int front_http_create(
	const struct api_http_options *options, struct front_http **ret_http, struct error *err);
/* Open calls are told that their clients have gone, and may be ended later. Accepts NULL. */
void front_http_destroy(struct front_http *http);

/* The listening socket (TCP or Unix), non-blocking, becomes its own in any case. 0 or -errno. */
int front_http_listen(struct front_http *http, int socket, struct error *err);
/* No more connections; calls that run get their answers. */
void front_http_stop(struct front_http *http);
/* Somebody is still connected. */
bool front_http_is_busy(const struct front_http *http);
/* Calls of keys that are no more lose their clients. */
void front_http_keys_changed(struct front_http *http);
#endif
