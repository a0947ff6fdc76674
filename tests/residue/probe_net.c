/* What a tenant leaves in its network namespace, which has nothing but a loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "tests/residue/probe.h"

#define TTL_FILE   "/proc/sys/net/ipv4/ip_default_ttl"
#define TTL_CANARY "77"
#define PACKETS	   100
#define LATE_WAIT  10 /* ms; a sender that lives sends each millisecond */
#define LINES_MAX  16384

static struct sockaddr_in loopback(unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((in_port_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound(int type, unsigned port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, type, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd < 0 ? -errno : fd;
}

static int connected(int type, unsigned port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, type, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd < 0 ? -errno : fd;
}

static int hold_ports(void)
{
	int tcp = bound(SOCK_STREAM, CANARY_PORT);
	int udp = bound(SOCK_DGRAM, CANARY_PORT);

	if (tcp < 0 || udp < 0)
		return tcp < 0 ? tcp : udp;
	return listen(tcp, 1) < 0 ? -errno : 0;
}

int leave_ports(void)
{
	return probe_daemon(hold_ports);
}

/* Rows of a table of sockets, in this state, or in any. */
static void look_at_sockets(const char *path, const char *state)
{
	static char text[LINES_MAX];
	char *line, *save = NULL;

	if (probe_read(path, text, sizeof(text)) < 0)
		return;
	line = strtok_r(text, "\n", &save);
	while ((line = strtok_r(NULL, "\n", &save))) {
		char local[64], remote[64], word[8];

		if (sscanf(line, " %*s %63s %63s %7s", local, remote, word) == 3 &&
			(!state || strcmp(word, state) == 0))
			probe_found("%s: %s %s state %s", path, local, remote, word);
	}
}

/* Anything below the head of a table. */
static void look_at_rows(const char *path, unsigned head_lines)
{
	char text[LINES_MAX];
	const char *line = probe_read(path, text, sizeof(text)) < 0 ? NULL : text;

	for (unsigned i = 0; line && i < head_lines; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (line && *line)
		probe_found("%s: %.60s", path, line);
}

void look_ports(void)
{
	int tcp = connected(SOCK_STREAM, CANARY_PORT);
	int udp = bound(SOCK_DGRAM, CANARY_PORT);

	if (tcp >= 0)
		probe_found("port %d answers", CANARY_PORT);
	if (udp < 0)
		probe_found("udp port %d: %s", CANARY_PORT, strerror(-udp));
	close(tcp);
	close(udp);
	look_at_sockets("/proc/net/tcp", "0A");
	look_at_sockets("/proc/net/tcp6", "0A");
	look_at_sockets("/proc/net/udp", NULL);
	look_at_sockets("/proc/net/udp6", NULL);
}

/* A connection that was closed in order: its first closer's end stays for a minute. */
int leave_time_wait(void)
{
	int listener = bound(SOCK_STREAM, 0);
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int near, far;
	char byte;

	if (listener < 0 || listen(listener, 1) < 0 ||
		getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		return listener < 0 ? listener : -errno;
	near = connected(SOCK_STREAM, ntohs(address.sin_port));
	far = accept(listener, NULL, NULL);
	if (near < 0 || far < 0)
		return -EIO;
	close(far);
	if (read(near, &byte, 1) != 0)
		return -EIO;
	close(near);
	close(listener);
	return 0;
}

void look_time_wait(void)
{
	look_at_sockets("/proc/net/tcp", "06");
	look_at_sockets("/proc/net/tcp6", "06");
	look_at_rows("/proc/net/nf_conntrack", 0);
}

int leave_sysctl(void)
{
	return probe_write(TTL_FILE, TTL_CANARY);
}

/* Settings, neighbours and routes. */
void look_sysctl(void)
{
	char text[64];

	if (probe_read(TTL_FILE, text, sizeof(text)) > 0 && atoi(text) == atoi(TTL_CANARY))
		probe_found(TTL_FILE " is " TTL_CANARY);
	look_at_rows("/proc/net/arp", 1);
	look_at_rows("/proc/net/route", 1);
}

int leave_counters(void)
{
	int fd = connected(SOCK_DGRAM, LATE_PORT + 1);

	for (int i = 0; i < PACKETS; i++)
		send(fd, CANARY, strlen(CANARY), 0); /* refused by the port, counted by lo */
	close(fd);
	return fd < 0 ? fd : 0;
}

/* What the loopback and the protocols have counted. */
void look_counters(void)
{
	char text[LINES_MAX];
	unsigned long long bytes = 0, packets = 0;
	const char *at;

	probe_read("/proc/net/dev", text, sizeof(text));
	at = strstr(text, "lo:");
	if (!at || sscanf(at, "lo: %llu %llu", &bytes, &packets) != 2 || packets > 0)
		probe_found("lo has counted %llu packets, %llu bytes", packets, bytes);
	probe_read("/proc/net/snmp", text, sizeof(text));
	at = strstr(text, "\nUdp: I");
	at = at ? strstr(at + 1, "\nUdp: ") : NULL;
	if (!at || sscanf(at, "\nUdp: %llu %llu", &packets, &bytes) != 2 || packets + bytes > 0)
		probe_found("udp has counted %llu and %llu datagrams", packets, bytes);
}

/* The packet filter is spoken to by a socket that nobody inside gets. */
int leave_filter(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	int error = errno;

	close(fd);
	return fd < 0 ? -error : 0;
}

void look_filter(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);

	if (fd >= 0)
		probe_found("a netlink socket of the packet filter");
	close(fd);
}

/* Packets that come as long as the sender lives, and one that lies unread. */
static int send_late(void)
{
	int unread = bound(SOCK_DGRAM, LATE_PORT + 2);
	int fd = connected(SOCK_DGRAM, LATE_PORT);
	int other = connected(SOCK_DGRAM, LATE_PORT + 2);

	if (unread < 0 || fd < 0 || other < 0)
		return -EIO;
	send(other, CANARY, strlen(CANARY), 0);
	if (fork() == 0)
		for (;;) {
			send(fd, CANARY, strlen(CANARY), 0);
			usleep(1000);
		}
	return 0;
}

int leave_late_packet(void)
{
	return probe_daemon(send_late);
}

void look_late_packet(void)
{
	int fd = bound(SOCK_DGRAM, LATE_PORT);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[64] = "";

	if (fd < 0)
		probe_found("port %d: %s", LATE_PORT, strerror(-fd));
	else if (poll(&p, 1, LATE_WAIT) > 0 && recv(fd, text, sizeof(text) - 1, 0) > 0)
		probe_found("a late packet: %.20s", text);
	close(fd);
}
