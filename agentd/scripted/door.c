#include "agentd/scripted/door.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"

#define LOOK_MS 100
#define METHODS                                                                                    \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
		EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH)

/*
 * evhttp limits all but the number of connections, and tells nobody when one has gone. So a reference to each is kept
 * here, and looked at every LOOK_MS while there are any; the socket of one that has gone stays half open that long.
 */
struct door {
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *look;
	struct bufferevent *streams[DOOR_CONNECTIONS_MAX];
	unsigned stream_count;
};

/* evhttp takes its callbacks off what it frees, and its error callback is on every other. */
static bool has_gone(struct bufferevent *stream)
{
	bufferevent_data_cb on_read, on_write;
	bufferevent_event_cb on_event;
	void *arg;

	bufferevent_getcb(stream, &on_read, &on_write, &on_event, &arg);
	return !on_event;
}

static void on_look(evutil_socket_t fd, short events, void *arg)
{
	struct door *door = arg;
	unsigned kept = 0;

	(void)fd;
	(void)events;
	for (unsigned i = 0; i < door->stream_count; i++) {
		if (has_gone(door->streams[i]))
			bufferevent_decref(door->streams[i]);
		else
			door->streams[kept++] = door->streams[i];
	}
	door->stream_count = kept;
	if (kept < DOOR_CONNECTIONS_MAX)
		evconnlistener_enable(door->listener);
	if (kept == 0)
		event_del(door->look);
}

/* For the connection that evhttp has just accepted. */
static struct bufferevent *make_stream(struct event_base *base, void *arg)
{
	const struct timeval interval = {.tv_usec = LOOK_MS * 1000};
	struct door *door = arg;
	struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (!stream)
		return NULL;
	/* Whoever sends on while he is answered, is not read for ever. */
	bufferevent_setwatermark(stream, EV_READ, 0, DOOR_BODY_MAX + DOOR_HEADERS_MAX);
	bufferevent_incref(stream);
	if (door->stream_count == 0)
		event_add(door->look, &interval);
	door->streams[door->stream_count++] = stream;
	if (door->stream_count == DOOR_CONNECTIONS_MAX)
		evconnlistener_disable(door->listener);
	return stream;
}

int door_open(struct event_base *base, int socket,
	void (*on_request)(struct evhttp_request *request, void *arg), void *arg,
	struct door **ret_door, struct error *err)
{
	auto_close int owned = socket;
	struct door *door = calloc(1, sizeof(*door));
	struct evhttp_bound_socket *bound = NULL;

	if (door) {
		door->http = evhttp_new(base);
		door->look = event_new(base, -1, EV_PERSIST, on_look, door);
	}
	if (door && door->http && door->look)
		bound = evhttp_accept_socket_with_handle(door->http, owned);
	if (!bound) {
		door_close(door);
		return error_set(err, ENOMEM, "http: out of memory");
	}
	take_fd(&owned);
	door->listener = evhttp_bound_socket_get_listener(bound);
	evhttp_set_max_headers_size(door->http, DOOR_HEADERS_MAX);
	evhttp_set_max_body_size(door->http, DOOR_BODY_MAX);
	evhttp_set_timeout(door->http, DOOR_TIMEOUT_S);
	evhttp_set_allowed_methods(door->http, METHODS);
	evhttp_set_gencb(door->http, on_request, arg);
	evhttp_set_bevcb(door->http, make_stream, door);
	*ret_door = door;
	return 0;
}

void door_close(struct door *door)
{
	if (!door)
		return;
	if (door->http)
		evhttp_free(door->http);
	if (door->look)
		event_free(door->look);
	for (unsigned i = 0; i < door->stream_count; i++)
		bufferevent_decref(door->streams[i]);
	free(door);
}
