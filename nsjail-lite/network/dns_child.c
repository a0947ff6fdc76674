/*
 * dns_child.c - hearth-dns, which is not trusted: it may lie, die or fall silent.
 *
 * What it may bring about: addresses admitted to a sandbox of profile allow, none of them private or a
 * sandbox's; counts. Whatever it does that it must not ends it, and another takes its place.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "nsjail-lite/network/network.h"
#include "nsjail-lite/network/rules.h"
#include "proto/channel.h"

int dns_child_open(struct network *n, struct error *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(n->config->gateway)};
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
		return error_errno(err, "socket for DNS");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err,
			"port 53 of %s (does a resolver of the host take it at all addresses?)",
			inet_ntoa(address.sin_addr));
	n->dns.socket_fd = take_fd(&fd);
	return 0;
}

/* Wait a little for room: it has much to do after its start. */
static void send_packet(struct network *n, const void *message, size_t size, const void *payload,
	size_t payload_size, const int *fd)
{
	struct pollfd p = {.fd = n->dns.program.link_fd, .events = POLLOUT};
	int r = -EAGAIN;

	if (n->dns.is_broken)
		return;
	for (int tries = 0; tries < 2 && r == -EAGAIN; tries++) {
		if (tries > 0)
			poll(&p, 1, DNS_SEND_MS);
		r = channel_send(p.fd, message, size, payload, payload_size, fd, fd ? 1 : 0);
	}
	if (r == 0)
		return;
	log_error("hearth-dns takes no messages: %s", strerror(-r));
	n->dns.is_broken = true;
}

static void send_start(struct network *n)
{
	const struct network_start *config = n->config;
	size_t domains_size = config->header.size - sizeof(*config);
	struct dns_start m = {.caps = config->caps,
		.except_count = config->except_count,
		.resolver_count = config->resolver_count,
		.domain_count = config->domain_count};

	dns_header(&m.header, DNS_START, (uint32_t)(sizeof(m) + domains_size), 0);
	memcpy(m.except, config->except, sizeof(m.except));
	memcpy(m.resolvers, config->resolvers, sizeof(m.resolvers));
	send_packet(n, &m, sizeof(m), config + 1, domains_size, &n->dns.socket_fd);
}

static void send_sandbox(struct network *n, uint32_t slot)
{
	struct dns_sandbox m = {.address = network_slot_address(n->config, slot),
		.profile = n->slots[slot].profile,
		.generation = n->slots[slot].generation};

	dns_header(&m.header, DNS_SANDBOX, sizeof(m), 0);
	send_packet(n, &m, sizeof(m), NULL, 0, NULL);
}

void dns_child_set(struct network *n, uint32_t slot)
{
	n->slots[slot].generation = ++n->last_generation;
	if (n->slots[slot].profile)
		send_sandbox(n, slot);
}

static void stop(struct dns_child *dns)
{
	if (dns->program.pid <= 0)
		return;
	fd_close(dns->program.link_fd);
	privileges_kill(dns->program.pidfd);
	waitpid(dns->program.pid, NULL, 0);
	fd_close(dns->program.pidfd);
	dns->program = (struct program){.pid = -1, .pidfd = -1, .link_fd = -1};
}

static bool may_start(struct dns_child *dns)
{
	uint64_t now_ms = clock_now_ms(), *oldest = &dns->started_ms[dns->next];

	if (*oldest != 0 && now_ms - *oldest < DNS_STARTS_MS)
		return false;
	*oldest = now_ms;
	dns->next = (dns->next + 1) % DNS_STARTS_MAX;
	return true;
}

int dns_child_start(struct network *n, struct error *err)
{
	char uid[16];
	char *const argv[] = {"hearth-dns", "--uid", uid, NULL};
	int r;

	stop(&n->dns);
	if (!may_start(&n->dns))
		return error_set(err, ECHILD, "hearth-dns could not be kept alive");
	snprintf(uid, sizeof(uid), "%u", n->config->dns_uid);
	r = program_start(NULL, argv, &n->dns.program, err);
	if (r == 0)
		r = fd_set_nonblocking(n->dns.program.link_fd, true);
	if (r < 0)
		return error_prefix(err, r, "hearth-dns");
	n->dns.is_broken = false;
	send_start(n);
	for (uint32_t slot = 0; slot < n->config->slot_count; slot++)
		if (n->slots[slot].profile)
			send_sandbox(n, slot);
	return 0;
}

void dns_child_close(struct network *n)
{
	stop(&n->dns);
	fd_close(n->dns.socket_fd);
}

/* The slot whose present use a message is about. NULL: that is over, or never was. */
static struct slot_state *find_slot(struct network *n, uint32_t address, uint64_t generation)
{
	uint32_t slot = address - network_slot_address(n->config, 0);

	if (slot >= n->config->slot_count || n->slots[slot].generation != generation)
		return NULL;
	return &n->slots[slot];
}

/* The rules refuse the host's own addresses beside these. */
static bool is_admissible(const struct network_start *config, uint32_t destination)
{
	if (network_contains(&config->addresses, 1, destination))
		return false;
	return !network_contains(network_private, NETWORK_PRIVATE_COUNT, destination) ||
	       network_contains(config->except, config->except_count, destination) ||
	       network_contains(config->allow, config->allow_count, destination);
}

static int admit(struct network *n, const struct dns_admit *m, struct error *err)
{
	const struct slot_state *slot = find_slot(n, m->address, m->generation);

	if (!slot || slot->profile != NETWORK_ALLOW)
		return error_set(err, ESTALE, "no sandbox of profile allow");
	for (uint32_t i = 0; i < m->count; i++)
		if (!is_admissible(n->config, m->destinations[i]))
			return error_set(err, EPERM, "a private address");
	return rules_admit(n->rules, m->address, m->destinations, m->count, m->ttl, err);
}

static void on_admit(struct network *n, const struct dns_admit *m)
{
	struct in_addr address = {.s_addr = htonl(m->address)};
	struct dns_admitted answer = {0};
	struct error err = {0};

	if (admit(n, m, &err) < 0) {
		answer.error = (uint32_t)err.code;
		/* That its use is over is told by DNS_SANDBOX, which may be on its way. */
		log_event_from(err.code == ESTALE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, m->address,
			"not_admitted", "address", inet_ntoa(address), "error", err.text, NULL);
	}
	dns_header(&answer.header, DNS_ADMITTED, sizeof(answer), m->header.id);
	send_packet(n, &answer, sizeof(answer), NULL, 0, NULL);
}

static void on_denied(struct network *n, const struct dns_denied *m)
{
	struct slot_state *slot = find_slot(n, m->address, m->generation);

	if (slot)
		slot->denied_names += m->count;
}

static int read_packet(struct network *n, struct error *err)
{
	_Alignas(8) char packet[sizeof(struct dns_admit)];
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t size = channel_receive(n->dns.program.link_fd, packet, sizeof(packet), fds, &count);
	int r;

	if (size == -EAGAIN)
		return 0;
	if (size <= 0)
		return error_set(err, ECHILD, "it has ended");
	r = check_message(
		&dns_protocol, MESSAGE_TO_CLIENT, packet, (size_t)size, count, &rule, err);
	channel_close_fds(fds, count);
	if (r == 0 && rule->type == DNS_ADMIT)
		on_admit(n, (const void *)packet);
	if (r == 0 && rule->type == DNS_DENIED)
		on_denied(n, (const void *)packet);
	return r;
}

void dns_child_receive(struct network *n)
{
	struct error err;

	if (read_packet(n, &err) == 0)
		return;
	log_error("hearth-dns: %s", err.text);
	n->dns.is_broken = true;
}
