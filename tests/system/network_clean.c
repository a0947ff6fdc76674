/*
 * What a sandbox leaves in its slot's network, and that the next one there does not meet it. Sandboxes are sockets and
 * processes of ours in the slots' namespaces, on a host as network_world.h has it. Each residue is shown to be there
 * before it is cleaned away.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "nsjail-lite/network/links.h"
#include "tests/system/network_world.h"

#define ROUNDS 200

static struct network_start config;
static struct links *links;
static struct error err;
static int netns; /* of slot 0, in which all of it happens */

static int set_up(void **state)
{
	world_set_up(state);
	world_track_connections();
	return 0;
}

static int start(void **state)
{
	(void)state;
	world_config(&config, 0);
	if (links_open(&config, &links, &err) < 0 || links_slot(links, 0, &netns, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	links_close(links);
	return 0;
}

static uint32_t address(uint32_t slot)
{
	return network_slot_address(&config, slot);
}

static bool is_handed_on(void)
{
	bool is_new = false;

	if (links_clean(links, 0, &is_new, &err) < 0)
		fail_msg("%s", err.text);
	return !is_new;
}

static bool inside_shows(const char *command, const char *needle)
{
	bool shows;

	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	shows = world_shows(command, needle);
	assert_int_equal(setns(world_host, CLONE_NEWNET), 0);
	return shows;
}

static struct links_counts counts(uint32_t slot)
{
	struct links_counts c;

	if (links_count(links, slot, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

/* A stream from one socket in that namespace to another there, or to the host's. */
static void connect_stream(int family, int server_netns, const char *server, int ret_ends[3])
{
	struct sockaddr_storage a = {.ss_family = (sa_family_t)family};
	socklen_t size =
		family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	if (family == AF_INET)
		inet_pton(family, server, &((struct sockaddr_in *)&a)->sin_addr);
	else
		inet_pton(family, server, &((struct sockaddr_in6 *)&a)->sin6_addr);
	ret_ends[0] = world_socket(server_netns, family, SOCK_STREAM, 0);
	assert_int_equal(bind(ret_ends[0], (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(ret_ends[0], 4), 0);
	assert_int_equal(getsockname(ret_ends[0], (struct sockaddr *)&a, &size), 0);
	ret_ends[1] = world_socket(netns, family, SOCK_STREAM, 0);
	fcntl(ret_ends[1], F_SETFL, 0);
	assert_int_equal(connect(ret_ends[1], (struct sockaddr *)&a, size), 0);
	fcntl(ret_ends[0], F_SETFL, 0);
	ret_ends[2] = accept(ret_ends[0], NULL, NULL);
	assert_true(ret_ends[2] >= 0);
}

static void end_stream(const int ends[3])
{
	close(ends[1]); /* the first to close is the one that waits */
	close(ends[2]);
	close(ends[0]);
}

static void one_that_nobody_used_is_handed_on_at_once(void **state)
{
	struct stat before, after;
	uint64_t began = clock_now_ns();
	int again = -1;

	(void)state;
	assert_int_equal(fstat(netns, &before), 0);
	for (int i = 0; i < ROUNDS; i++)
		assert_true(is_handed_on());
	print_message("# cleaned in %u us each\n",
		(unsigned)((clock_now_ns() - began) / ROUNDS / NS_PER_US));
	assert_int_equal(links_slot(links, 0, &again, &err), 0);
	assert_int_equal(fstat(again, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void one_that_was_never_made_is_new(void **state)
{
	bool is_new = false;

	stop(state);
	world_config(&config, 0);
	assert_int_equal(links_open(&config, &links, &err), 0);
	assert_int_equal(links_clean(links, 0, &is_new, &err), 0);
	assert_true(is_new);
	assert_int_equal(counts(0).sent_bytes, 0);
}

static void connections_that_tcp_still_remembers_are_ended(void **state)
{
	int ends[3];

	(void)state;
	connect_stream(AF_INET, netns, "127.0.0.1", ends);
	end_stream(ends);
	connect_stream(AF_INET6, netns, "::1", ends);
	end_stream(ends);
	connect_stream(AF_INET, world_host, "10.213.0.24", ends);
	end_stream(ends);
	WORLD_AWAIT(inside_shows("cat /proc/thread-self/net/sockstat", " tw 3 "));
	assert_true(is_handed_on());
	assert_true(inside_shows("cat /proc/thread-self/net/sockstat", " tw 0 "));
	assert_false(inside_shows("ss -taHn", "10.213.0.24"));
}

static void a_connection_that_still_has_something_to_send_is_ended(void **state)
{
	char text[65536] = {0};
	int ends[3];

	(void)state;
	connect_stream(AF_INET, world_host, "10.213.0.24", ends);
	while (send(ends[1], text, sizeof(text), MSG_DONTWAIT) > 0)
		; /* until the host's end, which reads nothing, takes no more */
	close(ends[1]);
	assert_true(inside_shows("ss -taHn", "FIN-WAIT-1"));
	assert_true(is_handed_on());
	assert_false(inside_shows("ss -taHn", "10.213"));
	close(ends[2]);
	close(ends[0]);
}

static void a_socket_that_is_still_there_takes_the_namespace_away(void **state)
{
	static const struct {
		int domain, type, protocol;
	} kinds[] = {
		{AF_INET, SOCK_DGRAM, 0},
		{AF_INET6, SOCK_DGRAM, 0},
		{AF_INET, SOCK_RAW, IPPROTO_ICMP},
		{AF_UNIX, SOCK_DGRAM, 0},
		{AF_NETLINK, SOCK_RAW, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		auto_close int fd =
			world_socket(netns, kinds[i].domain, kinds[i].type, kinds[i].protocol);
		struct sockaddr_in a = {.sin_family = AF_INET};
		struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};

		if (kinds[i].domain == AF_INET)
			assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		if (kinds[i].domain == AF_INET6)
			assert_int_equal(bind(fd, (struct sockaddr *)&a6, sizeof(a6)), 0);
		assert_false(is_handed_on());
		assert_int_equal(links_slot(links, 0, &netns, &err), 0);
		assert_true(is_handed_on());
	}
}

static void what_the_host_tracks_is_forgotten(void **state)
{
	auto_close int mine = world_bound(netns, SOCK_DGRAM, address(0), WORLD_PORT);
	auto_close int host = world_bound(world_host, SOCK_DGRAM, config.gateway, WORLD_PORT);
	auto_close int others = -1;
	int other_netns;

	(void)state;
	assert_int_equal(links_slot(links, 1, &other_netns, &err), 0);
	others = world_bound(other_netns, SOCK_DGRAM, address(1), WORLD_PORT);
	world_send(mine, config.gateway, WORLD_PORT, "one");
	world_send(mine, config.gateway, WORLD_PORT + 1, "two");
	world_send(others, config.gateway, WORLD_PORT, "neighbour");
	world_send(host, address(0), WORLD_PORT + 9, "to it");
	WORLD_AWAIT(counts(0).connections == 2);
	WORLD_AWAIT(counts(1).connections == 1);
	WORLD_AWAIT(
		world_shows("cat /proc/net/nf_conntrack", "dst=10.213.0.16 sport=7000 dport=7009"));
	assert_int_equal(links_forget_connections(links, 0, &err), 0);
	assert_int_equal(counts(0).connections, 0);
	assert_false(world_shows("cat /proc/net/nf_conntrack", "10.213.0.16"));
	assert_int_equal(counts(1).connections, 1);
	world_send(mine, config.gateway, WORLD_PORT, "three");
	WORLD_AWAIT(counts(0).connections == 1);
	close(take_fd(&mine));
	assert_true(is_handed_on());
	assert_int_equal(counts(0).connections, 0);
	assert_int_equal(counts(1).connections, 1);
}

static void neighbours_are_forgotten_but_the_permanent_one(void **state)
{
	auto_close int fd = -1;
	int ends[3];

	(void)state;
	connect_stream(AF_INET, netns, "127.0.0.1", ends);
	end_stream(ends);
	fd = world_socket(netns, AF_INET, SOCK_DGRAM, 0);
	world_send(fd, world_address("224.0.0.9"), WORLD_PORT, "to many");
	close(take_fd(&fd));
	WORLD_AWAIT(inside_shows("ip neigh show nud all", "dev lo"));
	WORLD_AWAIT(inside_shows("ip neigh show nud all", "224.0.0.9"));
	assert_true(is_handed_on());
	assert_false(inside_shows("ip neigh show nud all", "dev lo"));
	assert_false(inside_shows("ip neigh show nud all", "224.0.0.9"));
	assert_true(inside_shows("ip neigh show nud all", "10.213.0.24 dev eth0"));
}

static int path_mtu(void)
{
	auto_close int fd = world_socket(netns, AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(WORLD_PORT),
		.sin_addr.s_addr = htonl(world_address("5.5.5.5"))};
	int on = IP_PMTUDISC_DO, mtu = 0;
	socklen_t size = sizeof(mtu);
	char text[1300] = {0};

	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &on, sizeof(on)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &size), 0);
	send(fd, text, sizeof(text), 0); /* and learn that it is too much */
	return mtu;
}

static void what_was_learnt_of_a_path_is_forgotten(void **state)
{
	(void)state;
	world_run("ip route add 5.5.5.5/32 via 5.5.5.1 mtu lock 1000");
	assert_int_equal(path_mtu(), 1500);
	WORLD_AWAIT(path_mtu() == 1000);
	assert_true(is_handed_on());
	assert_int_equal(path_mtu(), 1500);
	world_run("ip route del 5.5.5.5/32");
	assert_true(inside_shows("ip route", "default via 10.213.0.24 dev eth0"));
	assert_true(inside_shows("ip route", "10.213.0.24 dev eth0"));
}

static void what_tcp_has_learnt_of_an_address_is_forgotten(void **state)
{
	int ends[3];
	char byte;

	(void)state;
	connect_stream(AF_INET, world_host, "10.213.0.24", ends);
	assert_int_equal(send(ends[1], "x", 1, 0), 1);
	assert_int_equal(recv(ends[2], &byte, 1, 0), 1);
	end_stream(ends);
	WORLD_AWAIT(inside_shows("ip tcp_metrics show", "10.213.0.24"));
	assert_true(is_handed_on());
	assert_false(inside_shows("ip tcp_metrics show", "10.213.0.24"));
}

static void bytes_are_counted_from_the_last_cleaning_on(void **state)
{
	auto_close int mine = world_bound(netns, SOCK_DGRAM, address(0), WORLD_PORT);
	auto_close int host = world_bound(world_host, SOCK_DGRAM, config.gateway, WORLD_PORT);
	char text[201];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[200] = '\0';
	for (int i = 0; i < 10; i++)
		world_send(mine, config.gateway, WORLD_PORT, text);
	world_send(host, address(0), WORLD_PORT, text);
	WORLD_AWAIT(counts(0).sent_bytes >= 2000);
	WORLD_AWAIT(counts(0).received_bytes >= 200);
	assert_in_range(counts(0).sent_bytes, 2000, 2500);
	assert_in_range(counts(0).received_bytes, 200, 250);
	close(take_fd(&mine));
	assert_true(is_handed_on());
	assert_int_equal(counts(0).sent_bytes, 0);
	assert_int_equal(counts(0).received_bytes, 0);
}

/* Enough to wait for seconds, in a bucket that lets through little: it would be the next tenant's. */
static void packets_that_wait_at_the_cap_take_the_namespace_away(void **state)
{
	char text[1001];

	memset(text, 'x', sizeof(text));
	text[1000] = '\0';
	for (int outward = 0; outward < 2; outward++) {
		auto_close int fd = -1;
		int from;

		stop(state);
		world_config(&config, 0);
		config.caps.bytes_per_second = 10000;
		if (links_open(&config, &links, &err) < 0 || links_slot(links, 0, &netns, &err) < 0)
			fail_msg("%s", err.text);
		assert_true(is_handed_on());
		from = outward ? netns : world_host;
		fd = world_socket(from, AF_INET, SOCK_DGRAM, 0);
		for (int i = 0; i < 200; i++)
			world_send(fd, outward ? config.gateway : address(0), WORLD_PORT, text);
		close(take_fd(&fd));
		assert_false(is_handed_on());
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(one_that_nobody_used_is_handed_on_at_once),
		TEST(one_that_was_never_made_is_new),
		TEST(connections_that_tcp_still_remembers_are_ended),
		TEST(a_connection_that_still_has_something_to_send_is_ended),
		TEST(a_socket_that_is_still_there_takes_the_namespace_away),
		TEST(what_the_host_tracks_is_forgotten),
		TEST(neighbours_are_forgotten_but_the_permanent_one),
		TEST(what_was_learnt_of_a_path_is_forgotten),
		TEST(what_tcp_has_learnt_of_an_address_is_forgotten),
		TEST(bytes_are_counted_from_the_last_cleaning_on),
		TEST(packets_that_wait_at_the_cap_take_the_namespace_away),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
