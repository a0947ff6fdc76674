/*
 * fake_dns.c - stands in for hearth-dns, and does what the sandbox that asks it tells it to: to the port 53 comes
 *   admit A.B.C.D    as an address of the sandbox's; the answer says what became of it: "0", or an errno
 *   stale A.B.C.D    likewise, of the use before this one
 *   for I A.B.C.D    likewise, of the address I places behind the sandbox's, with the sandbox's generation
 *   denied N         so many names
 *   profile          the answer is the profile that it was told
 *   lie              a message that it must not send
 *   die
 * Anything else is given back.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "nsjail-lite/program.h"
#include "proto/channel.h"
#include "proto/dns.h"

#define SANDBOXES 64

static struct dns_sandbox sandboxes[SANDBOXES];
static size_t sandbox_count;
static int socket_fd = -1;
static struct sockaddr_in asker;

static void answer(const char *text)
{
	sendto(socket_fd, text, strlen(text), 0, (const struct sockaddr *)&asker, sizeof(asker));
}

static void set_sandbox(const struct dns_sandbox *m)
{
	size_t i = 0;

	while (i < sandbox_count && sandboxes[i].address != m->address)
		i++;
	if (i == SANDBOXES)
		_exit(1);
	sandboxes[i] = *m;
	if (i == sandbox_count)
		sandbox_count++;
}

static void read_link(void)
{
	static _Alignas(8) char packet[sizeof(struct dns_start) + NETWORK_DOMAINS_BYTES];
	const struct message_header *m = (const void *)packet;
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count;
	ssize_t n = channel_receive(PROGRAM_LINK_FD, packet, sizeof(packet), fds, &count);
	struct error err;
	char text[16];

	if (n <= 0)
		_exit(0);
	if (check_message(&dns_protocol, MESSAGE_TO_SERVER, packet, (size_t)n, count, &rule, &err) <
		0) {
		fprintf(stderr, "fake_dns: %s\n", err.text);
		_exit(1);
	}
	if (m->type == DNS_START)
		socket_fd = fds[0];
	if (m->type == DNS_SANDBOX)
		set_sandbox((const void *)packet);
	if (m->type == DNS_ADMITTED) {
		snprintf(text, sizeof(text), "%u",
			((const struct dns_admitted *)(const void *)packet)->error);
		answer(text);
	}
}

static void ask(uint32_t address, uint64_t generation, const char *destination)
{
	struct dns_admit m = {
		.address = address, .ttl = DNS_TTL_MAX, .generation = generation, .count = 1};

	m.destinations[0] = ntohl(inet_addr(destination));
	dns_header(&m.header, DNS_ADMIT, sizeof(m), 1);
	channel_send(PROGRAM_LINK_FD, &m, sizeof(m), NULL, 0, NULL, 0);
}

static void tell_denied(const struct dns_sandbox *sandbox, uint32_t count)
{
	struct dns_denied m = {
		.address = sandbox->address, .count = count, .generation = sandbox->generation};

	dns_header(&m.header, DNS_DENIED, sizeof(m), 0);
	channel_send(PROGRAM_LINK_FD, &m, sizeof(m), NULL, 0, NULL, 0);
	answer("told");
}

static void obey(const char *order, const struct dns_sandbox *sandbox)
{
	char word[16] = "", argument[32] = "", text[16];

	sscanf(order, "%15s %31s", word, argument);
	if (strcmp(word, "admit") == 0) {
		ask(sandbox->address, sandbox->generation, argument);
	} else if (strcmp(word, "stale") == 0) {
		ask(sandbox->address, sandbox->generation - 1, argument);
	} else if (strcmp(word, "for") == 0) {
		ask(sandbox->address + (uint32_t)atoi(argument), sandbox->generation,
			strrchr(order, ' ') + 1);
	} else if (strcmp(word, "denied") == 0) {
		tell_denied(sandbox, (uint32_t)atoi(argument));
	} else if (strcmp(word, "profile") == 0) {
		snprintf(text, sizeof(text), "%u", sandbox->profile);
		answer(text);
	} else if (strcmp(word, "lie") == 0) {
		write(PROGRAM_LINK_FD, "a lie", 5) < 0 ? _exit(1) : (void)pause();
	} else if (strcmp(word, "die") == 0) {
		raise(SIGKILL);
	} else {
		answer(order);
	}
}

static void read_socket(void)
{
	socklen_t size = sizeof(asker);
	char order[128];
	ssize_t n =
		recvfrom(socket_fd, order, sizeof(order) - 1, 0, (struct sockaddr *)&asker, &size);

	if (n < 0)
		return;
	order[n] = '\0';
	for (size_t i = 0; i < sandbox_count; i++)
		if (sandboxes[i].address == ntohl(asker.sin_addr.s_addr))
			obey(order, &sandboxes[i]);
}

int main(void)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = PROGRAM_LINK_FD, .events = POLLIN},
			{.fd = socket_fd, .events = POLLIN}};

		if (poll(fds, 2, -1) < 0)
			return 1;
		if (fds[0].revents)
			read_link();
		else if (fds[1].revents)
			read_socket();
	}
}
