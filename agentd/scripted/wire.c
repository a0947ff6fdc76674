#include "agentd/scripted/wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agentd/scripted/door.h"
#include "agentd/scripted/scenario.h"

#define FLUSH_MS 1 /* until headers without a body are looked for again */

struct wire {
	struct evhttp_request *request;
	const struct scenario_step *step;
	struct wire_callbacks callbacks;
	unsigned status;
	struct event *timer;
	struct evbuffer *made;	/* and not yet sent */
	struct evbuffer *piece; /* empty but within send_piece() */
	uint64_t sent;
	bool is_started, is_all_made;
};

static void destroy(struct wire *wire)
{
	if (wire->timer)
		event_free(wire->timer);
	if (wire->made)
		evbuffer_free(wire->made);
	if (wire->piece)
		evbuffer_free(wire->piece);
	free(wire);
}

static void end(struct wire *wire)
{
	struct wire_callbacks callbacks = wire->callbacks;

	destroy(wire);
	callbacks.on_end(callbacks.arg);
}

static struct bufferevent *stream_of(const struct wire *wire)
{
	return evhttp_connection_get_bufferevent(evhttp_request_get_connection(wire->request));
}

/*
 * The connection ends before the reply does. When its client has gone, evhttp has cut the request from it, and only
 * this call frees it; when evhttp itself is freed, it still owns the request.
 */
static void on_close(struct evhttp_connection *connection, void *arg)
{
	struct wire *wire = arg;

	(void)connection;
	if (!evhttp_request_get_connection(wire->request))
		evhttp_send_reply_end(wire->request);
	end(wire);
}

/*
 * evhttp would rather not hear from its client until the reply has begun; we want to know when he goes, and
 * leave it to him how long he waits.
 */
static void watch_for_close(struct wire *wire)
{
	struct bufferevent *stream = stream_of(wire);
	bufferevent_data_cb on_read, on_write;
	bufferevent_event_cb on_event;
	void *arg;

	evhttp_connection_set_closecb(evhttp_request_get_connection(wire->request), on_close, wire);
	bufferevent_getcb(stream, &on_read, &on_write, &on_event, &arg);
	bufferevent_setcb(stream, NULL, on_write, on_event, arg);
	bufferevent_set_timeouts(stream, NULL, NULL);
	bufferevent_enable(stream, EV_READ);
}

static void set_timer(struct wire *wire, uint64_t ms)
{
	const struct timeval wait = {
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	event_add(wire->timer, &wait); /* cannot fail: its place was made with it */
}

static void finish(struct wire *wire)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(wire->request);

	evhttp_connection_set_closecb(connection, NULL, NULL);
	evhttp_connection_set_timeout(connection, DOOR_TIMEOUT_S);
	evhttp_send_reply_end(wire->request);
	end(wire);
}

/* Without the end that the client was promised. Frees the request as well. */
static void cut(struct wire *wire)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(wire->request);

	evhttp_connection_set_closecb(connection, NULL, NULL);
	evhttp_connection_free(connection);
	end(wire);
}

static void make_more(struct wire *wire)
{
	uint64_t wanted = wire->step->wire_chunk > 0 ? wire->step->wire_chunk : 1;

	while (!wire->is_all_made && evbuffer_get_length(wire->made) < wanted)
		wire->is_all_made = !wire->callbacks.on_more(wire->callbacks.arg, wire->made);
}

/* Bytes of the next piece; 0: the end, or a limit. */
static size_t piece_size(const struct wire *wire)
{
	const struct scenario_step *step = wire->step;
	uint64_t limit = step->cut_after < step->stall_after ? step->cut_after : step->stall_after;
	uint64_t size = evbuffer_get_length(wire->made);

	if (step->wire_chunk > 0 && size > step->wire_chunk)
		size = step->wire_chunk;
	if (size > limit - wire->sent)
		size = limit - wire->sent;
	return (size_t)size;
}

static void on_written(struct evhttp_connection *connection, void *arg);

static void send_piece(struct wire *wire, size_t size)
{
	evbuffer_remove_buffer(wire->made, wire->piece, size);
	wire->sent += size;
	evhttp_send_reply_chunk_with_cb(wire->request, wire->piece, on_written, wire);
}

static void go_on(struct wire *wire)
{
	size_t size;

	if (wire->sent < wire->step->cut_after && wire->sent < wire->step->stall_after)
		make_more(wire);
	size = piece_size(wire);
	if (size > 0)
		send_piece(wire, size);
	else if (wire->sent == wire->step->cut_after)
		cut(wire);
	else if (wire->sent < wire->step->stall_after)
		finish(wire);
	/* Else it stalls: on_close() is next. */
}

static void on_written(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	go_on(arg);
}

/* TCP would gather small pieces. A Unix socket does not, and does not know the option. */
static void begin(struct wire *wire)
{
	int on = 1;

	setsockopt(bufferevent_getfd(stream_of(wire)), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	evhttp_send_reply_start(wire->request, (int)wire->status, NULL);
	wire->is_started = true;
}

/* The delay is over; then also: are the headers out, when it is to be cut right behind them? */
static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct wire *wire = arg;

	(void)fd;
	(void)events;
	if (!wire->is_started)
		begin(wire);
	if (wire->step->cut_after == 0 &&
		evbuffer_get_length(bufferevent_get_output(stream_of(wire))))
		set_timer(wire, FLUSH_MS);
	else
		go_on(wire);
}

int wire_start(struct event_base *base, struct evhttp_request *request, unsigned status,
	const struct scenario_step *step, const struct wire_callbacks *callbacks)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	if (!wire)
		return -ENOMEM;
	wire->request = request;
	wire->step = step;
	wire->callbacks = *callbacks;
	wire->status = status;
	wire->made = evbuffer_new();
	wire->piece = evbuffer_new();
	wire->timer = event_new(base, -1, 0, on_timer, wire);
	if (!wire->made || !wire->piece || !wire->timer) {
		destroy(wire);
		return -ENOMEM;
	}
	watch_for_close(wire);
	set_timer(wire, step->delay_ms);
	return 0;
}
