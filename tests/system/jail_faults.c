/*
 * Every step of a build fails once, in the child and in the builder: the reason arrives, and nothing
 * stays: no fd of the child in the builder's shared table, no cgroup, no process; the slot is free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/system/jail_fixture.h"

#define SUCCESSES_IN_A_ROW 12 /* more than calls whose failure is no failure */
#define BUILDS_MAX	   3000
#define SETTLE_MS	   3000

static struct fixture f;
static int fds_at_rest, cgroups_at_rest;

static int set_up(void **state)
{
	static char program[4096];
	const struct fixture_options options = {
		.program = program, .limits = {.memory_bytes = 64 << 20, .pids = 32}};

	snprintf(program, sizeof(program), "%s/tests/system/hearth-builder-faulty",
		getenv("top_builddir") ? getenv("top_builddir") : ".");
	return fixture_set_up(&f, &options, state);
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
	assert_true(failures > 150);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failed_step_is_told_and_leaves_nothing),
		cmocka_unit_test(a_network_that_could_not_be_made_anew_is_made_by_the_next_build),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
