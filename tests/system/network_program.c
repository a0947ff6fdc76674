/*
 * hearth-network by its link, with links and rules as they are and a hearth-dns that only pretends
 * (tests/fake/fake_dns.c), so that a sandbox can have it say and do anything.
 */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/network/network_host.h"
#include "nsjail-lite/program.h"
#include "proto/channel.h"
#include "tests/system/network_world.h"

#define TABLE "hearth-" WORLD_INSTANCE

union packet {
	struct message_header header;
	struct network_done done;
	struct network_state state;
	struct network_failed failed;
};

static struct network_start config;
static struct program process = {.pid = -1, .pidfd = -1, .link_fd = -1};
static struct error err;
static uint32_t last_id;
static int netns[2] = {-1, -1};

/* Wait for the answer to the last request; *ret_fd: the one that came with it, or -1. */
static void receive(union packet *answer, int *ret_fd)
{
	struct pollfd p = {.fd = process.link_fd, .events = POLLIN};
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n;

	if (poll(&p, 1, WORLD_LATER_MS) != 1)
		fail_msg("no answer");
	n = channel_receive(process.link_fd, answer, sizeof(*answer), fds, &count);
	if (n <= 0)
		fail_msg("the link has ended");
	if (check_message(&network_protocol, MESSAGE_TO_CLIENT, answer, (size_t)n, count, &rule,
		    &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(answer->header.id, last_id);
	*ret_fd = count > 0 ? fds[0] : -1;
}

static void request(union packet *answer, uint16_t type, uint32_t slot, uint32_t value, int *ret_fd)
{
	struct network_set_profile m = {.slot = slot, .profile = value};
	/* The others begin alike. */
	uint32_t size = type == NETWORK_PROFILE ? sizeof(m) : sizeof(struct network_slot);

	network_header(&m.header, type, size, ++last_id);
	assert_int_equal(channel_send(process.link_fd, &m, size, NULL, 0, NULL, 0), 0);
	receive(answer, ret_fd);
}

/* A request that succeeds, and what comes back. */
static union packet ask(uint16_t type, uint32_t slot, uint32_t value, uint16_t wanted)
{
	union packet answer;
	int fd;

	request(&answer, type, slot, value, &fd);
	fd_close(fd);
	if (answer.header.type == NETWORK_FAILED)
		fail_msg("%s", answer.failed.text);
	assert_int_equal(answer.header.type, wanted);
	return answer;
}

static void set_profile(enum network_profile profile)
{
	ask(NETWORK_PROFILE, 0, profile, NETWORK_PROFILE_SET);
}

static struct network_state inspect(void)
{
	return ask(NETWORK_INSPECT, 0, 0, NETWORK_STATE).state;
}

static int get_slot(uint32_t slot)
{
	union packet answer;
	int fd;

	request(&answer, NETWORK_SLOT, slot, 0, &fd);
	if (answer.header.type == NETWORK_FAILED)
		fail_msg("%s", answer.failed.text);
	assert_int_equal(answer.header.type, NETWORK_SLOT_READY);
	assert_true(fd >= 0);
	return fd;
}

static void start(void)
{
	union packet answer;
	int fd;

	world_config(&config, 0);
	if (network_process_start(&process, &err) < 0)
		fail_msg("%s", err.text);
	config.header.id = ++last_id;
	assert_int_equal(
		channel_send(process.link_fd, &config, sizeof(config), NULL, 0, NULL, 0), 0);
	receive(&answer, &fd);
	if (answer.header.type == NETWORK_FAILED)
		fail_msg("%s", answer.failed.text);
	assert_int_equal(answer.header.type, NETWORK_STARTED);
	for (uint32_t slot = 0; slot < 2; slot++)
		netns[slot] = get_slot(slot);
	set_profile(NETWORK_DEFAULT);
}

static void let_go_of_slots(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(netns); i++)
		fd_close(take_fd(&netns[i]));
}

/* Returns its wait status. */
static int end(void)
{
	int status = -1;

	let_go_of_slots();
	fd_close(take_fd(&process.link_fd));
	assert_int_equal(waitpid(process.pid, &status, 0), process.pid);
	fd_close(take_fd(&process.pidfd));
	process.pid = -1;
	return status;
}

static int set_up(void **state)
{
	(void)state;
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	let_go_of_slots();
	if (process.pid > 0)
		kill(process.pid, SIGKILL);
	if (process.pid > 0)
		end();
	return network_recover(WORLD_INSTANCE, NULL);
}

/* What the pretended hearth-dns answers to the sandbox's order. */
static void expect_answer(const char *order, const char *wanted)
{
	auto_close int fd = world_socket(netns[0], AF_INET, SOCK_DGRAM, 0);

	world_send(fd, config.gateway, 53, order);
	if (!world_arrives(fd, wanted, WORLD_LATER_MS))
		fail_msg("the answer to \"%s\" is not \"%s\"", order, wanted);
}

/* As a resolver's client: it asks until it is answered. */
static void expect_answer_later(const char *order)
{
	auto_close int fd = world_socket(netns[0], AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < WORLD_LATER_MS / 100; i++) {
		world_send(fd, config.gateway, 53, order);
		if (world_arrives(fd, order, 100))
			return;
	}
	fail_msg("no answer to \"%s\"", order);
}

static bool reaches(const char *destination)
{
	auto_close int outside =
		world_bound(world_outside, SOCK_DGRAM, world_address(destination), WORLD_PORT);
	auto_close int fd = world_socket(netns[0], AF_INET, SOCK_DGRAM, 0);
	uint64_t denied = inspect().denied_packets;

	world_send(fd, world_address(destination), WORLD_PORT, destination);
	for (int waited_ms = 0; waited_ms < WORLD_LATER_MS; waited_ms += 10) {
		if (world_arrives(outside, destination, 10))
			return true;
		if (inspect().denied_packets > denied)
			return false;
	}
	fail_msg("neither reached nor denied: %s", destination);
	return false;
}

static void error_text(int code, char text[16])
{
	snprintf(text, 16, "%d", code);
}

static void a_slot_has_the_profile_that_it_was_given(void **state)
{
	(void)state;
	assert_int_equal(inspect().profile, NETWORK_DEFAULT);
	assert_true(reaches("5.5.5.5"));
	assert_false(reaches("169.254.169.254"));
	set_profile(NETWORK_OPEN);
	assert_true(reaches("169.254.169.254"));
	set_profile(NETWORK_NONE);
	assert_int_equal(inspect().profile, NETWORK_NONE);
	assert_false(reaches("5.5.5.5"));
	/* Another slot, whose namespace was asked for, begins with none. */
	assert_int_equal(ask(NETWORK_INSPECT, 1, 0, NETWORK_STATE).state.profile, NETWORK_NONE);
}

static void a_slot_that_there_is_not_is_refused(void **state)
{
	static const uint16_t types[] = {
		NETWORK_SLOT, NETWORK_PROFILE, NETWORK_FLUSH, NETWORK_INSPECT};
	union packet answer;
	int fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		request(&answer, types[i], WORLD_SLOTS,
			types[i] == NETWORK_PROFILE ? NETWORK_OPEN : 0, &fd);
		assert_int_equal(answer.header.type, NETWORK_FAILED);
		assert_int_equal(answer.failed.error, EINVAL);
		assert_non_null(strstr(answer.failed.text, "slot 8"));
	}
	assert_int_equal(inspect().profile, NETWORK_DEFAULT); /* it serves on */
}

static void what_a_sandbox_did_is_told_and_flushed(void **state)
{
	struct network_state before, after;

	(void)state;
	expect_answer("denied 3", "told");
	assert_true(reaches("5.5.5.5"));
	assert_false(reaches("10.1.2.3"));
	before = inspect();
	assert_true(before.denied_packets >= 1);
	assert_int_equal(before.denied_names, 3);
	assert_true(before.connections >= 1);
	assert_true(before.sent_bytes > 0);

	assert_int_equal(ask(NETWORK_FLUSH, 0, 0, NETWORK_FLUSHED).done.is_new, 0);
	after = inspect();
	assert_int_equal(after.profile, NETWORK_DEFAULT); /* it keeps that */
	assert_int_equal(after.denied_packets, 0);
	assert_int_equal(after.denied_names, 0);
	assert_int_equal(after.connections, 0);
	assert_int_equal(after.sent_bytes, 0);
	assert_int_equal(after.received_bytes, 0);
	assert_true(reaches("5.5.5.5"));
	assert_false(reaches("10.1.2.3"));
}

static void a_namespace_given_up_loses_its_profile_and_the_next_one_has_it(void **state)
{
	auto_close int held = world_socket(netns[0], AF_INET, SOCK_RAW, IPPROTO_ICMP);

	(void)state;
	assert_true(reaches("5.5.5.5"));
	assert_int_equal(ask(NETWORK_FLUSH, 0, 0, NETWORK_FLUSHED).done.is_new, 1);
	assert_false(reaches("5.5.5.5")); /* from the old one, which we still have */
	fd_close(netns[0]);
	netns[0] = get_slot(0);
	assert_int_equal(inspect().profile, NETWORK_DEFAULT);
	assert_true(reaches("5.5.5.5"));
	assert_false(reaches("10.1.2.3"));
}

static void names_admit_addresses_to_profile_allow(void **state)
{
	char eperm[16], estale[16];

	(void)state;
	error_text(EPERM, eperm);
	error_text(ESTALE, estale);
	expect_answer("admit 5.5.5.5", estale); /* profile default has no need of it */
	set_profile(NETWORK_ALLOW);
	assert_false(reaches("5.5.5.5"));
	expect_answer("admit 5.5.5.5", "0");
	assert_true(reaches("5.5.5.5"));
	/* Private ones only where they are allowed anyhow, or excepted. */
	expect_answer("admit 10.1.2.3", eperm);
	assert_false(reaches("10.1.2.3"));
	expect_answer("admit 169.254.169.254", eperm);
	assert_false(reaches("169.254.169.254"));
	expect_answer("admit 10.213.0.17", eperm);
	assert_false(reaches("10.9.9.9"));
	expect_answer("admit 10.9.9.9", "0");
	assert_true(reaches("10.9.9.9"));
	expect_answer("admit 192.168.7.7", "0");
}

static void nothing_is_admitted_to_another_use_or_sandbox(void **state)
{
	char estale[16];

	(void)state;
	error_text(ESTALE, estale);
	set_profile(NETWORK_ALLOW);
	ask(NETWORK_PROFILE, 1, NETWORK_ALLOW, NETWORK_PROFILE_SET);
	expect_answer("stale 5.5.5.5", estale);
	expect_answer("for 1 5.5.5.5", estale);
	expect_answer("for 100 5.5.5.5", estale);
	assert_false(reaches("5.5.5.5"));
	/* The next one in the slot has nothing of the last. */
	expect_answer("admit 5.5.5.5", "0");
	assert_int_equal(ask(NETWORK_FLUSH, 0, 0, NETWORK_FLUSHED).done.is_new, 0);
	expect_answer("profile", "3");
	assert_false(reaches("5.5.5.5"));
}

static void hearth_dns_hears_of_every_profile(void **state)
{
	(void)state;
	expect_answer("profile", "2");
	set_profile(NETWORK_OPEN);
	expect_answer("profile", "4");
}

static void hearth_dns_is_started_again_and_knows_all(void **state)
{
	static const char *const orders[] = {"die", "lie"};

	(void)state;
	set_profile(NETWORK_ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		auto_close int fd = world_socket(netns[0], AF_INET, SOCK_DGRAM, 0);

		world_send(fd, config.gateway, 53, orders[i]);
		expect_answer_later("are you there?");
		expect_answer("profile", "3");
		expect_answer("admit 5.5.5.5", "0");
		assert_true(reaches("5.5.5.5"));
	}
}

static void hearth_dns_that_does_not_live_ends_it(void **state)
{
	struct pollfd p = {.events = POLLIN};

	(void)state;
	p.fd = process.pidfd;
	for (int i = 0; i < 6; i++) {
		auto_close int fd = world_socket(netns[0], AF_INET, SOCK_DGRAM, 0);

		expect_answer_later("are you there?");
		world_send(fd, config.gateway, 53, "die");
	}
	let_go_of_slots();
	assert_int_equal(poll(&p, 1, WORLD_LATER_MS), 1);
	assert_int_equal(WEXITSTATUS(end()), 1);
	assert_false(world_shows("nft list tables", TABLE));
}

static void it_keeps_two_capabilities(void **state)
{
	uint64_t effective = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN;
	char command[64], wanted[64];

	(void)state;
	snprintf(command, sizeof(command), "cat /proc/%d/status", process.pid);
	snprintf(wanted, sizeof(wanted), "CapEff:\t%016llx", (unsigned long long)effective);
	assert_true(world_shows(command, wanted));
	assert_true(world_shows(command, "NoNewPrivs:\t1"));
	assert_true(world_shows(command, "CapInh:\t0000000000000000"));
}

static void the_end_of_the_link_leaves_the_host_as_it_was(void **state)
{
	(void)state;
	assert_true(world_shows("nft list tables", TABLE));
	assert_true(world_shows("ip addr", "10.213."));
	assert_true(world_shows("ip link", "hth"));
	assert_true(world_shows("cat /proc/sys/net/ipv4/ip_forward", "1"));
	assert_int_equal(end(), 0);
	assert_false(world_shows("nft list tables", "hearth"));
	assert_false(world_shows("ip addr", "10.213."));
	assert_false(world_shows("ip link", "hth"));
	assert_true(world_shows("cat /proc/sys/net/ipv4/ip_forward", "0"));
}

static void the_rules_stay_as_long_as_a_sandbox_may_live(void **state)
{
	auto_close int sandbox = dup(netns[0]);

	(void)state;
	assert_int_equal(end(), 0);
	assert_true(world_shows("nft list tables", TABLE));
	assert_true(world_shows("ip link", "hth"));
}

static void after_a_kill_the_rules_hold_until_recovery(void **state)
{
	(void)state;
	assert_int_equal(kill(process.pid, SIGKILL), 0);
	assert_int_equal(waitpid(process.pid, NULL, 0), process.pid);
	process.pid = -1;
	fd_close(take_fd(&process.link_fd));
	fd_close(take_fd(&process.pidfd));
	assert_true(world_shows("nft list tables", TABLE));
	let_go_of_slots();
	assert_int_equal(network_recover(WORLD_INSTANCE, &err), 0);
	assert_false(world_shows("nft list tables", "hearth"));
	assert_false(world_shows("ip addr", "10.213."));
	assert_false(world_shows("ip link", "hth"));
	assert_true(world_shows("cat /proc/sys/net/ipv4/ip_forward", "0"));
	assert_int_equal(network_recover(WORLD_INSTANCE, &err), 0); /* also when there is nothing */
}

static void what_it_cannot_start_with_is_told(void **state)
{
	auto_close int taken = world_bound(world_host, SOCK_DGRAM, 0, 53);
	union packet answer;
	int fd;

	(void)state;
	world_config(&config, 0);
	assert_int_equal(network_process_start(&process, &err), 0);
	config.header.id = ++last_id;
	assert_int_equal(
		channel_send(process.link_fd, &config, sizeof(config), NULL, 0, NULL, 0), 0);
	receive(&answer, &fd);
	assert_int_equal(answer.header.type, NETWORK_FAILED);
	assert_int_equal(answer.failed.error, EADDRINUSE);
	assert_non_null(strstr(answer.failed.text, "port 53 of 10.213.0.24"));
	assert_int_equal(WEXITSTATUS(end()), 1);
	assert_false(world_shows("nft list tables", "hearth"));
	assert_false(world_shows("ip addr", "10.213."));
}

static void what_is_no_request_ends_it(void **state)
{
	struct pollfd p = {.events = POLLIN};

	(void)state;
	p.fd = process.pidfd;
	assert_int_equal(channel_send(process.link_fd, "nonsense", 8, NULL, 0, NULL, 0), 0);
	let_go_of_slots();
	assert_int_equal(poll(&p, 1, WORLD_LATER_MS), 1);
	assert_int_equal(WEXITSTATUS(end()), 1);
	assert_false(world_shows("nft list tables", "hearth"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_slot_has_the_profile_that_it_was_given),
		TEST(a_slot_that_there_is_not_is_refused),
		TEST(what_a_sandbox_did_is_told_and_flushed),
		TEST(a_namespace_given_up_loses_its_profile_and_the_next_one_has_it),
		TEST(names_admit_addresses_to_profile_allow),
		TEST(nothing_is_admitted_to_another_use_or_sandbox),
		TEST(hearth_dns_hears_of_every_profile),
		TEST(hearth_dns_is_started_again_and_knows_all),
		TEST(hearth_dns_that_does_not_live_ends_it),
		TEST(it_keeps_two_capabilities),
		TEST(the_end_of_the_link_leaves_the_host_as_it_was),
		TEST(the_rules_stay_as_long_as_a_sandbox_may_live),
		TEST(after_a_kill_the_rules_hold_until_recovery),
		cmocka_unit_test_teardown(what_it_cannot_start_with_is_told, tear_down),
		TEST(what_is_no_request_ends_it),
	};

	return cmocka_run_group_tests(tests, world_set_up, NULL);
}
