/* EXEC with the client's own pipes and files in place of streams, asked of a whole guest. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "proto/channel.h"
#include "tests/unit/guest_child.h"

#define WAIT_MS	 20000
#define BULK	 (32u << 20)
#define ALL_FDS	 (GUEST_EXEC_FD_STDIN | GUEST_EXEC_FD_STDOUT | GUEST_EXEC_FD_STDERR)
#define TEXT_MAX 4096

static struct guest_child child;
static struct call call, sleepers[GUEST_RUNNING_MAX];
static int ours, theirs; /* of a pipe: what a command writes */
static char text[TEXT_MAX];

static int set_up(void **state)
{
	int ends[2];

	(void)state;
	guest_child_start(&child);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	ours = ends[0];
	theirs = ends[1];
	return 0;
}

static int set_up_raw(void **state)
{
	set_up(state);
	guest_child_stop(&child);
	guest_child_start_raw(&child);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_child_stop(&child);
	call_finish(&call);
	for (size_t i = 0; i < ARRAY_SIZE(sleepers); i++)
		call_finish(&sleepers[i]);
	fd_close(take_fd(&ours));
	fd_close(take_fd(&theirs));
	return 0;
}

static void start(const char *command, struct guest_exec_options options)
{
	options.stdio[1] = theirs;
	options.flags |= GUEST_EXEC_FD_STDOUT;
	call_command(child.client, &call, command, &options);
}

static void run(const char *command, struct guest_exec_options options)
{
	start(command, options);
	call_wait(child.client, &call);
}

/* All that was written, until nobody has the other end any more. */
static const char *read_to_end(void)
{
	struct pollfd p = {.fd = ours, .events = POLLIN};
	size_t size = 0;
	ssize_t n;

	fd_close(take_fd(&theirs));
	do {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		n = read(ours, text + size, sizeof(text) - 1 - size);
		assert_true(n >= 0);
		size += (size_t)n;
	} while (n > 0);
	text[size] = '\0';
	return text;
}

static void a_passed_pipe_is_the_commands_own_stdout(void **state)
{
	(void)state;
	run("echo out; echo err >&2", (struct guest_exec_options){0});
	assert_int_equal(call.reply.exit_status, 0);
	assert_string_equal(guest_child_output(&call), "err\n");
	assert_int_equal(call.reply.stdout_bytes, 0);
	assert_int_equal(call.reply.stderr_bytes, 4);
	assert_string_equal(read_to_end(), "out\n");
}

static void all_three_may_be_passed_and_stderr_may_be_the_same(void **state)
{
	char path[GUEST_CHILD_PATH_MAX];
	auto_close int in = -1;

	(void)state;
	guest_child_put(&child, "in", "from a file\n");
	snprintf(path, sizeof(path), "%s/in", child.root);
	in = open(path, O_RDONLY | O_CLOEXEC);
	run("cat; echo err >&2; echo out",
		(struct guest_exec_options){.flags = ALL_FDS, .stdio = {in, -1, theirs}});
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_string_equal(guest_child_output(&call), "");
	assert_string_equal(read_to_end(), "from a file\nerr\nout\n");
}

static void stdin_is_empty_beside_a_passed_stdout(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) { /* by a new runner, and by the idle one */
		run("cat; readlink /proc/self/fd/0", (struct guest_exec_options){0});
		assert_int_equal(call.reply.exit_status, 0);
		call_finish(&call);
	}
	assert_string_equal(read_to_end(), "/dev/null\n/dev/null\n");
}

static void input_may_be_streamed_to_a_passed_stdout(void **state)
{
	const char *const argv[] = {"cat", NULL};
	const struct guest_exec_options options = {.argv = argv,
		.flags = GUEST_EXEC_STDIN | GUEST_EXEC_FD_STDOUT,
		.stdio = {-1, theirs, -1}};

	(void)state;
	guest_child_exec(&child, &call, &options, "to and fro", 10);
	assert_int_equal(call.reply.exit_status, 0);
	assert_string_equal(read_to_end(), "to and fro");
}

static void megabytes_come_through_a_passed_pipe_whole(void **state)
{
	static char chunk[1 << 16];
	size_t size = 0;
	ssize_t n;

	(void)state;
	start("head -c 33554432 /dev/zero", (struct guest_exec_options){0});
	fd_close(take_fd(&theirs));
	do {
		n = read(ours, chunk, sizeof(chunk));
		assert_true(n >= 0);
		size += (size_t)n;
	} while (n > 0);
	assert_int_equal(size, BULK);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.exit_status, 0);
}

/* Three descriptors and that of the directory that ls reads. */
static void no_other_command_has_it(void **state)
{
	(void)state;
	start("exec sleep 1000", (struct guest_exec_options){0});
	for (int i = 0; i < 2; i++) {
		guest_child_run(&child, &sleepers[0], "ls /proc/self/fd | tr '\\n' ' '", NULL);
		assert_string_equal(guest_child_output(&sleepers[0]), "0 1 2 3 ");
	}
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(child.client, &call);
	assert_string_equal(read_to_end(), "");
}

static void what_outlives_the_command_keeps_it(void **state)
{
	struct pollfd p = {.fd = ours, .events = POLLIN};

	(void)state;
	run("exec 2>/dev/null; sleep 1000 & echo $!", (struct guest_exec_options){0});
	assert_int_equal(call.reply.exit_status, 0);
	fd_close(take_fd(&theirs));
	assert_true(read(ours, text, sizeof(text)) > 0);
	assert_int_equal(poll(&p, 1, 50), 0);
	assert_int_equal(kill(atoi(text), SIGKILL), 0);
	assert_string_equal(read_to_end(), "");
}

static void a_command_that_could_not_start_leaves_it_closed(void **state)
{
	const char *const argv[] = {"no-such-command", NULL};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct guest_exec_options options = {
			.argv = argv, .flags = GUEST_EXEC_FD_STDOUT, .stdio = {-1, theirs, -1}};

		guest_child_exec(&child, &call, &options, NULL, 0);
		assert_int_equal(call.reply.exit_status, 127);
		options.cwd = "/nowhere";
		guest_child_exec(&child, &call, &options, NULL, 0);
		assert_int_equal(call.reply.exit_status, 126);
	}
	assert_string_equal(read_to_end(), "");
}

static void a_timeout_leaves_it_closed(void **state)
{
	(void)state;
	run("sleep 1000 & sleep 1000", (struct guest_exec_options){.timeout_ms = 100});
	assert_int_equal(call.reply.end, GUEST_END_TIMEOUT);
	assert_string_equal(read_to_end(), "");
}

static void fill_running(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sleepers); i++)
		call_command(child.client, &sleepers[i], "exec sleep 1000", NULL);
}

static void a_command_that_waits_and_is_cancelled_leaves_it_closed(void **state)
{
	(void)state;
	fill_running();
	start("echo never", (struct guest_exec_options){0});
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_CANCELLED);
	assert_string_equal(read_to_end(), "");
}

static void a_command_that_waited_has_it(void **state)
{
	(void)state;
	fill_running();
	start("echo late", (struct guest_exec_options){0});
	assert_int_equal(guest_request_cancel(sleepers[0].request), 0);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_string_equal(read_to_end(), "late\n");
}

/* One more than may wait is refused, and closed; then the others go. */
static void only_so_many_of_them_wait(void **state)
{
	static struct call waiting[GUEST_QUEUED_FDS + 1];
	const struct guest_exec_options options = {
		.flags = GUEST_EXEC_FD_STDOUT, .stdio = {-1, theirs, -1}};
	struct call *last = &waiting[GUEST_QUEUED_FDS];

	(void)state;
	fill_running();
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		call_command(child.client, &waiting[i], "echo never", &options);
	call_wait(child.client, last);
	assert_int_equal(last->reply.end, GUEST_END_FAILED);
	assert_int_equal(last->reply.error, EBUSY);
	for (size_t i = 0; i < GUEST_QUEUED_FDS; i++)
		assert_int_equal(guest_request_cancel(waiting[i].request), 0);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
		call_wait(child.client, &waiting[i]);
		call_finish(&waiting[i]);
	}
	/* Their places are free again. */
	start("echo never", (struct guest_exec_options){0});
	assert_int_equal(guest_request_cancel(call.request), 0);
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_CANCELLED);
	assert_string_equal(read_to_end(), "");
}

static void send_exec(uint32_t flags, const int *fds, size_t count)
{
	struct guest_exec head = {.argc = 1, .flags = flags};

	guest_header(&head.header, GUEST_EXEC, sizeof(head) + sizeof("true\0"), 1);
	assert_int_equal(channel_send(child.channel, &head, sizeof(head), "true\0",
				 sizeof("true\0"), fds, count),
		0);
}

static void fewer_than_announced_end_the_guest(void **state)
{
	(void)state;
	send_exec(GUEST_EXEC_FD_STDOUT | GUEST_EXEC_FD_STDERR, &theirs, 1);
	guest_child_wait_gone(&child);
}

static void more_than_announced_end_the_guest(void **state)
{
	(void)state;
	send_exec(0, &theirs, 1);
	guest_child_wait_gone(&child);
}

#define with_client(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define with_channel(f) cmocka_unit_test_setup_teardown(f, set_up_raw, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_client(a_passed_pipe_is_the_commands_own_stdout),
		with_client(all_three_may_be_passed_and_stderr_may_be_the_same),
		with_client(stdin_is_empty_beside_a_passed_stdout),
		with_client(input_may_be_streamed_to_a_passed_stdout),
		with_client(megabytes_come_through_a_passed_pipe_whole),
		with_client(no_other_command_has_it),
		with_client(what_outlives_the_command_keeps_it),
		with_client(a_command_that_could_not_start_leaves_it_closed),
		with_client(a_timeout_leaves_it_closed),
		with_client(a_command_that_waits_and_is_cancelled_leaves_it_closed),
		with_client(a_command_that_waited_has_it),
		with_client(only_so_many_of_them_wait),
		with_channel(fewer_than_announced_end_the_guest),
		with_channel(more_than_announced_end_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
