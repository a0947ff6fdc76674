/* A directory with room for one socket, and the count of fds that a test must leave as it was. */
#ifndef TESTS_UNIT_SOCKET_FIXTURE_H
#define TESTS_UNIT_SOCKET_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/unix_socket.h"

struct fixture {
	char directory[32];
	char path[64];
	int dirfd;
	int listener;
	int fds_before;
	struct error err;
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	strcpy(f->directory, "/tmp/hearth-socket-XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/s", f->directory);
	f->fds_before = fd_count_open();
	f->dirfd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->listener = -1;
	*state = f;
	return 0;
}

/* Every test ends with as many fds as it began with. */
static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	int leaked;

	unlink(f->path);
	rmdir(f->directory);
	fd_close(f->dirfd);
	fd_close(f->listener);
	leaked = fd_count_open() - f->fds_before;
	free(f);
	return leaked == 0 ? 0 : -1;
}

static inline void listen_there(struct fixture *f, int type)
{
	f->listener = unix_socket_listen(AT_FDCWD, f->path, type, 0600, (gid_t)-1, &f->err);
	if (f->listener < 0)
		fail_msg("%s", f->err.text);
}

static inline int connect_there(struct fixture *f, int type)
{
	return unix_socket_connect(AT_FDCWD, f->path, type, &f->err);
}

/* Leave a socket file that nobody answers, as a killed daemon does. */
static inline void leave_stale(struct fixture *f)
{
	listen_there(f, SOCK_STREAM);
	fd_close(take_fd(&f->listener));
	assert_int_equal(access(f->path, F_OK), 0);
}

static inline void talk(int listener, int client)
{
	struct unix_socket_peer peer;
	struct error err;
	auto_close int server = unix_socket_accept(listener, &peer, &err);
	char buffer[8];

	assert_true(server >= 0);
	assert_int_equal(send(client, "ping", 4, MSG_NOSIGNAL), 4);
	assert_int_equal(recv(server, buffer, sizeof(buffer), 0), 4);
	assert_memory_equal(buffer, "ping", 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#endif
