/*
 * connection_set.h - all connections of one server: listeners, evhttp, how many there may be.
 */
#ifndef AGENTD_API_CONNECTION_SET_H
#define AGENTD_API_CONNECTION_SET_H
#include <stdbool.h>
#include <stddef.h>

#include "agentd/api/limits.h"

#define CONNECTION_LISTENERS_MAX 4
#define CONNECTION_RETRY_MS	 1000 /* until accept() is tried again that failed */

struct connection;
struct connection_set;
struct error;
struct event;
struct event_base;
struct evhttp;

struct connection_hooks {
	/* The set is stopping, and its last connection has gone. */
	void (*on_idle)(struct connection_set *set);
	/* A request's head is there: connection_refuse() it, or set c->framing.body_max. */
	void (*on_head)(struct connection *c);
	/* It is whole, or refused: answer c->request. */
	void (*on_request)(struct connection *c);
	/* The client has gone with c->call still set; c->request, if there is one, is the hook's now. */
	void (*on_gone)(struct connection *c);
};

struct connection_limits {
	unsigned connections_max;		      /* beyond it nobody is let in */
	unsigned address_connections_max;	      /* of one address (of IPv6: one /64) */
	unsigned head_ms, body_ms, idle_ms, write_ms; /* write: without a byte taken */
	size_t bodies_max; /* bytes of all bodies that are being received */
};

/* All of one server. */
struct connection_set {
	struct event_base *base;
	struct connection_limits limits;
	struct connection_hooks hooks;
	void *arg;

	struct evhttp *http;
	struct connection **table;
	unsigned count;
	struct limits addresses;
	struct evconnlistener *listeners[CONNECTION_LISTENERS_MAX]; /* borrowed from http */
	unsigned listener_count;
	struct event *retry;
	size_t body_bytes;
	bool is_all_local; /* each listener is a Unix socket or on loopback */
	bool is_stopping;
};

/* limits, hooks, base and arg are set; the rest is zeroed. 0 or -ENOMEM. */
int connection_set_init(struct connection_set *set, struct error *err);
/* A listening socket, non-blocking, becomes the set's in any case. 0 or -errno. */
int connection_set_listen(struct connection_set *set, int socket, struct error *err);
/* Nobody is let in any more, and idle connections close; the others after their answer. */
void connection_set_stop(struct connection_set *set);
/* on_gone comes for all that are being answered. Accepts one that is zeroed or half made. */
void connection_set_finish(struct connection_set *set);

/* Let clients in, or leave them in the listeners' queues. */
void connection_set_admit(struct connection_set *set);
#endif
