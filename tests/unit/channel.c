/* Packets and fds over a channel, and what is left when something is wrong with them: nothing. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "proto/channel.h"

#define RAW_FDS_MAX 64

struct fixture {
	int ends[2];
	int fds_before; /* open before the ends were made */
	int fds[CHANNEL_FDS_MAX];
	size_t count;
	char buffer[64];
};

static int set_up(void **state)
{
	static struct fixture f;

	f.fds_before = fd_count_open();
	f.count = 99;
	*state = &f;
	return channel_pair(f.ends, NULL);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fd_close(f->ends[0]);
	fd_close(f->ends[1]);
	return fd_count_open() == f->fds_before ? 0 : -1; /* no test leaks an fd */
}

static ssize_t receive(struct fixture *f)
{
	return channel_receive(f->ends[1], f->buffer, sizeof(f->buffer), f->fds, &f->count);
}

/* More fds than channel_send() would: what a hostile peer can do. */
static void send_raw(int socket, size_t fd_count, size_t size)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * RAW_FDS_MAX)];
		struct cmsghdr align;
	} control = {0};
	char data[256] = {0};
	struct iovec part = {data, size};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	int fds[RAW_FDS_MAX];

	for (size_t i = 0; i < fd_count; i++)
		fds[i] = socket;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), size);
}

static void pair_is_close_on_exec_and_blocking(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(fcntl(f->ends[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(fcntl(f->ends[i], F_GETFL) & O_NONBLOCK, 0);
	}
}

static void pair_fails_when_no_fd_is_left(void **state)
{
	struct rlimit old, none;
	struct error err;
	int ends[2];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(channel_pair(ends, &err), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(err.code, EMFILE);
	assert_non_null(strstr(err.text, "socketpair"));
}

static void two_parts_arrive_as_one_packet(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(channel_send(f->ends[0], "head", 4, "body", 5, NULL, 0), 0);
	assert_int_equal(receive(f), 9);
	assert_string_equal(f->buffer, "headbody");
	assert_int_equal(f->count, 0);
}

static void packets_stay_apart_and_in_order(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(channel_send(f->ends[0], "a", 1, NULL, 0, NULL, 0), 0);
	assert_int_equal(channel_send(f->ends[0], "bb", 2, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->buffer[0], 'a');
	assert_int_equal(receive(f), 2);
	assert_int_equal(f->buffer[1], 'b');
}

static void fds_arrive_close_on_exec_and_stay_the_senders_too(void **state)
{
	struct fixture *f = *state;
	struct stat sent, received;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0); /* not close-on-exec here, but there */
	assert_int_equal(channel_send(f->ends[0], "x", 1, NULL, 0, pipes, 2), 0);
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fcntl(f->fds[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(fstat(pipes[i], &sent), 0);
		assert_int_equal(fstat(f->fds[i], &received), 0);
		assert_int_equal(sent.st_ino, received.st_ino);
		close(pipes[i]);
	}
	channel_close_fds(f->fds, f->count);
	assert_int_equal(f->fds[0], -1);
	assert_int_equal(f->fds[1], -1);
}

static void as_many_fds_arrive_as_there_may_be(void **state)
{
	struct fixture *f = *state;
	int fds[CHANNEL_FDS_MAX];

	for (size_t i = 0; i < CHANNEL_FDS_MAX; i++)
		fds[i] = f->ends[0];
	assert_int_equal(channel_send(f->ends[0], "x", 1, NULL, 0, fds, CHANNEL_FDS_MAX), 0);
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->count, CHANNEL_FDS_MAX);
	channel_close_fds(f->fds, f->count);
}

static void more_fds_than_there_may_be_are_not_sent(void **state)
{
	struct fixture *f = *state;
	int fds[CHANNEL_FDS_MAX + 1] = {0};

	assert_int_equal(
		channel_send(f->ends[0], "x", 1, NULL, 0, fds, CHANNEL_FDS_MAX + 1), -EINVAL);
}

static void too_many_fds_are_refused_and_none_is_kept(void **state)
{
	struct fixture *f = *state;

	for (size_t n = CHANNEL_FDS_MAX + 1; n <= RAW_FDS_MAX; n++) {
		send_raw(f->ends[0], n, 1);
		assert_int_equal(receive(f), -EPROTO);
		assert_int_equal(fd_count_open(), f->fds_before + 2);
	}
	assert_int_equal(channel_send(f->ends[0], "x", 1, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive(f), 1); /* the channel goes on */
}

static void fds_that_find_no_room_are_refused_and_none_is_kept(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, low;
	ssize_t n;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	/* Room for two more below the highest fd in use, ours, and not for eight. */
	low = (struct rlimit){.rlim_cur = (rlim_t)f->ends[1] + 3, .rlim_max = old.rlim_max};
	send_raw(f->ends[0], 8, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	n = receive(f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(n, -EPROTO);
	assert_int_equal(fd_count_open(), f->fds_before + 2);
}

static void packet_larger_than_the_buffer_is_refused_and_its_fds_are_closed(void **state)
{
	struct fixture *f = *state;

	send_raw(f->ends[0], 2, sizeof(f->buffer) + 1);
	assert_int_equal(receive(f), -EMSGSIZE);
	assert_int_equal(fd_count_open(), f->fds_before + 2);
	send_raw(f->ends[0], 1, sizeof(f->buffer));
	assert_int_equal(receive(f), sizeof(f->buffer));
	channel_close_fds(f->fds, f->count);
}

static void nothing_there_is_said_without_waiting(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fd_set_nonblocking(f->ends[1], true), 0);
	assert_int_equal(receive(f), -EAGAIN);
}

static void full_socket_is_said_without_waiting_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t sent = 0, seen;
	int r;

	assert_int_equal(fd_set_nonblocking(f->ends[0], true), 0);
	assert_int_equal(fd_set_nonblocking(f->ends[1], true), 0);
	while ((r = channel_send(f->ends[0], &sent, sizeof(sent), NULL, 0, NULL, 0)) == 0)
		assert_true(++sent < 100000);
	assert_int_equal(r, -EAGAIN);
	assert_true(sent > 0);
	for (seen = 0; receive(f) > 0; seen++)
		assert_memory_equal(f->buffer, &seen, sizeof(seen));
	assert_int_equal(seen, sent);
}

/* SIGPIPE has its default here: it would end this program. */
static void peer_that_has_gone_is_an_error_and_no_signal(void **state)
{
	struct fixture *f = *state;

	fd_close(take_fd(&f->ends[1]));
	assert_int_equal(channel_send(f->ends[0], "x", 1, NULL, 0, NULL, 0), -EPIPE);
}

static void peer_that_has_gone_with_packets_unread_is_the_same_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(channel_send(f->ends[0], "x", 1, NULL, 0, NULL, 0), 0);
	fd_close(take_fd(&f->ends[1]));
	assert_int_equal(channel_send(f->ends[0], "x", 1, NULL, 0, NULL, 0), -EPIPE);
	assert_int_equal(channel_send(f->ends[0], "x", 1, NULL, 0, NULL, 0), -EPIPE);
}

static void end_comes_after_what_was_sent_before_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(channel_send(f->ends[0], "last", 5, NULL, 0, NULL, 0), 0);
	fd_close(take_fd(&f->ends[0]));
	assert_int_equal(receive(f), 5);
	assert_string_equal(f->buffer, "last");
	assert_int_equal(receive(f), 0);
	assert_int_equal(receive(f), 0);
}

static void end_comes_after_what_was_sent_even_if_the_peer_left_packets_unread(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(channel_send(f->ends[1], "unread", 7, NULL, 0, NULL, 0), 0);
	assert_int_equal(channel_send(f->ends[0], "last", 5, NULL, 0, NULL, 0), 0);
	fd_close(take_fd(&f->ends[0]));
	assert_int_equal(receive(f), 5);
	assert_string_equal(f->buffer, "last");
	assert_int_equal(receive(f), 0);
}

static int interrupted_socket;
static volatile sig_atomic_t interruptions;

/* The third interruption brings what the receiver waits for. */
static void on_alarm(int signal)
{
	(void)signal;
	if (++interruptions == 3)
		send(interrupted_socket, "late", 5, 0);
}

static void interruption_does_not_end_the_wait(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
	struct itimerval often = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}};
	struct itimerval never = {0};
	struct fixture *f = *state;
	struct sigaction old;
	ssize_t n;

	interrupted_socket = f->ends[0];
	interruptions = 0;
	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	n = receive(f);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_int_equal(n, 5);
	assert_string_equal(f->buffer, "late");
	assert_true(interruptions >= 3);
}

static void no_channel_is_an_error(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(channel_send(-1, "x", 1, NULL, 0, NULL, 0), -EBADF);
	assert_int_equal(channel_send(fd, "x", 1, NULL, 0, NULL, 0), -ENOTSOCK);
	assert_int_equal(
		channel_receive(fd, f->buffer, sizeof(f->buffer), f->fds, &f->count), -ENOTSOCK);
	assert_int_equal(f->count, 99); /* not written */
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		TEST(pair_is_close_on_exec_and_blocking),
		TEST(pair_fails_when_no_fd_is_left),
		TEST(two_parts_arrive_as_one_packet),
		TEST(packets_stay_apart_and_in_order),
		TEST(fds_arrive_close_on_exec_and_stay_the_senders_too),
		TEST(as_many_fds_arrive_as_there_may_be),
		TEST(more_fds_than_there_may_be_are_not_sent),
		TEST(too_many_fds_are_refused_and_none_is_kept),
		TEST(fds_that_find_no_room_are_refused_and_none_is_kept),
		TEST(packet_larger_than_the_buffer_is_refused_and_its_fds_are_closed),
		TEST(nothing_there_is_said_without_waiting),
		TEST(full_socket_is_said_without_waiting_and_loses_nothing),
		TEST(peer_that_has_gone_is_an_error_and_no_signal),
		TEST(peer_that_has_gone_with_packets_unread_is_the_same_error),
		TEST(end_comes_after_what_was_sent_before_it),
		TEST(end_comes_after_what_was_sent_even_if_the_peer_left_packets_unread),
		TEST(interruption_does_not_end_the_wait),
		TEST(no_channel_is_an_error),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
