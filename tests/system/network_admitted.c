/* What changes with a sandbox's life: addresses that its names resolve to, what it may have at a time; and the next one's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "proto/dns.h"
#include "tests/system/network_slots.h"

#define INTERNET    0x05050505u /* 5.5.5.5 */
#define CONNECTIONS 6

static struct error err;

static int listen_at_internet(void)
{
	return world_bound(world_outside, SOCK_DGRAM, INTERNET, WORLD_PORT);
}

static void wait_until_denied(uint32_t to)
{
	uint64_t before = slots_denied(0);

	for (int i = 0; i < WORLD_LATER_MS / 100; i++) {
		slots_send(to, WORLD_PORT, "again");
		usleep(100000);
		if (slots_denied(0) > before)
			return;
	}
	fail_msg("it is never denied");
}

static void what_a_name_resolved_to_is_admitted_for_its_time(void **state)
{
	uint32_t first = INTERNET, second = world_address("5.5.7.7");
	const uint32_t both[] = {first, second, first};
	auto_close int fd = listen_at_internet();
	uint64_t before;

	(void)state;
	slots_set_profile(0, NETWORK_ALLOW);
	/* Twice the same in one answer; then one for longer, after which for shorter changes nothing. */
	assert_int_equal(rules_admit(slots_rules[0], slots_address[0], both, 3, 1, &err), 0);
	assert_int_equal(
		rules_admit(slots_rules[0], slots_address[0], &first, 1, DNS_TTL_MAX, &err), 0);
	assert_int_equal(rules_admit(slots_rules[0], slots_address[0], &first, 1, 1, &err), 0);
	slots_send(INTERNET, WORLD_PORT, "admitted");
	assert_true(world_arrives(fd, "admitted", WORLD_LATER_MS));
	wait_until_denied(second);
	slots_send(INTERNET, WORLD_PORT, "admitted still");
	assert_true(world_arrives(fd, "admitted still", WORLD_LATER_MS));

	assert_int_equal(rules_forget(slots_rules[0], slots_address[0], &err), 0);
	assert_int_equal(slots_denied(0), 0);
	before = slots_denied(0);
	slots_send(INTERNET, WORLD_PORT, "forgotten");
	assert_true(slots_becomes_denied(0, before));
	assert_false(world_arrives(fd, "forgotten", 0));
}

static void what_was_admitted_is_forgotten_with_the_profile(void **state)
{
	uint32_t destination = INTERNET;
	auto_close int fd = listen_at_internet();
	uint64_t before;

	(void)state;
	slots_set_profile(0, NETWORK_ALLOW);
	assert_int_equal(
		rules_admit(slots_rules[0], slots_address[0], &destination, 1, DNS_TTL_MAX, &err),
		0);
	slots_send(INTERNET, WORLD_PORT, "admitted");
	assert_true(world_arrives(fd, "admitted", WORLD_LATER_MS));
	slots_set_profile(0, NETWORK_NONE);
	slots_set_profile(0, NETWORK_ALLOW);
	before = slots_denied(0);
	slots_send(INTERNET, WORLD_PORT, "forgotten");
	assert_true(slots_becomes_denied(0, before));
	assert_false(world_arrives(fd, "forgotten", 0));
}

static void no_more_than_so_many_addresses_are_admitted(void **state)
{
	uint32_t destination = world_address("6.0.0.0"), known = destination;

	(void)state;
	slots_set_profile(0, NETWORK_ALLOW);
	for (int i = 0; i < DNS_ADMITTED_MAX; i++, destination++)
		assert_int_equal(rules_admit(slots_rules[0], slots_address[0], &destination, 1,
					 DNS_TTL_MAX, &err),
			0);
	assert_int_equal(
		rules_admit(slots_rules[0], slots_address[0], &destination, 1, DNS_TTL_MAX, &err),
		-ENOSPC);
	assert_int_equal(
		rules_admit(slots_rules[0], slots_address[0], &known, 1, DNS_TTL_MAX, &err), 0);
	/* All of them go in one exchange. */
	assert_int_equal(rules_forget(slots_rules[0], slots_address[0], &err), 0);
	assert_false(world_shows("nft list set inet hearth-" WORLD_INSTANCE " admitted", "6.0.0."));
	assert_int_equal(
		rules_admit(slots_rules[0], slots_address[0], &destination, 1, DNS_TTL_MAX, &err),
		0);
	assert_true(world_shows("nft list set inet hearth-" WORLD_INSTANCE " admitted", "6.0.2.0"));
}

static void an_address_of_no_slot_has_no_rules(void **state)
{
	uint32_t behind = slots_address[0] + WORLD_SLOTS, destination = world_address("5.5.5.5");
	uint64_t packets;

	(void)state;
	assert_int_equal(
		rules_set_profile(slots_rules[0], "hthx", behind, NETWORK_OPEN, &err), -EINVAL);
	assert_int_equal(rules_admit(slots_rules[0], behind, &destination, 1, 60, &err), -EINVAL);
	assert_int_equal(rules_forget(slots_rules[0], slots_address[0] - 1, &err), -EINVAL);
	assert_int_equal(rules_denied(slots_rules[0], behind, &packets, &err), -EINVAL);
	/* Nobody has used this one yet. */
	assert_int_equal(rules_denied(slots_rules[0], behind - 1, &packets, &err), 0);
	assert_int_equal(packets, 0);
	assert_int_equal(rules_forget(slots_rules[0], behind - 1, &err), 0);
}

/* The first instance again, with these caps. */
static void open_with_caps(uint32_t connections, uint32_t new_per_second)
{
	rules_close(slots_rules[0]);
	slots_configs[0].caps.connections = connections;
	slots_configs[0].caps.new_per_second = new_per_second;
	if (rules_open(&slots_configs[0], &slots_rules[0], &err) < 0)
		fail_msg("%s", err.text);
	slots_set_profile(0, NETWORK_OPEN);
	slots_set_profile(1, NETWORK_OPEN);
}

static void connections_are_capped(void **state)
{
	auto_close int fd = listen_at_internet();
	auto_close int first = -1;
	uint64_t before;

	(void)state;
	open_with_caps(CONNECTIONS, 0);
	first = world_socket(slots_netns[0], AF_INET, SOCK_DGRAM, 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		char text[16];

		snprintf(text, sizeof(text), "number %d", i);
		if (i == 0)
			world_send(first, INTERNET, WORLD_PORT, text);
		else
			slots_send(INTERNET, WORLD_PORT, text);
		assert_true(world_arrives(fd, text, WORLD_LATER_MS));
	}
	before = slots_denied(0);
	slots_send(INTERNET, WORLD_PORT, "one too many");
	assert_true(slots_becomes_denied(0, before));
	assert_false(world_arrives(fd, "one too many", 0));
	/* What is there goes on, and the neighbour has his own. */
	world_send(first, INTERNET, WORLD_PORT, "number 0 again");
	assert_true(world_arrives(fd, "number 0 again", WORLD_LATER_MS));
	{
		auto_close int other = world_socket(slots_netns[1], AF_INET, SOCK_DGRAM, 0);

		world_send(other, INTERNET, WORLD_PORT, "the neighbour");
		assert_true(world_arrives(fd, "the neighbour", WORLD_LATER_MS));
	}
	/* The next sandbox in the slot begins anew. */
	assert_int_equal(rules_forget(slots_rules[0], slots_address[0], &err), 0);
	assert_int_equal(links_forget_connections(slots_links[0], 0, &err), 0);
	slots_send(INTERNET, WORLD_PORT, "the next");
	assert_true(world_arrives(fd, "the next", WORLD_LATER_MS));
	open_with_caps(0, 0);
}

static void new_connections_are_capped(void **state)
{
	auto_close int fd = listen_at_internet();
	uint64_t before;

	(void)state;
	open_with_caps(0, 1);
	before = slots_denied(0);
	for (int i = 0; i < 2; i++) {
		slots_send(INTERNET, WORLD_PORT, "of the first two");
		assert_true(world_arrives(fd, "of the first two", WORLD_LATER_MS));
	}
	/* One a second passes; a hundred are sent faster than that. */
	for (int i = 0; i < 100; i++)
		slots_send(INTERNET, WORLD_PORT, "one of many");
	assert_true(slots_becomes_denied(0, before));
	assert_int_equal(rules_forget(slots_rules[0], slots_address[0], &err), 0);
	slots_send(INTERNET, WORLD_PORT, "the next");
	assert_true(world_arrives(fd, "the next", WORLD_LATER_MS));
	open_with_caps(0, 0);
}

static void a_change_that_fails_changes_nothing(void **state)
{
	(void)state;
	slots_set_profile(0, NETWORK_OPEN);
	world_run("nft delete table inet hearth-" WORLD_INSTANCE);
	assert_int_equal(rules_forget(slots_rules[0], slots_address[0], &err), -ENOENT);
	assert_non_null(strstr(err.text, "hearth-" WORLD_INSTANCE));
	open_with_caps(0, 0);
	assert_int_equal(rules_forget(slots_rules[0], slots_address[0], &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_name_resolved_to_is_admitted_for_its_time),
		cmocka_unit_test(what_was_admitted_is_forgotten_with_the_profile),
		cmocka_unit_test(no_more_than_so_many_addresses_are_admitted),
		cmocka_unit_test(an_address_of_no_slot_has_no_rules),
		cmocka_unit_test(connections_are_capped),
		cmocka_unit_test(new_connections_are_capped),
		cmocka_unit_test(a_change_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, slots_set_up, slots_tear_down);
}
