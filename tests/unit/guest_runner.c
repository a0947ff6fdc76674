/* The runner that waits for the next command: what it serves, and when it goes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/guest_child.h"

#define WAIT_MS	      20000
#define LONG_ARGUMENT 100000

static struct guest_child child;
static struct call call, others[2];

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
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		call_finish(&others[i]);
	return 0;
}

static const char *output_of(const char *command)
{
	guest_child_run(&child, &call, command, NULL);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.exit_status, 0);
	return guest_child_output(&call);
}

static pid_t runner(void)
{
	pid_t pid = atoi(output_of("echo $PPID"));

	assert_true(pid > 1);
	return pid;
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	assert_non_null(file);
	return file;
}

/* Of the guest; *ret_first: one of them, or 0. */
static int look_at_children(pid_t *ret_first)
{
	int pid, count = 0;
	char name[48];
	FILE *file;

	snprintf(name, sizeof(name), "task/%d/children", child.pid);
	file = open_proc(child.pid, name);
	*ret_first = 0;
	for (; fscanf(file, "%d", &pid) == 1; count++)
		if (count == 0)
			*ret_first = pid;
	fclose(file);
	return count;
}

static int count_children(void)
{
	pid_t first;

	return look_at_children(&first);
}

static void assert_children(int expected)
{
	int count = count_children();

	for (int i = 0; i < WAIT_MS && count != expected; i++) {
		calls_turn(child.client, 0);
		usleep(1000);
		count = count_children();
	}
	assert_int_equal(count, expected);
}

static void one_command_after_the_other_has_the_same_runner(void **state)
{
	pid_t first;

	(void)state;
	first = runner();
	for (int i = 0; i < 10; i++)
		assert_int_equal(runner(), first);
	assert_int_equal(count_children(), 1);
}

static void nothing_of_one_command_is_left_to_the_next(void **state)
{
	static const char look[] = "pwd; umask; echo ${LEFT-none}; ulimit -n; trap; "
				   "grep -E 'SigIgn|SigBlk|Threads' /proc/self/status; "
				   "ls /proc/self/fd | tr '\\n' ' '";
	char *first;

	(void)state;
	first = strdup(output_of(look));
	output_of("cd /; umask 777; export LEFT=1; ulimit -n 20; trap '' INT; exec 5</dev/null");
	assert_string_equal(output_of(look), first);
	free(first);
}

static void a_long_command_line_is_handed_over_whole(void **state)
{
	static char argument[LONG_ARGUMENT + 1];
	const char *const argv[] = {"printf", "%s", argument, NULL};
	const struct guest_exec_options options = {.argv = argv};

	(void)state;
	memset(argument, 'x', LONG_ARGUMENT);
	for (int i = 0; i < 2; i++) {
		guest_child_exec(&child, &call, &options, NULL, 0);
		assert_int_equal(call.reply.exit_status, 0);
		assert_int_equal(call.bytes[GUEST_STDOUT], LONG_ARGUMENT);
	}
}

static void a_command_that_could_not_start_leaves_the_runner(void **state)
{
	const char *const argv[] = {"no-such-command", NULL};
	const struct guest_exec_options options = {.argv = argv};
	pid_t first;

	(void)state;
	first = runner();
	guest_child_exec(&child, &call, &options, NULL, 0);
	assert_int_equal(call.reply.exit_status, 127);
	assert_int_equal(runner(), first);
}

static void a_runner_with_a_daemon_below_it_serves_no_other_command(void **state)
{
	long daemon, its_runner;

	(void)state;
	assert_int_equal(sscanf(output_of("sleep 1000 >/dev/null 2>&1 & echo $! $PPID"), "%ld %ld",
				 &daemon, &its_runner),
		2);
	assert_int_not_equal(runner(), its_runner);
	assert_children(2);
	/* Of two without anything below them one goes. */
	assert_int_equal(kill((pid_t)daemon, SIGKILL), 0);
	assert_children(1);
	output_of("true");
}

static void of_two_that_are_idle_one_goes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		call_command(child.client, &others[i], "echo; sleep 0.2", NULL);
	while (others[0].size == 0 || others[1].size == 0)
		calls_turn(child.client, WAIT_MS);
	assert_int_equal(count_children(), 2);
	calls_wait(child.client);
	assert_children(1);
}

static void a_runner_whose_tree_was_killed_goes(void **state)
{
	(void)state;
	output_of("true");
	guest_child_run(
		&child, &call, "sleep 1000", &(struct guest_exec_options){.timeout_ms = 50});
	assert_int_equal(call.reply.end, GUEST_END_TIMEOUT);
	assert_children(0);
	output_of("true");
}

static void an_idle_runner_that_was_killed_is_replaced(void **state)
{
	pid_t first;

	(void)state;
	first = runner();
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_children(0);
	assert_int_not_equal(runner(), first);
}

/* Dead, but not reaped: nothing that it held is open any more. */
static void wait_for_zombie(pid_t pid)
{
	char state = 0;

	for (int i = 0; i < WAIT_MS && state != 'Z'; i++) {
		FILE *file = open_proc(pid, "stat");

		assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
		fclose(file);
		usleep(1000);
	}
	assert_int_equal(state, 'Z');
}

/* Its death and the request are there at the same time. */
static void a_command_that_comes_as_the_runner_dies_runs(void **state)
{
	pid_t first;

	(void)state;
	first = runner();
	assert_int_equal(kill(child.pid, SIGSTOP), 0);
	assert_int_equal(kill(first, SIGKILL), 0);
	wait_for_zombie(first);
	call_finish(&call);
	call_command(child.client, &call, "echo alive", NULL);
	calls_turn(child.client, 0);
	assert_int_equal(kill(child.pid, SIGCONT), 0);
	call_wait(child.client, &call);
	assert_string_equal(guest_child_output(&call), "alive\n");
}

static void an_idle_runner_that_was_stopped_runs_the_next_command(void **state)
{
	(void)state;
	assert_int_equal(kill(runner(), SIGSTOP), 0);
	assert_string_equal(output_of("echo alive"), "alive\n");
}

static void read_file(void)
{
	guest_child_put(&child, "f", "");
	guest_child_ask(
		&child, &call, &(struct guest_file_options){.type = GUEST_READ, .path = "f"}, NULL);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
}

static void a_file_request_has_the_runner_that_waits_and_another_waits_then(void **state)
{
	pid_t first, second;

	(void)state;
	first = runner();
	assert_int_equal(kill(first, SIGSTOP), 0);
	read_file(); /* PID 1 lets what was stopped go on, so that it is served */
	assert_children(1);
	second = runner();
	assert_int_not_equal(second, first);
	assert_int_equal(runner(), second);
	for (int i = 0; i < 10; i++)
		read_file();
	assert_children(1);
	assert_int_not_equal(runner(), second);
}

static void after_a_file_request_of_a_fresh_guest_a_runner_waits(void **state)
{
	(void)state;
	assert_int_equal(count_children(), 0);
	read_file();
	assert_children(1);
	assert_string_equal(output_of("echo alive"), "alive\n");
	assert_children(1);
}

static void a_runner_that_never_ran_and_was_killed_is_replaced(void **state)
{
	pid_t first, second;

	(void)state;
	first = runner();
	read_file(); /* the reply does not wait for its end */
	look_at_children(&second);
	for (int i = 0; i < WAIT_MS && (second == 0 || second == first); i++) {
		usleep(1000);
		look_at_children(&second);
	}
	assert_int_equal(kill(second, SIGKILL), 0);
	assert_children(0);
	assert_string_equal(output_of("echo alive"), "alive\n");
}

static long processor_ticks(pid_t pid)
{
	FILE *file = open_proc(pid, "stat");
	long user, system;

	assert_int_equal(
		fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
			&user, &system),
		2);
	fclose(file);
	return user + system;
}

/* A worker is told apart from the runner of many commands that it was. */
static void what_a_file_request_used_is_its_own(void **state)
{
	pid_t pid;

	(void)state;
	pid = runner();
	while (processor_ticks(pid) < 5)
		output_of("true");
	read_file();
	assert_in_range(call.reply.user_us + call.reply.system_us, 0,
		(uintmax_t)(5 * 1000000 / sysconf(_SC_CLK_TCK)));
}

#define with_guest(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_guest(one_command_after_the_other_has_the_same_runner),
		with_guest(nothing_of_one_command_is_left_to_the_next),
		with_guest(a_long_command_line_is_handed_over_whole),
		with_guest(a_command_that_could_not_start_leaves_the_runner),
		with_guest(a_runner_with_a_daemon_below_it_serves_no_other_command),
		with_guest(of_two_that_are_idle_one_goes),
		with_guest(a_runner_whose_tree_was_killed_goes),
		with_guest(an_idle_runner_that_was_killed_is_replaced),
		with_guest(a_command_that_comes_as_the_runner_dies_runs),
		with_guest(an_idle_runner_that_was_stopped_runs_the_next_command),
		with_guest(a_file_request_has_the_runner_that_waits_and_another_waits_then),
		with_guest(after_a_file_request_of_a_fresh_guest_a_runner_waits),
		with_guest(a_runner_that_never_ran_and_was_killed_is_replaced),
		with_guest(what_a_file_request_used_is_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
