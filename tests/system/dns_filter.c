/* Which sockets hearth-dns may still make once its filter is on it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "dns/filter.h"

/* 0, or the errno of a socket(2) behind the filter, which is for good: in a child. */
static int errno_of_socket(int family, int type)
{
	struct error err;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_install(&err) < 0)
			_exit(255);
		_exit(socket(family, type, 0) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_datagram_socket_may_be_made(void **state)
{
	(void)state;
	assert_int_equal(errno_of_socket(AF_INET, SOCK_DGRAM), 0);
	assert_int_equal(errno_of_socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC), 0);
}

/* sendto(2) with MSG_FASTOPEN would connect a stream. */
static void no_other_type_may(void **state)
{
	static const int types[] = {SOCK_STREAM, SOCK_RAW, SOCK_SEQPACKET};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(errno_of_socket(AF_INET, types[i]), ENOSYS);
		assert_int_equal(
			errno_of_socket(AF_INET, types[i] | SOCK_NONBLOCK | SOCK_CLOEXEC), ENOSYS);
	}
}

static void no_other_family_may(void **state)
{
	static const int families[] = {AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET};

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		assert_int_equal(errno_of_socket(families[i], SOCK_DGRAM), ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_socket_may_be_made),
		cmocka_unit_test(no_other_type_may),
		cmocka_unit_test(no_other_family_may),
	};

	return cmocka_run_group_tests_name("dns_filter", tests, NULL, NULL);
}
