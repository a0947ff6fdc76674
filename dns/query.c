#include "dns/query.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "dns/link.h"
#include "dns/message.h"

#define RESOLVED_MAX 32 /* addresses that evdns gives at most */

/* A question that is not answered at once. */
struct query {
	struct list link;	/* in server->queries */
	struct list admit_link; /* in server->admits, while it waits for ADMITTED */
	struct server *server;
	struct sandbox *sandbox;
	uint64_t use; /* of its sandbox when it asked */
	uint32_t id;  /* of its ADMIT */
	struct policy_verdict verdict;
	struct sockaddr_in from;
	struct message_question question;
};

/* For the acts that have no record. */
static void refuse(struct server *server, const struct sockaddr_in *from,
	const struct message_question *question, enum policy_act act)
{
	struct message_answer answer = {.code = MESSAGE_OK};

	switch (act) {
	case POLICY_NO_RECORD:
		break;
	case POLICY_NO_NAME:
		answer.code = MESSAGE_NXDOMAIN;
		break;
	case POLICY_REFUSE:
		answer.code = MESSAGE_REFUSED;
		break;
	case POLICY_FAIL:
		answer.code = MESSAGE_SERVFAIL;
		break;
	case POLICY_DROP:
	case POLICY_ASK_A:
	case POLICY_ASK_PTR:
	case POLICY_ANSWER:
	case POLICY_ADMIT:
		return;
	}
	server_answer(server, from, question, &answer);
}

/* Its sandbox is gone; who has the address now did not ask. */
static bool is_stale(const struct query *query)
{
	return query->use != query->sandbox->use;
}

static void query_free(struct query *query)
{
	query->server->in_flight--;
	if (!is_stale(query))
		query->sandbox->in_flight--;
	list_remove(&query->link);
	list_remove(&query->admit_link);
	free(query);
}

/* Nothing may leave: its sandbox is gone, or has no network any more. */
static bool is_void(const struct query *query)
{
	return is_stale(query) || query->sandbox->profile == NETWORK_NONE;
}

static void query_end(struct query *query, enum policy_act act)
{
	refuse(query->server, &query->from, &query->question, is_void(query) ? POLICY_DROP : act);
	query_free(query);
}

static void query_answer(struct query *query, const struct message_answer *answer)
{
	server_answer(query->server, &query->from, &query->question, answer);
	query_free(query);
}

/* NULL: out of memory. */
static struct query *query_new(struct server *server, struct sandbox *sandbox,
	const struct sockaddr_in *from, const struct message_question *question)
{
	struct query *query = calloc(1, sizeof(*query));

	if (!query)
		return NULL;
	list_init(&query->admit_link);
	list_append(&server->queries, &query->link);
	query->server = server;
	query->sandbox = sandbox;
	query->use = sandbox->use;
	query->from = *from;
	query->question = *question;
	server->in_flight++;
	sandbox->in_flight++;
	return query;
}

static void answer_addresses(struct query *query)
{
	const struct message_answer answer = {
		.code = MESSAGE_OK,
		.ttl = query->verdict.answer_ttl,
		.count = query->verdict.count,
		.addresses = query->verdict.addresses,
	};

	query_answer(query, &answer);
}

static void admit(struct query *query)
{
	struct server *server = query->server;

	query->id = ++server->last_id ? server->last_id : ++server->last_id;
	if (link_send_admit(server->link_fd, query->id, query->sandbox, &query->verdict) < 0)
		query_end(query, POLICY_FAIL);
	else
		list_append(&server->admits, &query->admit_link);
}

static enum policy_act act_of_error(int result)
{
	return result == DNS_ERR_NODATA	    ? POLICY_NO_RECORD
	       : result == DNS_ERR_NOTEXIST ? POLICY_NO_NAME
					    : POLICY_FAIL;
}

/* RFC 2181 8: with the highest bit set it counts as 0. */
static uint32_t ttl_of(int ttl)
{
	return ttl < 0 ? 0 : (uint32_t)ttl;
}

static void on_addresses(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct query *query = arg;
	struct server *server = query->server;
	const char *name = query->question.name;
	const uint32_t *from = addresses;
	uint32_t to[RESOLVED_MAX];
	uint32_t n = 0;

	if (is_void(query) || result != DNS_ERR_NONE || type != DNS_IPv4_A) {
		query_end(query, act_of_error(result));
		return;
	}
	for (; n < ARRAY_SIZE(to) && n < (uint32_t)count; n++)
		to[n] = ntohl(from[n]);
	query->verdict = policy_addresses(
		&server->policy, query->sandbox->profile, name, to, n, ttl_of(ttl));
	if (query->verdict.denied)
		server_deny(server, query->sandbox, query->verdict.denied, name, name);
	if (query->verdict.act == POLICY_ADMIT)
		admit(query);
	else if (query->verdict.act == POLICY_ANSWER)
		answer_addresses(query);
	else
		query_end(query, query->verdict.act);
}

static struct policy_verdict judge(const struct server *server, const struct sandbox *sandbox,
	const struct message_question *question)
{
	return policy_question(
		&server->policy, sandbox->profile, question->type, question->class, question->name);
}

/* The name is from whoever has the address: only a host name is handed on. */
static void on_name(int result, char type, int count, int ttl, void *names, void *arg)
{
	struct query *query = arg;
	struct message_answer answer = {.code = MESSAGE_OK, .ttl = ttl_of(ttl)};
	/* The profile may be another by now. */
	struct policy_verdict v = judge(query->server, query->sandbox, &query->question);

	(void)count;
	if (is_void(query) || v.act != POLICY_ASK_PTR) {
		query_end(query, v.act);
	} else if (result != DNS_ERR_NONE || type != DNS_PTR) {
		query_end(query, act_of_error(result));
	} else {
		answer.host = *(char **)names;
		if (domains_is_host_name(answer.host))
			query_answer(query, &answer);
		else
			query_end(query, POLICY_FAIL);
	}
}

/*
 * Upper or lower case by chance, which an answer has to repeat. Not evdns's option: with it evdns of 2.1 takes
 * any case for the same, without it the bytes must be the same.
 */
static void randomize_case(char *name)
{
	uint8_t random[DOMAINS_NAME_MAX / 8 + 1];

	evutil_secure_rng_get_bytes(random, sizeof(random));
	for (size_t i = 0; name[i]; i++)
		if (((name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z') &&
			(random[i / 8] >> (i % 8) & 1))
			name[i] ^= 0x20;
}

/* evdns never calls back before it has returned. */
static void ask(struct query *query, const struct policy_verdict *v)
{
	struct evdns_base *resolver = query->server->resolver;
	struct in_addr reverse = {htonl(v->reverse)};
	struct evdns_request *asked = NULL;
	char name[DOMAINS_NAME_MAX + 1];

	/* Without a resolver evdns would keep it for ever. */
	if (evdns_base_count_nameservers(resolver) == 0) {
		query_end(query, POLICY_FAIL);
		return;
	}
	if (v->act == POLICY_ASK_A) {
		text_copy(name, sizeof(name), query->question.name);
		randomize_case(name);
		asked = evdns_base_resolve_ipv4(
			resolver, name, DNS_QUERY_NO_SEARCH, on_addresses, query);
	} else {
		asked = evdns_base_resolve_reverse(
			resolver, &reverse, DNS_QUERY_NO_SEARCH, on_name, query);
	}
	if (!asked)
		query_end(query, POLICY_FAIL);
}

void query_start(struct server *server, struct sandbox *sandbox, const struct sockaddr_in *from,
	const struct message_question *question)
{
	struct policy_verdict v = judge(server, sandbox, question);
	struct query *query;

	if (v.denied)
		server_deny(server, sandbox, v.denied, question->name, question->name);
	if (v.act != POLICY_ASK_A && v.act != POLICY_ASK_PTR) {
		refuse(server, from, question, v.act);
		return;
	}
	query = query_new(server, sandbox, from, question);
	if (query)
		ask(query, &v);
	else
		refuse(server, from, question, POLICY_FAIL);
}

int query_admitted(struct server *server, const struct dns_admitted *admitted, struct error *err)
{
	list_for_each(l, &server->admits)
	{
		struct query *query = list_entry(l, struct query, admit_link);

		if (query->id != admitted->header.id)
			continue;
		if (is_void(query) || admitted->error != 0)
			query_end(query, POLICY_FAIL);
		else
			answer_addresses(query);
		return 0;
	}
	return error_set(err, EPROTO, "ADMITTED: %u was not asked for", admitted->header.id);
}

void query_drop_all(struct server *server)
{
	list_for_each_safe(l, next, &server->queries)
		query_end(list_entry(l, struct query, link), POLICY_DROP);
}
