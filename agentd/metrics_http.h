/*
 * metrics_http.h - GET /metrics, on listeners of its own: what the supervisor and agentd have counted, as
 * Prometheus text.
 *
 * Every scrape asks the supervisor (STATS). Bounded: so many connections at a time, the next ones wait
 * in the listener's queue; small headers, no body, a time-out; one answer a connection.
 */
#ifndef AGENTD_METRICS_HTTP_H
#define AGENTD_METRICS_HTTP_H
#include <stdbool.h>

#include "agentd/metrics.h"

#define METRICS_CONNECTIONS_MAX 16
#define METRICS_HEADERS_MAX	4096 /* bytes */
#define METRICS_BODY_MAX	1024 /* bytes: of requests that are refused anyway */
#define METRICS_TIMEOUT_S	10   /* without a byte */
#define METRICS_LISTENERS_MAX	2
#define METRICS_ROWS_MAX	4096 /* of the supervisor; what is beyond is not shown */

struct bufferevent;
struct error;
struct event;
struct evconnlistener;
struct evhttp;
struct server;

struct metrics_http {
	struct server *server;
	struct evhttp *http;
	struct evconnlistener *listeners[METRICS_LISTENERS_MAX]; /* borrowed from http */
	unsigned listener_count;
	unsigned connections;
	struct bufferevent *streams[METRICS_CONNECTIONS_MAX];
	struct event *sweep;
};

/* Serve with the server's loop, and count in server->metrics. 0 or -errno. */
int metrics_http_init(struct metrics_http *http, struct server *server, struct error *err);
/* The listening socket, non-blocking, becomes its own in any case. 0 or -errno. */
int metrics_http_listen(struct metrics_http *http, int socket, struct error *err);
/* Accepts one that is zeroed or whose init failed. */
void metrics_http_finish(struct metrics_http *http);
/* No more connections; those that are there get their answers. */
void metrics_http_stop(struct metrics_http *http);
/* Somebody may still wait for an answer. */
bool metrics_http_is_busy(const struct metrics_http *http);
#endif
