/* Slots with networks: what hearth-network is asked and when, and its loss. */
#include "tests/unit/supervisor_world.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pool/pool.h"
#include "supervisor/builder_link.h"
#include "supervisor/network.h"
#include "supervisor/pool_host.h"
#include "supervisor/sandbox.h"
#include "supervisor/slots.h"

#define ONE_BUILDER "[instance]\nbuilders = 1\n"
#define PLAIN	    ONE_BUILDER "[pool \"tiny\"]\nmin = 2\nmax = 4\n"
#define POOL(size)  "[pool \"tiny\"]\nnet = default\nbuild_concurrency = 1\n" size
#define SINGLE	    ONE_BUILDER POOL("min = 1\nmax = 1\n")
#define EMPTY	    ONE_BUILDER POOL("min = 0\nmax = 1\n")

/* What hearth-network was asked in all: see fake_network.c. */
static void expect_asked(struct world *w, int client, const struct control_handle *handle,
	unsigned slots, unsigned profiles, unsigned flushes)
{
	struct control_sandbox_details d = world_inspect(w, client, handle);

	assert_int_equal(d.sent_bytes, slots);
	assert_int_equal(d.received_bytes, profiles);
	assert_int_equal(d.denied_packets, flushes);
}

static void a_network_is_there_when_a_pool_has_one_or_it_is_switched_on(void **state)
{
	static const struct {
		const char *config;
		bool has_network;
	} cases[] = {
		{PLAIN, false},
		{SINGLE, true},
		{"[network]\nenabled = yes\n" PLAIN, true},
		{"[network]\nenabled = no\n" PLAIN, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world_open(cases[i].config, NULL);

		world_until_ready(w, 1);
		assert_int_equal(w->network != 0, cases[i].has_network);
		world_close(w);
	}
}

static void each_slot_gets_its_namespace_and_its_profile_once(void **state)
{
	struct world *w = world_open(ONE_BUILDER POOL("min = 3\nmax = 4\n"), NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	assert_string_equal(a.leased.net, "default");
	assert_int_equal(a.leased.rung == RUNG_BOUND, false);
	world_until_ready(w, 3);
	expect_asked(w, client, &a.leased.handle, 4, 4, 0);
	close(a.fd);
	close(client);
	world_close(w);
}

/* No exchange with hearth-network, and so none with the kernel, stands before the build. */
static void a_slot_that_its_pool_uses_again_costs_a_flush_and_nothing_else(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = {.fd = -1};

	(void)state;
	for (int i = 0; i < 40; i++) {
		a = world_lease(w, client);
		expect_asked(w, client, &a.leased.handle, 1, 1, (unsigned)i);
		world_release(w, client, &a);
	}
	close(client);
	world_close(w);
}

static void a_slot_is_not_built_in_before_it_has_been_flushed(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	kill(w->network, SIGSTOP);
	world_release(w, client, &a);
	world_turns(w);
	assert_int_equal(world_counters(w).building, 1);
	assert_false(list_is_empty(&w->supervisor->build_queue)); /* no builder has it */
	assert_false(slots_has_free(w->supervisor->slots, 0));
	kill(w->network, SIGCONT);
	world_until_ready(w, 1);
	close(client);
	world_close(w);
}

static void a_sandbox_that_nobody_had_costs_no_flush(void **state)
{
	struct world *w = world_open(SINGLE, "hangup=1");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until(w, world_has_died, NULL);
	a = world_lease(w, client);
	assert_int_equal(a.leased.handle.sandbox, 2);
	expect_asked(w, client, &a.leased.handle, 1, 1, 0);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_namespace_that_was_replaced_goes_to_the_builder_anew(void **state)
{
	struct world *w = world_open_network(SINGLE, NULL, "new_slots=1");
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_release(w, client, &a);
	a = world_lease(w, client);
	expect_asked(w, client, &a.leased.handle, 2, 1, 1);
	world_release(w, client, &a);
	a = world_lease(w, client);
	expect_asked(w, client, &a.leased.handle, 2, 1, 2);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_flush_that_fails_is_tried_again(void **state)
{
	struct world *w = world_open_network(SINGLE, NULL, "fail_flushes=1");
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_release(w, client, &a);
	a = world_lease(w, client);
	expect_asked(w, client, &a.leased.handle, 1, 1, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

/* And the pool fills once it works again. */
static void whatever_fails_once_the_pool_fills_all_the_same(void **state)
{
	static const char *const wrongs[] = {"fail_slots=1", "fail_profile_at=1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		struct world *w = world_open_network(SINGLE, NULL, wrongs[i]);
		int client = world_connect(w);
		struct answer row;

		world_until_ready(w, 1);
		world_query(client, CONTROL_POOLS, 2);
		row = world_expect(w, client, CONTROL_POOL_ROW, 2);
		assert_int_equal(row.pool.build_failures, 1);
		assert_string_equal(row.pool.broken, "");
		close(client);
		world_close(w);
	}
}

static void an_acquire_is_told_why_a_slot_has_no_network(void **state)
{
	static const struct {
		const char *behaviour, *text;
	} cases[] = {
		{"fail_slots=1000", "pretended: no veth"},
		{"fail_profile_at=1", "pretended: no map"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world_open_network(EMPTY, NULL, cases[i].behaviour);
		int client = world_connect(w);

		world_acquire(client, 1, "", ON_EMPTY_BUILD, 0);
		world_expect_refused(w, client, 1, REFUSED_BROKEN, cases[i].text);
		close(client);
		world_close(w);
	}
}

static bool is_built(struct world *w, void *arg)
{
	struct sandbox *sandbox = sandbox_find(w->supervisor, *(uint64_t *)arg);

	return sandbox && sandbox->is_built;
}

/* START, SLOT, PROFILE default, PROFILE allow, FLUSH; the sixth, PROFILE default, has no answer. */
static void a_sandbox_is_not_ready_before_its_profile_is_in_force(void **state)
{
	struct world *w = world_open_network(SINGLE, NULL, "hang_at=6");
	int client = world_connect(w);
	struct answer a = world_lease(w, client);
	uint64_t second = a.leased.handle.sandbox + 1;

	(void)state;
	world_net(client, 3, &a.leased.handle, "allow");
	world_expect(w, client, CONTROL_DONE, 3);
	world_release(w, client, &a);
	world_until(w, is_built, &second);
	world_turns(w);
	assert_int_equal(sandbox_find(w->supervisor, second)->core->state, SANDBOX_BUILDING);
	kill(w->network, SIGKILL);
	assert_int_equal(world_run(w), -ENETDOWN);
	close(client);
	world_close(w);
}

static void the_next_tenant_has_its_pools_profile_again(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_net(client, 3, &a.leased.handle, "allow");
	world_expect(w, client, CONTROL_DONE, 3);
	assert_string_equal(world_inspect(w, client, &a.leased.handle).net, "allow");
	world_release(w, client, &a);
	a = world_lease(w, client);
	assert_string_equal(world_inspect(w, client, &a.leased.handle).net, "default");
	expect_asked(w, client, &a.leased.handle, 1, 3, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

/* What nothing has run in has no connection to forget: the PROFILEs of a build and of a binding. */
static void only_a_change_while_it_is_leased_finds_connections(void **state)
{
	static const struct control_acquire own = {.net = "allow"};
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct control_sandbox_details d;
	struct answer a;

	(void)state;
	world_until_ready(w, 1);
	world_acquire_own(client, 1, &own);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	d = world_inspect(w, client, &a.leased.handle);
	assert_int_equal(d.received_bytes, 2);
	assert_int_equal(d.denied_names, 0); /* of them, not fresh: see fake_network.c */
	world_net(client, 3, &a.leased.handle, "none");
	world_expect(w, client, CONTROL_DONE, 3);
	d = world_inspect(w, client, &a.leased.handle);
	assert_int_equal(d.received_bytes, 3);
	assert_int_equal(d.denied_names, 1);
	world_release(w, client, &a);
	a = world_lease(w, client);
	d = world_inspect(w, client, &a.leased.handle);
	assert_int_equal(d.received_bytes, 4);
	assert_int_equal(d.denied_names, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

static bool runs_again(struct world *w, void *arg)
{
	return w->starts >= *(unsigned *)arg &&
	       w->supervisor->builders[0]->state == BUILDER_RUNNING;
}

static void what_a_lost_builder_leased_is_flushed_when_its_replacement_runs(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	kill(w->builder, SIGKILL);
	world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	close(a.fd);
	a = world_lease(w, client);
	assert_int_equal(w->starts, 2);
	expect_asked(w, client, &a.leased.handle, 2, 1, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_flush_that_outlasts_its_builder_is_not_done_twice(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);
	unsigned starts = 2;

	(void)state;
	kill(w->network, SIGSTOP);
	world_release(w, client, &a);
	kill(w->builder, SIGKILL);
	world_until(w, runs_again, &starts);
	world_turns(w);
	assert_false(slots_has_free(w->supervisor->slots, 0));
	kill(w->network, SIGCONT);
	a = world_lease(w, client);
	expect_asked(w, client, &a.leased.handle, 2, 1, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

static bool awaits_netns(struct world *w, void *arg)
{
	struct sandbox *sandbox = sandbox_find(w->supervisor, 1);

	(void)arg;
	return sandbox && sandbox->awaits_netns;
}

/* Of two namespaces that come, one is passed on. */
static void a_builder_may_be_lost_while_a_namespace_is_on_its_way(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	unsigned starts = 2;
	struct answer a;

	(void)state;
	kill(w->network, SIGSTOP);
	world_until(w, awaits_netns, NULL);
	kill(w->builder, SIGKILL);
	world_until(w, runs_again, &starts);
	world_until(w, awaits_netns, NULL);
	kill(w->network, SIGCONT);
	a = world_lease(w, client);
	assert_int_equal(a.leased.handle.sandbox, 1);
	expect_asked(w, client, &a.leased.handle, 2, 1, 0);
	assert_int_equal(w->starts, 2);
	close(a.fd);
	close(client);
	world_close(w);
}

static bool has_free_slot(struct world *w, void *arg)
{
	(void)arg;
	return slots_has_free(w->supervisor->slots, 0);
}

/* The third sandbox is built in the first one's slot, whose profile was another and is not in force yet. */
static void a_built_sandbox_that_waits_for_its_profile_may_lose_its_builder(void **state)
{
	struct world *w = world_open(ONE_BUILDER POOL("min = 1\nmax = 2\ntarget_max = 1\n"), NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);
	unsigned starts = 2;
	uint64_t third = 3;

	(void)state;
	world_net(client, 3, &a.leased.handle, "allow");
	world_expect(w, client, CONTROL_DONE, 3);
	world_until_ready(w, 1);
	world_release(w, client, &a);
	world_until(w, has_free_slot, NULL);
	kill(w->network, SIGSTOP);
	a = world_lease(w, client);
	world_until(w, is_built, &third);
	kill(w->builder, SIGKILL);
	world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	close(a.fd);
	world_until(w, runs_again, &starts);
	kill(w->network, SIGCONT);
	a = world_lease(w, client);
	assert_int_equal(a.leased.handle.sandbox, third);
	assert_string_equal(world_inspect(w, client, &a.leased.handle).net, "default");
	close(a.fd);
	close(client);
	world_close(w);
}

static bool is_condemned(struct world *w, void *arg)
{
	struct sandbox *sandbox = sandbox_find(w->supervisor, 1);

	(void)arg;
	return sandbox && sandbox->is_condemned;
}

static bool has_started(struct world *w, void *arg)
{
	return w->starts == *(unsigned *)arg;
}

/* Its BUILD has no answer, and it cannot have its profile: it is not built once more by the replacement. */
static void a_build_that_has_failed_already_is_not_tried_again_after_its_builder(void **state)
{
	struct world *w = world_open_network(SINGLE, "hang_at=3", "fail_profile_at=1");
	unsigned starts = 2;

	(void)state;
	world_until(w, is_condemned, NULL);
	assert_int_equal(world_counters(w).build_failures, 0);
	kill(w->builder, SIGKILL);
	world_until(w, has_started, &starts);
	assert_int_equal(world_counters(w).build_failures, 1); /* before that can have built any */
	world_until_ready(w, 1);
	assert_int_equal(world_counters(w).build_failures, 1);
	world_close(w);
}

static void the_loss_of_hearth_network_ends_the_supervisor(void **state)
{
	static const char *const wrongs[] = {"die_at=1", "die_at=2", "die_at=3", "wrong_at=1",
		"wrong_at=2", "wrong_at=3", "fail_start=1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		struct world *w = world_open_network(SINGLE, NULL, wrongs[i]);

		assert_int_equal(world_run(w), -ENETDOWN);
		world_close(w);
	}
}

static void owners_and_waiters_are_told_when_hearth_network_is_lost(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), told;

	(void)state;
	world_acquire(client, 2, "", ON_EMPTY_WAIT, 0);
	world_query(client, CONTROL_POOLS, 3);
	world_expect(w, client, CONTROL_POOL_ROW, 3);
	world_expect(w, client, CONTROL_DONE, 3);
	kill(w->network, SIGKILL);
	assert_int_equal(world_run(w), -ENETDOWN);
	world_expect_refused(w, client, 2, REFUSED_STOPPING, "stopping");
	told = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(told.ended.reason, LEASE_SHUTDOWN);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_hearth_network_that_hangs_is_as_good_as_lost(void **state)
{
	struct world *w = world_open_network(SINGLE, NULL, "hang_at=2");

	(void)state;
	assert_int_equal(world_run(w), -ENETDOWN); /* after NETWORK_TIMEOUT_MS */
	kill(w->network, SIGKILL);		   /* it would be waited for */
	world_close(w);
}

static void a_drain_ends_whatever_is_not_flushed_yet(void **state)
{
	struct world *w = world_open(ONE_BUILDER POOL("min = 4\nmax = 8\n"), NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_until_ready(w, 4);
	supervisor_drain(w->supervisor);
	assert_int_equal(world_run(w), 0);
	assert_true(pool_is_empty(w->supervisor->pools[0]->pool));
	close(a.fd);
	close(client);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_is_there_when_a_pool_has_one_or_it_is_switched_on),
		cmocka_unit_test(each_slot_gets_its_namespace_and_its_profile_once),
		cmocka_unit_test(a_slot_that_its_pool_uses_again_costs_a_flush_and_nothing_else),
		cmocka_unit_test(a_slot_is_not_built_in_before_it_has_been_flushed),
		cmocka_unit_test(a_sandbox_that_nobody_had_costs_no_flush),
		cmocka_unit_test(a_namespace_that_was_replaced_goes_to_the_builder_anew),
		cmocka_unit_test(a_flush_that_fails_is_tried_again),
		cmocka_unit_test(whatever_fails_once_the_pool_fills_all_the_same),
		cmocka_unit_test(an_acquire_is_told_why_a_slot_has_no_network),
		cmocka_unit_test(a_sandbox_is_not_ready_before_its_profile_is_in_force),
		cmocka_unit_test(the_next_tenant_has_its_pools_profile_again),
		cmocka_unit_test(only_a_change_while_it_is_leased_finds_connections),
		cmocka_unit_test(what_a_lost_builder_leased_is_flushed_when_its_replacement_runs),
		cmocka_unit_test(a_flush_that_outlasts_its_builder_is_not_done_twice),
		cmocka_unit_test(a_builder_may_be_lost_while_a_namespace_is_on_its_way),
		cmocka_unit_test(a_built_sandbox_that_waits_for_its_profile_may_lose_its_builder),
		cmocka_unit_test(
			a_build_that_has_failed_already_is_not_tried_again_after_its_builder),
		cmocka_unit_test(the_loss_of_hearth_network_ends_the_supervisor),
		cmocka_unit_test(owners_and_waiters_are_told_when_hearth_network_is_lost),
		cmocka_unit_test(a_hearth_network_that_hangs_is_as_good_as_lost),
		cmocka_unit_test(a_drain_ends_whatever_is_not_flushed_yet),
	};

	return cmocka_run_group_tests_name("supervisor_network", tests, NULL, NULL);
}
