/*
 * server.h - the sandboxes' questions: read, judged, refused at once or passed on to query.h.
 *
 * Decides nothing: see policy.h and sandboxes.h. What is to be said to hearth-network goes by link.h.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H
#include <event2/event.h>
#include <stdint.h>

#include "base/list.h"
#include "dns/policy.h"
#include "dns/sandboxes.h"

#define SERVER_IN_FLIGHT_MAX 8192 /* queries not answered yet, of all sandboxes ... */
#define SERVER_IN_FLIGHT_ONE 64	  /* ... and of one */
#define SERVER_TURN_MAX	     64 /* packets, before resolvers' answers and the link have their turn */
#define SERVER_TIMEOUT	     "5" /* seconds, for a resolver ... */
#define SERVER_ATTEMPTS	     "2" /* ... so many times */

struct error;
struct evdns_base;
struct message_answer;
struct message_question;
struct sockaddr_in;

struct server {
	struct event_base *events;
	int link_fd;		     /* borrowed */
	int socket_fd;		     /* -1 before START */
	struct evdns_base *resolver; /* NULL before START */
	struct event *readable;	     /* likewise */
	struct event *tell;	     /* in a second: denials are told */
	uint32_t in_flight;	     /* length of queries */
	uint32_t last_id;	     /* of an ADMIT */
	struct list queries;	     /* all that are not answered yet */
	struct list admits;	     /* of these the ones whose ADMIT is not, oldest first */
	struct policy policy;
	struct sandboxes sandboxes;
};

/* server: zeroed. It serves after server_start(). */
int server_init(struct server *server, struct event_base *events, int link_fd, struct error *err);

/* All of it, queries under way too. Also a half-made one. */
void server_finish(struct server *server);

/* From now on questions come from the UDP socket, which is the server's on success. Once. */
int server_start(
	struct server *server, const struct dns_start *start, int socket_fd, struct error *err);

/* What an earlier use of the address asked is not answered any more. */
int server_set_sandbox(struct server *server, const struct dns_sandbox *sandbox, struct error *err);

/* Send it, if the socket takes it: who asked asks again. */
void server_answer(struct server *server, const struct sockaddr_in *to,
	const struct message_question *question, const struct message_answer *answer);

/*
 * Count and log that it was denied something, why is a constant. key: what is logged once a minute; the name,
 * unless it is not the name that is wrong.
 */
void server_deny(struct server *server, struct sandbox *sandbox, const char *why, const char *key,
	const char *name);
#endif
