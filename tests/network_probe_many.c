/* Uses of network-probe that are many packets, and those that stay. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/network_probe.h"

#define NAME_WAIT_MS 4000 /* for an answer that others are asked for */
#define BATCH	     3900 /* connections of a scan at a time */
#define PORTS	     65536

struct scan {
	unsigned open, refused, prohibited, silent, failed;
};

static void count(struct scan *scan, int r, unsigned port)
{
	if (r == 0) {
		scan->open++;
		printf("open %u\n", port);
	} else if (r == -ECONNREFUSED) {
		scan->refused++;
	} else if (r == -EHOSTUNREACH) {
		scan->prohibited++;
	} else if (r == -SILENCE) {
		scan->silent++;
	} else {
		scan->failed++;
	}
}

static void scan_batch(const char *address, unsigned first, unsigned end, struct scan *scan)
{
	static struct pollfd polls[BATCH];

	for (unsigned port = first; port < end; port++) {
		union address a;
		socklen_t size = parse_address(address, port, &a);
		int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

		polls[port - first].fd = fd;
		if (fd < 0 || (connect(fd, &a.any, size) < 0 && errno != EINPROGRESS)) {
			count(scan, -errno, port);
			close(fd);
			polls[port - first].fd = -1;
		}
	}
	usleep(WAIT_MS / 2 * 1000);
	for (unsigned port = first; port < end; port++) {
		if (polls[port - first].fd < 0)
			continue;
		count(scan, wait_for(polls[port - first].fd, POLLOUT, 0), port);
		close(polls[port - first].fd);
	}
}

static int say_scan(const struct scan *scan)
{
	printf("scanned: %u open, %u refused, %u prohibited, %u silent, %u failed\n", scan->open,
		scan->refused, scan->prohibited, scan->silent, scan->failed);
	return scan->open ? 0 : scan->refused ? -ECONNREFUSED : -SILENCE;
}

int use_scan(char **args)
{
	struct rlimit files = {BATCH + 64, BATCH + 64};
	struct scan scan = {0};

	setrlimit(RLIMIT_NOFILE, &files);
	for (unsigned first = 1; first < PORTS; first += BATCH)
		scan_batch(args[0], first, first + BATCH < PORTS ? first + BATCH : PORTS, &scan);
	return say_scan(&scan);
}

int use_scan_udp(char **args)
{
	static const unsigned ports[] = {7, 19, 53, 67, 68, 69, 111, 123, 137, 138, 161, 162, 177,
		500, 514, 520, 623, 1194, 1434, 1701, 1812, 1900, 2049, 3478, 4000, 4500, 4789,
		5060, 5351, 5353, 5355, 6081, 8472, 11211, 33434, 51820, 65535};
	struct pollfd polls[sizeof(ports) / sizeof(ports[0])];
	struct scan scan = {0};
	size_t n = sizeof(ports) / sizeof(ports[0]);

	for (size_t i = 0; i < n; i++) {
		union address a;
		socklen_t size = parse_address(args[0], ports[i], &a);

		polls[i].fd = socket(a.any.sa_family, SOCK_DGRAM, 0);
		if (connect(polls[i].fd, &a.any, size) < 0 || send(polls[i].fd, "scan", 4, 0) < 0)
			return -errno;
	}
	usleep(WAIT_MS * 1000);
	for (size_t i = 0; i < n; i++)
		count(&scan, wait_for(polls[i].fd, POLLIN, 0), ports[i]);
	return say_scan(&scan);
}

/* --- DNS ---------------------------------------------------------------------------------------- */

static void resolver(char address[64])
{
	char line[256];
	FILE *f = fopen("/etc/resolv.conf", "re");

	strcpy(address, "0.0.0.0");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "nameserver %63s", address) == 1)
			break;
	if (f)
		fclose(f);
}

static size_t question(uint8_t packet[512], unsigned id, const char *name, unsigned type)
{
	size_t at = 12;

	memset(packet, 0, 12);
	packet[0] = (uint8_t)(id >> 8);
	packet[1] = (uint8_t)id;
	packet[2] = 1; /* recursion desired */
	packet[5] = 1;
	while (*name && at < 400) {
		size_t length = strcspn(name, ".");

		packet[at++] = (uint8_t)length;
		memcpy(packet + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	packet[at++] = 0;
	packet[at++] = (uint8_t)(type >> 8);
	packet[at++] = (uint8_t)type;
	packet[at++] = 0;
	packet[at++] = 1;
	return at;
}

static size_t skip_name(const uint8_t *p, size_t at, size_t size)
{
	while (at < size && p[at] && (p[at] & 0xc0) == 0)
		at += 1u + p[at];
	return at + (at < size && p[at] ? 2 : 1);
}

/* The addresses of an answer, whatever was asked for. */
static void print_answer(const uint8_t *p, size_t size)
{
	unsigned records = (unsigned)(p[6] << 8 | p[7]);
	size_t at = skip_name(p, 12, size) + 4;
	char text[64];

	printf("rcode %u, %u records\n", p[3] & 15u, records);
	for (unsigned i = 0; i < records; i++) {
		unsigned type, length;

		at = skip_name(p, at, size);
		if (at + 10 > size)
			return;
		type = (unsigned)(p[at] << 8 | p[at + 1]);
		length = (unsigned)(p[at + 8] << 8 | p[at + 9]);
		at += 10;
		if (at + length > size)
			return;
		if ((type == 1 && length == 4) || (type == 28 && length == 16))
			printf("answer %s\n", inet_ntop(type == 1 ? AF_INET : AF_INET6, p + at,
						      text, sizeof(text)));
		at += length;
	}
}

int use_dns(char **args)
{
	uint8_t packet[512];
	char server[64], answer[4096];
	union address a;
	socklen_t length;
	size_t size = question(packet, (unsigned)getpid(), args[1], (unsigned)atoi(args[2]));
	int fd, r;

	resolver(server);
	length = parse_address(strcmp(args[0], "-") ? args[0] : server, 53, &a);
	fd = bound(SOCK_DGRAM, a.any.sa_family, args[3] ? (unsigned)atoi(args[3]) : 0);
	if (fd < 0 || connect(fd, &a.any, length) < 0 || send(fd, packet, size, 0) < 0)
		return -errno;
	r = hear(fd, strcmp(args[0], "-") ? WAIT_MS : NAME_WAIT_MS, answer, sizeof(answer));
	if (r < 12)
		return r < 0 ? r : -EIO;
	print_answer((const uint8_t *)answer, (size_t)r);
	return 0;
}

int use_ask_many(char **args)
{
	char server[64], name[256], text[600];
	union address a;
	socklen_t length;
	int fd, answered = 0;

	resolver(server);
	length = parse_address(server, 53, &a);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, &a.any, length) < 0)
		return -errno;
	for (int i = 0; i < atoi(args[1]); i++) {
		uint8_t packet[512];

		snprintf(name, sizeof(name), "n%d-%d.%s", i, getpid(), args[0]);
		send(fd, packet, question(packet, (unsigned)i, name, 1), 0);
		while (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0)
			answered++;
	}
	while (hear(fd, WAIT_MS, text, sizeof(text)) > 0)
		answered++;
	printf("answered %d\n", answered);
	return answered ? 0 : -SILENCE;
}

/* --- Who stays ---------------------------------------------------------------------------------- */

/* Say what has come, and send it back. */
static void answer(int fd, bool is_tcp)
{
	struct sockaddr_in6 from;
	socklen_t size = sizeof(from);
	int link = is_tcp ? accept(fd, NULL, NULL) : fd;
	char text[256];
	int n;

	if (is_tcp)
		n = hear(link, WAIT_MS, text, sizeof(text));
	else
		n = (int)recvfrom(link, text, sizeof(text) - 1, MSG_DONTWAIT, (void *)&from, &size);
	text[n < 0 ? 0 : n] = '\0';
	printf("came %s %s\n", is_tcp ? "tcp" : "udp", text);
	if (is_tcp) {
		send(link, text, strlen(text), MSG_NOSIGNAL);
		close(link);
	} else if (n > 0) {
		sendto(link, text, (size_t)n, 0, (void *)&from, size);
	}
}

int use_listen(char **args)
{
	static const int groups[] = {AF_INET, AF_INET6};
	struct pollfd polls[4] = {0};

	for (int i = 0; i < 2; i++) {
		polls[i].fd = bound(SOCK_STREAM, groups[i], (unsigned)atoi(args[0]));
		polls[i + 2].fd = bound(SOCK_DGRAM, groups[i], (unsigned)atoi(args[0]));
		if (polls[i].fd < 0 || polls[i + 2].fd < 0 || listen(polls[i].fd, 64) < 0)
			return -EIO;
		polls[i].events = polls[i + 2].events = POLLIN;
	}
	puts("listening");
	for (;;) {
		poll(polls, 4, -1);
		for (int i = 0; i < 4; i++)
			if (polls[i].revents & POLLIN)
				answer(polls[i].fd, i < 2);
	}
}

int use_late(char **args)
{
	int fd = bound(SOCK_DGRAM, AF_INET, (unsigned)atoi(args[0])), heard = 0;
	union address a;
	socklen_t size = parse_address(args[1], (unsigned)atoi(args[2]), &a);
	char text[256];

	if (fd < 0 || connect(fd, &a.any, size) < 0)
		return fd < 0 ? fd : -errno;
	while (hear(fd, atoi(args[3]), text, sizeof(text)) > 0 && heard++ < 10)
		printf("heard %s\n", text);
	return heard ? 0 : -SILENCE;
}
