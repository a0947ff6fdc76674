/*
 * network-probe - one use of the network, for the inside of a sandbox and, as its control, elsewhere:
 *
 *   tcp ADDRESS PORT TEXT          connect, say TEXT, wait for its echo
 *   udp ADDRESS PORT TEXT [FROM]   to an address of any kind, from this port; wait for an answer
 *   options HEX ADDRESS PORT TEXT  the same with these options of IP
 *   raw PROTOCOL ADDRESS TEXT      in a packet of IP of that protocol
 *   frame LINK HEX                 a frame of Ethernet as it is
 *   unix NAME                      connect to a socket of a path, or of an abstract name "@..."
 *   ping ADDRESS
 *   scan ADDRESS                   connect to every port of TCP: "open N" for each that answers
 *   scan-udp ADDRESS               the same with a sample of ports of UDP
 *   dns ADDRESS|- NAME TYPE [FROM] ask this server, or that of resolv.conf: "answer A" for each address
 *   ask-many NAME COUNT            so many names below NAME of that of resolv.conf, as fast as it goes
 *   listen PORT                    TCP and UDP, on all addresses: "listening", then what comes, for ever
 *   late FROM ADDRESS PORT MS      bind the port, send nothing, and say what comes in that time
 *   hold ADDRESS PORT              connect and stay
 *
 * The last line is "outcome N": 0 for an answer, an errno, or SILENCE. musl, static.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <net/if.h>

#include "tests/network_probe.h"

socklen_t parse_address(const char *text, unsigned port, union address *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET6, text, &a->six.sin6_addr) == 1) {
		a->six.sin6_family = AF_INET6;
		a->six.sin6_port = htons((in_port_t)port);
		if (IN6_IS_ADDR_LINKLOCAL(&a->six.sin6_addr) ||
			IN6_IS_ADDR_MULTICAST(&a->six.sin6_addr))
			a->six.sin6_scope_id = if_nametoindex("eth0");
		return sizeof(a->six);
	}
	a->four.sin_family = AF_INET;
	a->four.sin_port = htons((in_port_t)port);
	if (inet_pton(AF_INET, text, &a->four.sin_addr) != 1) {
		fprintf(stderr, "%s: no address\n", text);
		exit(2);
	}
	return sizeof(a->four);
}

/* 0, -errno or -SILENCE. */
int wait_for(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int error = 0, n = poll(&p, 1, ms);
	socklen_t size = sizeof(error);

	if (n <= 0)
		return n < 0 ? -errno : -SILENCE;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

int hear(int fd, int ms, char *text, size_t size)
{
	int r = wait_for(fd, POLLIN, ms);
	ssize_t n;

	if (r < 0)
		return r;
	n = recv(fd, text, size - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -errno : n == 0 ? -ECONNRESET : (int)n;
}

static int connected(const char *address, unsigned port, int *ret_fd)
{
	union address a;
	socklen_t size = parse_address(address, port, &a);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*ret_fd = fd;
	if (fd < 0)
		return -errno;
	if (connect(fd, &a.any, size) == 0)
		return 0;
	return errno == EINPROGRESS ? wait_for(fd, POLLOUT, WAIT_MS) : -errno;
}

static int use_tcp(char **args)
{
	char text[256];
	int fd, r = connected(args[0], (unsigned)atoi(args[1]), &fd);

	if (r < 0)
		return r;
	puts("connected");
	if (send(fd, args[2], strlen(args[2]), MSG_NOSIGNAL) < 0)
		return -errno;
	r = hear(fd, WAIT_MS, text, sizeof(text));
	return r < 0 ? r : 0;
}

/* Send it and wait for an answer. Groups and broadcasts may be meant. */
static int say(int fd, const char *address, unsigned port, const char *message)
{
	union address a;
	socklen_t size = parse_address(address, port, &a);
	int one = 1, r;
	char text[256];

	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	/* Connected, it hears of refusals too. */
	if (connect(fd, &a.any, size) < 0 || send(fd, message, strlen(message), 0) < 0)
		return -errno;
	r = hear(fd, WAIT_MS, text, sizeof(text));
	if (r > 0)
		printf("heard %s\n", text);
	return r < 0 ? r : 0;
}

int bound(int type, int family, unsigned port)
{
	union address a = {0};
	int fd = socket(family, type, 0), one = 1;

	if (fd < 0)
		return -errno;
	a.any.sa_family = (sa_family_t)family;
	a.four.sin_port = htons((in_port_t)port); /* at the same place in both */
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &a.any, family == AF_INET ? sizeof(a.four) : sizeof(a.six)) < 0)
		return -errno;
	return fd;
}

static int use_udp(char **args)
{
	union address a;
	int fd;

	parse_address(args[0], 0, &a);
	if (args[3])
		fd = bound(SOCK_DGRAM, a.any.sa_family, (unsigned)atoi(args[3]));
	else
		fd = socket(a.any.sa_family, SOCK_DGRAM, 0);
	return fd < 0 ? fd : say(fd, args[0], (unsigned)atoi(args[1]), args[2]);
}

static size_t unhex(const char *hex, uint8_t *bytes, size_t size)
{
	size_t n = 0;
	unsigned byte;

	while (n < size && sscanf(hex + 2 * n, "%2x", &byte) == 1)
		bytes[n++] = (uint8_t)byte;
	return n;
}

static int use_options(char **args)
{
	uint8_t options[40];
	size_t size = unhex(args[0], options, sizeof(options));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, (socklen_t)size) < 0)
		return -errno;
	return say(fd, args[1], (unsigned)atoi(args[2]), args[3]);
}

static int use_raw(char **args)
{
	union address a;
	socklen_t size = parse_address(args[1], 0, &a);
	int fd = socket(a.any.sa_family, SOCK_RAW, atoi(args[0]));

	if (fd < 0 || sendto(fd, args[2], strlen(args[2]), 0, &a.any, size) < 0)
		return -errno;
	return 0;
}

static int use_frame(char **args)
{
	uint8_t frame[1600];
	size_t size = unhex(args[1], frame, sizeof(frame));
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		return -errno;
	to.sll_ifindex = (int)if_nametoindex(args[0]);
	memcpy(to.sll_addr, frame, 6);
	return sendto(fd, frame, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int use_unix(char **args)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t length = strlen(args[0]);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || length >= sizeof(a.sun_path))
		return -EIO;
	memcpy(a.sun_path, args[0], length);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&a,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		return -errno;
	return 0;
}

static int use_ping(char **args)
{
	struct icmphdr echo = {.type = ICMP_ECHO};
	union address a;
	socklen_t size = parse_address(args[0], 0, &a);
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), r;
	char text[256];

	if (fd < 0 || sendto(fd, &echo, sizeof(echo), 0, &a.any, size) < 0)
		return -errno;
	r = hear(fd, WAIT_MS, text, sizeof(text));
	return r < 0 ? r : 0;
}

static int use_hold(char **args)
{
	int fd, r = connected(args[0], (unsigned)atoi(args[1]), &fd);

	printf("connected %d\n", r);
	while (r == 0)
		pause();
	return r;
}

static const struct {
	const char *name;
	int arguments;
	int (*use)(char **args);
} uses[] = {
	{"tcp", 3, use_tcp},
	{"udp", 3, use_udp},
	{"options", 4, use_options},
	{"raw", 3, use_raw},
	{"frame", 2, use_frame},
	{"unix", 1, use_unix},
	{"ping", 1, use_ping},
	{"scan", 1, use_scan},
	{"scan-udp", 1, use_scan_udp},
	{"dns", 3, use_dns},
	{"ask-many", 2, use_ask_many},
	{"listen", 1, use_listen},
	{"late", 4, use_late},
	{"hold", 2, use_hold},
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(uses) / sizeof(uses[0]); i++) {
		if (strcmp(argv[1], uses[i].name) != 0 || argc - 2 < uses[i].arguments)
			continue;
		printf("outcome %d\n", -uses[i].use(argv + 2));
		return 0;
	}
	fprintf(stderr, "usage: see network_probe.c\n");
	return 2;
}
