#include "agentd/api/connection_set.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agentd/api/connection.h"
#include "agentd/api/peer.h"
#include "base/cleanup.h"
#include "base/error.h"

void connection_set_admit(struct connection_set *set)
{
	bool on = !set->is_stopping && set->count < set->limits.connections_max;

	for (unsigned i = 0; i < set->listener_count; i++) {
		if (on)
			evconnlistener_enable(set->listeners[i]);
		else
			evconnlistener_disable(set->listeners[i]);
	}
}

/*
 * evhttp has accepted one. Without memory for it, evhttp makes a plain stream, whose requests on_request() knows
 * not to be ours.
 */
static struct bufferevent *make_stream(struct event_base *base, void *arg)
{
	struct connection_set *set = arg;
	struct connection *c =
		set->count < set->limits.connections_max ? connection_create(set) : NULL;

	(void)base;
	if (!c)
		return NULL;
	connection_set_admit(set);
	return c->stream;
}

static void on_request(struct evhttp_request *request, void *arg)
{
	const struct evhttp_connection *evhttp = evhttp_request_get_connection(request);
	const char *uri = evhttp_request_get_uri(request);
	struct connection_set *set = arg;
	struct connection *c = NULL;
	unsigned long index = strtoul(uri + 1, NULL, 10);

	if (index < set->limits.connections_max)
		c = set->table[index];
	if (!c || evhttp_connection_get_bufferevent((void *)(uintptr_t)evhttp) != c->stream) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	connection_take(c, request);
}

/*
 * Out of fds, most likely: the listener would be ready again at once, and for ever. (arg is evhttp's.) on_retry() lets
 * it try again.
 */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	evconnlistener_disable(listener);
}

static void on_retry(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	connection_set_admit(arg);
}

int connection_set_init(struct connection_set *set, struct error *err)
{
	const struct timeval interval = {CONNECTION_RETRY_MS / 1000, 0};

	set->table = calloc(set->limits.connections_max, sizeof(struct connection *));
	set->http = evhttp_new(set->base);
	set->retry = event_new(set->base, -1, EV_PERSIST, on_retry, set);
	limits_init(&set->addresses, set->limits.address_connections_max, 0, 0);
	set->is_all_local = true;
	if (!set->table || !set->http || !set->retry || event_add(set->retry, &interval) < 0)
		return error_set(err, ENOMEM, "HTTP: out of memory");
	evhttp_set_gencb(set->http, on_request, set);
	evhttp_set_bevcb(set->http, make_stream, set);
	evhttp_set_default_content_type(set->http, NULL);
	return 0;
}

int connection_set_listen(struct connection_set *set, int socket, struct error *err)
{
	struct sockaddr_storage own = {0};
	socklen_t size = sizeof(own);
	struct evhttp_bound_socket *bound = NULL;

	if (getsockname(socket, (struct sockaddr *)&own, &size) < 0) {
		fd_close(socket);
		return error_errno(err, "HTTP: listener");
	}
	if (set->listener_count < CONNECTION_LISTENERS_MAX)
		bound = evhttp_accept_socket_with_handle(set->http, socket);
	if (!bound) {
		fd_close(socket);
		return error_set(err, ENOMEM, "HTTP: out of memory, or more than %d listeners",
			CONNECTION_LISTENERS_MAX);
	}
	set->listeners[set->listener_count] = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(set->listeners[set->listener_count++], on_accept_error);
	set->is_all_local =
		set->is_all_local && (own.ss_family == AF_UNIX || peer_is_loopback(&own));
	return 0;
}

void connection_set_stop(struct connection_set *set)
{
	set->is_stopping = true;
	connection_set_admit(set);
	for (unsigned i = 0; i < set->limits.connections_max; i++) {
		struct connection *c = set->table[i];

		if (c && c->state == CONNECTION_WAITING)
			connection_drop(c);
	}
}

void connection_set_finish(struct connection_set *set)
{
	set->is_stopping = true;
	for (unsigned i = 0; set->table && i < set->limits.connections_max; i++) {
		struct connection *c = set->table[i];

		if (!c)
			continue;
		/* evhttp would free requests that wait for their answers; so it has to see the client leave. */
		if (c->state < CONNECTION_LEFT)
			bufferevent_trigger_event(c->stream, BEV_EVENT_EOF | BEV_EVENT_READING, 0);
		connection_destroy(c);
	}
	if (set->http)
		evhttp_free(set->http);
	if (set->retry)
		event_free(set->retry);
	free(set->table);
	limits_finish(&set->addresses);
	memset(set, 0, sizeof(*set));
}
