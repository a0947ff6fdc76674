/*
 * Slots' namespaces and links: what is in them, that a thousand are there at once, what is left at the end. One host
 * as network_world.h has it; sandboxes are sockets of ours in the slots' namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/network/links.h"
#include "tests/system/network_world.h"

#define MANY	  1000
#define HOST_MTU  1400
#define NEW_SLOTS 20

static struct network_start config;
static struct links *links;
static struct error err;

static int set_up(void **state)
{
	world_set_up(state);
	world_run("ip link set up0 mtu %d", HOST_MTU);
	return 0;
}

static int start(void **state)
{
	(void)state;
	world_config(&config, 0);
	if (links_open(&config, &links, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	links_close(links);
	links = NULL;
	return 0;
}

/* So that the next test counts its own. */
static int stop_and_wait(void **state)
{
	stop(state);
	return world_has_gone("ip link", "hth") ? 0 : 1;
}

static int slot_fd(uint32_t slot)
{
	int fd = -1;

	if (links_slot(links, slot, &fd, &err) < 0)
		fail_msg("%s", err.text);
	return fd;
}

static uint32_t address(uint32_t slot)
{
	return network_slot_address(&config, slot);
}

static void in_slot(int netns)
{
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
}

static void back(void)
{
	assert_int_equal(setns(world_host, CLONE_NEWNET), 0);
}

static unsigned lines_of(const char *command)
{
	FILE *f = popen(command, "re");
	unsigned n = 0;
	int c;

	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	pclose(f);
	return n;
}

static bool is_reached(int netns, uint32_t from)
{
	auto_close int server = world_bound(world_host, SOCK_DGRAM, config.gateway, WORLD_PORT);
	auto_close int client = world_bound(netns, SOCK_DGRAM, from, WORLD_PORT + 1);

	world_send(client, config.gateway, WORLD_PORT, "question");
	if (!world_arrives(server, "question", WORLD_LATER_MS))
		return false;
	world_send(server, from, WORLD_PORT + 1, "answer");
	return world_arrives(client, "answer", WORLD_LATER_MS);
}

static void a_slot_and_the_gateway_reach_each_other(void **state)
{
	(void)state;
	assert_true(is_reached(slot_fd(3), address(3)));
	assert_true(is_reached(slot_fd(0), address(0)));
}

static void a_slot_reaches_what_the_host_forwards_to(void **state)
{
	auto_close int server = -1, client = -1;

	(void)state;
	client = world_bound(slot_fd(0), SOCK_DGRAM, 0, 0);
	server = world_bound(world_outside, SOCK_DGRAM, world_address("5.5.5.5"), WORLD_PORT);
	world_send(client, world_address("5.5.5.5"), WORLD_PORT, "out");
	assert_true(world_arrives(server, "out", WORLD_LATER_MS));
}

/* None of them is sent again. The kernel may be slow to see that a link has its other end. */
static void the_first_packets_of_a_new_slot_arrive(void **state)
{
	(void)state;
	for (int i = 0; i < NEW_SLOTS; i++) {
		slot_fd(0); /* and all others: the last is the newest */
		assert_true(is_reached(slot_fd(WORLD_SLOTS - 1), address(WORLD_SLOTS - 1)));
		stop(state);
		start(state);
	}
}

static void a_namespace_is_set_up_before_anybody_enters_it(void **state)
{
	char range[64], text[64];
	uint32_t uid = config.first_uid + 2 * JAIL_UIDS;

	(void)state;
	in_slot(slot_fd(2));
	snprintf(range, sizeof(range), "%u\t%u\n", uid, uid + JAIL_UIDS - 1);
	assert_true(file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", text,
			    sizeof(text), &err) > 0);
	assert_string_equal(text, range);
	assert_true(world_shows("sysctl -n net.ipv4.ip_unprivileged_port_start", "0\n"));
	assert_true(world_shows("ip link show eth0", "mtu 1400"));
	assert_true(world_shows("ip link show eth0", ",UP,LOWER_UP"));
	assert_true(world_shows("ip -4 addr show lo", "127.0.0.1/8"));
	assert_true(world_shows("ip route", "default via 10.213.0.24 dev eth0"));
	assert_int_equal(lines_of("ip link | grep ^[0-9]*:"), 2);
	assert_int_equal(lines_of("ip neigh"), 1);
	assert_true(world_shows("ip neigh", "10.213.0.24 dev eth0"));
	assert_true(world_shows("ip neigh", "PERMANENT"));
	back();
}

static void ipv6_is_on_lo_only(void **state)
{
	(void)state;
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		return; /* nor has the host any */
	in_slot(slot_fd(2));
	assert_true(world_shows("ip -6 addr show lo", "::1/128"));
	assert_false(world_shows("ip -6 addr show eth0", "inet6"));
	back();
	assert_true(world_shows("ip -6 addr show up0", "fe80::")); /* as links usually have */
	assert_false(world_shows("ip -6 addr", "hth"));
}

static void the_hosts_end_passes_on_what_comes_from_its_sandbox_only(void **state)
{
	static const char *const settings[] = {"forwarding = 1", "rp_filter = 1", "proxy_arp = 0",
		"accept_redirects = 0", "send_redirects = 0", "accept_source_route = 0",
		"accept_local = 0", "route_localnet = 0"};
	char name[16], command[128], neighbour[64];

	(void)state;
	slot_fd(1);
	links_name(links, 1, name);
	snprintf(command, sizeof(command), "sysctl -a -r '^net.ipv4.conf.%s' 2>&1", name);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		assert_true(world_shows(command, settings[i]));
	snprintf(command, sizeof(command), "ip neigh show dev %s", name);
	snprintf(neighbour, sizeof(neighbour), "10.213.0.%u lladdr 06:68:0a:d5:00:%02x PERMANENT",
		address(1) & 255, address(1) & 255);
	assert_true(world_shows(command, neighbour));
}

static void slots_are_made_many_at_a_time_and_only_once(void **state)
{
	int first = slot_fd(2), again;

	(void)state;
	assert_int_equal(lines_of("ip -o link | grep hth"), WORLD_SLOTS - 2);
	again = slot_fd(2);
	assert_int_equal(again, first);
	slot_fd(0);
	assert_int_equal(lines_of("ip -o link | grep hth"), WORLD_SLOTS);
	assert_int_equal(links_slot(links, WORLD_SLOTS, &again, &err), -EINVAL);
}

static void names_begin_with_the_instances_prefix_and_differ(void **state)
{
	char names[WORLD_SLOTS][16], prefix[NETWORK_LINK_PREFIX_SIZE];

	(void)state;
	network_link_prefix(config.instance, prefix);
	for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
		links_name(links, i, names[i]);
		assert_memory_equal(names[i], prefix, strlen(prefix));
		assert_int_equal(strlen(names[i]), 15);
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
}

static void a_link_of_a_killed_instance_is_not_in_the_way(void **state)
{
	auto_close int old = dup(slot_fd(0));
	char name[16];

	links_name(links, 0, name);
	stop(state); /* a builder, say, still holds the namespace */
	start(state);
	assert_true(is_reached(slot_fd(0), address(0)));
	assert_true(world_shows("ip link", name));
}

static void a_slot_made_again_has_another_link_and_works_beside_the_old_one(void **state)
{
	auto_close int old = dup(slot_fd(4)), socket = -1;
	struct stat before, after;
	char name[16], next[16];
	bool is_new = false;

	(void)state;
	links_name(links, 4, name);
	socket = world_socket(old, AF_INET, SOCK_DGRAM, 0);
	world_send(socket, config.gateway, WORLD_PORT, "something is there");
	assert_int_equal(links_clean(links, 4, &is_new, &err), 0);
	assert_true(is_new);
	assert_int_equal(fstat(old, &before), 0);
	assert_int_equal(fstat(slot_fd(4), &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	links_name(links, 4, next);
	assert_string_not_equal(name, next);
	assert_true(is_reached(slot_fd(4), address(4)));
}

static void bandwidth_has_a_cap_at_both_ends(void **state)
{
	char name[16], command[64];

	stop(state);
	config.caps.bytes_per_second = UINT64_C(10000000000); /* more than 32 bits hold */
	if (links_open(&config, &links, &err) < 0)
		fail_msg("%s", err.text);
	in_slot(slot_fd(0));
	assert_true(world_shows("tc qdisc show dev eth0", "tbf"));
	assert_true(world_shows("tc qdisc show dev eth0", "rate 80Gbit"));
	back();
	links_name(links, 0, name);
	snprintf(command, sizeof(command), "tc qdisc show dev %s", name);
	assert_true(world_shows(command, "rate 80Gbit"));
	assert_true(is_reached(slot_fd(0), address(0)));
}

/* The kernel's limit of neighbours is for all namespaces together: each slot has two of them. */
static void a_thousand_slots_are_there_at_once_and_each_reaches_the_gateway(void **state)
{
	auto_close int server = -1;
	uint64_t began;
	unsigned inside = 0;

	stop(state);
	config.slot_count = MANY;
	config.gateway = address(MANY);
	if (links_open(&config, &links, &err) < 0)
		fail_msg("%s", err.text);
	began = clock_now_ns();
	for (uint32_t i = 0; i < MANY; i++)
		slot_fd(i);
	print_message(
		"# %d slots in %u ms\n", MANY, (unsigned)((clock_now_ns() - began) / 1000000));
	assert_int_equal(lines_of("ip -o link | grep hth"), MANY);
	assert_int_equal(lines_of("ip neigh show nud permanent | grep hth"), MANY);
	server = world_bound(world_host, SOCK_DGRAM, config.gateway, WORLD_PORT);
	for (uint32_t i = 0; i < MANY; i++) {
		auto_close int client = world_bound(slot_fd(i), SOCK_DGRAM, address(i), WORLD_PORT);
		char text[16];

		in_slot(slot_fd(i));
		inside += world_shows("cat /proc/net/arp", "0x6"); /* complete, permanent */
		back();
		snprintf(text, sizeof(text), "slot %u", i);
		world_send(client, config.gateway, WORLD_PORT, text);
		assert_true(world_arrives(server, text, WORLD_LATER_MS));
		world_send(server, address(i), WORLD_PORT, text);
		assert_true(world_arrives(client, text, WORLD_LATER_MS));
	}
	assert_int_equal(inside, MANY);
	assert_int_equal(lines_of("ip neigh show nud permanent | grep hth"), MANY);
}

static void all_of_it_goes_at_the_end(void **state)
{
	int fds = fd_count_open();

	stop(state);
	assert_true(world_has_gone("ip link", "hth"));
	assert_false(world_shows("ip addr", "10.213."));
	assert_false(world_shows("ip route", "10.213."));
	assert_false(world_shows("ip neigh", "10.213."));
	start(state);
	assert_int_equal(fd_count_open(), fds); /* those of links itself; slot_fd() made none */
	slot_fd(0);
	assert_int_equal(fd_count_open(), fds + WORLD_SLOTS);
}

static void what_a_killed_process_left_is_removed_by_the_instances_name(void **state)
{
	(void)state;
	assert_true(world_shows("ip addr show lo", "10.213.0.24/32"));
	assert_int_equal(links_recover("another", &err), 0);
	assert_true(world_shows("ip addr show lo", "10.213.0.24/32"));
	assert_int_equal(links_recover(config.instance, &err), 0);
	assert_false(world_shows("ip addr show lo", "10.213."));
	assert_int_equal(links_recover(config.instance, &err), 0);
}

static void an_address_that_is_taken_is_refused_and_stays(void **state)
{
	struct network_start other;
	struct links *second = NULL;

	(void)state;
	world_config(&other, 1);
	other.gateway = config.gateway;
	assert_true(links_open(&other, &second, &err) < 0);
	assert_non_null(strstr(err.text, "gateway"));
	assert_true(world_shows("ip addr show lo", "10.213.0.24/32"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop_and_wait)
	const struct CMUnitTest tests[] = {
		TEST(a_slot_and_the_gateway_reach_each_other),
		TEST(a_slot_reaches_what_the_host_forwards_to),
		TEST(the_first_packets_of_a_new_slot_arrive),
		TEST(a_namespace_is_set_up_before_anybody_enters_it),
		TEST(ipv6_is_on_lo_only),
		TEST(the_hosts_end_passes_on_what_comes_from_its_sandbox_only),
		TEST(slots_are_made_many_at_a_time_and_only_once),
		TEST(names_begin_with_the_instances_prefix_and_differ),
		TEST(a_link_of_a_killed_instance_is_not_in_the_way),
		TEST(a_slot_made_again_has_another_link_and_works_beside_the_old_one),
		TEST(bandwidth_has_a_cap_at_both_ends),
		TEST(all_of_it_goes_at_the_end),
		TEST(what_a_killed_process_left_is_removed_by_the_instances_name),
		TEST(an_address_that_is_taken_is_refused_and_stays),
		TEST(a_thousand_slots_are_there_at_once_and_each_reaches_the_gateway),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
