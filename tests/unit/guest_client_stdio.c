/* Pipes and files that a client passes to a command: what may leave the host, and what becomes of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "proto/channel.h"
#include "tests/unit/guest_client_world.h"

static struct read_packet packet;

static int exec_with(struct world *w, uint32_t flags, int in, int out, int err, struct asked *asked)
{
	const struct guest_exec_options options = {
		.argv = world_true, .flags = flags, .stdio = {in, out, err}};

	return world_exec_options(w, &options, asked);
}

static bool is_same_file(int a, int b)
{
	struct stat one, other;

	assert_int_equal(fstat(a, &one), 0);
	assert_int_equal(fstat(b, &other), 0);
	return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static void passed_fds_arrive_in_order_and_stay_the_callers(void **state)
{
	const uint32_t flags = GUEST_EXEC_FD_STDIN | GUEST_EXEC_FD_STDOUT | GUEST_EXEC_FD_STDERR;
	struct world *w = *state;
	struct asked asked = {0};
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(exec_with(w, flags, in[0], out[1], out[1], &asked), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	assert_int_equal(((const struct guest_exec *)(const void *)packet.bytes)->flags, flags);
	assert_int_equal(packet.fd_count, 3);
	assert_true(is_same_file(packet.fds[0], in[0]));
	assert_true(is_same_file(packet.fds[1], out[1]));
	assert_true(is_same_file(packet.fds[2], out[1]));
	channel_close_fds(packet.fds, packet.fd_count);
	channel_close_fds(in, 2);
	channel_close_fds(out, 2);
}

static void an_fd_without_its_flag_is_not_passed(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(exec_with(w, GUEST_EXEC_FD_STDERR, 0, 1, out[1], &asked), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	assert_int_equal(packet.fd_count, 1);
	assert_true(is_same_file(packet.fds[0], out[1]));
	channel_close_fds(packet.fds, packet.fd_count);
	channel_close_fds(out, 2);
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int open_directory(void)
{
	return open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_path(void)
{
	return open("/bin/sh", O_PATH | O_CLOEXEC);
}

static int open_terminal(void)
{
	return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int open_zero(void)
{
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

static int open_null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int open_nothing(void)
{
	return -1;
}

static int open_file(int flags, mode_t mode)
{
	char path[] = "/tmp/hearth-stdio-XXXXXX";
	auto_close int made = mkstemp(path);
	int fd;

	assert_true(made >= 0);
	assert_int_equal(fchmod(made, mode), 0);
	fd = open(path, flags | O_CLOEXEC);
	unlink(path);
	return fd;
}

static int open_file_to_read(void)
{
	return open_file(O_RDONLY, 0664);
}

static int open_file_to_write(void)
{
	return open_file(O_WRONLY | O_APPEND, 0666);
}

static int open_file_for_both(void)
{
	return open_file(O_RDWR, 0600);
}

static int open_file_of_everybody(void)
{
	return open_file(O_RDONLY, 0666);
}

static int open_pipe_end(int end)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fd_close(ends[!end]);
	return ends[end];
}

static int open_pipe_to_read(void)
{
	return open_pipe_end(0);
}

static int open_pipe_to_write(void)
{
	return open_pipe_end(1);
}

static const struct kind {
	int (*open)(void);
	int as_stdin, as_stdout; /* 0 or -errno */
} kinds[] = {
	{open_pipe_to_read, 0, -EINVAL},
	{open_pipe_to_write, -EINVAL, 0},
	{open_file_to_read, 0, -EINVAL},
	{open_file_to_write, -EINVAL, 0},
	{open_null, 0, 0},
	{open_file_for_both, -EINVAL, -EINVAL},
	{open_file_of_everybody, -EINVAL, -EINVAL},
	{open_directory, -EINVAL, -EINVAL},
	{open_path, -EINVAL, -EINVAL},
	{open_socket, -EINVAL, -EINVAL},
	{open_terminal, -EINVAL, -EINVAL},
	{open_zero, -EINVAL, -EINVAL},
	{open_nothing, -EBADF, -EBADF},
};

static void try(struct world *w, const struct kind *kind, uint32_t flag, int expected)
{
	auto_close int fd = kind->open();
	struct asked asked = {0};
	unsigned before = guest_client_in_flight(w->client);
	int r = exec_with(w, flag, fd, fd, fd, &asked);

	if (r != expected)
		fail_msg("kind %td, flag %u: %d, want %d", kind - kinds, flag, r, expected);
	if (r < 0) {
		assert_int_equal(w->err.code, -r);
		assert_non_null(strstr(w->err.text, "of the command"));
		assert_int_equal(guest_client_in_flight(w->client), before);
		assert_false(world_read(w, &packet));
		return;
	}
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	channel_close_fds(packet.fds, packet.fd_count);
	world_reply(w, asked.id);
	assert_int_equal(world_process(w), 0);
}

static void only_pipes_and_files_of_the_right_kind_leave_the_host(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		try(*state, &kinds[i], GUEST_EXEC_FD_STDIN, kinds[i].as_stdin);
		try(*state, &kinds[i], GUEST_EXEC_FD_STDOUT, kinds[i].as_stdout);
		try(*state, &kinds[i], GUEST_EXEC_FD_STDERR, kinds[i].as_stdout);
	}
}

static void the_second_of_two_that_may_not_be_passed_takes_the_first_back(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	auto_close int pipe = open_pipe_to_write();
	auto_close int socket = open_socket();

	assert_int_equal(
		exec_with(w, GUEST_EXEC_FD_STDOUT | GUEST_EXEC_FD_STDERR, -1, pipe, socket, &asked),
		-EINVAL);
	assert_false(world_read(w, &packet)); /* and the teardown counts fds */
}

static void an_exec_that_the_guest_would_not_take_is_refused_here(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	auto_close int in = open_pipe_to_read();
	auto_close int out = open_pipe_to_write();
	const struct guest_exec_options limited = {.argv = world_true,
		.flags = GUEST_EXEC_FD_STDOUT,
		.stdio = {-1, out, -1},
		.output_max = 1};

	assert_int_equal(
		exec_with(w, GUEST_EXEC_PTY | GUEST_EXEC_FD_STDOUT, in, out, out, &asked), -EINVAL);
	assert_int_equal(exec_with(w, GUEST_EXEC_STDIN | GUEST_EXEC_FD_STDIN, in, out, out, &asked),
		-EINVAL);
	assert_int_equal(world_exec_options(w, &limited, &asked), -EINVAL);
	assert_int_equal(guest_client_in_flight(w->client), 0);
}

static void fill_channel(struct world *w)
{
	struct asked asked;

	while (!guest_client_wants_write(w->client))
		assert_int_equal(world_exec(w, 0, &asked), 0);
}

/* world_exec()'s asked is gone when the reply comes. */
static void on_reply(void *arg, const struct guest_reply *reply)
{
	(void)arg;
	(void)reply;
}

static void passed_fds_wait_with_their_request(void **state)
{
	const struct guest_callbacks callbacks = {.on_reply = on_reply};
	struct world *w = *state;
	int out = open_pipe_to_write();
	const struct guest_exec_options options = {
		.argv = world_true, .flags = GUEST_EXEC_FD_STDOUT, .stdio = {-1, out, -1}};

	fill_channel(w);
	assert_int_equal(guest_client_exec(w->client, &options, &callbacks, NULL, NULL), 0);
	fd_close(out); /* the caller's own */
	do
		world_process(w);
	while (world_read(w, &packet) && packet.fd_count == 0);
	assert_int_equal(packet.fd_count, 1);
	assert_true(fcntl(packet.fds[0], F_GETFD) >= 0);
	channel_close_fds(packet.fds, packet.fd_count);
}

static void passed_fds_go_with_a_request_that_is_never_sent(void **state)
{
	const struct guest_callbacks callbacks = {.on_reply = on_reply};
	struct world *w = *state;
	auto_close int out = open_pipe_to_write();
	const struct guest_exec_options options = {
		.argv = world_true, .flags = GUEST_EXEC_FD_STDOUT, .stdio = {-1, out, -1}};

	fill_channel(w);
	assert_int_equal(guest_client_exec(w->client, &options, &callbacks, NULL, NULL), 0);
	/* The teardown ends the client and counts fds. */
}

static void output_on_a_passed_stream_is_an_offence(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	auto_close int out = open_pipe_to_write();

	assert_int_equal(exec_with(w, GUEST_EXEC_FD_STDOUT, -1, out, -1, &asked), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	channel_close_fds(packet.fds, packet.fd_count);
	world_output(w, asked.id, GUEST_STDERR, "fine", 4);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(asked.outputs, 1);
	world_output(w, asked.id, GUEST_STDOUT, "not", 3);
	world_assert_lost(w, EPROTO, "stream 1 is not of its request", &asked);
	assert_int_equal(asked.outputs, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(passed_fds_arrive_in_order_and_stay_the_callers),
		WORLD_TEST(an_fd_without_its_flag_is_not_passed),
		WORLD_TEST(only_pipes_and_files_of_the_right_kind_leave_the_host),
		WORLD_TEST(the_second_of_two_that_may_not_be_passed_takes_the_first_back),
		WORLD_TEST(an_exec_that_the_guest_would_not_take_is_refused_here),
		WORLD_TEST(passed_fds_wait_with_their_request),
		WORLD_TEST(passed_fds_go_with_a_request_that_is_never_sent),
		WORLD_TEST(output_on_a_passed_stream_is_an_offence),
	};

	return cmocka_run_group_tests_name("guest_client_stdio", tests, NULL, NULL);
}
