/* EXEC, asked of a whole guest: ends, streams, environment, and trees that resist. */
#include <errno.h>
#include <sched.h>
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
#include "tests/unit/guest_child.h"

#define WAIT_MS 20000

static struct guest_child child;
static struct call call;

static int set_up(void **state)
{
	(void)state;
	guest_child_start(&child);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_child_stop(&child);
	call_finish(&call);
	return 0;
}

static void run(const char *command)
{
	guest_child_run(&child, &call, command, NULL);
}

static void assert_output(const char *expected)
{
	assert_string_equal(guest_child_output(&call), expected);
}

/* The program itself, without a shell. */
static void exec(const char *program, const char *argument)
{
	const char *const argv[] = {program, argument, NULL};
	const struct guest_exec_options options = {.argv = argv};

	guest_child_exec(&child, &call, &options, NULL, 0);
}

static void assert_end(enum guest_end end, unsigned error, unsigned exit_status)
{
	if (call.reply.end != end || call.reply.error != error ||
		call.reply.exit_status != exit_status)
		fail_msg("end %u, error %u, exit %u: %s", call.reply.end, call.reply.error,
			call.reply.exit_status, call.reply.text);
}

static void the_exit_status_is_the_commands(void **state)
{
	static const unsigned statuses[] = {0, 1, 42, 124, 126, 127, 255};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		char command[32];

		snprintf(command, sizeof(command), "exit %u", statuses[i]);
		run(command);
		assert_end(GUEST_END_DONE, 0, statuses[i]);
		assert_int_equal(call.reply.signal, 0);
	}
}

static void a_signal_that_kills_the_command_is_told(void **state)
{
	(void)state;
	run("kill -TERM $$");
	assert_end(GUEST_END_DONE, 0, 128 + SIGTERM);
	assert_int_equal(call.reply.signal, SIGTERM);
	run("kill -KILL $$");
	assert_end(GUEST_END_DONE, 0, 128 + SIGKILL);
	assert_int_equal(call.reply.signal, SIGKILL);
}

static void a_command_that_is_not_there_is_127(void **state)
{
	(void)state;
	exec("no-such-command", NULL);
	assert_end(GUEST_END_FAILED, ENOENT, 127);
	assert_non_null(strstr(call.reply.text, "no-such-command"));
	exec("./neither", NULL);
	assert_end(GUEST_END_FAILED, ENOENT, 127);
	exec("", NULL);
	assert_end(GUEST_END_FAILED, ENOENT, 127);
}

static void a_command_that_cannot_run_is_126(void **state)
{
	(void)state;
	guest_child_put(&child, "script", "#!/bin/sh\n");
	exec("./script", NULL);
	assert_end(GUEST_END_FAILED, EACCES, 126);
	exec("/", NULL);
	assert_end(GUEST_END_FAILED, EACCES, 126);
	run("chmod 755 script; echo no program >script");
	exec("./script", NULL);
	assert_end(GUEST_END_FAILED, ENOEXEC, 126);
}

static void a_directory_to_start_in_that_is_not_there_is_126(void **state)
{
	const char *const argv[] = {"true", NULL};

	(void)state;
	guest_child_exec(&child, &call,
		&(struct guest_exec_options){.argv = argv, .cwd = "/no/such"}, NULL, 0);
	assert_end(GUEST_END_FAILED, ENOENT, 126);
	assert_non_null(strstr(call.reply.text, "/no/such"));
}

static void a_command_starts_where_it_is_told_to(void **state)
{
	char expected[128];

	(void)state;
	run("pwd");
	snprintf(expected, sizeof(expected), "%s\n", child.root);
	assert_output(expected);
	guest_child_run(&child, &call, "pwd", &(struct guest_exec_options){.cwd = "/usr"});
	assert_output("/usr\n");
}

static void the_environment_is_added_to_the_default(void **state)
{
	static const char *const env[] = {"SHAPE=square", "EMPTY=", "COL=x", NULL};

	(void)state;
	run("echo $COLOUR $SHAPE");
	assert_output("blue round\n");
	guest_child_run(&child, &call, "echo $COLOUR $SHAPE $COL ${EMPTY-unset}",
		&(struct guest_exec_options){.env = env});
	assert_output("blue square x\n");
}

static void the_environment_is_exactly_what_was_given_when_asked(void **state)
{
	static const char *const env[] = {"ONLY=this", NULL};
	static const char *const argv[] = {"env", NULL};

	(void)state;
	guest_child_exec(&child, &call,
		&(struct guest_exec_options){
			.argv = argv, .env = env, .flags = GUEST_EXEC_ENV_ONLY},
		NULL, 0);
	assert_end(GUEST_END_DONE, 0, 0); /* found without a PATH */
	assert_output("ONLY=this\n");
}

static void both_streams_are_told_apart_and_counted(void **state)
{
	(void)state;
	run("printf four; printf sixsix >&2");
	assert_int_equal(call.bytes[GUEST_STDOUT], 4);
	assert_int_equal(call.bytes[GUEST_STDERR], 6);
	assert_int_equal(call.reply.stdout_bytes, 4);
	assert_int_equal(call.reply.stderr_bytes, 6);
}

static void stdin_is_empty_unless_asked_for(void **state)
{
	(void)state;
	run("cat; echo end");
	assert_output("end\n");
	assert_end(GUEST_END_DONE, 0, 0);
}

static void stdin_ends_where_it_was_ended(void **state)
{
	static const char *const argv[] = {"cat", NULL};
	const struct guest_exec_options options = {.argv = argv, .flags = GUEST_EXEC_STDIN};

	(void)state;
	guest_child_exec(&child, &call, &options, "hello", 5);
	assert_output("hello");
	assert_end(GUEST_END_DONE, 0, 0);
	guest_child_exec(&child, &call, &options, "", 0);
	assert_output("");
	assert_end(GUEST_END_DONE, 0, 0);
}

static void stdin_of_many_times_the_credit_comes_through(void **state)
{
	static char input[8 * GUEST_INPUT_CREDIT];
	static const char *const argv[] = {"wc", "-c", NULL};

	(void)state;
	memset(input, 'x', sizeof(input));
	guest_child_exec(&child, &call,
		&(struct guest_exec_options){.argv = argv, .flags = GUEST_EXEC_STDIN}, input,
		sizeof(input));
	assert_output("2097152\n");
}

static void stdin_that_nobody_reads_holds_nothing_up(void **state)
{
	static char input[4 * GUEST_INPUT_CREDIT];
	static const char *const argv[] = {"sh", "-c", "exec <&-; echo done", NULL};

	(void)state;
	guest_child_exec(&child, &call,
		&(struct guest_exec_options){.argv = argv, .flags = GUEST_EXEC_STDIN}, input,
		sizeof(input));
	assert_end(GUEST_END_DONE, 0, 0);
	assert_output("done\n");
}

static void output_is_cut_at_output_max_and_the_command_goes_on(void **state)
{
	(void)state;
	guest_child_run(&child, &call, "head -c 1000000 /dev/zero; printf x >&2; exit 3",
		&(struct guest_exec_options){.output_max = 1000});
	assert_end(GUEST_END_DONE, 0, 3);
	assert_int_equal(call.bytes[GUEST_STDOUT] + call.bytes[GUEST_STDERR], 1000);
	assert_int_equal(call.reply.stdout_bytes, 1000000);
	assert_int_equal(call.reply.stderr_bytes, 1);
	assert_int_equal(call.reply.limits_hit & LIMIT_HIT_OUTPUT, LIMIT_HIT_OUTPUT);
}

static void output_of_exactly_output_max_hits_no_limit(void **state)
{
	(void)state;
	guest_child_run(&child, &call, "head -c 1000 /dev/zero",
		&(struct guest_exec_options){.output_max = 1000});
	assert_int_equal(call.bytes[GUEST_STDOUT], 1000);
	assert_int_equal(call.reply.limits_hit & LIMIT_HIT_OUTPUT, 0);
}

static void the_reply_comes_although_a_daemon_holds_the_pipes(void **state)
{
	(void)state;
	run("sleep 1000 & echo before");
	assert_end(GUEST_END_DONE, 0, 0);
	assert_output("before\n");
	/* And the next one is not held up by it either. */
	run("echo next");
	assert_output("next\n");
}

/* Wait until the processes whose pids a file holds are gone. */
static void assert_gone(const char *name)
{
	uint64_t until = clock_now_ms() + WAIT_MS;
	char *rest, *copy = strdup(guest_child_get(&child, name)), *word;
	int count = 0;

	for (word = strtok_r(copy, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		pid_t pid = (pid_t)strtol(word, NULL, 10);

		assert_true(pid > 1);
		count++;
		while (kill(pid, 0) == 0) {
			if (clock_now_ms() > until)
				fail_msg("process %d lives on", pid);
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		}
	}
	free(copy);
	assert_true(count > 0);
}

#define ESCAPE                                                                                     \
	"setsid sh -c 'sh -c \"echo \\$\\$ >>pids; trap : TERM INT HUP; while :; do sleep 1000; "  \
	"done\" & echo $$ >>pids; sleep 1000' >/dev/null 2>&1 & "                                  \
	"until [ \"$(wc -l <pids)\" = 2 ]; do :; done 2>/dev/null; "

static void the_timeout_kills_a_double_fork_with_a_session_of_its_own(void **state)
{
	(void)state;
	guest_child_put(&child, "pids", "");
	guest_child_run(&child, &call, ESCAPE "echo ready; sleep 1000",
		&(struct guest_exec_options){.timeout_ms = 2000});
	assert_end(GUEST_END_TIMEOUT, 0, 124);
	assert_int_equal(call.reply.limits_hit & LIMIT_HIT_TIME, LIMIT_HIT_TIME);
	assert_output("ready\n");
	assert_gone("pids");
}

static void a_cancel_kills_the_whole_tree(void **state)
{
	(void)state;
	guest_child_put(&child, "pids", "");
	call_command(child.client, &call, ESCAPE "echo ready; sleep 1000", NULL);
	while (call.size == 0)
		calls_turn(child.client, WAIT_MS);
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_CANCELLED);
	assert_gone("pids");
}

static void the_end_of_the_channel_kills_what_a_command_left_behind(void **state)
{
	(void)state;
	guest_child_put(&child, "pids", "");
	run(ESCAPE);
	assert_end(GUEST_END_DONE, 0, 0);
	guest_client_destroy(child.client);
	child.client = NULL;
	child.channel = -1;
	guest_child_wait_gone(&child);
	assert_gone("pids");
}

/* Before it is told of an end it is put beside the runner. */
static void the_guest_itself_may_run_anywhere_after_a_command(void **state)
{
	cpu_set_t ours, guests;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	run("true");
	assert_int_equal(sched_getaffinity(child.pid, sizeof(guests), &guests), 0);
	assert_true(CPU_EQUAL(&ours, &guests));
	run("kill -9 $PPID");
	assert_int_equal(sched_getaffinity(child.pid, sizeof(guests), &guests), 0);
	assert_true(CPU_EQUAL(&ours, &guests));
}

static void little_pieces_in_quick_succession_come_together(void **state)
{
	(void)state;
	guest_child_run(&child, &call,
		"i=0; while [ $i -lt 5000 ]; do echo $((1000000 + i)); i=$((i+1)); done", NULL);
	assert_int_equal(call.bytes[GUEST_STDOUT], 5000 * 8);
	assert_in_range(call.pieces, 1, 500);
}

static void little_pieces_that_come_slowly_come_one_by_one(void **state)
{
	(void)state;
	guest_child_run(&child, &call, "for i in 1 2 3; do echo $i; sleep 0.2; done", NULL);
	assert_string_equal(guest_child_output(&call), "1\n2\n3\n");
	assert_int_equal(call.pieces, 3);
}

#define with_guest(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_guest(the_exit_status_is_the_commands),
		with_guest(a_signal_that_kills_the_command_is_told),
		with_guest(a_command_that_is_not_there_is_127),
		with_guest(a_command_that_cannot_run_is_126),
		with_guest(a_directory_to_start_in_that_is_not_there_is_126),
		with_guest(a_command_starts_where_it_is_told_to),
		with_guest(the_environment_is_added_to_the_default),
		with_guest(the_environment_is_exactly_what_was_given_when_asked),
		with_guest(both_streams_are_told_apart_and_counted),
		with_guest(stdin_is_empty_unless_asked_for),
		with_guest(stdin_ends_where_it_was_ended),
		with_guest(stdin_of_many_times_the_credit_comes_through),
		with_guest(stdin_that_nobody_reads_holds_nothing_up),
		with_guest(output_is_cut_at_output_max_and_the_command_goes_on),
		with_guest(output_of_exactly_output_max_hits_no_limit),
		with_guest(the_reply_comes_although_a_daemon_holds_the_pipes),
		with_guest(the_timeout_kills_a_double_fork_with_a_session_of_its_own),
		with_guest(a_cancel_kills_the_whole_tree),
		with_guest(the_end_of_the_channel_kills_what_a_command_left_behind),
		with_guest(the_guest_itself_may_run_anywhere_after_a_command),
		with_guest(little_pieces_in_quick_succession_come_together),
		with_guest(little_pieces_that_come_slowly_come_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
