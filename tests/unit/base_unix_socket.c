/* unix_socket.h: modes, stale and live sockets, peers, and paths longer than sun_path. */
#define _GNU_SOURCE 1 /* O_DIRECTORY, SOCK_CLOEXEC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/unix_socket.h"

struct fixture {
	char directory[32];
	char path[64];
	int dirfd;
	int listener;
	int fds_before;
	struct error err;
};

static int set_up(void **state)
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
static int tear_down(void **state)
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

static void listen_there(struct fixture *f, int type)
{
	f->listener = unix_socket_listen(AT_FDCWD, f->path, type, 0600, (gid_t)-1, &f->err);
	if (f->listener < 0)
		fail_msg("%s", f->err.text);
}

static int connect_there(struct fixture *f, int type)
{
	return unix_socket_connect(AT_FDCWD, f->path, type, &f->err);
}

/* Leave a socket file that nobody answers, as a killed daemon does. */
static void leave_stale(struct fixture *f)
{
	listen_there(f, SOCK_STREAM);
	fd_close(take_fd(&f->listener));
	assert_int_equal(access(f->path, F_OK), 0);
}

static void talk(int listener, int client)
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

static void seqpacket_client_reaches_the_listener(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;

	listen_there(f, SOCK_SEQPACKET);
	client = connect_there(f, SOCK_SEQPACKET);
	assert_true(client >= 0);
	talk(f->listener, client);
}

static void stream_client_reaches_the_listener(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;

	listen_there(f, SOCK_STREAM);
	client = connect_there(f, SOCK_STREAM);
	assert_true(client >= 0);
	talk(f->listener, client);
}

static void both_ends_know_who_the_other_is(void **state)
{
	struct fixture *f = *state;
	struct unix_socket_peer peer;
	auto_close int client = -1, server = -1;

	listen_there(f, SOCK_SEQPACKET);
	client = connect_there(f, SOCK_SEQPACKET);
	server = unix_socket_accept(f->listener, &peer, &f->err);
	assert_true(server >= 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	memset(&peer, 0xff, sizeof(peer));
	assert_int_equal(unix_socket_peer(client, &peer, &f->err), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
}

static bool is_nonblocking_and_close_on_exec(int fd)
{
	return (fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void every_fd_is_nonblocking_and_close_on_exec(void **state)
{
	struct fixture *f = *state;
	struct unix_socket_peer peer;
	auto_close int client = -1, server = -1;

	listen_there(f, SOCK_STREAM);
	client = connect_there(f, SOCK_STREAM);
	server = unix_socket_accept(f->listener, &peer, &f->err);
	assert_true(is_nonblocking_and_close_on_exec(f->listener));
	assert_true(is_nonblocking_and_close_on_exec(client));
	assert_true(is_nonblocking_and_close_on_exec(server));
}

static void accept_without_a_client_says_again(void **state)
{
	struct fixture *f = *state;
	struct unix_socket_peer peer;

	listen_there(f, SOCK_STREAM);
	assert_int_equal(unix_socket_accept(f->listener, &peer, &f->err), -EAGAIN);
}

static void accept_on_something_else_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct unix_socket_peer peer;

	assert_int_equal(unix_socket_accept(f->dirfd, &peer, &f->err), -ENOTSOCK);
	assert_int_equal(unix_socket_peer(f->dirfd, &peer, &f->err), -ENOTSOCK);
}

static void mode_does_not_depend_on_the_umask(void **state)
{
	struct fixture *f = *state;
	mode_t before = umask(0077);
	struct stat st;

	f->listener = unix_socket_listen(AT_FDCWD, f->path, SOCK_STREAM, 0660, (gid_t)-1, &f->err);
	umask(before);
	assert_true(f->listener >= 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void group_is_set(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	f->listener = unix_socket_listen(AT_FDCWD, f->path, SOCK_STREAM, 0660, getegid(), &f->err);
	assert_true(f->listener >= 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_gid, getegid());
}

static void stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;

	leave_stale(f);
	listen_there(f, SOCK_SEQPACKET);
	client = connect_there(f, SOCK_SEQPACKET);
	assert_true(client >= 0);
}

static void live_socket_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;

	listen_there(f, SOCK_STREAM);
	assert_int_equal(
		unix_socket_listen(AT_FDCWD, f->path, SOCK_STREAM, 0600, (gid_t)-1, &f->err),
		-EADDRINUSE);
	assert_non_null(strstr(f->err.text, "somebody answers there already"));
	client = connect_there(f, SOCK_STREAM);
	assert_true(client >= 0);
}

static void live_socket_of_the_other_type_is_not_replaced(void **state)
{
	struct fixture *f = *state;

	listen_there(f, SOCK_STREAM);
	assert_int_equal(
		unix_socket_listen(AT_FDCWD, f->path, SOCK_SEQPACKET, 0600, (gid_t)-1, &f->err),
		-EADDRINUSE);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void file_in_the_way_is_not_removed(void **state)
{
	struct fixture *f = *state;

	fd_close(open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(
		unix_socket_listen(AT_FDCWD, f->path, SOCK_STREAM, 0600, (gid_t)-1, &f->err),
		-EEXIST);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void symbolic_link_in_the_way_is_not_followed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlink("elsewhere", f->path), 0);
	assert_int_equal(
		unix_socket_listen(AT_FDCWD, f->path, SOCK_STREAM, 0600, (gid_t)-1, &f->err),
		-EEXIST);
}

static void connect_to_nothing_says_so(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(connect_there(f, SOCK_STREAM), -ENOENT);
	assert_non_null(strstr(f->err.text, f->path));
	assert_int_equal(
		unix_socket_connect(AT_FDCWD, "/nonexistent/s", SOCK_STREAM, &f->err), -ENOENT);
}

static void connect_to_a_stale_socket_is_refused(void **state)
{
	struct fixture *f = *state;

	leave_stale(f);
	assert_int_equal(connect_there(f, SOCK_STREAM), -ECONNREFUSED);
}

static void connect_with_the_wrong_type_says_so(void **state)
{
	struct fixture *f = *state;

	listen_there(f, SOCK_STREAM);
	assert_int_equal(connect_there(f, SOCK_SEQPACKET), -EPROTOTYPE);
}

static void connect_to_a_full_queue_does_not_wait(void **state)
{
	struct fixture *f = *state;
	auto_close int first = -1, second = -1;

	listen_there(f, SOCK_STREAM);
	assert_int_equal(listen(f->listener, 0), 0); /* room for one */
	first = connect_there(f, SOCK_STREAM);
	assert_true(first >= 0);
	second = connect_there(f, SOCK_STREAM);
	assert_int_equal(second, -EAGAIN);
}

static void path_may_be_relative_to_a_directory_fd(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;

	f->listener = unix_socket_listen(f->dirfd, "s", SOCK_STREAM, 0600, (gid_t)-1, &f->err);
	assert_true(f->listener >= 0);
	assert_int_equal(access(f->path, F_OK), 0);
	client = unix_socket_connect(f->dirfd, "s", SOCK_STREAM, &f->err);
	assert_true(client >= 0);
	talk(f->listener, client);
}

static void path_longer_than_sun_path_works(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;
	char part[101], path[512], socket_path[600];
	struct stat st;

	memset(part, 'd', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s/%s/%s", f->directory, part, part, part);
	assert_int_equal(file_make_directories(path, 0700, &f->err), 0);
	snprintf(socket_path, sizeof(socket_path), "%s/s", path);
	for (int round = 0; round < 2; round++) { /* the second finds a stale one */
		f->listener = unix_socket_listen(
			AT_FDCWD, socket_path, SOCK_SEQPACKET, 0640, (gid_t)-1, &f->err);
		assert_true(f->listener >= 0);
		assert_int_equal(stat(socket_path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		client = unix_socket_connect(AT_FDCWD, socket_path, SOCK_SEQPACKET, &f->err);
		assert_true(client >= 0);
		talk(f->listener, client);
		fd_close(take_fd(&client));
		fd_close(take_fd(&f->listener));
	}
	unlink(socket_path);
	for (int i = 0; i < 3; i++) {
		rmdir(path);
		*strrchr(path, '/') = '\0';
	}
}

static void name_that_does_not_fit_is_refused(void **state)
{
	struct fixture *f = *state;
	char name[UNIX_SOCKET_NAME_MAX + 2];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(unix_socket_listen(f->dirfd, name, SOCK_STREAM, 0600, (gid_t)-1, &f->err),
		-ENAMETOOLONG);
	assert_int_equal(unix_socket_connect(f->dirfd, name, SOCK_STREAM, &f->err), -ENAMETOOLONG);
	name[UNIX_SOCKET_NAME_MAX] = '\0';
	f->listener = unix_socket_listen(f->dirfd, name, SOCK_STREAM, 0600, (gid_t)-1, &f->err);
	assert_true(f->listener >= 0);
	unlinkat(f->dirfd, name, 0);
}

static void path_without_a_name_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		unix_socket_connect(AT_FDCWD, "/tmp/", SOCK_STREAM, &f->err), -ENAMETOOLONG);
	assert_int_equal(unix_socket_connect(AT_FDCWD, "", SOCK_STREAM, &f->err), -ENAMETOOLONG);
}

static void missing_directory_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unix_socket_listen(
				 AT_FDCWD, "/nonexistent/s", SOCK_STREAM, 0600, (gid_t)-1, &f->err),
		-ENOENT);
	assert_non_null(strstr(f->err.text, "/nonexistent/"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(seqpacket_client_reaches_the_listener),
		T(stream_client_reaches_the_listener),
		T(both_ends_know_who_the_other_is),
		T(every_fd_is_nonblocking_and_close_on_exec),
		T(accept_without_a_client_says_again),
		T(accept_on_something_else_is_an_error),
		T(mode_does_not_depend_on_the_umask),
		T(group_is_set),
		T(stale_socket_is_replaced),
		T(live_socket_is_not_replaced),
		T(live_socket_of_the_other_type_is_not_replaced),
		T(file_in_the_way_is_not_removed),
		T(symbolic_link_in_the_way_is_not_followed),
		T(connect_to_nothing_says_so),
		T(connect_to_a_stale_socket_is_refused),
		T(connect_with_the_wrong_type_says_so),
		T(connect_to_a_full_queue_does_not_wait),
		T(path_may_be_relative_to_a_directory_fd),
		T(path_longer_than_sun_path_works),
		T(name_that_does_not_fit_is_refused),
		T(path_without_a_name_is_refused),
		T(missing_directory_is_told),
	};

	return cmocka_run_group_tests_name("base/unix_socket", tests, NULL, NULL);
}
