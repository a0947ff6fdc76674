/*
 * Who may send what where: the rules and links of two instances on one host, packets from their slots' namespaces,
 * and who gets them. What must not arrive is counted as denied; what is sent is one packet, so that this says it all.
 * At the end each of them arrives, where there is no table.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "tests/system/network_slots.h"

#define MAIL_PORT 587
#define REFUSALS                                                                                   \
	30 /* more than the errors of ICMP that the kernel sends to one address at a time */

static struct error err;

enum place { OUTSIDE, HOST, NEIGHBOUR, OTHER_INSTANCE, RESOLVER };

#define N (1 << NETWORK_NONE)
#define D (1 << NETWORK_DEFAULT)
#define A (1 << NETWORK_ALLOW)
#define O (1 << NETWORK_OPEN)

/* Whom profiles let through, one row each. address NULL: the place's own. */
static const struct destination {
	const char *name;
	enum place place;
	const char *address;
	uint16_t port;
	int passes;
} destinations[] = {
	{"the Internet", OUTSIDE, "5.5.5.5", WORLD_PORT, D | O},
	{"an allowed range", OUTSIDE, "5.5.6.6", WORLD_PORT, D | A | O},
	{"an allowed range that is private", OUTSIDE, "192.168.7.7", WORLD_PORT, A | O},
	{"a private address", OUTSIDE, "10.1.2.3", WORLD_PORT, O},
	{"another private address", OUTSIDE, "172.16.0.9", WORLD_PORT, O},
	{"an excepted private address", OUTSIDE, "10.9.9.9", WORLD_PORT, D | O},
	{"the metadata address", OUTSIDE, "169.254.169.254", WORLD_PORT, O},
	{"metadata of another cloud", OUTSIDE, "100.64.0.1", WORLD_PORT, O},
	{"a network for benchmarks", OUTSIDE, "198.18.0.1", WORLD_PORT, O},
	{"a network of documentation", OUTSIDE, "203.0.113.9", WORLD_PORT, O},
	{"another resolver", OUTSIDE, "5.5.5.5", 53, O},
	{"another resolver, excepted", OUTSIDE, "10.9.9.9", 53, O},
	{"another resolver, allowed", OUTSIDE, "5.5.6.6", 853, O},
	{"the resolver", RESOLVER, NULL, 53, D | A | O},
	{"another service at the resolver's address", HOST, NULL, WORLD_PORT, 0},
	{"the host's address", HOST, "5.5.5.2", WORLD_PORT, 0},
	{"the host's DNS", HOST, "5.5.5.2", 53, 0},
	{"the host by broadcast", HOST, "255.255.255.255", WORLD_PORT, 0},
	{"the host by multicast", HOST, "224.0.0.1", WORLD_PORT, 0},
	{"a neighbour", NEIGHBOUR, NULL, WORLD_PORT, 0},
	{"a neighbour's DNS", NEIGHBOUR, NULL, 53, 0},
	{"a sandbox of another instance", OTHER_INSTANCE, NULL, WORLD_PORT, 0},
};

static int listen_at(const struct destination *d)
{
	uint32_t at = d->address ? world_address(d->address) : 0;

	switch (d->place) {
	case OUTSIDE:
		return world_bound(world_outside, SOCK_DGRAM, at, d->port);
	case RESOLVER:
		return world_bound(world_host, SOCK_DGRAM, slots_configs[0].gateway, d->port);
	case HOST:
		return world_bound(world_host, SOCK_DGRAM, 0, d->port);
	case NEIGHBOUR:
		return world_bound(slots_netns[1], SOCK_DGRAM, 0, d->port);
	case OTHER_INSTANCE:
		return world_bound(slots_netns[2], SOCK_DGRAM, 0, d->port);
	}
	return -1;
}

static uint32_t address_at(const struct destination *d)
{
	if (d->address)
		return world_address(d->address);
	return d->place == NEIGHBOUR	    ? slots_address[1]
	       : d->place == OTHER_INSTANCE ? slots_address[2]
					    : slots_configs[0].gateway;
}

static void send_to(const struct destination *d, const char *text)
{
	slots_send(address_at(d), d->port, text);
}

static void reach_what_the_profile_says(enum network_profile profile)
{
	slots_set_profile(0, profile);
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
		const struct destination *d = &destinations[i];
		auto_close int fd = listen_at(d);
		uint64_t before = slots_denied(0);

		send_to(d, d->name);
		if (d->passes & 1 << profile) {
			if (!world_arrives(fd, d->name, WORLD_LATER_MS))
				fail_msg("%s does not reach %s", network_profile_name(profile),
					d->name);
			assert_int_equal(slots_denied(0), before);
			continue;
		}
		if (!slots_becomes_denied(0, before))
			fail_msg("%s: %s is not denied", network_profile_name(profile), d->name);
		if (world_arrives(fd, d->name, 0))
			fail_msg("%s reaches %s", network_profile_name(profile), d->name);
	}
}

static void none_reaches_nothing(void **state)
{
	(void)state;
	reach_what_the_profile_says(NETWORK_NONE);
}

static void default_reaches_the_internet_and_what_is_excepted(void **state)
{
	(void)state;
	reach_what_the_profile_says(NETWORK_DEFAULT);
}

static void allow_reaches_what_is_allowed(void **state)
{
	(void)state;
	reach_what_the_profile_says(NETWORK_ALLOW);
}

static void open_reaches_all_but_the_host_and_sandboxes(void **state)
{
	(void)state;
	reach_what_the_profile_says(NETWORK_OPEN);
}

/* A connection that is established, or on its way. */
static int connect_to(uint32_t to, uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(to)};
	int fd = world_socket(slots_netns[0], AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), -1);
	assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static bool becomes_connected(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(errno);
	int why = -1;

	return poll(&p, 1, WORLD_LATER_MS) == 1 &&
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) == 0 && why == 0;
}

/* The error that ends it, which an answer from the host brings: a dropped packet would be sent again and again. */
static int error_of(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(errno);
	int why = -1;

	assert_int_equal(poll(&p, 1, WORLD_LATER_MS), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size), 0);
	return why;
}

static void what_is_refused_is_answered_at_once(void **state)
{
	uint64_t before;

	(void)state;
	slots_set_profile(0, NETWORK_DEFAULT);
	before = slots_denied(0);
	for (unsigned i = 1; i <= REFUSALS; i++) {
		auto_close int fd = connect_to(world_address("10.1.2.3"), WORLD_PORT);

		assert_int_equal(error_of(fd), ECONNREFUSED);
		assert_int_equal(slots_denied(0), before + i); /* of its first packet */
	}
	slots_set_profile(0, NETWORK_NONE);
	{
		auto_close int fd = connect_to(world_address("5.5.5.5"), WORLD_PORT);

		assert_int_equal(error_of(fd), ECONNREFUSED);
	}
}

static void a_refused_datagram_is_answered_too(void **state)
{
	auto_close int fd = world_socket(slots_netns[0], AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(WORLD_PORT),
		.sin_addr.s_addr = htonl(world_address("10.1.2.3"))};
	uint64_t before;

	(void)state;
	slots_set_profile(0, NETWORK_DEFAULT);
	before = slots_denied(0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_true(slots_becomes_denied(0, before));
	assert_int_equal(slots_denied(0), before + 1);
	for (int i = 0; i < WORLD_LATER_MS && send(fd, "x", 1, 0) == 1; i++)
		usleep(1000);
	assert_int_equal(errno, EHOSTUNREACH);
}

static void mail_is_sent_by_open_only(void **state)
{
	auto_close int listening =
		world_bound(world_outside, SOCK_STREAM, world_address("5.5.5.5"), MAIL_PORT);
	auto_close int refused = -1, open = -1;
	uint64_t before;

	(void)state;
	slots_set_profile(0, NETWORK_DEFAULT);
	before = slots_denied(0);
	refused = connect_to(world_address("5.5.5.5"), MAIL_PORT);
	assert_true(slots_becomes_denied(0, before));
	slots_set_profile(0, NETWORK_OPEN);
	open = connect_to(world_address("5.5.5.5"), MAIL_PORT);
	assert_true(becomes_connected(open));
}

static void a_change_of_profile_ends_what_it_no_longer_allows(void **state)
{
	auto_close int listening =
		world_bound(world_outside, SOCK_STREAM, world_address("5.5.5.5"), WORLD_PORT);
	auto_close int fd = -1, other = -1, again = -1;
	struct pollfd p = {.events = POLLIN};
	struct links_counts counts;
	uint64_t before;

	(void)state;
	slots_set_profile(0, NETWORK_DEFAULT);
	fd = connect_to(world_address("5.5.5.5"), WORLD_PORT);
	assert_true(becomes_connected(fd));
	p.fd = listening;
	assert_int_equal(poll(&p, 1, WORLD_LATER_MS), 1);
	other = accept(listening, NULL, NULL);
	assert_true(other >= 0);
	assert_int_equal(send(fd, "before", 6, 0), 6);
	assert_true(world_arrives(other, "before", WORLD_LATER_MS));

	slots_set_profile(0, NETWORK_ALLOW);
	before = slots_denied(0);
	assert_int_equal(send(fd, "after", 5, 0), 5);
	assert_true(slots_becomes_denied(0, before));
	assert_false(world_arrives(other, "after", 0));
	assert_int_equal(links_count(slots_links[0], 0, &counts, &err), 0);
	assert_int_equal(counts.connections, 0);

	/* It is told so at once; a new one passes where it may. */
	p.fd = fd;
	assert_int_equal(poll(&p, 1, WORLD_LATER_MS), 1);
	assert_int_equal(recv(fd, &counts, sizeof(counts), 0), -1);
	assert_int_equal(errno, ECONNRESET);
	slots_set_profile(0, NETWORK_DEFAULT);
	again = connect_to(world_address("5.5.5.5"), WORLD_PORT);
	assert_true(becomes_connected(again));
}

static void answers_come_and_nothing_else_does(void **state)
{
	auto_close int outside =
		world_bound(world_outside, SOCK_DGRAM, world_address("5.5.5.5"), WORLD_PORT);
	auto_close int inside = world_bound(slots_netns[0], SOCK_DGRAM, 0, WORLD_PORT);
	auto_close int host = world_socket(world_host, AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char byte[8];

	(void)state;
	slots_set_profile(0, NETWORK_OPEN);
	world_send(inside, world_address("5.5.5.5"), WORLD_PORT, "question");
	assert_int_equal(
		poll(&(struct pollfd){.fd = outside, .events = POLLIN}, 1, WORLD_LATER_MS), 1);
	assert_int_equal(
		recvfrom(outside, byte, sizeof(byte), 0, (struct sockaddr *)&from, &size), 8);
	/* It comes from the host's address: nobody outside knows the sandboxes'. */
	assert_int_equal(ntohl(from.sin_addr.s_addr), world_address("5.5.5.2"));
	/* Unasked ones, then the answer, which comes behind them. */
	assert_int_equal(
		sendto(host, "unasked", 7, 0,
			(const struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET,
				.sin_port = htons(WORLD_PORT),
				.sin_addr.s_addr = htonl(slots_address[0])},
			sizeof(from)),
		-1);
	assert_int_equal(errno, EPERM);
	{
		auto_close int other = world_socket(world_outside, AF_INET, SOCK_DGRAM, 0);

		world_send(other, slots_address[0], WORLD_PORT, "unasked");
	}
	assert_int_equal(sendto(outside, "answer", 6, 0, (const struct sockaddr *)&from, size), 6);
	assert_int_equal(
		poll(&(struct pollfd){.fd = inside, .events = POLLIN}, 1, WORLD_LATER_MS), 1);
	assert_int_equal(recv(inside, byte, sizeof(byte), 0), 6);
	assert_memory_equal(byte, "answer", 6);
}

/* The text is the first that comes. */
static void expect_first(int fd, const char *text)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buffer[64] = "";

	assert_int_equal(poll(&p, 1, WORLD_LATER_MS), 1);
	assert_true(recv(fd, buffer, sizeof(buffer) - 1, 0) > 0);
	assert_string_equal(buffer, text);
}

/* Of two packets by the same way the one behind comes, so the other has been dropped. */
static void the_resolver_is_for_sandboxes_only(void **state)
{
	auto_close int resolver = world_bound(world_host, SOCK_DGRAM, slots_configs[0].gateway, 53);
	auto_close int host = world_bound(world_host, SOCK_DGRAM, 0, WORLD_PORT);
	auto_close int outside = world_socket(world_outside, AF_INET, SOCK_DGRAM, 0);
	auto_close int local = world_socket(world_host, AF_INET, SOCK_DGRAM, 0);

	(void)state;
	world_send(outside, slots_configs[0].gateway, 53, "from outside");
	world_send(outside, world_address("5.5.5.2"), WORLD_PORT, "behind it");
	assert_true(world_arrives(host, "behind it", WORLD_LATER_MS));
	world_send(local, slots_configs[0].gateway, 53, "from the host");
	expect_first(resolver, "from the host");
}

static void a_profile_follows_the_slots_link(void **state)
{
	const struct destination *internet = &destinations[0];
	auto_close int fd = listen_at(internet);

	(void)state;
	slots_set_profile(0, NETWORK_DEFAULT);
	assert_int_equal(rules_set_profile(slots_rules[0], "hthother", slots_address[0],
				 NETWORK_DEFAULT, &err),
		0);
	send_to(internet, "by a link that is no longer the slot's");
	slots_set_profile(0, NETWORK_DEFAULT);
	send_to(internet, "by the slot's");
	expect_first(fd, "by the slot's");
}

static void only_the_slots_own_source_and_plain_packets_pass(void **state)
{
	auto_close int outside =
		world_bound(world_outside, SOCK_DGRAM, world_address("5.5.5.5"), WORLD_PORT);
	auto_close int fd = world_socket(slots_netns[0], AF_INET, SOCK_RAW, IPPROTO_RAW);
	static const struct {
		const char *name;
		uint8_t protocol, option_words;
		uint16_t fragment;
		int from; /* index of sandbox; -1: nobody's */
		bool passes;
	} packets[] = {
		{"a packet by hand", IPPROTO_UDP, 0, 0, 0, true},
		{"the neighbour's source", IPPROTO_UDP, 0, 0, 1, false},
		{"another instance's source", IPPROTO_UDP, 0, 0, 2, false},
		{"a foreign source", IPPROTO_UDP, 0, 0, -1, false},
		{"options", IPPROTO_UDP, 1, 0, 0, false},
		{"the first fragment", IPPROTO_UDP, 0, IP_MF, 0, false},
		{"one in the middle", IPPROTO_UDP, 0, IP_MF | 1, 0, false},
		{"the last one", IPPROTO_UDP, 0, 2, 0, false},
		{"IP in IP", IPPROTO_IPIP, 0, 0, 0, false},
		{"IPv6 in IP", IPPROTO_IPV6, 0, 0, 0, false},
		{"GRE", IPPROTO_GRE, 0, 0, 0, false},
		{"SCTP", IPPROTO_SCTP, 0, 0, 0, false},
		{"UDP-Lite", IPPROTO_UDPLITE, 0, 0, 0, false},
	};

	(void)state;
	slots_set_profile(0, NETWORK_OPEN);
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		uint64_t before = slots_denied(0), neighbours = slots_denied(1);
		const struct world_packet packet = {.protocol = packets[i].protocol,
			.option_words = packets[i].option_words,
			.fragment = packets[i].fragment,
			.from = packets[i].from < 0 ? world_address("5.5.7.7")
						    : slots_address[packets[i].from],
			.to = world_address("5.5.5.5"),
			.port = WORLD_PORT,
			.text = packets[i].name};

		world_send_packet(fd, &packet);
		if (packets[i].passes) {
			assert_true(world_arrives(outside, packet.text, WORLD_LATER_MS));
			continue;
		}
		if (!slots_becomes_denied(0, before))
			fail_msg("%s is not denied", packet.text);
		assert_false(world_arrives(outside, packet.text, 0));
		assert_int_equal(slots_denied(1), neighbours); /* not he is blamed */
	}
	/* None of them waits in the memory that the host has for others' fragments. */
	assert_true(world_shows("cat /proc/thread-self/net/sockstat", "FRAG: inuse 0 memory 0"));
}

/* The sandbox says to the Internet that what has come from there to the host was too long. */
static void send_error_about_the_host(const char mark[8])
{
	auto_close int fd = world_socket(slots_netns[0], AF_INET, SOCK_RAW, IPPROTO_RAW);
	const struct world_error error = {.from = slots_address[0],
		.to = world_address("5.5.5.5"),
		.port = WORLD_PORT,
		.about = world_address("5.5.5.2"),
		.about_port = WORLD_PORT + 1,
		.mark = mark};

	world_send_error(fd, &error);
}

/* Whether a packet with that mark comes to the raw socket. */
static bool mark_arrives(int fd, const char mark[8], int patience_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buffer[256];

	while (poll(&p, 1, patience_ms) == 1) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n > 0 && memmem(buffer, (size_t)n, mark, 8))
			return true;
	}
	return false;
}

static void nobody_speaks_of_the_hosts_connections(void **state)
{
	auto_close int outside =
		world_bound(world_outside, SOCK_DGRAM, world_address("5.5.5.5"), WORLD_PORT);
	auto_close int errors = world_socket(world_outside, AF_INET, SOCK_RAW, IPPROTO_ICMP);
	auto_close int host = world_bound(world_host, SOCK_DGRAM, 0, WORLD_PORT + 1);

	(void)state;
	world_send(host, world_address("5.5.5.5"), WORLD_PORT, "the host's own");
	assert_true(world_arrives(outside, "the host's own", WORLD_LATER_MS));
	for (enum network_profile profile = NETWORK_NONE; profile <= NETWORK_OPEN; profile++) {
		slots_set_profile(0, profile);
		send_error_about_the_host("the mark");
	}
	slots_send(world_address("5.5.5.5"), WORLD_PORT, "behind it");
	assert_true(world_arrives(outside, "behind it", WORLD_LATER_MS));
	assert_false(mark_arrives(errors, "the mark", 0));
}

static void errors_about_its_own_connections_come(void **state)
{
	auto_close int fd = world_socket(slots_netns[0], AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in nobody = {.sin_family = AF_INET,
		.sin_port = htons(WORLD_PORT),
		.sin_addr.s_addr = htonl(world_address("5.5.5.5"))};

	(void)state;
	slots_set_profile(0, NETWORK_DEFAULT);
	assert_int_equal(connect(fd, (const struct sockaddr *)&nobody, sizeof(nobody)), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(error_of(fd), ECONNREFUSED);
}

static void ipv6_is_denied(void **state)
{
	auto_close int fd = world_socket(slots_netns[0], AF_PACKET, SOCK_DGRAM, 0);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IPV6),
		.sll_halen = ETH_ALEN,
		.sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	/* no payload: from fe80::1 to ff02::1 */
	uint8_t packet[40] = {0x60, [6] = 59, [7] = 64, [8] = 0xfe, [9] = 0x80, [23] = 1,
		[24] = 0xff, [25] = 2, [39] = 1};
	struct ifreq name = {.ifr_name = "eth0"};
	uint64_t before;

	(void)state;
	slots_set_profile(0, NETWORK_OPEN);
	before = slots_denied(0);
	assert_int_equal(ioctl(fd, SIOCGIFINDEX, &name), 0);
	to.sll_ifindex = name.ifr_ifindex;
	assert_int_equal(
		sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)),
		sizeof(packet));
	assert_true(slots_becomes_denied(0, before));
}

/* The control of all tests above: it is the table that they saw. */
static void without_a_table_everything_arrives(void **state)
{
	(void)state;
	assert_int_equal(rules_recover(slots_configs[0].instance, &err), 0);
	assert_int_equal(
		rules_recover(slots_configs[0].instance, &err), 0); /* also when there is none */
	assert_false(world_shows("nft list tables", slots_configs[0].instance));
	/* The other instance's is not touched, and lets nothing new to its sandboxes. */
	assert_true(world_shows("nft list tables", slots_configs[1].instance));
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
		const struct destination *d = &destinations[i];
		auto_close int fd = listen_at(d);

		send_to(d, d->name);
		if (d->place != OTHER_INSTANCE && !world_arrives(fd, d->name, WORLD_LATER_MS))
			fail_msg("%s is out of reach without a table", d->name);
	}
	{
		auto_close int resolver =
			world_bound(world_host, SOCK_DGRAM, slots_configs[0].gateway, 53);
		auto_close int outside = world_socket(world_outside, AF_INET, SOCK_DGRAM, 0);

		world_send(outside, slots_configs[0].gateway, 53, "from outside");
		assert_true(world_arrives(resolver, "from outside", WORLD_LATER_MS));
	}
	{
		auto_close int errors =
			world_socket(world_outside, AF_INET, SOCK_RAW, IPPROTO_ICMP);

		send_error_about_the_host("the mark");
		assert_true(mark_arrives(errors, "the mark", WORLD_LATER_MS));
	}
	assert_int_equal(rules_recover(slots_configs[1].instance, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++)
		if (destinations[i].place == OTHER_INSTANCE) {
			auto_close int fd = listen_at(&destinations[i]);

			send_to(&destinations[i], "now");
			assert_true(world_arrives(fd, "now", WORLD_LATER_MS));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_reaches_nothing),
		cmocka_unit_test(default_reaches_the_internet_and_what_is_excepted),
		cmocka_unit_test(allow_reaches_what_is_allowed),
		cmocka_unit_test(open_reaches_all_but_the_host_and_sandboxes),
		cmocka_unit_test(what_is_refused_is_answered_at_once),
		cmocka_unit_test(a_refused_datagram_is_answered_too),
		cmocka_unit_test(mail_is_sent_by_open_only),
		cmocka_unit_test(a_change_of_profile_ends_what_it_no_longer_allows),
		cmocka_unit_test(answers_come_and_nothing_else_does),
		cmocka_unit_test(the_resolver_is_for_sandboxes_only),
		cmocka_unit_test(a_profile_follows_the_slots_link),
		cmocka_unit_test(only_the_slots_own_source_and_plain_packets_pass),
		cmocka_unit_test(nobody_speaks_of_the_hosts_connections),
		cmocka_unit_test(errors_about_its_own_connections_come),
		cmocka_unit_test(ipv6_is_denied),
		cmocka_unit_test(without_a_table_everything_arrives),
	};

	return cmocka_run_group_tests(tests, slots_set_up, slots_tear_down);
}
