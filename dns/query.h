/*
 * query.h - one question, from the policy's verdict on it to the answer.
 *
 * A question that is passed on to the host's resolvers lives here until it is answered; if its sandbox has ended
 * by then, nothing leaves: who has the address now did not ask.
 */
#ifndef DNS_QUERY_H
#define DNS_QUERY_H
#include "dns/server.h"

/* Answer it now or later, or not at all. */
void query_start(struct server *server, struct sandbox *sandbox, const struct sockaddr_in *from,
	const struct message_question *question);

/* The answer that waits for this leaves, or fails. -EPROTO: none waits. */
int query_admitted(struct server *server, const struct dns_admitted *admitted, struct error *err);

/* No answer to all that are under way. */
void query_drop_all(struct server *server);
#endif
