#define _GNU_SOURCE 1 /* setresuid, POLLRDHUP */
/* What clients send that is wrong: each is refused by name or closed, nobody else suffers. */
#include "tests/unit/supervisor_world.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/unix_socket.h"
#include "proto/instance.h"

#define ONE_BUILDER "[instance]\nbuilders = 1\n"
#define POOL	    "[pool \"tiny\"]\nmin = 2\nmax = 4\n"
#define PLAIN	    ONE_BUILDER POOL

/* An offence ends this connection, and only this one. */
static void expect_offence(const void *bytes, size_t size, int fd)
{
	struct world *w = world_open(PLAIN, NULL);
	int bad = world_connect(w), good = world_connect(w);
	struct answer a;

	a = world_lease(w, bad);
	close(a.fd);
	assert_int_equal(world_send(bad, bytes, size, fd), 0);
	world_expect_closed(w, bad);
	world_until_leased(w, 0); /* its lease went with it */
	a = world_lease(w, good);
	close(a.fd);
	close(good);
	world_close(w);
}

static struct control_acquire acquire(void)
{
	struct control_acquire m = {.on_empty = ON_EMPTY_FAIL};

	control_header(&m.header, CONTROL_ACQUIRE, sizeof(m), 1);
	return m;
}

static void a_packet_without_a_header_ends_the_connection(void **state)
{
	(void)state;
	expect_offence("abc", 3, -1);
}

static void a_packet_of_another_size_than_it_says_ends_the_connection(void **state)
{
	struct control_acquire m = acquire();

	(void)state;
	expect_offence(&m, sizeof(m) - 1, -1);
}

static void a_packet_larger_than_any_request_ends_the_connection(void **state)
{
	char bytes[4096] = {0};

	(void)state;
	control_header((struct message_header *)(void *)bytes, CONTROL_ACQUIRE, sizeof(bytes), 1);
	expect_offence(bytes, sizeof(bytes), -1);
}

static void another_version_ends_the_connection(void **state)
{
	struct control_acquire m = acquire();

	(void)state;
	m.header.version++;
	expect_offence(&m, sizeof(m), -1);
}

static void an_unknown_type_ends_the_connection(void **state)
{
	struct control_acquire m = acquire();

	(void)state;
	m.header.type = 99;
	expect_offence(&m, sizeof(m), -1);
}

static void a_message_of_the_other_direction_ends_the_connection(void **state)
{
	struct control_done m;

	(void)state;
	control_header(&m.header, CONTROL_DONE, sizeof(m), 1);
	expect_offence(&m, sizeof(m), -1);
}

static void a_request_without_an_id_ends_the_connection(void **state)
{
	struct control_acquire m = acquire();

	(void)state;
	m.header.id = 0;
	expect_offence(&m, sizeof(m), -1);
}

static void a_name_without_an_end_ends_the_connection(void **state)
{
	struct control_acquire m = acquire();

	(void)state;
	memset(m.template_name, 'a', sizeof(m.template_name));
	expect_offence(&m, sizeof(m), -1);
}

static void an_unexpected_fd_ends_the_connection(void **state)
{
	struct control_acquire m = acquire();

	(void)state;
	/* That the fd itself is closed as well is seen by world_close(). */
	expect_offence(&m, sizeof(m), STDIN_FILENO);
}

static void half_a_close_is_a_close(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	close(a.fd);
	shutdown(client, SHUT_WR);
	world_expect_closed(w, client);
	world_until_leased(w, 0);
	world_close(w);
}

static void refuse_handle(
	struct world *w, int client, uint16_t type, const struct control_handle *handle)
{
	world_lease_request(client, type, 5, handle);
	world_expect_refused(w, client, 5, REFUSED_STALE, "this connection has no lease");
}

static void release_and_touch_before_acquire_are_stale(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	struct control_handle handle = {1, w->supervisor->epoch};
	int client = world_connect(w);

	(void)state;
	world_until_ready(w, 2); /* sandbox 1 exists, but is nobody's */
	refuse_handle(w, client, CONTROL_RELEASE, &handle);
	refuse_handle(w, client, CONTROL_TOUCH, &handle);
	world_until_ready(w, 2);
	close(client);
	world_close(w);
}

static void a_second_release_is_stale(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	close(a.fd);
	/* Both are on their way before either is answered. */
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_lease_request(client, CONTROL_RELEASE, 3, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	world_expect_refused(w, client, 3, REFUSED_STALE, "no lease");
	close(client);
	world_close(w);
}

static void anothers_lease_is_stale(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int owner = world_connect(w), thief = world_connect(w);
	struct answer a = world_lease(w, owner);

	(void)state;
	refuse_handle(w, thief, CONTROL_RELEASE, &a.leased.handle);
	refuse_handle(w, thief, CONTROL_TOUCH, &a.leased.handle);
	world_lease_request(owner, CONTROL_TOUCH, 6, &a.leased.handle);
	world_expect(w, owner, CONTROL_DONE, 6);
	close(a.fd);
	close(owner);
	close(thief);
	world_close(w);
}

static void a_lease_of_another_epoch_is_stale(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	a.leased.handle.epoch--;
	refuse_handle(w, client, CONTROL_RELEASE, &a.leased.handle);
	world_until_leased(w, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

/* As root, connect as somebody else; else let the instance be somebody else's. */
static void a_stranger_is_not_let_in(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client, status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		w->supervisor->host.user_uid = geteuid() + 1;
		client = world_connect(w);
		world_expect_closed(w, client);
		world_close(w);
		return;
	}
	pid = fork();
	if (pid == 0) {
		struct pollfd end = {.events = POLLIN};

		/* The child's copy of the loop would be the parent's epoll: it does not turn it. */
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		end.fd = unix_socket_connect(
			w->dirfd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, NULL);
		if (end.fd < 0 || poll(&end, 1, WORLD_PATIENCE_MS) != 1)
			_exit(2);
		_exit(recv(end.fd, &status, sizeof(status), 0) == 0 ? 0 : 3);
	}
	do
		event_base_loop(w->supervisor->events, EVLOOP_NONBLOCK);
	while (waitpid(pid, &status, WNOHANG) == 0);
	assert_int_equal(status, 0);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_without_a_header_ends_the_connection),
		cmocka_unit_test(a_packet_of_another_size_than_it_says_ends_the_connection),
		cmocka_unit_test(a_packet_larger_than_any_request_ends_the_connection),
		cmocka_unit_test(another_version_ends_the_connection),
		cmocka_unit_test(an_unknown_type_ends_the_connection),
		cmocka_unit_test(a_message_of_the_other_direction_ends_the_connection),
		cmocka_unit_test(a_request_without_an_id_ends_the_connection),
		cmocka_unit_test(a_name_without_an_end_ends_the_connection),
		cmocka_unit_test(an_unexpected_fd_ends_the_connection),
		cmocka_unit_test(half_a_close_is_a_close),
		cmocka_unit_test(release_and_touch_before_acquire_are_stale),
		cmocka_unit_test(a_second_release_is_stale),
		cmocka_unit_test(anothers_lease_is_stale),
		cmocka_unit_test(a_lease_of_another_epoch_is_stale),
		cmocka_unit_test(a_stranger_is_not_let_in),
	};

	return cmocka_run_group_tests_name("supervisor_bad_input", tests, NULL, NULL);
}
