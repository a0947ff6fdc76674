/* process.h: children that end with who made them, however early that is. */
#define _GNU_SOURCE 1 /* pipe2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

#define PATIENCE_MS 30000

static void assert_killed(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* The maker is killed when its child runs; the child is the last that has the pipe. */
static void a_child_dies_with_its_maker(void **state)
{
	struct pollfd end = {.events = POLLIN};
	int fds[2];
	pid_t maker;
	char byte;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	maker = fork();
	if (maker == 0) {
		if (process_fork() == 0 && write(fds[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	end.fd = fds[0];
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(poll(&end, 1, 0), 0);
	assert_int_equal(kill(maker, SIGKILL), 0);
	assert_killed(maker);
	assert_int_equal(poll(&end, 1, PATIENCE_MS), 1);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}

/* No signal comes of an end that was before: the child's parent is another by then. */
static void a_child_whose_maker_has_ended_ends_at_once(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		process_die_with(getpid());
		_exit(0);
	}
	assert_killed(pid);
}

static void a_child_whose_maker_lives_goes_on(void **state)
{
	pid_t pid = process_fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(7);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_dies_with_its_maker),
		cmocka_unit_test(a_child_whose_maker_has_ended_ends_at_once),
		cmocka_unit_test(a_child_whose_maker_lives_goes_on),
	};

	return cmocka_run_group_tests_name("base/process", tests, NULL, NULL);
}
