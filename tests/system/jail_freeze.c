/*
 * A sandbox is frozen and goes on, on the cgroups that this host has and as on a host of v1 only; and one whose
 * PID 1 somebody on the host has stopped.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/system/jail_fixture.h"

#define QUIET_MS  100u /* a loop that prints nothing for so long stands still */
#define WAIT_MS	  20000u
#define MOUNTINFO (1u << 20)

static struct fixture f;
static struct guest_client *client;
static uint64_t printed; /* bytes that the loop has printed */
static const struct fixture_options usual = {.limits = {.memory_bytes = 64 << 20, .pids = 32}};

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	(void)arg;
	(void)stream;
	(void)data;
	printed += size;
}

/* It has none but when its sandbox has ended. */
static void on_reply(void *arg, const struct guest_reply *reply)
{
	(void)arg;
	(void)reply;
}

/* Read for so long, or until nothing has come for that long. */
static void listen_for(uint64_t ms)
{
	uint64_t until = clock_now_ms() + ms;

	while (clock_now_ms() < until) {
		struct pollfd p = {.fd = guest_client_fd(client), .events = POLLIN};

		if (guest_client_wants_write(client))
			p.events |= POLLOUT;
		if (poll(&p, 1, (int)QUIET_MS) == 0)
			return;
		assert_int_equal(guest_client_process(client, &f.err), 0);
	}
}

static void assert_goes_on(void)
{
	const uint64_t before = printed, until = clock_now_ms() + WAIT_MS;

	while (printed == before) {
		assert_true(clock_now_ms() < until);
		listen_for(QUIET_MS);
	}
}

static void assert_stands_still(void)
{
	uint64_t before = printed;

	listen_for(WAIT_MS);
	before = printed;
	listen_for(QUIET_MS);
	assert_int_equal(printed, before);
}

static void build_loop(void)
{
	static const char *const argv[] = {"sh", "-c", "while :; do echo x; done", NULL};
	const struct guest_exec_options options = {.argv = argv};
	const struct guest_callbacks callbacks = {.on_output = on_output, .on_reply = on_reply};

	assert_int_equal(fixture_build(&f, 0, &client), 0);
	assert_int_equal(guest_client_exec(client, &options, &callbacks, NULL, &f.err), 0);
	assert_goes_on();
}

static void forget(void)
{
	guest_client_destroy(client);
	client = NULL;
}

static int set_up(void **state)
{
	return fixture_set_up(&f, &usual, state);
}

static int tear_down(void **state)
{
	forget();
	return fixture_tear_down(state);
}

static void a_loop_stands_still_while_frozen_and_goes_on_afterwards(void **state)
{
	(void)state;
	build_loop();
	for (int i = 0; i < 3; i++) {
		fixture_freeze(&f, f.next_sandbox, true);
		assert_stands_still();
		fixture_freeze(&f, f.next_sandbox, false);
		assert_goes_on();
	}
}

static void a_frozen_sandbox_is_killed_like_any_other(void **state)
{
	struct fixture_result result;

	(void)state;
	build_loop();
	fixture_freeze(&f, f.next_sandbox, true);
	assert_stands_still();
	fixture_kill(&f);
	assert_int_equal(f.ended.was_asked, 1);
	assert_int_equal(f.ended.wait_status, SIGKILL);
	forget();
	/* and the next one in its slot is not frozen */
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	fixture_run_ok(client, "echo works", &result);
	assert_string_equal(result.output, "works\n");
}

static void freezing_one_that_is_not_there_changes_nothing(void **state)
{
	const uint64_t gone = f.next_sandbox + 1;

	(void)state;
	build_loop();
	fixture_freeze(&f, 999999, true);
	fixture_freeze(&f, 999999, false);
	assert_goes_on();
	fixture_kill(&f);
	forget();
	build_loop();
	fixture_freeze(&f, gone, true);
	assert_goes_on();
}

static void a_builder_that_ends_takes_a_frozen_sandbox_along(void **state)
{
	struct pollfd p = {.events = 0};

	(void)state;
	build_loop();
	fixture_freeze(&f, f.next_sandbox, true);
	assert_stands_still();
	p.fd = guest_client_fd(client);
	close(f.builder.link_fd);
	f.builder.link_fd = -1;
	do
		assert_int_equal(poll(&p, 1, (int)WAIT_MS), 1);
	while (!(p.revents & POLLHUP));
}

/* Mounts of this host without the v2 tree, and without the word if it is given. False: nothing is left. */
static bool write_v1_mounts(char *text, const char *without)
{
	static char line[4096];
	FILE *mounts = fopen("/proc/self/mountinfo", "r");
	bool has_freezer = false;
	size_t used = 0;

	assert_non_null(mounts);
	while (fgets(line, sizeof(line), mounts)) {
		if (!strstr(line, " - cgroup ") || (without && strstr(line, without)))
			continue;
		has_freezer = has_freezer || strstr(line, "freezer");
		assert_true(used + strlen(line) < MOUNTINFO);
		used += (size_t)sprintf(text + used, "%s", line);
	}
	fclose(mounts);
	return without ? used > 0 : has_freezer;
}

static char v1_mounts[MOUNTINFO];
static bool has_v1;

static int set_up_on(void **state, const char *without)
{
	struct fixture_options options = usual;

	has_v1 = write_v1_mounts(v1_mounts, without);
	options.mounts = has_v1 ? v1_mounts : NULL;
	return fixture_set_up(&f, &options, state);
}

static int set_up_v1(void **state)
{
	return set_up_on(state, NULL);
}

static int set_up_without_freezer(void **state)
{
	return set_up_on(state, "freezer");
}

static void without_a_freezer_a_sandbox_goes_on_and_so_does_its_builder(void **state)
{
	(void)state;
	if (!has_v1)
		return; /* a host of v2 can always freeze */
	build_loop();
	fixture_freeze(&f, f.next_sandbox, true);
	assert_goes_on();
	fixture_kill(&f);
	forget();
	build_loop();
}

static void a_pid_1_that_the_host_stops_ends_as_if_by_itself(void **state)
{
	struct fixture_result result;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fixture_build(&f, 0, &client), 0);
		assert_int_equal(kill((pid_t)f.built.pid, SIGSTOP), 0);
		fixture_wait_ended(&f);
		assert_int_equal(f.ended.sandbox, f.next_sandbox);
		assert_int_equal(f.ended.was_asked, 0);
		assert_int_equal(f.ended.wait_status, SIGKILL);
		forget();
	}
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	fixture_run_ok(client, "id -u; touch /file; stat -c %u /file", &result);
	assert_string_equal(result.output, "0\n0\n");
}

static void a_stop_inside_reaches_the_command_and_not_the_sandbox(void **state)
{
	struct fixture_result result;

	(void)state;
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	fixture_run_ok(client, "kill -STOP 1; sleep 1000 & kill -STOP $!; kill -9 $!", &result);
	fixture_run_ok(client, "echo works", &result);
	assert_string_equal(result.output, "works\n");
	fixture_kill(&f);
	assert_int_equal(f.ended.was_asked, 1);
}

#define FREEZE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define FREEZE_TEST_V1(name)                                                                       \
	{                                                                                          \
#name "_on_v1", name, set_up_v1, tear_down, NULL                                   \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FREEZE_TEST(a_loop_stands_still_while_frozen_and_goes_on_afterwards),
		FREEZE_TEST(a_frozen_sandbox_is_killed_like_any_other),
		FREEZE_TEST(freezing_one_that_is_not_there_changes_nothing),
		FREEZE_TEST(a_builder_that_ends_takes_a_frozen_sandbox_along),
		FREEZE_TEST_V1(a_loop_stands_still_while_frozen_and_goes_on_afterwards),
		FREEZE_TEST_V1(a_frozen_sandbox_is_killed_like_any_other),
		FREEZE_TEST_V1(a_builder_that_ends_takes_a_frozen_sandbox_along),
		cmocka_unit_test_setup_teardown(
			without_a_freezer_a_sandbox_goes_on_and_so_does_its_builder,
			set_up_without_freezer, tear_down),
		FREEZE_TEST(a_pid_1_that_the_host_stops_ends_as_if_by_itself),
		FREEZE_TEST(a_stop_inside_reaches_the_command_and_not_the_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
