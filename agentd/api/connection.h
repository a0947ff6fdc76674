/*
 * connection.h - one client's connection: its bytes become requests, one at a time, that evhttp answers.
 *
 * evhttp's own parser takes two Content-Lengths, bare LFs, folded headers and more, so no byte of a client reaches
 * it: on_input() empties the connection's input before evhttp looks, framing.c reads what came, and once a request
 * is whole (or refused) evhttp gets the few bytes of one that we write: method GET or HEAD, version, whether the
 * connection stays. evhttp accepts, writes answers, closes. What follows a request waits until it is answered.
 *
 * Each has a place in a table, whose number is the path of what evhttp is given; so its request leads back to it.
 */
#ifndef AGENTD_API_CONNECTION_H
#define AGENTD_API_CONNECTION_H
#include <event2/util.h>

#include "agentd/api/framing.h"
#include "agentd/api/peer.h"

#define CONNECTION_AHEAD_MAX 65536 /* bytes taken of what a client sends before its answer */
#define CONNECTION_LINGER_MS 2000  /* a refused client may still be sending */

struct bufferevent;
struct connection_set;
struct evbuffer;
struct event;
struct evhttp_request;

enum connection_state {
	CONNECTION_NEW,	    /* evhttp does not know it yet */
	CONNECTION_WAITING, /* for a request's first byte */
	CONNECTION_HEAD,
	CONNECTION_BODY,
	CONNECTION_ANSWERING, /* evhttp has it */
	CONNECTION_LEFT,      /* evhttp has let go of it */
	CONNECTION_LINGERING, /* what a refused client still sends is dropped */
};

struct connection {
	struct connection_set *set;
	unsigned index;
	enum connection_state state;
	struct bufferevent *stream;
	struct event *timer;
	struct framing framing;
	struct evbuffer *raw;	     /* not read yet */
	struct evbuffer *body;	     /* of the request that is being read; decoded */
	char address[PEER_NAME_MAX]; /* "192.0.2.1", "2001:db8:0:1::", "unix" */
	bool is_loopback;	     /* by TCP, at our loopback address */
	bool has_entered, is_over_share;
	bool is_feeding;

	/* The refusal, if on_head or the framing has refused. */
	bool is_refused, is_last;
	enum api_fault fault;
	uint32_t retry_ms;
	char why[API_TEXT_MAX];

	struct evhttp_request *request; /* while ANSWERING */
	void *call;			/* of the hooks */
};

/* Takes a place of the set's table; there is one. The stream is evhttp's and ours. NULL: out of memory. */
struct connection *connection_create(struct connection_set *set);
/* evhttp must have let go of it. Accepts half-built ones. */
void connection_destroy(struct connection *c);
/* evhttp has read what it was given. */
void connection_take(struct connection *c, struct evhttp_request *request);

/* In on_head: do not run it. What its client sends behind the head is not read. */
void connection_refuse(struct connection *c, enum api_fault fault, uint32_t retry_ms,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Close it soon, whatever it does: on_gone comes from the loop. */
void connection_drop(struct connection *c);
/* After something was written: see the client leave, but take little of what it sends ahead. */
void connection_watch(struct connection *c);
/* The answer is complete, though not sent yet: a client may close its half without losing it. */
void connection_answered(struct connection *c);
/* Bytes that wait for the client. */
size_t connection_unsent(const struct connection *c);
#endif
