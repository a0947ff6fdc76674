#include "dns/link.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "dns/query.h"
#include "proto/channel.h"

#define PACKET_MAX  (sizeof(struct dns_start) + NETWORK_DOMAINS_BYTES)
#define PACKETS_MAX 64 /* in a turn; then the queries have theirs */

static int on_message(
	struct server *server, const struct message_header *m, int *fds, struct error *err)
{
	int r;

	switch ((enum dns_type)m->type) {
	case DNS_START:
		r = server_start(server, (const struct dns_start *)m, fds[0], err);
		if (r == 0)
			fds[0] = -1;
		return r;
	case DNS_SANDBOX:
		return server_set_sandbox(server, (const struct dns_sandbox *)m, err);
	case DNS_ADMITTED:
		return query_admitted(server, (const struct dns_admitted *)m, err);
	case DNS_ADMIT:
	case DNS_DENIED:
		break; /* not to us: check_message() has refused them */
	}
	return error_set(err, EPROTO, "type %u is not to us", m->type);
}

/* One packet. 0; 1: there is none; 2: the other side has closed. */
static int read_packet(struct link *link, struct error *err)
{
	static _Alignas(8) char packet[PACKET_MAX];
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n = channel_receive(link->fd, packet, sizeof(packet), fds, &count);
	int r;

	if (n == 0 || n == -ECONNRESET)
		return 2;
	if (n == -EAGAIN)
		return 1;
	if (n < 0)
		return error_set(err, (int)-n, "%s", strerror((int)-n));
	r = check_message(&dns_protocol, MESSAGE_TO_SERVER, packet, (size_t)n, count, &rule, err);
	if (r == 0)
		r = on_message(link->server, (const void *)packet, fds, err);
	channel_close_fds(fds, count);
	return r;
}

static void on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct link *link = arg;
	struct error err;
	int r = 0;

	(void)fd;
	(void)events;
	for (int i = 0; i < PACKETS_MAX && r == 0; i++)
		r = read_packet(link, &err);
	if (r < 0)
		log_error("link: %s", err.text);
	if (r < 0 || r == 2) {
		link->exit_code = r < 0;
		event_base_loopbreak(link->server->events);
	}
}

int link_open(struct link *link, struct server *server, int fd)
{
	link->server = server;
	link->fd = fd;
	link->readable = event_new(server->events, fd, EV_READ | EV_PERSIST, on_readable, link);
	/* A sandbox is made known before its first query is read, whichever the kernel tells first. */
	return !link->readable || event_priority_set(link->readable, 0) < 0 ||
			       event_add(link->readable, NULL) < 0
		       ? -ENOMEM
		       : 0;
}

void link_close(struct link *link)
{
	if (link->readable)
		event_free(link->readable);
	link->readable = NULL;
}

int link_send_admit(
	int fd, uint32_t id, const struct sandbox *sandbox, const struct policy_verdict *verdict)
{
	struct dns_admit m = {
		.address = sandbox->address,
		.ttl = verdict->admit_ttl,
		.generation = sandbox->generation,
		.count = verdict->count,
	};

	dns_header(&m.header, DNS_ADMIT, sizeof(m), id);
	memcpy(m.destinations, verdict->addresses, verdict->count * sizeof(m.destinations[0]));
	return channel_send(fd, &m, sizeof(m), NULL, 0, NULL, 0);
}

int link_send_denied(int fd, const struct sandbox *sandbox, uint32_t count)
{
	struct dns_denied m = {
		.address = sandbox->address, .count = count, .generation = sandbox->generation};

	dns_header(&m.header, DNS_DENIED, sizeof(m), 0);
	return channel_send(fd, &m, sizeof(m), NULL, 0, NULL, 0);
}
