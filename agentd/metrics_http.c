#include "agentd/metrics_http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/control.h"

#define SWEEP_MS 100
#define METHODS                                                                                    \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
		EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

enum metrics_route { METRICS_ROUTE_METRICS, METRICS_ROUTE_OTHER };
enum metrics_code { METRICS_CODE_200, METRICS_CODE_404, METRICS_CODE_405, METRICS_CODE_503 };

/* A request that waits for the supervisor. */
struct scrape {
	struct metrics_http *http;
	struct evhttp_request *request;
	size_t count;
	bool is_short_of_memory;
	struct stat_sample *samples;
};

static const char *const route_names[] = {
	[METRICS_ROUTE_METRICS] = "/metrics", [METRICS_ROUTE_OTHER] = "other"};

static const struct {
	int status;
	const char *reason;
} answers[] = {
	[METRICS_CODE_200] = {200, "OK"},
	[METRICS_CODE_404] = {404, "Not Found"},
	[METRICS_CODE_405] = {405, "Method Not Allowed"},
	[METRICS_CODE_503] = {503, "Service Unavailable"},
};

/*
 * The end of a request. When its client has gone meanwhile, evhttp has cut it from its connection and this call only
 * frees it: without it each such request would leak.
 */
static void answer(struct metrics_http *http, struct evhttp_request *request,
	enum metrics_route route, enum metrics_code code, const char *text, size_t size)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add(body, text, size) < 0) {
		code = METRICS_CODE_503;
		if (body)
			evbuffer_drain(body, evbuffer_get_length(body));
	}
	evhttp_add_header(headers, "Content-Type",
		code == METRICS_CODE_200 ? "text/plain; version=0.0.4; charset=utf-8"
					 : "text/plain; charset=utf-8");
	evhttp_add_header(headers, "Connection", "close");
	if (code == METRICS_CODE_405)
		evhttp_add_header(headers, "Allow", "GET");
	metrics_count_request(&http->server->metrics, route_names[route], answers[code].status);
	evhttp_send_reply(request, answers[code].status, answers[code].reason, body);
	if (body)
		evbuffer_free(body);
}

static void refuse(struct metrics_http *http, struct evhttp_request *request,
	enum metrics_route route, enum metrics_code code, const char *text)
{
	answer(http, request, route, code, text, strlen(text));
}

static void add_row(struct scrape *scrape, const struct stat_sample *sample)
{
	struct stat_sample *grown;

	if (scrape->count == METRICS_ROWS_MAX || scrape->is_short_of_memory)
		return;
	/* So that there is room for METRICS_SAMPLES_MAX more, our own, at any time. */
	if (scrape->count % METRICS_SAMPLES_MAX == 0) {
		grown = realloc(scrape->samples,
			(scrape->count + 2 * METRICS_SAMPLES_MAX) * sizeof(*grown));
		scrape->is_short_of_memory = !grown;
		if (!grown)
			return;
		scrape->samples = grown;
	}
	scrape->samples[scrape->count++] = *sample;
}

/* All samples as text, the caller's to free; NULL: out of memory. */
static char *write_text(struct scrape *scrape, size_t *ret_size)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_size);

	if (!to)
		return NULL;
	stat_write(to, scrape->samples, scrape->count);
	if (ferror(to) | fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

static void show(struct scrape *scrape)
{
	struct metrics_http *http = scrape->http;
	auto_free char *text = NULL;
	size_t size = 0;

	scrape->count += metrics_samples(&http->server->metrics, &scrape->samples[scrape->count]);
	text = write_text(scrape, &size);
	if (text)
		answer(http, scrape->request, METRICS_ROUTE_METRICS, METRICS_CODE_200, text, size);
	else
		refuse(http, scrape->request, METRICS_ROUTE_METRICS, METRICS_CODE_503,
			"out of memory\n");
}

static void on_row(void *arg, const struct message_header *message, int fd, bool is_last)
{
	struct scrape *scrape = arg;
	struct metrics_http *http = scrape->http;

	fd_close(fd);
	if (!is_last) {
		add_row(scrape, &((const struct control_stat_row *)(const void *)message)->sample);
		return;
	}
	server_answered(http->server);
	if (message->type == CONTROL_REFUSED)
		refuse(http, scrape->request, METRICS_ROUTE_METRICS, METRICS_CODE_503,
			"the supervisor does not answer\n");
	else if (scrape->is_short_of_memory)
		refuse(http, scrape->request, METRICS_ROUTE_METRICS, METRICS_CODE_503,
			"out of memory\n");
	else
		show(scrape);
	free(scrape->samples);
	free(scrape);
}

static int ask(struct metrics_http *http, struct evhttp_request *request, struct error *err)
{
	struct control_query query = {0};
	struct scrape *scrape = calloc(1, sizeof(*scrape));
	int r;

	if (!scrape)
		return error_set(err, ENOMEM, "out of memory");
	scrape->http = http;
	scrape->request = request;
	scrape->samples = calloc(METRICS_SAMPLES_MAX, sizeof(*scrape->samples));
	if (!scrape->samples)
		r = error_set(err, ENOMEM, "out of memory");
	else
		r = server_ask(
			http->server, CONTROL_STATS, &query, sizeof(query), on_row, scrape, err);
	if (r < 0) {
		free(scrape->samples);
		free(scrape);
	}
	return r;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	struct metrics_http *http = arg;
	struct error err;

	if (!path || strcmp(path, "/metrics") != 0)
		refuse(http, request, METRICS_ROUTE_OTHER, METRICS_CODE_404,
			"there is only /metrics\n");
	else if (evhttp_request_get_command(request) != EVHTTP_REQ_GET)
		refuse(http, request, METRICS_ROUTE_METRICS, METRICS_CODE_405,
			"/metrics takes GET only\n");
	else if (ask(http, request, &err) < 0)
		refuse(http, request, METRICS_ROUTE_METRICS, METRICS_CODE_503,
			"the supervisor cannot be asked now\n");
}

static void enable(struct metrics_http *http, bool on)
{
	for (unsigned i = 0; i < http->listener_count; i++) {
		if (on)
			evconnlistener_enable(http->listeners[i]);
		else
			evconnlistener_disable(http->listeners[i]);
	}
}

/* evhttp takes its callbacks off what it frees, and never all of them before. */
static bool is_freed(struct bufferevent *stream)
{
	bufferevent_event_cb on_event;
	bufferevent_data_cb on_read, on_write;
	void *arg;

	bufferevent_getcb(stream, &on_read, &on_write, &on_event, &arg);
	return !on_read && !on_write && !on_event;
}

/* Let go of those that evhttp has freed. */
static void sweep(struct metrics_http *http)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < http->connections; i++) {
		if (is_freed(http->streams[i]))
			bufferevent_decref(http->streams[i]);
		else
			http->streams[kept++] = http->streams[i];
	}
	http->connections = kept;
}

static void on_sweep(evutil_socket_t fd, short events, void *arg)
{
	struct metrics_http *http = arg;
	unsigned before = http->connections;

	(void)fd;
	(void)events;
	sweep(http);
	if (http->connections == before)
		return;
	if (http->connections == 0)
		event_del(http->sweep);
	if (!http->server->is_stopping)
		enable(http, true);
	server_on_client_gone(http->server);
}

/*
 * evhttp caps everything but the number of connections, and does not tell when one has gone. So each stream is
 * held here too, and looked at now and then. At the cap nobody is let in.
 */
static struct bufferevent *make_stream(struct event_base *base, void *arg)
{
	const struct timeval interval = {0, SWEEP_MS * 1000};
	struct metrics_http *http = arg;
	struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (!stream)
		return NULL;
	if (http->connections == 0)
		event_add(http->sweep, &interval);
	bufferevent_incref(stream);
	http->streams[http->connections++] = stream;
	if (http->connections == METRICS_CONNECTIONS_MAX)
		enable(http, false);
	return stream;
}

int metrics_http_init(struct metrics_http *http, struct server *server, struct error *err)
{
	memset(http, 0, sizeof(*http));
	http->server = server;
	http->http = evhttp_new(server->base);
	http->sweep = event_new(server->base, -1, EV_PERSIST, on_sweep, http);
	if (!http->http || !http->sweep)
		return error_set(err, ENOMEM, "metrics: out of memory");
	evhttp_set_max_headers_size(http->http, METRICS_HEADERS_MAX);
	evhttp_set_max_body_size(http->http, METRICS_BODY_MAX);
	evhttp_set_timeout(http->http, METRICS_TIMEOUT_S);
	evhttp_set_allowed_methods(http->http, METHODS);
	evhttp_set_gencb(http->http, on_request, http);
	evhttp_set_bevcb(http->http, make_stream, http);
	return 0;
}

int metrics_http_listen(struct metrics_http *http, int socket, struct error *err)
{
	struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(http->http, socket);

	if (!bound) {
		fd_close(socket);
		return error_set(err, ENOMEM, "metrics: out of memory");
	}
	http->listeners[http->listener_count++] = evhttp_bound_socket_get_listener(bound);
	return 0;
}

void metrics_http_finish(struct metrics_http *http)
{
	if (http->http)
		evhttp_free(http->http);
	if (http->sweep)
		event_free(http->sweep);
	for (unsigned i = 0; i < http->connections; i++)
		bufferevent_decref(http->streams[i]);
	memset(http, 0, sizeof(*http));
}

void metrics_http_stop(struct metrics_http *http)
{
	enable(http, false);
}

bool metrics_http_is_busy(const struct metrics_http *http)
{
	return http->connections > 0;
}
