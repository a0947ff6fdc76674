#define _GNU_SOURCE 1 /* POLLRDHUP */
/* What clients do too much of: each cap holds, has a name, and hurts nobody else. */
#include "tests/unit/supervisor_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define ONE_BUILDER "[instance]\nbuilders = 1\n"
#define POOL	    "[pool \"tiny\"]\nmin = 2\nmax = 4\n"
#define PLAIN	    ONE_BUILDER POOL

/* Thousands connect; connections_max of them are served, nobody else hurts, no fd is left. */
static void ten_thousand_connections_leave_no_trace(void **state)
{
	struct world *w = world_open(
		"[instance]\nbuilders = 1\nconnections_max = 8\nconnections_per_uid = 5\n" POOL,
		NULL);
	int first = world_connect(w), others[200];
	struct answer a = world_lease(w, first);

	(void)state;
	close(a.fd);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			others[i] = world_connect(w);
		/* Four more are let in: 5 of one uid. The fifth is closed. */
		for (size_t i = 4; i < ARRAY_SIZE(others); i++)
			world_expect_closed(w, others[i]);
		world_query(others[3], CONTROL_POOLS, 1);
		world_expect(w, others[3], CONTROL_POOL_ROW, 1);
		for (size_t i = 0; i < 4; i++)
			close(others[i]);
		world_lease_request(first, CONTROL_TOUCH, 6, &a.leased.handle);
		world_expect(w, first, CONTROL_DONE, 6);
	}
	close(first);
	world_close(w);
}

static void connections_of_all_users_together_have_a_cap(void **state)
{
	struct world *w = world_open(
		"[instance]\nbuilders = 1\nconnections_max = 1\nconnections_per_uid = 5\n" POOL,
		NULL);
	int first = world_connect(w);
	struct answer a = world_lease(w, first);

	(void)state;
	close(a.fd);
	world_expect_closed(w, world_connect(w));
	close(first);
	world_close(w);
}

/* With no descriptor left a connection is closed instead of kept waiting, and the loop does not spin. */
static void without_descriptors_a_connection_is_closed(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	struct rlimit old, none;
	int first, second;
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	first = world_connect(w);
	second = world_connect(w);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	/* Every number below the limit is taken: the highest in use is the last, and gaps are filled. */
	none.rlim_cur = (rlim_t)fd_count_open();
	for (int fd; (fd = dup(first)) >= 0;) {
		close(fd);
		if ((rlim_t)fd >= none.rlim_cur)
			break;
		none.rlim_cur = (rlim_t)fd;
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(dup(first), -1);
	world_expect_closed(w, first);
	world_expect_closed(w, second);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	first = world_connect(w);
	a = world_lease(w, first);
	close(a.fd);
	close(first);
	world_close(w);
}

static void a_peer_that_never_reads_is_dropped(void **state)
{
	struct world *w = world_open("[instance]\nbuilders = 1\nqueue_bytes = 64K\n" POOL, NULL);
	int deaf = world_connect(w), good = world_connect(w);
	struct pollfd end = {.fd = deaf, .events = POLLRDHUP};
	struct answer a = world_lease(w, deaf);
	struct control_query m;
	int r = 0;

	(void)state;
	close(a.fd);
	control_header(&m.header, CONTROL_POOLS, sizeof(m), 2);
	for (int i = 0; i < 100000 && poll(&end, 1, 0) == 0; i++) {
		r = world_send(deaf, &m, sizeof(m), -1);
		if (r < 0 && r != -EAGAIN)
			break;
		event_base_loop(w->supervisor->events, EVLOOP_NONBLOCK);
	}
	assert_int_equal(poll(&end, 1, WORLD_PATIENCE_MS), 1);
	close(deaf);
	world_until_leased(w, 0);
	a = world_lease(w, good);
	close(a.fd);
	close(good);
	world_close(w);
}

/* What could not be sent at once is kept with its fd and comes in order. */
static void a_slow_reader_gets_every_answer_in_order(void **state)
{
	struct world *w = world_open(ONE_BUILDER
		"[pool \"tiny\"]\nmin = 400\nmax = 400\nbuild_concurrency = 64\n",
		NULL);
	int client = world_connect(w), channels[400];
	struct answer a;

	(void)state;
	world_until_ready(w, 400);
	for (uint32_t i = 1; i <= 400; i++) {
		world_acquire(client, i, "", ON_EMPTY_FAIL, 0);
		event_base_loop(w->supervisor->events, EVLOOP_NONBLOCK);
	}
	world_until_leased(w, 400);
	for (uint32_t i = 1; i <= 400; i++) {
		a = world_expect(w, client, CONTROL_LEASED, i);
		assert_true(a.fd >= 0);
		channels[i - 1] = a.fd;
	}
	for (int i = 0; i < 400; i++)
		close(channels[i]);
	close(client);
	world_until_leased(w, 0);
	world_close(w);
}

static void the_caps_of_a_connection_are_told_by_name(void **state)
{
	struct world *w =
		world_open("[instance]\nbuilders = 1\nleases_per_connection = 2\n"
			   "waiters_per_connection = 1\n[pool \"tiny\"]\nmin = 0\nmax = 1\n",
			NULL);
	int client = world_connect(w), other;
	struct answer a = world_lease(w, client);

	(void)state;
	world_acquire(client, 2, "", ON_EMPTY_BUILD, 0);
	world_acquire(client, 3, "", ON_EMPTY_WAIT, 0);
	world_expect_refused(w, client, 3, REFUSED_LIMIT, "leases_per_connection: 2");
	world_lease_request(client, CONTROL_RELEASE, 4, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 4);
	close(a.fd);
	a = world_expect(w, client, CONTROL_LEASED, 2);
	close(a.fd);
	world_lease_request(client, CONTROL_RELEASE, 5, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 5);
	other = world_connect(
		w); /* has the only one: or the demand might have built it for this one */
	a = world_lease(w, other);
	world_acquire(client, 6, "", ON_EMPTY_WAIT, 0);
	world_acquire(client, 7, "", ON_EMPTY_WAIT, 0);
	world_expect_refused(w, client, 7, REFUSED_LIMIT, "waiters_per_connection: 1");
	close(a.fd);
	close(other);
	close(client);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_connections_leave_no_trace),
		cmocka_unit_test(connections_of_all_users_together_have_a_cap),
		cmocka_unit_test(without_descriptors_a_connection_is_closed),
		cmocka_unit_test(a_peer_that_never_reads_is_dropped),
		cmocka_unit_test(a_slow_reader_gets_every_answer_in_order),
		cmocka_unit_test(the_caps_of_a_connection_are_told_by_name),
	};

	return cmocka_run_group_tests_name("supervisor_caps", tests, NULL, NULL);
}
