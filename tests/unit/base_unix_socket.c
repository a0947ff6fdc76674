/* unix_socket.h: modes, stale and live sockets, peers. */
#define _GNU_SOURCE 1 /* O_DIRECTORY, SOCK_CLOEXEC */
#include "tests/unit/socket_fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

/* Let no further fd be opened, but this many. */
static void leave_fds(rlim_t count, struct rlimit *ret_before)
{
	struct rlimit limit;
	int first_free = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(first_free >= 0);
	fd_close(first_free);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
	limit = *ret_before;
	limit.rlim_cur = (rlim_t)first_free + count;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void running_out_of_fds_is_no_sign_of_life(void **state)
{
	struct fixture *f = *state;
	struct rlimit before;

	leave_stale(f);
	for (rlim_t count = 0; count < 2; count++) {
		int listened, connected;

		leave_fds(count, &before);
		listened = unix_socket_listen(
			AT_FDCWD, f->path, SOCK_STREAM, 0600, (gid_t)-1, &f->err);
		connected = unix_socket_connect(AT_FDCWD, f->path, SOCK_STREAM, NULL);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(listened, -EMFILE);
		assert_int_equal(connected, -EMFILE);
	}
	assert_int_equal(access(f->path, F_OK), 0);
}

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
		T(running_out_of_fds_is_no_sign_of_life),
	};

	return cmocka_run_group_tests_name("base/unix_socket", tests, NULL, NULL);
}
