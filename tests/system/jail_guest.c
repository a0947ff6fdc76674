/* Commands in a real sandbox, the guest being its PID 1: much output, odd input, trees that resist. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/control.h"
#include "tests/system/jail_calls.h"
#include "tests/system/jail_fixture.h"

#define SLEEPERS 20
#define WAIT_MS	 20000

static struct fixture f;
static struct guest_client *client;
static struct fixture_result result;
static struct call call, other;

static int set_up(void **state)
{
	const struct fixture_options options = {
		.limits = {.memory_bytes = 64u << 20, .disk_bytes = 16u << 20, .pids = 256}};

	return fixture_set_up(&f, &options, state);
}

static int build(void **state)
{
	(void)state;
	assert_int_equal(fixture_build(&f, 0, &client), 0);
	return 0;
}

/* Whatever a test has left in flight is replied here. */
static int end(void **state)
{
	(void)state;
	guest_client_destroy(client);
	client = NULL;
	call_finish(&call);
	call_finish(&other);
	fixture_kill(&f);
	return 0;
}

/* Which program a process runs; "" when it has gone. */
static void name_of(int pid, char name[32])
{
	char path[64];
	FILE *file;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "r");
	if (file && !fgets(name, 32, file))
		name[0] = '\0';
	if (file)
		fclose(file);
}

/*
 * Processes in the sandbox, as the host sees them in PID 1's cgroup on the hierarchy that has pids; those that are
 * PID 1's image, itself and its runners, apart.
 */
static int count_processes(int *ret_own)
{
	char path[64], line[256], procs[512] = "", guest[32], name[32];
	int pid, count = 0;
	FILE *file;

	*ret_own = 0;
	name_of((int)f.built.pid, guest);

	snprintf(path, sizeof(path), "/proc/%u/cgroup", f.built.pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (f.base.v2_fd >= 0 && strncmp(line, "0::/", 4) == 0)
			snprintf(procs, sizeof(procs), "/proc/self/fd/%d/%s/cgroup.procs",
				f.base.v2_fd, strrchr(line, '/') + 1);
		else if (f.base.v2_fd < 0 && strstr(line, ":pids:"))
			snprintf(procs, sizeof(procs), "/proc/self/fd/%d/%s/cgroup.procs",
				f.base.v1_fd[CGROUP_PIDS], strrchr(line, '/') + 1);
	}
	fclose(file);
	file = fopen(procs, "r");
	assert_non_null(file);
	while (fscanf(file, "%d", &pid) == 1) {
		name_of(pid, name);
		if (strcmp(name, guest) == 0)
			(*ret_own)++;
		else
			count++;
	}
	fclose(file);
	return count;
}

/* Death is not instant: wait until PID 1 is alone, or with one idle runner. */
static void assert_only_the_guest_is_left(void)
{
	uint64_t until = clock_now_ms() + WAIT_MS;
	int own, others;

	while ((others = count_processes(&own)) > 0 || own > 2) {
		if (clock_now_ms() > until)
			fail_msg("%d processes and %d runners are left", others, own - 1);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

static void assert_works_on(void)
{
	fixture_run_ok(client, "echo alive", &result);
	assert_string_equal(result.output, "alive\n");
}

static void a_gigabyte_is_cut_at_output_max_and_counted(void **state)
{
	const struct guest_exec_options options = {.output_max = 1 << 20};

	(void)state;
	call_command(client, &call, "dd if=/dev/zero bs=1M count=1024 2>/dev/null", &options);
	call_wait(client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.exit_status, 0);
	assert_int_equal(call.bytes[GUEST_STDOUT], options.output_max);
	assert_int_equal(call.reply.stdout_bytes, UINT64_C(1) << 30);
	assert_int_equal(call.reply.limits_hit, LIMIT_HIT_OUTPUT);
	assert_works_on();
}

static void an_endless_command_can_be_cancelled_while_its_output_is_dropped(void **state)
{
	const struct guest_exec_options options = {.output_max = 100};

	(void)state;
	call_command(client, &call, "yes", &options);
	while (call.bytes[GUEST_STDOUT] < options.output_max)
		calls_turn(client, WAIT_MS);
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(client, &call);
	assert_int_equal(call.reply.end, GUEST_END_CANCELLED);
	assert_int_equal(call.bytes[GUEST_STDOUT], options.output_max);
	assert_only_the_guest_is_left();
}

static void one_line_of_200_million_bytes_arrives_whole(void **state)
{
	static char block[1000000];
	uint64_t digest = HASH_START;

	(void)state;
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 200; i++)
		digest = hash_more(digest, block, sizeof(block));
	call_command(client, &call,
		"head -c 1000000 /dev/zero | tr '\\0' x >/x; for i in $(seq 200); do cat /x; done; "
		"rm /x",
		NULL);
	call_wait(client, &call);
	assert_int_equal(call.reply.exit_status, 0);
	assert_int_equal(call.bytes[GUEST_STDOUT], 200000000);
	assert_int_equal(call.hashes[GUEST_STDOUT], digest);
	assert_int_equal(call.reply.limits_hit, 0);
}

static void interleaved_binary_output_stays_apart(void **state)
{
	uint64_t out = HASH_START, err = HASH_START;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "o%d%c\377\r\n", i, 0);

		out = hash_more(out, text, (size_t)n);
		n = snprintf(text, sizeof(text), "e%d%c\376\200\n", i, 0);
		err = hash_more(err, text, (size_t)n);
	}
	call_command(client, &call,
		"i=0; while [ $i -lt 1000 ]; do printf 'o%d\\0\\377\\r\\n' $i; "
		"printf 'e%d\\0\\376\\200\\n' $i >&2; i=$((i+1)); done",
		NULL);
	call_wait(client, &call);
	assert_int_equal(call.reply.exit_status, 0);
	assert_int_equal(call.hashes[GUEST_STDOUT], out);
	assert_int_equal(call.hashes[GUEST_STDERR], err);
	assert_int_equal(call.reply.stdout_bytes, call.bytes[GUEST_STDOUT]);
	assert_int_equal(call.reply.stderr_bytes, call.bytes[GUEST_STDERR]);
}

static void a_daemon_that_holds_stdout_does_not_hold_the_reply_and_lives_on(void **state)
{
	(void)state;
	call_command(client, &call, "sleep 1000 & echo $! >/daemon; echo started", NULL);
	call_wait(client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.exit_status, 0);
	assert_string_equal(call.output, "started\n");
	fixture_run_ok(client, "kill -0 $(cat /daemon)", &result);
	fixture_run_ok(client, "kill $(cat /daemon)", &result);
	assert_only_the_guest_is_left();
}

static void a_command_that_reads_no_stdin_ends_though_a_megabyte_is_offered(void **state)
{
	static char megabyte[1 << 20];
	const char *const argv[] = {"sh", "-c", "echo ready; read line </go; exit 5", NULL};
	const struct guest_exec_options options = {.argv = argv, .flags = GUEST_EXEC_STDIN};

	(void)state;
	fixture_run_ok(client, "mkfifo /go", &result);
	call_command(client, &call, argv[2], &options);
	for (size_t sent = 0; sent < sizeof(megabyte);) {
		uint32_t credit = guest_request_credit(call.request);
		uint32_t size = credit < GUEST_CHUNK_MAX ? credit : GUEST_CHUNK_MAX;

		if (size == 0)
			break; /* the guest takes no more than the pipe and its queue do */
		assert_int_equal(
			guest_request_input(call.request, megabyte + sent, size, false), 0);
		sent += size;
	}
	while (call.bytes[GUEST_STDOUT] == 0)
		calls_turn(client, WAIT_MS);
	fixture_run_ok(client, "echo >/go", &result);
	call_wait(client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.exit_status, 5);
	assert_works_on();
}

static void a_tree_that_resists_is_gone_after_the_timeout(void **state)
{
	static const char *const commands[] = {
		"trap '' TERM HUP INT QUIT; while :; do sleep 1; done",
		"kill -STOP $$",
		"(setsid sh -c '(setsid sleep 1000 &)' &); sleep 1000",
		"setsid sh -c 'trap \"\" TERM HUP; setsid sleep 1000 & kill -STOP $$' & wait",
		"(while :; do (setsid sleep 1000 & ) ; sleep 0.01; done) & sleep 1000",
		"kill -STOP $PPID; kill -STOP 1; sleep 1000",
	};
	const struct guest_exec_options options = {.timeout_ms = 300};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		call_command(client, &call, commands[i], &options);
		call_wait(client, &call);
		if (call.reply.end != GUEST_END_TIMEOUT)
			fail_msg("%s: end %u", commands[i], call.reply.end);
		assert_int_equal(call.reply.exit_status, 124);
		assert_true(call.reply.limits_hit & LIMIT_HIT_TIME);
		assert_only_the_guest_is_left();
		call_finish(&call);
	}
	assert_works_on();
}

static void kill_of_everything_replies_to_every_request(void **state)
{
	static struct call sleepers[SLEEPERS], reads[SLEEPERS];
	const struct guest_file_options read = {.type = GUEST_READ,
		.flags = GUEST_FILE_LINES,
		.path = "/sparse",
		.offset = 1,
		.length = 1};

	(void)state;
	fixture_run_ok(client, "truncate -s 1G /sparse", &result);
	for (int i = 0; i < SLEEPERS; i++) {
		call_command(client, &sleepers[i], "echo; sleep 1000 & sleep 1000", NULL);
		call_file(client, &reads[i], &read, NULL, 0);
	}
	for (int i = 0; i < SLEEPERS; i++)
		while (sleepers[i].bytes[GUEST_STDOUT] == 0)
			calls_turn(client, WAIT_MS);
	call_command(client, &call, "kill -9 -1", NULL);
	calls_wait(client);
	for (int i = 0; i < SLEEPERS; i++) {
		assert_int_equal(sleepers[i].replies, 1);
		assert_int_equal(sleepers[i].reply.exit_status, 128 + SIGKILL);
		assert_int_equal(reads[i].replies, 1);
		assert_in_range(reads[i].reply.end, GUEST_END_DONE, GUEST_END_FAILED);
		call_finish(&sleepers[i]);
		call_finish(&reads[i]);
	}
	assert_only_the_guest_is_left();
	assert_works_on();
}

static void a_command_that_kills_its_runner_ends_alone(void **state)
{
	(void)state;
	fixture_run_ok(client, "mkfifo /go", &result);
	call_command(client, &other, "echo; read line </go; echo fine", NULL);
	while (other.bytes[GUEST_STDOUT] == 0)
		calls_turn(client, WAIT_MS);
	call_command(client, &call, "setsid sleep 1000 & kill -9 $PPID; sleep 1000", NULL);
	call_wait(client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.signal, SIGKILL);
	assert_int_equal(call.reply.exit_status, 128 + SIGKILL);
	fixture_run_ok(client, "pidof sleep && exit 1; echo >/go", &result);
	call_wait(client, &other);
	assert_string_equal(other.output, "\nfine\n");
	assert_only_the_guest_is_left();
}

#define GUEST_TEST(function) cmocka_unit_test_setup_teardown(function, build, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GUEST_TEST(a_gigabyte_is_cut_at_output_max_and_counted),
		GUEST_TEST(an_endless_command_can_be_cancelled_while_its_output_is_dropped),
		GUEST_TEST(one_line_of_200_million_bytes_arrives_whole),
		GUEST_TEST(interleaved_binary_output_stays_apart),
		GUEST_TEST(a_daemon_that_holds_stdout_does_not_hold_the_reply_and_lives_on),
		GUEST_TEST(a_command_that_reads_no_stdin_ends_though_a_megabyte_is_offered),
		GUEST_TEST(a_tree_that_resists_is_gone_after_the_timeout),
		GUEST_TEST(kill_of_everything_replies_to_every_request),
		GUEST_TEST(a_command_that_kills_its_runner_ends_alone),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
