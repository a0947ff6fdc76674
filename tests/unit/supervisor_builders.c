/* Builders that fail, die, hang or lie; and how the supervisor ends. */
#include "tests/unit/supervisor_world.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/unix_socket.h"
#include "pool/pool.h"
#include "proto/instance.h"
#include "supervisor/builder_link.h"
#include "supervisor/pool_host.h"
#include "supervisor/sandbox.h"

#define ONE_BUILDER "[instance]\nbuilders = 1\n"
#define PLAIN	    ONE_BUILDER "[pool \"tiny\"]\nmin = 2\nmax = 4\n"
#define SINGLE	    ONE_BUILDER "[pool \"tiny\"]\nmin = 1\nmax = 1\nbuild_concurrency = 1\n"
#define EMPTY	    ONE_BUILDER "[pool \"tiny\"]\nmin = 0\nmax = 1\n"

/* Messages of a first life: START, SLOT, BUILD, ... */
static void whatever_goes_wrong_once_the_pool_fills_all_the_same(void **state)
{
	static const char *const wrongs[] = {"die_at=1", "die_at=2", "die_at=3", "die_at=4",
		"wrong_at=1", "wrong_at=2", "wrong_at=3", "wrong_at=4", "fail_start=1",
		"fail_slots=1", "fail_builds=1", "hangup=1", "ended=1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		struct world *w = world_open(PLAIN, wrongs[i]);
		int client = world_connect(w);
		struct answer a;

		world_until_ready(w, 2);
		a = world_lease(w, client);
		close(a.fd);
		close(client);
		world_until_leased(w, 0);
		world_close(w);
	}
}

static bool has_restarted(struct world *w, void *arg)
{
	return w->starts >= *(unsigned *)arg;
}

static void a_ready_sandbox_that_hangs_up_is_replaced(void **state)
{
	struct world *w = world_open(SINGLE, "hangup=1");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until(w, world_has_died, NULL);
	a = world_lease(w, client);
	assert_int_equal(a.leased.handle.sandbox, 2);
	assert_int_equal(w->starts, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

static void the_owner_is_told_when_the_builder_died(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), ended;
	unsigned starts = 2;

	(void)state;
	kill(w->builder, SIGKILL);
	ended = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(ended.ended.reason, LEASE_BUILDER_LOST);
	assert_int_equal(ended.ended.handle.sandbox, a.leased.handle.sandbox);
	world_until(w, has_restarted, &starts);
	world_until_ready(w, 2);
	close(a.fd);
	close(client);
	world_close(w);
}

static bool all_run(struct world *w, void *arg)
{
	(void)arg;
	return w->supervisor->builders[0]->state == BUILDER_RUNNING &&
	       w->supervisor->builders[1]->state == BUILDER_RUNNING;
}

static void only_the_lost_builders_sandboxes_end(void **state)
{
	struct world *w =
		world_open("[instance]\nbuilders = 2\n[pool \"tiny\"]\nmin = 4\nmax = 12\n", NULL);
	int client = world_connect(w), fds[8];
	unsigned its_own = 0;

	(void)state;
	world_until(w, all_run, NULL);
	for (uint32_t i = 1; i <= ARRAY_SIZE(fds); i++) {
		struct answer a;

		world_acquire(client, i, "", ON_EMPTY_BUILD, 0);
		a = world_expect(w, client, CONTROL_LEASED, i);
		fds[i - 1] = a.fd;
		its_own += sandbox_find(w->supervisor, a.leased.handle.sandbox)
				   ->builder->process.pid == w->builder;
	}
	assert_in_range(its_own, 1, ARRAY_SIZE(fds) - 1);
	kill(w->builder, SIGKILL);
	for (unsigned i = 0; i < its_own; i++) {
		struct answer a = world_expect(w, client, CONTROL_LEASE_ENDED, 0);

		assert_int_equal(a.ended.reason, LEASE_BUILDER_LOST);
	}
	world_until_ready(w, 4);
	world_until_leased(w, (uint32_t)ARRAY_SIZE(fds) - its_own);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(client);
	world_close(w);
}

/* EMPTY: nothing is built before somebody asks. Message 3 is that build. */
static void a_build_whose_builder_died_is_done_by_the_next(void **state)
{
	struct world *w = world_open(EMPTY, "die_at=3");
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	assert_int_equal(w->starts, 2);
	assert_int_equal(a.leased.rung, RUNG_BUILT);
	close(a.fd);
	close(client);
	world_close(w);
}

static bool next_dies_too(struct world *w, void *arg)
{
	w->behaviour = w->starts == 1 ? "die_at=3" : NULL;
	return has_restarted(w, arg);
}

static void a_build_that_two_builders_died_of_has_failed(void **state)
{
	struct world *w = world_open(EMPTY, "die_at=3");
	int client = world_connect(w);
	unsigned starts = 3;

	(void)state;
	world_acquire(client, 1, "", ON_EMPTY_BUILD, 0);
	world_until(w, next_dies_too, &starts);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "the builder died while building it");
	close(client);
	world_close(w);
}

static void a_release_that_the_builder_never_does_ends_with_it(void **state)
{
	/* START, SLOT, BUILD, KILL: it dies of the fourth. */
	struct world *w = world_open(SINGLE, "die_at=4");
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	close(a.fd);
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	world_until_ready(w, 1);
	assert_int_equal(w->starts, 2);
	close(client);
	world_close(w);
}

static void a_builder_that_hangs_is_replaced(void **state)
{
	struct world *w = world_open(SINGLE, "hang_at=3");

	(void)state;
	world_until_ready(w, 1); /* after BUILD_TIMEOUT_MS */
	assert_int_equal(w->starts, 2);
	world_close(w);
}

static void while_builds_fail_an_acquire_is_told_why(void **state)
{
	struct world *w = world_open(EMPTY, "fail_builds=1000");
	int client = world_connect(w);
	struct answer row;

	(void)state;
	world_acquire(client, 1, "", ON_EMPTY_BUILD, 0);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "pretended: disk full");
	world_query(client, CONTROL_POOLS, 2);
	row = world_expect(w, client, CONTROL_POOL_ROW, 2);
	assert_string_equal(row.pool.broken, "pretended: disk full");
	assert_true(row.pool.build_failures >= 1);
	close(client);
	world_close(w);
}

static void builds_that_work_again_are_no_longer_called_broken(void **state)
{
	struct world *w = world_open(PLAIN, "fail_builds=2");
	int client = world_connect(w);
	struct answer row;

	(void)state;
	world_until_ready(w, 2);
	world_query(client, CONTROL_POOLS, 2);
	row = world_expect(w, client, CONTROL_POOL_ROW, 2);
	assert_string_equal(row.pool.broken, "");
	assert_int_equal(row.pool.build_failures, 2);
	close(client);
	world_close(w);
}

static void slots_are_used_again_but_never_by_two(void **state)
{
	/* One slot: forty sandboxes one after the other, each waits for the end of the last. */
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct answer a = world_lease(w, client);

		assert_true(a.leased.handle.sandbox > last);
		last = a.leased.handle.sandbox;
		world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
		world_expect(w, client, CONTROL_DONE, 2);
		close(a.fd);
	}
	assert_int_equal(w->starts, 1);
	close(client);
	world_close(w);
}

/* Each new life dies of its first message. */
static bool keep_dying(struct world *w, void *arg)
{
	(void)arg;
	w->behaviour = "die_at=1";
	return w->supervisor->failure < 0;
}

static void a_builder_that_cannot_be_kept_alive_ends_the_supervisor(void **state)
{
	struct world *w = world_open(PLAIN, "die_at=1");
	int client = world_connect(w);

	(void)state;
	world_acquire(client, 1, "", ON_EMPTY_BUILD, 0);
	world_until(w, keep_dying, NULL);
	assert_int_equal(w->supervisor->failure, -ECHILD);
	assert_int_equal(w->starts, 1 + RESTARTS_MAX);
	close(client);
	world_close(w);
}

static void a_builder_that_cannot_be_started_again_ends_the_supervisor(void **state)
{
	struct world *w = world_open(PLAIN, NULL);

	(void)state;
	world_until_ready(w, 2);
	w->cannot_start = true;
	kill(w->builder, SIGKILL);
	assert_int_equal(world_run(w), -EAGAIN);
	world_close(w);
}

static void a_drain_tells_owners_and_waiters_and_ends(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), ended;

	(void)state;
	world_acquire(client, 2, "", ON_EMPTY_WAIT, 0);
	world_query(client, CONTROL_POOLS, 3);
	world_expect(w, client, CONTROL_POOL_ROW, 3);
	world_expect(w, client, CONTROL_DONE, 3);
	supervisor_drain(w->supervisor);
	world_expect_refused(w, client, 2, REFUSED_STOPPING, "stopping");
	ended = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(ended.ended.reason, LEASE_SHUTDOWN);
	world_acquire(client, 4, "", ON_EMPTY_BUILD, 0);
	world_expect_refused(w, client, 4, REFUSED_STOPPING, "stopping");
	assert_int_equal(
		unix_socket_connect(w->dirfd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, NULL),
		-ECONNREFUSED);
	assert_int_equal(world_run(w), 0);
	assert_true(pool_is_empty(w->supervisor->pools[0]->pool));
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_drain_in_the_middle_of_builds_ends(void **state)
{
	struct world *w = world_open("[instance]\nbuilders = 2\n[pool \"tiny\"]\nmin = 20\n"
				     "build_concurrency = 20\n[pool \"other\"]\nmin = 20\n",
		NULL);

	(void)state;
	world_until_ready(w, 5);
	supervisor_drain(w->supervisor);
	assert_int_equal(world_run(w), 0);
	assert_true(pool_is_empty(w->supervisor->pools[0]->pool));
	assert_true(pool_is_empty(w->supervisor->pools[1]->pool));
	world_close(w);
}

static void on_order(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	supervisor_drain(arg);
}

static void a_second_order_to_stop_does_not_wait(void **state)
{
	/* The KILL that the drain sends, its fourth message, is never answered. */
	struct world *w = world_open(SINGLE, "hang_at=4");
	const struct timeval now = {0};

	(void)state;
	world_until_ready(w, 1);
	for (int i = 0; i < 2; i++)
		event_base_once(
			w->supervisor->events, -1, EV_TIMEOUT, on_order, w->supervisor, &now);
	assert_int_equal(world_run(w), 0);
	assert_false(pool_is_empty(w->supervisor->pools[0]->pool));
	kill(w->builder, SIGKILL); /* it would be waited for */
	world_close(w);
}

static void a_supervisor_that_cannot_start_a_builder_says_so(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	struct error err;

	(void)state;
	world_until_ready(w, 2);
	w->cannot_start = true;
	assert_int_equal(supervisor_start(w->supervisor, &err), -EAGAIN);
	assert_string_equal(err.text, "builder 0: pretended: fork");
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_goes_wrong_once_the_pool_fills_all_the_same),
		cmocka_unit_test(a_ready_sandbox_that_hangs_up_is_replaced),
		cmocka_unit_test(the_owner_is_told_when_the_builder_died),
		cmocka_unit_test(only_the_lost_builders_sandboxes_end),
		cmocka_unit_test(a_build_whose_builder_died_is_done_by_the_next),
		cmocka_unit_test(a_build_that_two_builders_died_of_has_failed),
		cmocka_unit_test(a_release_that_the_builder_never_does_ends_with_it),
		cmocka_unit_test(a_builder_that_hangs_is_replaced),
		cmocka_unit_test(while_builds_fail_an_acquire_is_told_why),
		cmocka_unit_test(builds_that_work_again_are_no_longer_called_broken),
		cmocka_unit_test(slots_are_used_again_but_never_by_two),
		cmocka_unit_test(a_builder_that_cannot_be_kept_alive_ends_the_supervisor),
		cmocka_unit_test(a_builder_that_cannot_be_started_again_ends_the_supervisor),
		cmocka_unit_test(a_drain_tells_owners_and_waiters_and_ends),
		cmocka_unit_test(a_drain_in_the_middle_of_builds_ends),
		cmocka_unit_test(a_second_order_to_stop_does_not_wait),
		cmocka_unit_test(a_supervisor_that_cannot_start_a_builder_says_so),
	};

	return cmocka_run_group_tests_name("supervisor_builders", tests, NULL, NULL);
}
