/*
 * The host's ip_forward, and what the kernel sets with it, is as it was before Hearth once the last instance has left, whoever leaves how. A /run and a
 * network namespace of the test's own; instances live as long as they have a base cgroup.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/network/forwarding.h"
#include "nsjail-lite/network/links.h"
#include "tests/system/network_world.h"

#define FORWARDING_FILE "/run/hearth-forwarding"

static char names[2][NETWORK_INSTANCE_MAX]; /* of living instances */
static struct error err;

static int set_up(void **state)
{
	world_set_up(state);
	for (int i = 0; i < 2; i++) {
		struct cgroup_base base;

		snprintf(names[i], sizeof(names[i]), "t%d-%d", getpid(), i);
		if (cgroup_base_open(names[i], NULL, &base, &err) < 0)
			fail_msg("%s", err.text);
		cgroup_base_close(&base);
	}
	return 0;
}

static int tear_down(void **state)
{
	int result = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		result |= cgroup_base_destroy(names[i], &err);
	return result;
}

static int begin(void **state)
{
	(void)state;
	unlink(FORWARDING_FILE);
	world_run("sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.accept_redirects=1");
	world_run("sysctl -qw net.ipv4.conf.up0.forwarding=0 net.ipv4.conf.default.forwarding=0");
	return 0;
}

static bool is_on(void)
{
	return world_shows("sysctl -n net.ipv4.ip_forward", "1");
}

static void take(const char *instance)
{
	if (forwarding_take(instance, &err) < 0)
		fail_msg("%s", err.text);
}

static void give(const char *instance)
{
	if (forwarding_give(instance, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_line(unsigned long netns, const char *instance)
{
	FILE *f = fopen(FORWARDING_FILE, "w");

	assert_non_null(f);
	assert_true(fprintf(f, "%lu %s\n", netns, instance) > 0);
	assert_int_equal(fclose(f), 0);
}

static bool file_shows(const char *needle)
{
	return world_shows("cat " FORWARDING_FILE, needle);
}

static unsigned long here(void)
{
	struct stat st;

	assert_int_equal(fstat(world_host, &st), 0);
	return st.st_ino;
}

static void what_was_off_is_off_again_when_the_only_one_leaves(void **state)
{
	(void)state;
	take(names[0]);
	assert_true(is_on());
	assert_true(file_shows(names[0]));
	give(names[0]);
	assert_false(is_on());
	assert_false(file_shows(names[0]));
}

static void the_last_of_two_to_leave_turns_it_off(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		take(names[0]);
		take(names[1]);
		give(names[first]);
		assert_true(is_on());
		give(names[!first]);
		assert_false(is_on());
	}
}

static bool is_set(const char *setting, const char *value)
{
	char command[128];

	snprintf(command, sizeof(command), "sysctl -n net.ipv4.conf.%s", setting);
	return world_shows(command, value);
}

/* A host that takes no redirects, and forwards what comes by one link. */
static void harden(void)
{
	world_run("sysctl -qw net.ipv4.conf.all.accept_redirects=0");
	world_run("sysctl -qw net.ipv4.conf.up0.forwarding=1 net.ipv4.conf.default.forwarding=1");
}

static void assert_hardened(void)
{
	assert_false(is_on());
	assert_true(is_set("all.accept_redirects", "0"));
	assert_true(is_set("up0.forwarding", "1"));
	assert_true(is_set("default.forwarding", "1"));
	assert_true(is_set("lo.forwarding", "0"));
	assert_false(file_shows("/"));
}

static void what_changes_with_it_is_as_it_was_when_the_last_leaves(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		harden();
		take(names[0]);
		take(names[1]);
		assert_true(is_set("lo.forwarding", "1"));
		give(names[first]);
		assert_true(is_on());
		give(names[!first]);
		assert_hardened();
	}
}

static void what_changes_with_it_is_as_it_was_after_a_crash(void **state)
{
	(void)state;
	harden();
	take("no-such-instance");
	give("no-such-instance"); /* --recover */
	assert_hardened();
	take("no-such-instance");
	take(names[0]);
	assert_true(is_set("lo.forwarding", "1"));
	give(names[0]);
	assert_hardened();
}

/* Forwarding is not on yet, or on and off again by somebody else. */
static void what_a_dead_one_remembered_is_not_forgotten(void **state)
{
	(void)state;
	harden();
	take("no-such-instance");
	world_run("sysctl -qw net.ipv4.ip_forward=0");
	take(names[0]);
	give(names[0]);
	assert_hardened();
}

static void a_link_that_has_gone_meanwhile_is_no_failure(void **state)
{
	(void)state;
	world_run("ip link add gone0 type veth peer name gone1");
	harden();
	world_run("sysctl -qw net.ipv4.conf.gone0.forwarding=1");
	take(names[0]);
	assert_true(file_shows("gone0/forwarding 1"));
	world_run("ip link del gone0");
	give(names[0]);
	assert_hardened();
}

static void what_was_on_stays_on(void **state)
{
	(void)state;
	world_run("sysctl -qw net.ipv4.ip_forward=1");
	take(names[0]);
	take(names[1]);
	assert_false(file_shows(names[0]) || file_shows(names[1]));
	give(names[0]);
	give(names[1]);
	assert_true(is_on());
}

static void one_that_did_not_take_it_gives_nothing(void **state)
{
	(void)state;
	give(names[1]);
	assert_false(is_on());
	take(names[0]);
	give(names[1]);
	assert_true(is_on());
	give(names[0]);
	give(names[0]);
	assert_false(is_on());
}

static void one_that_takes_it_twice_has_it_once(void **state)
{
	(void)state;
	take(names[0]);
	take(names[0]); /* killed, and started again */
	give(names[0]);
	assert_false(is_on());
}

static void who_comes_after_a_dead_one_takes_over_from_him(void **state)
{
	(void)state;
	write_line(here(), "no-such-instance");
	world_run("sysctl -qw net.ipv4.ip_forward=1");
	take(names[0]);
	assert_false(file_shows("no-such-instance"));
	assert_true(file_shows(names[0]));
	give(names[0]);
	assert_false(is_on());
}

static void a_dead_one_does_not_keep_it_on(void **state)
{
	(void)state;
	take(names[0]);
	write_line(here(), "no-such-instance");
	give("no-such-instance");
	assert_false(is_on());
}

static void another_network_namespace_counts_for_itself(void **state)
{
	char line[64];

	(void)state;
	snprintf(line, sizeof(line), "1 %s\n", names[1]);
	write_line(1, names[1]);
	world_run("sysctl -qw net.ipv4.ip_forward=1"); /* here, by somebody else */
	take(names[0]);
	assert_true(file_shows(line));
	assert_false(file_shows(names[0]));
	give(names[0]);
	assert_true(is_on());
	assert_true(file_shows(line));
}

static void a_file_that_makes_no_sense_is_refused_and_kept(void **state)
{
	(void)state;
	write_line(1, "one two");
	world_run("echo what is this >>" FORWARDING_FILE);
	assert_int_equal(forwarding_take(names[0], &err), -EBADMSG);
	assert_int_equal(forwarding_give(names[0], &err), -EBADMSG);
	assert_true(file_shows("what is this"));
	assert_false(is_on());
}

static void a_killed_process_of_an_instance_is_made_up_for(void **state)
{
	struct network_start config;
	int status;
	pid_t pid;

	(void)state;
	world_config(&config, 0);
	strcpy(config.instance, names[0]);
	pid = fork();
	if (pid == 0) {
		struct links *links;
		int fd;

		if (links_open(&config, &links, &err) < 0 || links_slot(links, 0, &fd, &err) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(is_on());
	assert_true(world_shows("ip addr show lo", "10.213.0.24/32"));
	assert_int_equal(links_recover(config.instance, &err), 0);
	assert_false(is_on());
	assert_false(file_shows(names[0]));
	assert_false(world_shows("ip addr show lo", "10.213."));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		TEST(what_was_off_is_off_again_when_the_only_one_leaves),
		TEST(the_last_of_two_to_leave_turns_it_off),
		TEST(what_changes_with_it_is_as_it_was_when_the_last_leaves),
		TEST(what_changes_with_it_is_as_it_was_after_a_crash),
		TEST(what_a_dead_one_remembered_is_not_forgotten),
		TEST(a_link_that_has_gone_meanwhile_is_no_failure),
		TEST(what_was_on_stays_on),
		TEST(one_that_did_not_take_it_gives_nothing),
		TEST(one_that_takes_it_twice_has_it_once),
		TEST(who_comes_after_a_dead_one_takes_over_from_him),
		TEST(a_dead_one_does_not_keep_it_on),
		TEST(another_network_namespace_counts_for_itself),
		TEST(a_file_that_makes_no_sense_is_refused_and_kept),
		TEST(a_killed_process_of_an_instance_is_made_up_for),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
