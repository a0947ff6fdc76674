/* Trees that resist: stopped, forking without end, without their runner; and a host that cannot fork. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proto/control.h"
#include "tests/unit/guest_child.h"

#define UID_OF_ITS_OWN 61234 /* RLIMIT_NPROC counts a user's processes, but not root's */
#define PROCESSES_MAX  60
#define WAIT_MS	       20000

static struct guest_child child;
static struct call call, other;

static int set_up(void **state)
{
	(void)state;
	guest_child_start(&child);
	return 0;
}

static unsigned long count_threads(uid_t uid)
{
	unsigned long count = 0;
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct stat st;

	assert_non_null(proc);
	while ((entry = readdir(proc))) {
		char path[300];

		snprintf(path, sizeof(path), "/proc/%s/task", entry->d_name);
		if (entry->d_name[0] <= '9' && stat(path, &st) == 0 && st.st_uid == uid)
			count += st.st_nlink - 2;
	}
	closedir(proc);
	return count;
}

/*
 * A guest that may have so many processes below it, as under a pids limit. As root it is another
 * user's, since root has no such limit.
 */
static void start_limited(rlim_t processes)
{
	bool is_root = geteuid() == 0;
	struct rlimit limit, before;

	assert_int_equal(getrlimit(RLIMIT_NPROC, &before), 0);
	limit = before;
	limit.rlim_cur = count_threads(is_root ? UID_OF_ITS_OWN : geteuid()) + 1 + processes;
	assert_int_equal(setrlimit(RLIMIT_NPROC, &limit), 0);
	if (is_root)
		assert_int_equal(setresuid(UID_OF_ITS_OWN, UID_OF_ITS_OWN, 0), 0);
	guest_child_start(&child);
	if (is_root)
		assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_NPROC, &before), 0);
}

static int set_up_limited(void **state)
{
	(void)state;
	start_limited(PROCESSES_MAX);
	return 0;
}

static int set_up_starved(void **state)
{
	(void)state;
	start_limited(1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_child_stop(&child);
	call_finish(&call);
	call_finish(&other);
	return 0;
}

static void run(const char *command, uint32_t timeout_ms)
{
	guest_child_run(&child, &call, command,
		&(struct guest_exec_options){.timeout_ms = timeout_ms, .output_max = 1000});
}

static void assert_end(uint32_t end, uint32_t exit_status)
{
	if (call.reply.end != end)
		fail_msg("end %u: %s", call.reply.end, call.reply.text);
	assert_int_equal(call.reply.exit_status, exit_status);
}

/* Pids of the guest's children, "" when there is none; what has lost its parent is one. */
static const char *children(void)
{
	static char text[4096];
	char path[64];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", child.pid, child.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	return text;
}

static void assert_gone(void)
{
	const char *text = guest_child_get(&child, "pids");
	char *end;

	assert_true(text[0] != '\0');
	for (long pid = strtol(text, &end, 10); pid > 0; pid = strtol(end, &end, 10))
		assert_int_equal(kill((pid_t)pid, 0), -1);
}

static void a_stopped_tree_is_gone_after_the_timeout(void **state)
{
	(void)state;
	run("sh -c 'echo $$ >>pids; kill -STOP $$' & wait; echo $$ >>pids; kill -STOP $$", 300);
	assert_end(GUEST_END_TIMEOUT, 124);
	assert_gone();
	assert_string_equal(children(), "");
}

static void a_tree_that_ignores_every_signal_is_gone_after_the_timeout(void **state)
{
	(void)state;
	run("trap '' TERM HUP INT QUIT; echo $$ >>pids; setsid sleep 1000 & echo $! >>pids; "
	    "while :; do sleep 1000; done",
		200);
	assert_end(GUEST_END_TIMEOUT, 124);
	assert_gone();
	assert_string_equal(children(), "");
}

/*
 * This program, begun so, is chains of processes that look like zombies: the first thread of each has ended, and another
 * one forks the next, for so long, and then stays.
 */
#define CHAINS	 12
#define CHAIN_NS (700 * NS_PER_MS)
#define STAY_S	 20

static uint64_t chains_begin_ns;

static void be_leaderless(void);

static void *go_on(void *arg)
{
	usleep(5000);
	if (clock_now_ns() - chains_begin_ns > CHAIN_NS)
		sleep(STAY_S);
	else if (fork() == 0)
		be_leaderless();
	_exit(0);
	return arg;
}

static void be_leaderless(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, go_on, NULL) != 0)
		_exit(1);
	pthread_exit(NULL);
}

static int start_chains(void)
{
	chains_begin_ns = clock_now_ns();
	for (int i = 0; i < CHAINS; i++)
		if (fork() == 0)
			be_leaderless();
	sleep(STAY_S);
	return 0;
}

static void processes_whose_first_thread_has_ended_are_gone_after_the_timeout(void **state)
{
	char program[200], command[400];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	(void)state;
	assert_true(n > 0);
	program[n] = '\0';
	snprintf(command, sizeof(command), "exec %s leaderless", program);
	for (int i = 0; i < 4; i++) { /* not each time one would escape that looks dead */
		run(command, 500);
		assert_end(GUEST_END_TIMEOUT, 124);
		assert_string_equal(children(), "");
	}
}

static void a_command_that_stops_its_runner_is_replied(void **state)
{
	(void)state;
	run("kill -STOP $PPID; echo still", 0);
	assert_end(GUEST_END_DONE, 0);
	assert_string_equal(guest_child_output(&call), "still\n");
}

static void a_command_that_kills_its_runner_is_killed_with_its_tree(void **state)
{
	(void)state;
	run("setsid sleep 1000 & echo $! $$ >pids; kill -9 $PPID; sleep 1000", 0);
	assert_end(GUEST_END_DONE, 128 + SIGKILL);
	assert_int_equal(call.reply.signal, SIGKILL);
	assert_gone();
	assert_string_equal(children(), "");
}

static void a_daemon_whose_runner_is_killed_is_killed(void **state)
{
	(void)state;
	run("setsid sleep 1000 >/dev/null 2>&1 & echo $! $PPID >pids", 0);
	assert_end(GUEST_END_DONE, 0);
	assert_int_equal(kill(atoi(strchr(guest_child_get(&child, "pids"), ' ')), SIGKILL), 0);
	for (int i = 0; i < WAIT_MS && children()[0]; i++)
		usleep(1000);
	assert_gone();
}

static void a_worker_that_is_killed_fails_its_request_only(void **state)
{
	const struct guest_file_options options = {.type = GUEST_WRITE, .path = "f"};

	(void)state;
	call_file(child.client, &call, &options, NULL, 0); /* waits for its content */
	while (!children()[0])
		calls_turn(child.client, 1);
	assert_int_equal(kill(atoi(children()), SIGKILL), 0);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_FAILED);
	assert_int_equal(call.reply.error, EIO);
	assert_non_null(strstr(call.reply.text, "signal 9"));
	run("echo on", 0);
	assert_end(GUEST_END_DONE, 0);
}

static void a_fork_bomb_is_gone_after_the_timeout(void **state)
{
	/* The shell that cannot fork ends: so it is not the command. */
	static const char *const bombs[] = {
		"sh -c 'f() { f | f & f; }; f' 2>/dev/null & exec sleep 1000",
		"bash -c 'f() { f | f & }; f' 2>/dev/null & exec sleep 1000",
		"bash -c 'trap \"\" TERM HUP; while :; do (while :; do :; done) & done' "
		"2>/dev/null & exec sleep 1000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		run(bombs[i], 300);
		assert_end(GUEST_END_TIMEOUT, 124);
		assert_string_equal(children(), "");
		run("echo on", 0);
		assert_end(GUEST_END_DONE, 0);
		assert_string_equal(guest_child_output(&call), "on\n");
	}
}

static void a_cancel_ends_a_fork_bomb_that_leaves_no_process_to_anyone(void **state)
{
	(void)state;
	call_command(child.client, &call,
		"echo go; bash -c 'f() { f | f & }; f' 2>/dev/null & exec sleep 1000",
		&(struct guest_exec_options){.output_max = 3});
	while (call.size == 0)
		calls_turn(child.client, WAIT_MS);
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_CANCELLED);
	assert_string_equal(children(), "");
}

static void assert_no_process(const struct call *asked)
{
	assert_int_equal(asked->reply.end, GUEST_END_FAILED);
	assert_int_equal(asked->reply.error, EAGAIN);
	assert_int_equal(asked->reply.limits_hit & LIMIT_HIT_PIDS, LIMIT_HIT_PIDS);
}

static void a_runner_without_a_process_for_its_command_says_so(void **state)
{
	(void)state;
	run("echo no", 0);
	assert_no_process(&call);
	assert_int_equal(call.reply.exit_status, 126);
}

static void without_a_process_left_every_request_fails_and_says_so(void **state)
{
	const struct guest_file_options write = {.type = GUEST_WRITE, .path = "f"};
	const struct guest_file_options stat = {.type = GUEST_STAT, .path = "/"};

	(void)state;
	call_file(child.client, &other, &write, NULL, 0); /* takes the only one */
	run("echo no", 0);
	assert_no_process(&call);
	guest_child_ask(&child, &call, &stat, NULL);
	assert_no_process(&call);
	assert_int_equal(guest_request_cancel(other.request), 0);
	call_wait(child.client, &other);
	guest_child_ask(&child, &call, &stat, NULL);
	assert_end(GUEST_END_DONE, 0);
	assert_int_equal(call.reply.limits_hit & LIMIT_HIT_PIDS, 0);
}

/* Somebody else takes a process of the guest's user. */
static pid_t take_process(void)
{
	bool is_root = geteuid() == 0;
	pid_t pid;

	if (is_root)
		assert_int_equal(setresuid(UID_OF_ITS_OWN, UID_OF_ITS_OWN, 0), 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	if (is_root)
		assert_int_equal(setresuid(0, 0, 0), 0);
	assert_true(pid > 0);
	return pid;
}

static void without_a_process_for_another_runner_there_is_none_until_it_is_asked_for(void **state)
{
	const struct guest_file_options write = {.type = GUEST_WRITE, .path = "f"};
	const struct guest_file_options stat = {.type = GUEST_STAT, .path = "/"};
	pid_t other_process;

	(void)state;
	call_file(child.client, &other, &write, NULL, 0); /* takes the only one */
	while (!children()[0])
		calls_turn(child.client, 1);
	other_process = take_process();
	assert_int_equal(guest_request_cancel(other.request), 0);
	call_wait(child.client, &other);
	guest_child_ask(&child, &call, &stat, NULL);
	assert_no_process(&call);
	assert_string_equal(children(), "");
	assert_int_equal(kill(other_process, SIGKILL), 0);
	assert_int_equal(waitpid(other_process, NULL, 0), other_process);
	guest_child_ask(&child, &call, &stat, NULL);
	assert_end(GUEST_END_DONE, 0);
}

#define with_guest(f)	      cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define with_limited_guest(f) cmocka_unit_test_setup_teardown(f, set_up_limited, tear_down)
#define with_starved_guest(f) cmocka_unit_test_setup_teardown(f, set_up_starved, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		with_guest(a_stopped_tree_is_gone_after_the_timeout),
		with_guest(a_tree_that_ignores_every_signal_is_gone_after_the_timeout),
		with_guest(processes_whose_first_thread_has_ended_are_gone_after_the_timeout),
		with_guest(a_command_that_stops_its_runner_is_replied),
		with_guest(a_command_that_kills_its_runner_is_killed_with_its_tree),
		with_guest(a_daemon_whose_runner_is_killed_is_killed),
		with_guest(a_worker_that_is_killed_fails_its_request_only),
		with_limited_guest(a_fork_bomb_is_gone_after_the_timeout),
		with_limited_guest(a_cancel_ends_a_fork_bomb_that_leaves_no_process_to_anyone),
		with_starved_guest(a_runner_without_a_process_for_its_command_says_so),
		with_starved_guest(without_a_process_left_every_request_fails_and_says_so),
		with_starved_guest(
			without_a_process_for_another_runner_there_is_none_until_it_is_asked_for),
	};

	if (argc == 2 && strcmp(argv[1], "leaderless") == 0)
		return start_chains();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
