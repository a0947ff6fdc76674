#include "agentd/api/connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agentd/api/connection_set.h"
#include "agentd/api/peer.h"

static void arm(struct connection *c, unsigned ms)
{
	const struct timeval time = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	event_add(c->timer, &time);
}

static void forget_body(struct connection *c)
{
	size_t size = evbuffer_get_length(c->body);

	c->set->body_bytes -= size;
	evbuffer_drain(c->body, size);
}

void connection_refuse(
	struct connection *c, enum api_fault fault, uint32_t retry_ms, const char *format, ...)
{
	va_list args;

	if (c->is_refused)
		return;
	va_start(args, format);
	vsnprintf(c->why, sizeof(c->why), format, args);
	va_end(args);
	c->is_refused = true;
	c->fault = fault;
	c->retry_ms = retry_ms;
}

void connection_drop(struct connection *c)
{
	bufferevent_trigger_event(
		c->stream, BEV_EVENT_EOF | BEV_EVENT_READING, BEV_TRIG_DEFER_CALLBACKS);
}

static bool is_far_ahead(const struct connection *c)
{
	return evbuffer_get_length(c->raw) >= CONNECTION_AHEAD_MAX;
}

void connection_watch(struct connection *c)
{
	if (is_far_ahead(c))
		bufferevent_disable(c->stream, EV_READ);
	else
		bufferevent_enable(c->stream, EV_READ);
}

void connection_answered(struct connection *c)
{
	if (c->request)
		bufferevent_disable(c->stream, EV_READ);
}

size_t connection_unsent(const struct connection *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->stream));
}

/* Give evhttp something to answer; see connection.h. */
static void hand_over(struct connection *c)
{
	struct evbuffer *input = bufferevent_get_input(c->stream);
	bool is_whole = c->framing.method != NULL;
	bool is_head = is_whole && strcmp(c->framing.method, "HEAD") == 0;
	unsigned minor = is_whole ? c->framing.minor : 1;
	const char *connection = c->is_last   ? "Connection: close\r\n"
				 : minor == 0 ? "Connection: keep-alive\r\n"
					      : "";

	c->state = CONNECTION_ANSWERING;
	event_del(c->timer);
	/* Only the socket may add to the input of a bufferevent, but for now. */
	evbuffer_unfreeze(input, 0);
	if (evbuffer_add_printf(input, "%s /%u HTTP/1.%u\r\n%s\r\n", is_head ? "HEAD" : "GET",
		    c->index, minor, connection) < 0)
		connection_drop(c);
	evbuffer_freeze(input, 0);
}

static void end_request(struct connection *c)
{
	c->is_last = c->is_over_share || c->set->is_stopping || !c->framing.is_kept_alive;
	hand_over(c);
}

/* What is left of the request is not read, so that nothing behind it can be either. */
static void end_refused(struct connection *c)
{
	c->is_last = true;
	hand_over(c);
}

/* The client waits for our word before it sends the body. By hand: evhttp has nothing to answer yet. */
static void tell_continue(struct connection *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (evbuffer_get_length(c->raw) == 0 &&
		send(bufferevent_getfd(c->stream), text, sizeof(text) - 1,
			MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(text) - 1)
		connection_drop(c);
}

static bool on_head(struct connection *c)
{
	c->state = CONNECTION_BODY;
	arm(c, c->set->limits.body_ms);
	c->set->hooks.on_head(c);
	if (c->is_refused && framing_has_body(&c->framing)) {
		end_refused(c);
		return false;
	}
	if (c->framing.has_expect && framing_has_body(&c->framing))
		tell_continue(c);
	return true;
}

static bool on_body(struct connection *c, size_t size)
{
	struct connection_set *set = c->set;

	if (size > set->limits.bodies_max - set->body_bytes) {
		connection_refuse(c, API_STOPPING, CONNECTION_RETRY_MS,
			"too many requests are being received: try again");
		end_refused(c);
		return false;
	}
	if (evbuffer_remove_buffer(c->raw, c->body, size) != (int)size) {
		connection_drop(c);
		return false;
	}
	set->body_bytes += size;
	return true;
}

/* One event of the framing. Returns false when there is nothing more to do for now. */
static bool step(struct connection *c)
{
	struct evbuffer_iovec span = {NULL, 0};
	enum framing_event event;
	size_t taken;

	if (evbuffer_peek(c->raw, -1, NULL, &span, 1) < 1)
		span.iov_len = 0;
	taken = framing_push(&c->framing, span.iov_base, span.iov_len, &event);
	if (taken > 0 && c->state == CONNECTION_WAITING) {
		c->state = CONNECTION_HEAD;
		arm(c, c->set->limits.head_ms);
	}
	if (event != FRAMING_BODY)
		evbuffer_drain(c->raw, taken);
	switch (event) {
	case FRAMING_MORE:
		return taken > 0;
	case FRAMING_HEAD:
		return on_head(c);
	case FRAMING_BODY:
		return on_body(c, taken);
	case FRAMING_END:
		end_request(c);
		return false;
	case FRAMING_BAD:
		connection_refuse(c, c->framing.fault, 0, "%s", c->framing.why);
		end_refused(c);
		return false;
	}
	return false;
}

static void feed(struct connection *c)
{
	c->is_feeding = true;
	while (c->state != CONNECTION_ANSWERING && step(c))
		;
	c->is_feeding = false;
}

/* Runs whenever bytes have come, before evhttp is told. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *c = arg;

	if (info->n_added == 0 || c->is_feeding)
		return;
	c->is_feeding = true;
	evbuffer_add_buffer(c->raw, input);
	c->is_feeding = false;
	if (c->state < CONNECTION_LEFT && !c->is_last)
		feed(c);
	else
		evbuffer_drain(c->raw, evbuffer_get_length(c->raw));
	/* Nothing else may look at it for long: connection_watch() runs when something is sent. */
	if (c->state == CONNECTION_ANSWERING && is_far_ahead(c))
		bufferevent_disable(c->stream, EV_READ);
}

/* The answer has left. Unless it was the last, evhttp looks at its input next. */
static void on_complete(struct evhttp_request *request, void *arg)
{
	struct connection *c = arg;

	(void)request;
	c->request = NULL;
	if (c->is_last)
		return;
	forget_body(c);
	c->is_refused = false;
	c->state = CONNECTION_WAITING;
	arm(c, c->set->limits.idle_ms);
	if (c->set->is_stopping)
		connection_drop(c);
	else
		feed(c);
}

void connection_destroy(struct connection *c)
{
	struct connection_set *set = c->set;

	if (c->body)
		forget_body(c);
	framing_finish(&c->framing);
	if (c->has_entered)
		limits_leave(&set->addresses, c->address);
	if (c->timer)
		event_free(c->timer);
	if (c->stream) {
		evbuffer_remove_cb(bufferevent_get_input(c->stream), on_input, c);
		bufferevent_setcb(c->stream, NULL, NULL, NULL, NULL);
		bufferevent_decref(c->stream);
	}
	if (c->raw)
		evbuffer_free(c->raw);
	if (c->body)
		evbuffer_free(c->body);
	set->table[c->index] = NULL;
	set->count--;
	free(c);
	connection_set_admit(set);
	if (set->is_stopping && set->count == 0)
		set->hooks.on_idle(set);
}

/* evhttp lets go of it, but still uses the stream until it returns. */
static void on_close(struct evhttp_connection *evhttp, void *arg)
{
	struct connection *c = arg;

	(void)evhttp;
	c->state = CONNECTION_LEFT;
	if (c->call)
		c->set->hooks.on_gone(c);
	c->call = NULL;
	c->request = NULL;
	event_active(c->timer, EV_TIMEOUT, 0);
}

/* Frames leave at once, and who has vanished without a word is noticed by what it does not acknowledge. */
static void set_options(const struct connection *c, int fd, const struct sockaddr_storage *peer)
{
	int on = 1;

	if (peer->ss_family != AF_INET && peer->ss_family != AF_INET6)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &c->set->limits.write_ms,
		sizeof(c->set->limits.write_ms));
}

/* evhttp has made its half by now: its callbacks' argument is that half. */
static void adopt(struct connection *c)
{
	struct sockaddr_storage peer = {0}, own = {0};
	socklen_t size = sizeof(peer), own_size = sizeof(own);
	const struct timeval write = {c->set->limits.write_ms / 1000,
		(suseconds_t)(c->set->limits.write_ms % 1000) * 1000};
	bufferevent_data_cb on_read, on_write;
	bufferevent_event_cb on_event;
	void *evhttp;
	int fd = bufferevent_getfd(c->stream);

	bufferevent_getcb(c->stream, &on_read, &on_write, &on_event, &evhttp);
	if (!evhttp || getpeername(fd, (struct sockaddr *)&peer, &size) < 0 ||
		getsockname(fd, (struct sockaddr *)&own, &own_size) < 0) {
		if (!evhttp) {
			connection_destroy(c);
			return;
		}
		connection_drop(c); /* it was reset meanwhile */
	}
	evhttp_connection_set_closecb(evhttp, on_close, c);
	bufferevent_set_timeouts(c->stream, NULL, &write);
	set_options(c, fd, &peer);
	peer_name(&peer, c->address);
	c->is_loopback = peer_is_loopback(&own);
	c->has_entered = limits_enter(&c->set->addresses, c->address) == 0;
	c->is_over_share = !c->has_entered;
	c->state = CONNECTION_WAITING;
	arm(c, c->set->limits.head_ms);
}

static void on_linger_event(struct bufferevent *stream, short events, void *arg)
{
	(void)stream;
	(void)events;
	connection_destroy(arg);
}

/* Closing with bytes unread would reset the connection, and the client might never see why. */
static void linger(struct connection *c)
{
	c->state = CONNECTION_LINGERING;
	bufferevent_setcb(c->stream, NULL, NULL, on_linger_event, c);
	bufferevent_set_timeouts(c->stream, NULL, NULL);
	bufferevent_disable(c->stream, EV_WRITE);
	bufferevent_enable(c->stream, EV_READ);
	arm(c, CONNECTION_LINGER_MS);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct connection *c = arg;
	struct connection_set *set = c->set;

	(void)fd;
	(void)events;
	switch (c->state) {
	case CONNECTION_NEW:
		adopt(c);
		return;
	case CONNECTION_WAITING:
		connection_drop(c);
		return;
	case CONNECTION_HEAD:
	case CONNECTION_BODY:
		connection_refuse(c, API_TIMED_OUT, 0, "the request did not come in time");
		c->is_feeding = true;
		end_refused(c);
		c->is_feeding = false;
		bufferevent_trigger(c->stream, EV_READ, 0);
		return;
	case CONNECTION_ANSWERING:
		return;
	case CONNECTION_LEFT:
		if (c->is_refused && !set->is_stopping) {
			linger(c);
			return;
		}
		break;
	case CONNECTION_LINGERING:
		break;
	}
	connection_destroy(c);
}

struct connection *connection_create(struct connection_set *set)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	while (set->table[c->index])
		c->index++;
	set->table[c->index] = c;
	set->count++;
	c->set = set;
	framing_init(&c->framing);
	c->timer = event_new(set->base, -1, 0, on_timer, c);
	c->raw = evbuffer_new();
	c->body = evbuffer_new();
	c->stream = bufferevent_socket_new(set->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!c->timer || !c->raw || !c->body || !c->stream ||
		!evbuffer_add_cb(bufferevent_get_input(c->stream), on_input, c)) {
		connection_destroy(c);
		return NULL;
	}
	bufferevent_incref(c->stream);
	/* evhttp_read_cb() must not run for what on_input() took: at some moments that ends the process. */
	bufferevent_setwatermark(c->stream, EV_READ, 1, 0);
	event_active(c->timer, EV_TIMEOUT, 0);
	return c;
}

void connection_take(struct connection *c, struct evhttp_request *request)
{
	c->request = request;
	evhttp_request_set_on_complete_cb(request, on_complete, c);
	c->set->hooks.on_request(c);
	forget_body(c);
}
