/* What a guest does when the kernel says that its memory is at an end: an eventfd is rung here instead. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "nsjail-lite/guest/guest.h"
#include "proto/control.h"
#include "tests/unit/guest_child.h"

#define FEW_FILES 12

struct fixture {
	struct guest_child child;
	struct call call;
	int memory_fd;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.memory_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(f.memory_fd >= 0);
	guest_child_start_with(&f.child, &(struct guest_events){f.memory_fd, -1, -1});
	*state = &f;
	return 0;
}

/* With too few descriptors for a command. */
static int set_up_few(void **state)
{
	struct rlimit limit, few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){FEW_FILES, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	set_up(state);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	call_finish(&f->call);
	guest_child_stop(&f->child);
	fd_close(f->memory_fd);
	return 0;
}

static void ring(const struct fixture *f)
{
	const uint64_t one = 1;

	assert_int_equal(write(f->memory_fd, &one, sizeof(one)), sizeof(one));
}

/* Start a command that says a number first. */
static long start(struct fixture *f, const char *command)
{
	call_command(f->child.client, &f->call, command, NULL);
	while (!f->call.output || !strchr(f->call.output, '\n'))
		calls_turn(f->child.client, 1000);
	return atol(f->call.output);
}

static void is_killed_by_memory(struct fixture *f)
{
	const struct guest_reply *reply = &f->call.reply;

	call_wait(f->child.client, &f->call);
	assert_int_equal(reply->end, GUEST_END_DONE);
	assert_int_equal(reply->signal, SIGKILL);
	assert_int_equal(reply->exit_status, 128 + SIGKILL);
	assert_int_equal(reply->limits_hit, LIMIT_HIT_MEMORY);
}

static void commands_are_killed_and_the_guest_goes_on(void **state)
{
	struct fixture *f = *state;

	start(f, "echo 1; sleep 1000 & sleep 1000");
	ring(f);
	is_killed_by_memory(f);
	guest_child_run(&f->child, &f->call, "exit 3", NULL);
	assert_int_equal(f->call.reply.exit_status, 3);
	assert_int_equal(f->call.reply.limits_hit, 0);
}

/* The kernel may choose it; the guest hears of the memory first, because it sleeps until both have happened. */
static void a_runner_that_was_killed_too_is_no_success(void **state)
{
	struct fixture *f = *state;
	pid_t runner = (pid_t)start(f, "echo $PPID; sleep 1000");

	assert_true(runner > 1);
	assert_int_equal(kill(f->child.pid, SIGSTOP), 0);
	ring(f);
	assert_int_equal(kill(runner, SIGKILL), 0);
	assert_int_equal(kill(f->child.pid, SIGCONT), 0);
	is_killed_by_memory(f);
}

/* The idle runner, which the next file request takes. */
static pid_t idle_runner(const struct fixture *f)
{
	char path[64];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", f->child.pid, f->child.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

/* It is held where it exits, as a busy host may hold it, for longer than it is left to end by itself. */
static void a_worker_that_is_slow_to_go_has_no_request_any_more(void **state)
{
	const struct guest_file_options write = {.type = GUEST_WRITE, .path = "f"};
	struct fixture *f = *state;
	pid_t worker;
	int status;

	guest_child_run(&f->child, &f->call, "true", NULL);
	worker = idle_runner(f);
	assert_int_equal(ptrace(PTRACE_SEIZE, worker, NULL, PTRACE_O_TRACEEXIT), 0);
	guest_child_ask(&f->child, &f->call, &write, "content");
	assert_int_equal(f->call.reply.end, GUEST_END_DONE);
	assert_int_equal(waitpid(worker, &status, __WALL), worker);
	assert_int_equal(status >> 8, SIGTRAP | (PTRACE_EVENT_EXIT << 8));
	ring(f);
	for (int i = 0; i < 15; i++) {
		guest_child_run(&f->child, &f->call, "true", NULL);
		usleep(100 * 1000);
	}
	assert_int_equal(ptrace(PTRACE_DETACH, worker, NULL, NULL), 0);
	guest_child_run(&f->child, &f->call, "exit 3", NULL);
	assert_int_equal(f->call.reply.exit_status, 3);
}

/* Both happen when memory is at an end: what has failed stays failed, and the reply is one that a client takes. */
static void a_command_that_cannot_be_started_then_is_replied_so(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(kill(f->child.pid, SIGSTOP), 0);
	call_command(f->child.client, &f->call, "true", NULL);
	calls_turn(f->child.client, 0);
	ring(f);
	assert_int_equal(kill(f->child.pid, SIGCONT), 0);
	call_wait(f->child.client, &f->call);
	assert_int_equal(f->call.reply.end, GUEST_END_FAILED);
	assert_int_equal(f->call.reply.error, EMFILE);
	assert_int_equal(f->call.reply.exit_status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			commands_are_killed_and_the_guest_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_runner_that_was_killed_too_is_no_success, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_worker_that_is_slow_to_go_has_no_request_any_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_command_that_cannot_be_started_then_is_replied_so, set_up_few, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
