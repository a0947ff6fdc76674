/* fd.h: short reads and writes, interruptions, flags, counts. */
#define _GNU_SOURCE 1 /* pipe2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "base/fd.h"

static void read_full_joins_pieces_until_the_end(void **state)
{
	char buffer[8] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "ab", 2), 2);
	assert_int_equal(write(fds[1], "cd", 2), 2);
	close(fds[1]);
	assert_int_equal(fd_read_full(fds[0], buffer, sizeof(buffer)), 4);
	assert_memory_equal(buffer, "abcd", 4);
	assert_int_equal(fd_read_full(fds[0], buffer, sizeof(buffer)), 0);
	close(fds[0]);
}

static void read_full_stops_at_the_size(void **state)
{
	char buffer[8] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "abcd", 4), 4);
	assert_int_equal(fd_read_full(fds[0], buffer, 3), 3);
	assert_string_equal(buffer, "abc");
	close(fds[0]);
	close(fds[1]);
}

static void read_full_tells_an_error(void **state)
{
	char buffer[8];
	auto_close int fd = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fd_read_full(fd, buffer, sizeof(buffer)), -EISDIR);
	assert_int_equal(fd_read_full(-1, buffer, sizeof(buffer)), -EBADF);
}

static void write_full_writes_all_of_it(void **state)
{
	char buffer[8] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_write_full(fds[1], "abcd", 4), 0);
	assert_int_equal(fd_write_full(fds[1], "", 0), 0);
	assert_int_equal(read(fds[0], buffer, sizeof(buffer)), 4);
	assert_string_equal(buffer, "abcd");
	close(fds[0]);
	close(fds[1]);
}

static void write_full_tells_an_error(void **state)
{
	auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fd_write_full(full, "x", 1), -ENOSPC);
	assert_int_equal(fd_write_full(-1, "x", 1), -EBADF);
}

static void write_full_into_a_full_pipe_that_must_not_wait_says_again(void **state)
{
	static char big[1 << 20];
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fd_write_full(fds[1], big, sizeof(big)), -EAGAIN);
	close(fds[0]);
	close(fds[1]);
}

static void nonblocking_is_set_and_cleared(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_set_nonblocking(fds[0], true), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblocking(fds[0], false), 0);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblocking(-1, true), -EBADF);
	close(fds[0]);
	close(fds[1]);
}

static void open_fds_are_counted(void **state)
{
	int before = fd_count_open();
	int fds[2];

	(void)state;
	assert_true(before > 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fd_count_open(), before + 2);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(fd_count_open(), before);
}

static int interrupted_pipe[2];
static volatile sig_atomic_t interruptions;

/* The first signal only interrupts; the second also ends the wait. */
static void on_alarm(int number)
{
	(void)number;
	if (++interruptions == 2)
		close(interrupted_pipe[1]);
}

static void interrupted_read_goes_on(void **state)
{
	const struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
	const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	struct sigaction before;
	char buffer[8];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(interrupted_pipe, O_CLOEXEC), 0);
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	n = fd_read_full(interrupted_pipe[0], buffer, sizeof(buffer));
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
	close(interrupted_pipe[0]);
	assert_int_equal(n, 0);
	assert_true(interruptions >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_full_joins_pieces_until_the_end),
		cmocka_unit_test(read_full_stops_at_the_size),
		cmocka_unit_test(read_full_tells_an_error),
		cmocka_unit_test(write_full_writes_all_of_it),
		cmocka_unit_test(write_full_tells_an_error),
		cmocka_unit_test(write_full_into_a_full_pipe_that_must_not_wait_says_again),
		cmocka_unit_test(nonblocking_is_set_and_cleared),
		cmocka_unit_test(open_fds_are_counted),
		cmocka_unit_test(interrupted_read_goes_on),
	};

	return cmocka_run_group_tests_name("base/fd", tests, NULL, NULL);
}
