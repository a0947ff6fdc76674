/* EXEC with a terminal, asked of a whole guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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

static void assert_output(const char *expected)
{
	assert_string_equal(guest_child_output(&call), expected);
}

static void a_terminal_has_the_size_that_was_asked(void **state)
{
	(void)state;
	guest_child_run(&child, &call, "stty size; tty >/dev/null && echo tty",
		&(struct guest_exec_options){.flags = GUEST_EXEC_PTY, .rows = 50, .columns = 132});
	assert_output("50 132\r\ntty\r\n");
	guest_child_run(&child, &call, "stty size <&2",
		&(struct guest_exec_options){.flags = GUEST_EXEC_PTY});
	assert_output("24 80\r\n");
	assert_int_equal(call.bytes[GUEST_STDERR], 0);
}

static void a_terminal_is_told_of_its_new_size(void **state)
{
	(void)state;
	call_command(child.client, &call,
		"trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done",
		&(struct guest_exec_options){.flags = GUEST_EXEC_PTY});
	while (call.size == 0)
		calls_turn(child.client, WAIT_MS);
	assert_int_equal(guest_request_resize(call.request, 33, 44), 0);
	call_wait(child.client, &call);
	assert_output("ready\r\n33 44\r\n");
}

static void the_end_of_input_reaches_a_terminal(void **state)
{
	static const char *const argv[] = {"sh", "-c", "stty -echo; echo ready; cat", NULL};

	(void)state;
	guest_child_exec(&child, &call,
		&(struct guest_exec_options){
			.argv = argv, .flags = GUEST_EXEC_PTY | GUEST_EXEC_STDIN},
		"line\n", 5);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.exit_status, 0);
	assert_non_null(strstr(guest_child_output(&call), "line\r\n"));
}

#define with_guest(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_guest(a_terminal_has_the_size_that_was_asked),
		with_guest(a_terminal_is_told_of_its_new_size),
		with_guest(the_end_of_input_reaches_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
