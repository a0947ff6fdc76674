#include "dns/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/dns.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "dns/link.h"
#include "dns/message.h"
#include "dns/query.h"

#define PACKET_MAX   1024 /* of a question; with EDNS it has a little more than itself */
#define TELL_SECONDS 1

static void on_tell(evutil_socket_t fd, short events, void *arg)
{
	const struct timeval later = {.tv_sec = TELL_SECONDS};
	struct server *server = arg;
	struct sandbox *sandbox;
	uint32_t count;

	(void)fd;
	(void)events;
	while ((sandbox = sandboxes_take_denied(&server->sandboxes, &count)))
		if (link_send_denied(server->link_fd, sandbox, count) < 0) {
			sandboxes_add_denied(&server->sandboxes, sandbox, count);
			event_add(server->tell, &later);
			break;
		}
}

void server_deny(struct server *server, struct sandbox *sandbox, const char *why, const char *key,
	const char *name)
{
	const struct timeval later = {.tv_sec = TELL_SECONDS};
	struct in_addr in = {htonl(sandbox->address)};
	char address[INET_ADDRSTRLEN];

	sandboxes_add_denied(&server->sandboxes, sandbox, 1);
	if (!event_pending(server->tell, EV_TIMEOUT, NULL))
		event_add(server->tell, &later);
	if (!sandbox_is_news(sandbox, key, clock_now_ms()))
		return;
	inet_ntop(AF_INET, &in, address, sizeof(address));
	log_event_from(LOG_LEVEL_WARNING, sandbox->address, "name_denied", "sandbox", address,
		"profile", network_profile_name(sandbox->profile), "name", name, "why", why, NULL);
}

void server_answer(struct server *server, const struct sockaddr_in *to,
	const struct message_question *question, const struct message_answer *answer)
{
	uint8_t packet[MESSAGE_MAX];
	size_t size = message_build(question, answer, packet);

	sendto(server->socket_fd, packet, size, 0, (const struct sockaddr *)to, sizeof(*to));
}

/* A constant: why it may not ask now; NULL: it may. */
static const char *too_many(struct server *server, struct sandbox *sandbox)
{
	if (!sandbox_take_token(sandbox, server->policy.names_per_second, clock_now_ms()))
		return "too many a second";
	if (sandbox->in_flight >= SERVER_IN_FLIGHT_ONE || server->in_flight >= SERVER_IN_FLIGHT_MAX)
		return "too many at a time";
	return NULL;
}

static void on_packet(
	struct server *server, const struct sockaddr_in *from, const uint8_t *packet, size_t size)
{
	struct sandbox *sandbox = sandboxes_find(&server->sandboxes, ntohl(from->sin_addr.s_addr));
	struct message_question question;
	const char *denied;
	bool is_question;

	if (!sandbox || sandbox->profile == NETWORK_NONE)
		return;
	is_question = message_parse(packet, size, &question) == 0;
	denied = too_many(server, sandbox); /* rubbish counts too */
	if (denied)
		server_deny(server, sandbox, denied, denied, is_question ? question.name : "");
	else if (is_question)
		query_start(server, sandbox, from, &question);
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct server *server = arg;
	uint8_t packet[PACKET_MAX];
	struct sockaddr_in from;

	(void)events;
	for (int i = 0; i < SERVER_TURN_MAX; i++) {
		socklen_t length = sizeof(from);
		ssize_t n =
			recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &length);

		if (n < 0 && errno != EINTR)
			return;
		if (n >= 0 && length == sizeof(from) && from.sin_family == AF_INET)
			on_packet(server, &from, packet, (size_t)n);
	}
}

static void on_evdns_log(int is_warning, const char *text)
{
	if (is_warning)
		log_event_from(LOG_LEVEL_WARNING, 0, "evdns", "text", text, NULL);
}

int server_init(struct server *server, struct event_base *events, int link_fd, struct error *err)
{
	server->events = events;
	server->link_fd = link_fd;
	server->socket_fd = -1;
	list_init(&server->queries);
	list_init(&server->admits);
	sandboxes_init(&server->sandboxes);
	server->tell = event_new(events, -1, 0, on_tell, server);
	if (!server->tell)
		return error_set(err, ENOMEM, "events: out of memory");
	evdns_set_log_fn(on_evdns_log);
	return 0;
}

void server_finish(struct server *server)
{
	query_drop_all(server);
	if (server->resolver)
		evdns_base_free(server->resolver, 0);
	if (server->readable)
		event_free(server->readable);
	if (server->tell)
		event_free(server->tell);
	fd_close(server->socket_fd);
}

static int open_resolver(struct server *server, const struct dns_start *start, struct error *err)
{
	static const char *const options[][2] = {
		{"timeout", SERVER_TIMEOUT}, {"attempts", SERVER_ATTEMPTS},
		{"max-inflight", "65000"}, /* as many as it can; SERVER_IN_FLIGHT_MAX is less */
		{"randomize-case", "0"},   /* but randomize_case() */
	};

	server->resolver = evdns_base_new(server->events, 0);
	if (!server->resolver)
		return error_set(err, ENOMEM, "resolver: out of memory or of random numbers");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (evdns_base_set_option(server->resolver, options[i][0], options[i][1]) < 0)
			return error_set(err, EINVAL, "resolver: option %s", options[i][0]);
	for (uint32_t i = 0; i < start->resolver_count; i++)
		/* 3: known already */
		if (evdns_base_nameserver_add(server->resolver, htonl(start->resolvers[i])) < 0)
			return error_set(err, ENOMEM, "resolver: out of memory");
	return 0;
}

int server_start(
	struct server *server, const struct dns_start *start, int socket_fd, struct error *err)
{
	int r;

	if (server->resolver)
		return error_set(err, EPROTO, "START: a second one");
	r = fd_set_nonblocking(socket_fd, true);
	if (r < 0)
		return error_set(err, -r, "START: %s", strerror(-r));
	policy_set(&server->policy, start);
	r = open_resolver(server, start, err);
	if (r < 0)
		return r;
	server->readable =
		event_new(server->events, socket_fd, EV_READ | EV_PERSIST, on_readable, server);
	if (!server->readable || event_add(server->readable, NULL) < 0)
		return error_set(err, ENOMEM, "START: out of memory");
	server->socket_fd = socket_fd;
	log_info("serving");
	return 0;
}

int server_set_sandbox(struct server *server, const struct dns_sandbox *sandbox, struct error *err)
{
	if (!server->resolver)
		return error_set(err, EPROTO, "SANDBOX: before START");
	if (sandboxes_set(&server->sandboxes, sandbox->address, sandbox->profile,
		    sandbox->generation, clock_now_ms()) < 0)
		return error_set(err, ENOSPC, "SANDBOX: more than %d", SANDBOXES_MAX);
	return 0;
}
