/* What hit a limit is told so, whoever did it and however it ends; and the counts at the sandbox's end. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "proto/control.h"
#include "tests/system/jail_calls.h"
#include "tests/system/jail_fixture.h"

#define MEMORY (64u << 20)

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;

static int set_up(void **state)
{
	const struct fixture_options options = {
		.limits = {.memory_bytes = MEMORY,
			.disk_bytes = MEMORY / 2,
			.pids = 64,
			.cpu_milli = 250,
			.cpu_weight = 50},
	};

	return fixture_set_up(&f, &options, state);
}

static int build(void **state)
{
	(void)state;
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fixture_kill(&f);
	guest_client_destroy(client);
	return 0;
}

#define HOG "exec dd if=/dev/zero of=/dev/null bs=100M count=1"

static void a_command_whose_child_eats_the_memory_is_ended_as_a_whole(void **state)
{
	(void)state;
	fixture_run(client, "sh -c \"" HOG "\"; echo went on", 0, &result);
	assert_null(strstr(result.output, "went on"));
	assert_int_equal(result.reply.limits_hit, LIMIT_HIT_MEMORY);
	assert_int_equal(result.reply.signal, SIGKILL);
}

static void the_receipt_of_a_killed_command_says_what_it_used(void **state)
{
	(void)state;
	fixture_run(client, HOG, 0, &result);
	assert_int_equal(result.reply.limits_hit, LIMIT_HIT_MEMORY);
	assert_true(result.reply.max_rss_bytes > MEMORY / 4);
	assert_true(result.reply.user_us + result.reply.system_us > 0);
}

static void every_command_of_the_sandbox_ends_when_its_memory_is_used_up(void **state)
{
	struct call bystander, hog;
	const struct guest_exec_options none = {0};

	(void)state;
	call_command(client, &bystander, "echo waits; sleep 1000", &none);
	while (!bystander.output)
		calls_turn(client, 100);
	call_command(client, &hog, HOG, &none);
	calls_wait(client);
	assert_int_equal(hog.reply.limits_hit, LIMIT_HIT_MEMORY);
	assert_int_equal(bystander.reply.limits_hit, LIMIT_HIT_MEMORY);
	assert_int_equal(bystander.reply.exit_status, 128 + SIGKILL);
	call_finish(&bystander);
	call_finish(&hog);
	fixture_run_ok(client, "echo alive", &result);
}

static void what_a_finished_command_left_behind_dies_with_the_others(void **state)
{
	(void)state;
	fixture_run_ok(client, "sleep 1000 >/dev/null 2>&1 & echo $! >/pid", &result);
	fixture_run(client, HOG, 0, &result);
	assert_int_equal(result.reply.limits_hit, LIMIT_HIT_MEMORY);
	/* its runner ends it in passes: until it is gone */
	fixture_run_ok(
		client, "while kill -0 $(cat /pid) 2>/dev/null; do sleep 0.01; done", &result);
}

static void a_file_request_that_runs_meanwhile_fails_and_leaves_no_half_a_file(void **state)
{
	const struct guest_file_options write = {.type = GUEST_WRITE, .path = "/new"};
	struct call call;

	(void)state;
	call_file(client, &call, &write, NULL, 0); /* its content never comes */
	fixture_run(client, HOG, 0, &result);
	assert_int_equal(result.reply.limits_hit, LIMIT_HIT_MEMORY);
	call_wait(client, &call);
	assert_int_equal(call.reply.end, GUEST_END_FAILED);
	assert_int_equal(call.reply.error, ENOMEM);
	assert_int_equal(call.reply.limits_hit, LIMIT_HIT_MEMORY);
	call_finish(&call);
	fixture_run(client, "ls /new", 0, &result);
	assert_int_equal(result.reply.exit_status, 1);
}

static void files_survive(void **state)
{
	(void)state;
	fixture_run_ok(client, "echo kept >/file", &result);
	fixture_run(client, HOG, 0, &result);
	assert_int_equal(result.reply.limits_hit, LIMIT_HIT_MEMORY);
	fixture_run_ok(client, "cat /file", &result);
	assert_string_equal(result.output, "kept\n");
}

static void files_count_as_memory(void **state)
{
	(void)state;
	/* half of the limit is the disk's; what a process holds beside it is too much */
	fixture_run(client,
		"head -c 30000000 /dev/zero >/full; head -c 50000000 /dev/zero | tr '\\0' x | sort",
		0, &result);
	assert_int_equal(result.reply.limits_hit & LIMIT_HIT_MEMORY, LIMIT_HIT_MEMORY);
	fixture_run_ok(client, "rm /full", &result);
}

static void it_happens_again_and_again(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		fixture_run(client, HOG, 0, &result);
		assert_int_equal(result.reply.limits_hit, LIMIT_HIT_MEMORY);
		fixture_run_ok(client, "true", &result);
		assert_int_equal(result.reply.limits_hit, 0);
	}
	fixture_kill(&f);
	assert_true(f.ended.usage.oom_kills >= 5);
	guest_client_destroy(client);
	build(NULL);
}

static void refused_forks_are_told_by_the_command_that_met_them(void **state)
{
	(void)state;
	fixture_run(client,
		"(i=0; while [ $i -lt 100 ]; do sleep 100 & i=$((i+1)); done); kill -9 -1", 0,
		&result);
	assert_int_equal(result.reply.limits_hit, LIMIT_HIT_PIDS);
	fixture_run_ok(client, "true", &result);
	assert_int_equal(result.reply.limits_hit, 0);
	fixture_kill(&f);
	assert_true(f.ended.limits_hit & LIMIT_HIT_PIDS);
	if (f.ended.usage.pids_peak) /* older kernels do not count */
		assert_int_equal(f.ended.usage.pids_peak, 64);
	guest_client_destroy(client);
	build(NULL);
}

static void a_used_up_cpu_quota_is_told_at_the_end(void **state)
{
	(void)state;
	fixture_run_ok(client, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done", &result);
	fixture_kill(&f);
	assert_true(f.ended.limits_hit & LIMIT_HIT_CPU);
	assert_true(f.ended.usage.cpu_ns > 0);
	guest_client_destroy(client);
	build(NULL);
}

static void as_many_processors_show_as_the_quota_is_worth(void **state)
{
	(void)state;
	fixture_run_ok(client, "nproc", &result);
	assert_string_equal(result.output, "1\n");
}

static void what_is_written_to_memory_is_no_traffic_of_a_disk(void **state)
{
	(void)state;
	fixture_run_ok(client, "echo x >/file", &result);
	assert_int_equal(result.reply.write_bytes, 0);
	fixture_kill(&f);
	assert_int_equal(f.ended.usage.write_bytes, 0);
	guest_client_destroy(client);
	build(NULL);
}

#define REASON_TEST(name) cmocka_unit_test_setup_teardown(name, build, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REASON_TEST(a_command_whose_child_eats_the_memory_is_ended_as_a_whole),
		REASON_TEST(the_receipt_of_a_killed_command_says_what_it_used),
		REASON_TEST(every_command_of_the_sandbox_ends_when_its_memory_is_used_up),
		REASON_TEST(what_a_finished_command_left_behind_dies_with_the_others),
		REASON_TEST(a_file_request_that_runs_meanwhile_fails_and_leaves_no_half_a_file),
		REASON_TEST(files_survive),
		REASON_TEST(files_count_as_memory),
		REASON_TEST(it_happens_again_and_again),
		REASON_TEST(refused_forks_are_told_by_the_command_that_met_them),
		REASON_TEST(a_used_up_cpu_quota_is_told_at_the_end),
		REASON_TEST(as_many_processors_show_as_the_quota_is_worth),
		REASON_TEST(what_is_written_to_memory_is_no_traffic_of_a_disk),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
