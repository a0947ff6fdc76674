#include "tests/system/network_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LOOK_MS	    2
#define FLOOD_PORTS 1000

int world_host = -1, world_outside = -1;

static int new_namespace(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	world_run("ip link set lo up");
	return fd;
}

static void enter(int netns)
{
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
}

int world_set_up(void **state)
{
	static const char *const outside[] = {"5.5.5.5", "5.5.6.6", "5.5.7.7", "10.1.2.3",
		"10.9.9.9", "100.64.0.1", "169.254.169.254", "172.16.0.9", "192.168.7.7",
		"198.18.0.1", "203.0.113.9"};

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", "/run", "tmpfs", 0, NULL), 0);
	world_host = new_namespace();
	world_outside = new_namespace();
	world_run("ip link add out0 type veth peer name up0 netns /proc/%d/fd/%d", getpid(),
		world_host);
	world_run("ip addr add 5.5.5.1/24 dev out0 && ip link set out0 up");
	world_run("ip route add default via 5.5.5.2");
	world_run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.out0.rp_filter=0");
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		world_run("ip addr add %s/32 dev lo", outside[i]);
	enter(world_host);
	world_run("sysctl -qw net.ipv4.ip_forward=0 && ip addr add 5.5.5.2/24 dev up0");
	world_run("ip link set up0 up && ip route add default via 5.5.5.1");
	return 0;
}

void world_config(struct network_start *ret_config, unsigned nth)
{
	*ret_config = (struct network_start){
		.first_uid = WORLD_UID + nth * (WORLD_SLOTS + 1) * JAIL_UIDS,
		.slot_count = WORLD_SLOTS,
		.addresses = {WORLD_RANGE, 16},
		.except_count = 1,
		.except = {{world_address("10.9.0.0"), 16}},
		.allow_count = 2,
		.allow = {{world_address("5.5.6.0"), 24}, {world_address("192.168.7.0"), 24}},
	};
	strcpy(ret_config->instance, WORLD_INSTANCE);
	ret_config->instance[strlen(WORLD_INSTANCE) - 1] += (char)nth;
	ret_config->dns_uid = ret_config->first_uid + WORLD_SLOTS * JAIL_UIDS;
	ret_config->gateway = network_slot_address(ret_config, WORLD_SLOTS);
	network_header(&ret_config->header, NETWORK_START, sizeof(*ret_config), 1);
}

void world_run(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

bool world_shows(const char *command, const char *needle)
{
	static char output[65536];
	FILE *f = popen(command, "re");
	size_t n;

	assert_non_null(f);
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = '\0';
	pclose(f);
	return strstr(output, needle) != NULL;
}

bool world_has_gone(const char *command, const char *needle)
{
	for (int waited_ms = 0; waited_ms < WORLD_LATER_MS; waited_ms += LOOK_MS) {
		if (!world_shows(command, needle))
			return true;
		usleep(LOOK_MS * 1000);
	}
	return false;
}

void world_track_connections(void)
{
	world_run("nft 'table inet track {\n"
		  "chain in { type filter hook input priority 0; ct state new accept; }\n"
		  "chain out { type filter hook output priority 0; ct state new accept; }\n"
		  "}'");
}

void world_look_again(int *waited_ms, const char *awaited)
{
	if (*waited_ms >= WORLD_LATER_MS)
		fail_msg("not within %d ms: %s", WORLD_LATER_MS, awaited);
	usleep(LOOK_MS * 1000);
	*waited_ms += LOOK_MS;
}

uint32_t world_address(const char *dotted)
{
	struct in_addr address;

	assert_int_equal(inet_pton(AF_INET, dotted, &address), 1);
	return ntohl(address.s_addr);
}

static struct sockaddr_in socket_address(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

int world_socket(int netns, int domain, int type, int protocol)
{
	int on = 1, fd;

	enter(netns);
	fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	enter(world_host);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	return fd;
}

int world_bound(int netns, int type, uint32_t address, uint16_t port)
{
	struct sockaddr_in a = socket_address(address, port);
	int fd = world_socket(netns, AF_INET, type, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

void world_send(int fd, uint32_t to, uint16_t port, const char *text)
{
	struct sockaddr_in a = socket_address(to, port);

	assert_int_equal(sendto(fd, text, strlen(text), 0, (const struct sockaddr *)&a, sizeof(a)),
		strlen(text));
}

bool world_arrives(int fd, const char *text, int patience_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buffer[256];

	while (poll(&p, 1, patience_ms) == 1) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n == (ssize_t)strlen(text) && memcmp(buffer, text, (size_t)n) == 0)
			return true;
	}
	return false;
}

pid_t world_flood(int fd, uint32_t to)
{
	pid_t flood = fork();

	assert_true(flood >= 0);
	if (flood > 0)
		return flood;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint16_t i = 0;; i++)
		world_send(fd, to, 1 + i % FLOOD_PORTS, "x");
}

void world_end_flood(pid_t flood)
{
	assert_int_equal(kill(flood, SIGKILL), 0);
	assert_int_equal(waitpid(flood, NULL, 0), flood);
}

void world_send_packet(int fd, const struct world_packet *packet)
{
	struct sockaddr_in to = socket_address(packet->to, 0);
	size_t length = strlen(packet->text), header = 20u + packet->option_words * 4u;
	uint8_t bytes[256] = {0};
	uint32_t from = htonl(packet->from);
	uint16_t udp[4] = {htons(1234), htons(packet->port), htons((uint16_t)(8 + length)), 0};

	bytes[0] = (uint8_t)(0x40 | header / 4);
	bytes[6] = (uint8_t)(packet->fragment >> 8);
	bytes[7] = (uint8_t)packet->fragment;
	bytes[8] = 64; /* hops */
	bytes[9] = packet->protocol;
	memcpy(bytes + 12, &from, sizeof(from));
	memcpy(bytes + 16, &to.sin_addr, 4);
	memset(bytes + 20, 1, header - 20); /* options that say nothing */
	memcpy(bytes + header, udp, sizeof(udp));
	memcpy(bytes + header + sizeof(udp), packet->text, length);
	assert_true(sendto(fd, bytes, header + sizeof(udp) + length, 0,
			    (const struct sockaddr *)&to, sizeof(to)) > 0);
}

/* As the kernel has it for ICMP. */
static uint16_t checksum(const void *data, size_t size)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

void world_send_error(int fd, const struct world_error *error)
{
	struct sockaddr_in to = socket_address(error->to, 0);
	struct {
		struct iphdr ip;
		struct {
			struct icmphdr header;
			struct iphdr ip;
			struct udphdr udp;
			char mark[8];
		} icmp;
	} packet = {
		.ip = {.version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_ICMP,
			.saddr = htonl(error->from),
			.daddr = htonl(error->to)},
		.icmp = {.header = {.type = ICMP_DEST_UNREACH,
				 .code = ICMP_FRAG_NEEDED,
				 .un.frag.mtu = htons(600)},
			.ip = {.version = 4,
				.ihl = 5,
				.tot_len = htons(36),
				.protocol = IPPROTO_UDP,
				.saddr = htonl(error->to),
				.daddr = htonl(error->about)},
			.udp = {.source = htons(error->port),
				.dest = htons(error->about_port),
				.len = htons(16)}},
	};

	memcpy(packet.icmp.mark, error->mark, sizeof(packet.icmp.mark));
	packet.icmp.header.checksum = checksum(&packet.icmp, sizeof(packet.icmp));
	assert_int_equal(
		sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)),
		sizeof(packet));
}
