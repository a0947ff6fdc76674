/* cleanup.h: what leaves a scope is released once, what was handed on is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int open_something(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void fd_is_closed_at_the_end_of_its_scope(void **state)
{
	int copy;

	(void)state;
	{
		auto_close int fd = open_something();

		copy = fd;
		assert_true(is_open(copy));
	}
	assert_false(is_open(copy));
}

static void taken_fd_stays_open(void **state)
{
	int taken;

	(void)state;
	{
		auto_close int fd = open_something();

		taken = take_fd(&fd);
		assert_int_equal(fd, -1);
	}
	assert_true(is_open(taken));
	fd_close(taken);
	assert_false(is_open(taken));
}

static void closing_no_fd_is_nothing(void **state)
{
	(void)state;
	errno = ENOENT;
	fd_close(-1);
	assert_int_equal(errno, ENOENT);
}

static void closing_keeps_errno(void **state)
{
	int fd = open_something();

	(void)state;
	fd_close(fd);
	errno = ENOENT;
	fd_close(fd); /* EBADF inside */
	assert_int_equal(errno, ENOENT);
}

static void taken_pointer_is_not_freed(void **state)
{
	char *taken;

	(void)state;
	{
		auto_free char *memory = malloc(1);

		assert_non_null(memory);
		taken = take_ptr(&memory);
		assert_null(memory);
	}
	*taken = 'x'; /* the address sanitizer would object if the scope's end had freed it */
	assert_int_equal(*taken, 'x');
	free(taken);
}

static void array_size_counts_elements(void **state)
{
	static const uint64_t numbers[7];

	(void)state;
	assert_int_equal(ARRAY_SIZE(numbers), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fd_is_closed_at_the_end_of_its_scope),
		cmocka_unit_test(taken_fd_stays_open),
		cmocka_unit_test(closing_no_fd_is_nothing),
		cmocka_unit_test(closing_keeps_errno),
		cmocka_unit_test(taken_pointer_is_not_freed),
		cmocka_unit_test(array_size_counts_elements),
	};

	return cmocka_run_group_tests_name("base/cleanup", tests, NULL, NULL);
}
