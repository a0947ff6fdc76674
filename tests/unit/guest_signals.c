/* SIGNAL, asked of a whole guest: before, while and after the command that it is for runs. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/guest_child.h"

#define WAIT_MS 20000

static struct guest_child child;
static struct call call, others[GUEST_RUNNING_MAX];

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

static void assert_end(enum guest_end end, unsigned error, unsigned exit_status)
{
	assert_int_equal(call.reply.end, end);
	assert_int_equal(call.reply.error, error);
	assert_int_equal(call.reply.exit_status, exit_status);
}

static void is_signalled(void)
{
	call_command(child.client, &call,
		"exec 2>/dev/null; trap 'echo got it; exit 7' USR1; echo ready; while :; do sleep "
		"0.01; done",
		NULL);
	while (call.size == 0)
		calls_turn(child.client, WAIT_MS);
	assert_int_equal(guest_request_signal(call.request, SIGUSR1), 0);
	call_wait(child.client, &call);
	assert_end(GUEST_END_DONE, 0, 7);
	assert_string_equal(guest_child_output(&call), "ready\ngot it\n");
}

static void a_signal_reaches_the_commands_group(void **state)
{
	(void)state;
	is_signalled();
}

static void a_signal_right_behind_the_request_is_not_lost(void **state)
{
	(void)state;
	for (int i = 0; i < 50;
		i++) { /* sometimes before the command has started, sometimes after */
		call_command(child.client, &call, "sleep 1000", NULL);
		assert_int_equal(guest_request_signal(call.request, SIGTERM), 0);
		call_wait(child.client, &call);
		assert_end(GUEST_END_DONE, 0, 128 + SIGTERM);
		call_finish(&call);
	}
}

static void a_signal_for_a_command_that_waits_for_its_turn_is_not_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		call_command(child.client, &others[i], "sleep 1000", NULL);
	call_command(child.client, &call, "sleep 1000", NULL);
	assert_int_equal(guest_request_signal(call.request, SIGTERM), 0);
	calls_turn(child.client, 100);
	assert_int_equal(call.replies, 0);
	assert_int_equal(guest_request_signal(others[7].request, SIGKILL), 0);
	call_wait(child.client, &call);
	assert_end(GUEST_END_DONE, 0, 128 + SIGTERM);
}

/* More of them than may run at a time; their runners stay. */
static void commands_that_left_daemons_are_in_nobodys_way(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GUEST_RUNNING_MAX + 6; i++) {
		guest_child_run(&child, &call, "sleep 1000 >/dev/null 2>&1 &", NULL);
		assert_end(GUEST_END_DONE, 0, 0);
		call_finish(&call);
	}
	is_signalled();
}

/* From now on this process and its children get no memory to share. */
static void refuse_shared_memory(void)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAP_SHARED | MAP_ANONYMOUS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {ARRAY_SIZE(code), (struct sock_filter *)code};

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* The last one: the filter stays. */
static void without_memory_for_signals_a_command_fails_and_files_are_still_served(void **state)
{
	const struct guest_file_options options = {.type = GUEST_READ, .path = "here"};

	(void)state;
	refuse_shared_memory();
	guest_child_start(&child);
	for (int i = 0; i < 2; i++) {
		guest_child_run(&child, &call, "true", NULL);
		assert_end(GUEST_END_FAILED, ENOMEM, 0);
		assert_string_equal(call.reply.text, "start: Cannot allocate memory");
		call_finish(&call);
	}
	guest_child_put(&child, "here", "text");
	guest_child_ask(&child, &call, &options, NULL);
	assert_end(GUEST_END_DONE, 0, 0);
	assert_string_equal(guest_child_output(&call), "text");
}

#define with_guest(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_guest(a_signal_reaches_the_commands_group),
		with_guest(a_signal_right_behind_the_request_is_not_lost),
		with_guest(a_signal_for_a_command_that_waits_for_its_turn_is_not_lost),
		with_guest(commands_that_left_daemons_are_in_nobodys_way),
		cmocka_unit_test_teardown(
			without_memory_for_signals_a_command_fails_and_files_are_still_served,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
