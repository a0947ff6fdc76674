/*
 * Every step of a build and of a bind fails once, in the child and in the builder: the reason arrives, and
 * nothing stays: no fd of the child in the builder's shared table, no cgroup, no process; the slot is free.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "proto/channel.h"
#include "tests/system/jail_fixture.h"

#define SUCCESSES_IN_A_ROW 12 /* more than calls whose failure is no failure */
#define BUILDS_MAX	   3000
#define BINDS_IN_A_ROW	   4
#define BINDS_MAX	   100
#define SETTLE_MS	   3000

static struct fixture f;
static int fds_at_rest, cgroups_at_rest;
static char directory[4096];
static int workspaces_fd = -1;

static int set_up(void **state)
{
	static char program[4096];
	struct fixture_options options = {.program = program,
		.limits = {.memory_bytes = 64 << 20, .pids = 32},
		.nameserver = 0x7f000001,
		.spare_slots = 1};

	snprintf(directory, sizeof(directory), "%s/workspaces.XXXXXX",
		getenv("top_builddir") ? getenv("top_builddir") : ".");
	assert_non_null(mkdtemp(directory));
	workspaces_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	options.workspaces_fd = workspaces_fd;
	snprintf(program, sizeof(program), "%s/tests/system/hearth-builder-faulty",
		getenv("top_builddir") ? getenv("top_builddir") : ".");
	return fixture_set_up(&f, &options, state);
}

static int tear_down(void **state)
{
	char command[4200];

	fixture_tear_down(state);
	fd_close(take_fd(&workspaces_fd));
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

/* The builder stocks cgroups while nobody asks: wait for the counts to be as at rest. */
static void assert_at_rest(unsigned build)
{
	uint64_t until = clock_now_ms() + SETTLE_MS;
	int fds, cgroups;

	do {
		struct timespec nap = {.tv_nsec = 100000};

		fds = fixture_count_fds(f.builder.pid);
		cgroups = fixture_count_cgroups(&f);
		if (fds == fds_at_rest && cgroups == cgroups_at_rest)
			return;
		nanosleep(&nap, NULL);
	} while (clock_now_ms() < until);
	fail_msg("after build %u (%s): %d fds, at rest %d; %d cgroups, at rest %d", build,
		f.failed.text, fds, fds_at_rest, cgroups, cgroups_at_rest);
}

static void learn_rest(void)
{
	int before;

	do {
		struct timespec nap = {.tv_nsec = 50000000};

		before = fixture_count_fds(f.builder.pid);
		nanosleep(&nap, NULL);
		fds_at_rest = fixture_count_fds(f.builder.pid);
	} while (before != fds_at_rest);
	cgroups_at_rest = fixture_count_cgroups(&f);
}

static void every_failed_step_is_told_and_leaves_nothing(void **state)
{
	unsigned failures = 0, in_a_row = 0, build;
	struct fixture_result result;
	struct guest_client *client;

	(void)state;
	learn_rest();
	for (build = 0; build < BUILDS_MAX && in_a_row < SUCCESSES_IN_A_ROW; build++) {
		int r = fixture_build(&f, 0, &client);

		if (r < 0) {
			failures++;
			in_a_row = 0;
			assert_true(f.failed.text[0] != '\0');
		} else {
			in_a_row++;
			fixture_run_ok(client, "echo works", &result);
			assert_string_equal(result.output, "works\n");
			fixture_kill(&f);
			guest_client_destroy(client);
		}
		assert_at_rest(build);
	}
	print_message("# %u builds, %u failures\n", build, failures);
	assert_int_equal(in_a_row, SUCCESSES_IN_A_ROW);
	assert_true(failures > 120);
}

/* The fault is of the builder's only renewal: see tests/fake/builder_faults.c. */
static void a_network_that_could_not_be_made_anew_is_made_by_the_next_build(void **state)
{
	struct fixture_result result;
	struct guest_client *client;

	(void)state;
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	fixture_run(client, "nc 127.0.0.1 1", 0, &result);
	fixture_kill(&f);
	guest_client_destroy(client);
	fds_at_rest--; /* the slot has none */
	assert_at_rest(0);
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	fixture_run_ok(
		client, "cat /proc/net/tcp | wc -l; grep -q 127.0.0.1 /proc/net/fib_trie", &result);
	assert_string_equal(result.output, "1\n");
	fixture_kill(&f);
	guest_client_destroy(client);
	fds_at_rest++;
	assert_at_rest(1);
}

static void every_failed_step_of_a_slot_is_told_and_leaves_nothing(void **state)
{
	unsigned failures = 0;

	(void)state;
	while (fixture_slot(&f, 1, -1) < 0) {
		assert_true(f.failed.text[0] != '\0');
		assert_at_rest(failures++);
	}
	print_message("# a slot after %u failures\n", failures);
	assert_true(
		failures >= 13); /* three of them by the death of the maker of its user namespace */
	learn_rest();
}

static void name_workspace(struct link_bind *bind, unsigned number)
{
	snprintf(bind->workspace, sizeof(bind->workspace), "w%u", number);
}

static struct link_bind whole_bind(unsigned number)
{
	struct link_bind bind = {.what = BIND_ALL,
		.hostname = "mine",
		.limits = {.memory_bytes = 32 << 20, .pids = 16, .cpu_milli = 500}};

	name_workspace(&bind, number);
	return bind;
}

static void every_failed_bind_is_told_and_leaves_nothing(void **state)
{
	unsigned failures = 0, in_a_row = 0, number;
	struct fixture_result result;
	struct guest_client *client;

	(void)state;
	for (number = 0; number < BINDS_MAX && in_a_row < BINDS_IN_A_ROW; number++) {
		const struct link_bind bind = whole_bind(number);

		assert_int_equal(fixture_build(&f, 0, &client), 0);
		if (fixture_bind(&f, &bind) < 0) {
			failures++;
			in_a_row = 0;
			assert_int_equal(f.failed.sandbox, f.next_sandbox);
			assert_true(f.failed.text[0] != '\0');
			/* It lives on until somebody ends it, and gets no second try. */
			fixture_run_ok(client, "echo works", &result);
			assert_int_equal(fixture_bind(&f, &bind), -EALREADY);
		} else {
			in_a_row++;
			fixture_run_ok(client, "hostname; stat -c %u /workspace", &result);
			assert_string_equal(result.output, "mine\n0\n");
		}
		fixture_kill(&f);
		guest_client_destroy(client);
		assert_at_rest(number);
	}
	print_message("# %u binds, %u failures\n", number, failures);
	assert_int_equal(in_a_row, BINDS_IN_A_ROW);
	assert_true(failures >= 10);
}

/* Where a failure left one half made. */
static void every_workspace_that_was_begun_is_whole_in_its_next_lease(void **state)
{
	struct fixture_result result;
	struct guest_client *client;
	struct stat st;

	(void)state;
	for (unsigned number = 0; number < 10; number++) {
		struct link_bind bind = {.what = BIND_WORKSPACE};

		name_workspace(&bind, number);
		assert_int_equal(fixture_build(&f, 0, &client), 0);
		assert_int_equal(fixture_bind(&f, &bind), 0);
		fixture_run_ok(client, "touch /workspace/file", &result);
		fixture_kill(&f);
		guest_client_destroy(client);
		assert_int_equal(fstatat(workspaces_fd, bind.workspace, &st, 0), 0);
		assert_int_equal(st.st_uid, JAIL_WORKSPACE_UID);
	}
}

/* The last test: it takes the builder along. */
static void a_builder_that_cannot_leave_a_sandbox_ends_and_so_does_that(void **state)
{
	struct link_bind bind = {.what = BIND_HOSTNAME, .hostname = "no-return"};
	int fds[CHANNEL_FDS_MAX];
	static char packet[LINK_PACKET_MAX];
	struct fixture_result result;
	struct guest_client *client;
	struct pollfd channel = {.events = 0};
	size_t count;

	(void)state;
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	fixture_run_ok(client, "echo works", &result);
	channel.fd = guest_client_fd(client);
	bind.sandbox = f.next_sandbox;
	link_header(&bind.header, LINK_BIND, sizeof(bind));
	assert_int_equal(channel_send(f.builder.link_fd, &bind, sizeof(bind), NULL, 0, NULL, 0), 0);
	assert_true(channel_receive(f.builder.link_fd, packet, sizeof(packet), fds, &count) <= 0);
	do
		assert_int_equal(poll(&channel, 1, SETTLE_MS), 1);
	while (!(channel.revents & POLLHUP));
	guest_client_destroy(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failed_step_is_told_and_leaves_nothing),
		cmocka_unit_test(a_network_that_could_not_be_made_anew_is_made_by_the_next_build),
		cmocka_unit_test(every_failed_step_of_a_slot_is_told_and_leaves_nothing),
		cmocka_unit_test(every_failed_bind_is_told_and_leaves_nothing),
		cmocka_unit_test(every_workspace_that_was_begun_is_whole_in_its_next_lease),
		cmocka_unit_test(a_builder_that_cannot_leave_a_sandbox_ends_and_so_does_that),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
