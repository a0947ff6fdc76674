/* What a lease has of its own: bound in, refused, or ended half-way; always one answer. */
#include "tests/unit/supervisor_world.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "supervisor/builder_link.h"

#define ONE_BUILDER "[instance]\nbuilders = 1\n"
#define LIMITS	    "memory = 64M\npids = 99\ncpus = 1.5\nhostname = box\n"
#define PLAIN	    ONE_BUILDER "[pool \"tiny\"]\nmin = 2\nmax = 4\n" LIMITS
#define EMPTY	    ONE_BUILDER "[pool \"tiny\"]\nmin = 0\nmax = 1\n" LIMITS
#define NETWORKED   ONE_BUILDER "[pool \"tiny\"]\nnet = default\nmin = 1\nmax = 1\n" LIMITS

static const struct control_acquire with_workspace = {.workspace = "w-1"};

/* Nothing is told of a lease that its client never had; this is only the answer to a question. */
static void expect_silence(struct world *w, int client)
{
	world_query(client, CONTROL_POOLS, 99);
	assert_int_equal(world_await(w, client).header.type, CONTROL_POOL_ROW);
	assert_int_equal(world_await(w, client).header.type, CONTROL_DONE);
}

static void all_that_is_asked_is_bound_in_and_told(void **state)
{
	static const struct control_acquire own = {.workspace = "w-1",
		.hostname = "build-7",
		.memory_bytes = 16 << 20,
		.pids = 9,
		.cpu_milli = 500};
	struct world *w = world_open("[workspaces]\nlimit = 1G\n" PLAIN, NULL);
	int client = world_connect(w);
	struct control_sandbox_details d;
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &own);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_true(a.fd >= 0);
	assert_int_equal(a.leased.rung, RUNG_BOUND);
	assert_true(a.leased.bind_ns > 0 && a.leased.bind_ns <= a.leased.wait_ns);
	assert_string_equal(a.leased.workspace, "w-1");
	assert_int_equal(a.leased.workspace_bytes, 1 << 30);
	assert_int_equal(a.leased.is_soft, 0);
	assert_string_equal(a.leased.hostname, "build-7");
	assert_string_equal(a.leased.net, "none");
	assert_int_equal(a.leased.memory_bytes, 16 << 20);
	assert_int_equal(a.leased.pids, 9);
	assert_int_equal(a.leased.cpu_milli, 500);
	world_lease_request(client, CONTROL_INSPECT, 2, &a.leased.handle);
	d = world_expect(w, client, CONTROL_SANDBOX_DETAILS, 2).details;
	assert_string_equal(d.workspace, "w-1");
	assert_string_equal(d.hostname, "build-7");
	assert_int_equal(d.memory_bytes, 16 << 20);
	assert_int_equal(d.pids, 9);
	assert_int_equal(d.cpu_milli, 500);
	close(a.fd);
	close(client);
	world_until_leased(w, 0);
	world_close(w);
}

static void the_limit_that_is_told_when_memory_ran_out_is_the_leases_own(void **state)
{
	static const struct control_acquire own = {.memory_bytes = 16 << 20};
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a, ended;

	(void)state;
	world_acquire_own(client, 1, &own);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(world_send(a.fd, "oom", strlen("oom"), -1), 0);
	ended = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_string_equal(
		control_reason_name(ended.ended.reason), control_reason_name(LEASE_OOM));
	assert_int_equal(ended.ended.limit, 16 << 20);
	close(a.fd);
	close(client);
	world_close(w);
}

/* The fake builder refuses each BIND: none is sent. */
static void what_the_template_has_already_is_not_bound(void **state)
{
	static const struct control_acquire own = {.net = "none",
		.hostname = "box",
		.memory_bytes = 64 << 20,
		.pids = 99,
		.cpu_milli = 1500};
	struct world *w = world_open(PLAIN, "fail_binds=1000");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &own);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(a.leased.rung, RUNG_READY);
	assert_int_equal(a.leased.bind_ns, 0);
	assert_string_equal(a.leased.hostname, "box");
	assert_int_equal(a.leased.memory_bytes, 64 << 20);
	close(a.fd);
	close(client);
	world_close(w);
}

static void what_cannot_be_had_is_refused_with_its_reason(void **state)
{
	static const struct {
		struct control_acquire own;
		enum control_refusal refusal;
		const char *text;
	} cases[] = {
		{{.net = "wide"}, REFUSED_UNSUPPORTED, "there are: none, default, allow, open"},
		{{.net = "open"}, REFUSED_UNSUPPORTED, "set [network] enabled = yes"},
		{{.workspace = "w"}, REFUSED_UNSUPPORTED, "no workspaces"},
		{{.memory_bytes = (64 << 20) + 1}, REFUSED_LIMIT, "memory: 67108865 is more than"},
		{{.memory_bytes = 4096}, REFUSED_LIMIT, "memory: 4096 is less than 4194304"},
		{{.pids = 100}, REFUSED_LIMIT, "pids: 100 is more than 99, the limit of pool tiny"},
		{{.cpu_milli = 1501}, REFUSED_LIMIT, "cpus (in thousandths): 1501 is more than"},
		{{.cpu_milli = 9}, REFUSED_LIMIT, "cpus (in thousandths): 9 is less than 10"},
		{{.hostname = "ok", .pids = 100}, REFUSED_LIMIT, "pids"},
	};
	struct world *w = world_open("[workspaces]\ndirectory =\n" PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	world_until_ready(w, 2);
	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_acquire_own(client, i + 1, &cases[i].own);
		world_expect_refused(w, client, i + 1, cases[i].refusal, cases[i].text);
	}
	assert_int_equal(world_counters(w).leased, 0);
	assert_int_equal(world_counters(w).ready, 2);
	close(client);
	world_close(w);
}

static void a_limit_that_this_host_does_not_enforce_is_refused(void **state)
{
	static const struct control_acquire own = {.pids = 9};
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	w->supervisor->config.pools[0].unenforced = LIMIT_HIT_PIDS;
	world_acquire_own(client, 1, &own);
	world_expect_refused(w, client, 1, REFUSED_UNSUPPORTED, "pids: this host enforces no such");
	close(client);
	world_close(w);
}

static void where_the_template_has_no_limit_a_lease_may_have_any(void **state)
{
	static const struct control_acquire own = {.memory_bytes = UINT64_C(1) << 40};
	struct world *w =
		world_open(ONE_BUILDER "[pool \"tiny\"]\nmin = 1\nmax = 2\nmemory = 0\n", NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_acquire_own(client, 1, &own);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(a.leased.memory_bytes, UINT64_C(1) << 40);
	close(a.fd);
	close(client);
	world_close(w);
}

static void an_acquire_that_waits_gets_what_it_asked_for(void **state)
{
	struct world *w = world_open(EMPTY, NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_acquire_own(client, 1, &with_workspace);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(a.leased.rung, RUNG_BUILT); /* that took longer than what was bound */
	assert_true(a.leased.bind_ns > 0);
	assert_string_equal(a.leased.workspace, "w-1");
	close(a.fd);
	close(client);
	world_close(w);
}

static void one_that_leaves_while_it_waits_is_forgotten(void **state)
{
	struct world *w = world_open(EMPTY, NULL);
	int client = world_connect(w), other = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_acquire_own(other, 1, &with_workspace);
	world_query(other, CONTROL_POOLS, 2);
	world_expect(w, other, CONTROL_POOL_ROW, 2);
	close(other);
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	close(a.fd);
	a = world_lease(w, client);
	assert_string_equal(a.leased.workspace, "");
	close(a.fd);
	close(client);
	world_close(w);
}

static void one_that_cannot_wait_is_refused_as_any(void **state)
{
	struct control_acquire own = with_workspace;
	struct world *w = world_open(EMPTY, NULL);
	int client = world_connect(w);

	(void)state;
	own.on_empty = ON_EMPTY_FAIL;
	world_acquire_own(client, 1, &own);
	world_expect_refused(w, client, 1, REFUSED_EMPTY, "no sandbox is ready");
	own.on_empty = ON_EMPTY_WAIT;
	own.wait_ms = 1;
	world_acquire_own(client, 2, &own);
	world_expect_refused(w, client, 2, REFUSED_TIMEOUT, "none became ready in time");
	close(client);
	world_close(w);
}

static void a_binding_that_fails_is_refused_and_its_sandbox_thrown_away(void **state)
{
	struct world *w = world_open(PLAIN, "fail_binds=1");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &with_workspace);
	world_expect_refused(
		w, client, 1, REFUSED_BROKEN, "cannot be bound: pretended: workspace: no space");
	world_until_leased(w, 0);
	world_until_ready(w, 2);
	expect_silence(w, client);
	world_acquire_own(client, 2, &with_workspace);
	a = world_expect(w, client, CONTROL_LEASED, 2);
	assert_int_equal(a.leased.handle.sandbox, 2); /* the first is gone */
	assert_int_equal(w->starts, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

/* The builder answers the BIND of a sandbox whose end it has told already. */
static void a_sandbox_that_dies_of_itself_meanwhile_is_refused_once(void **state)
{
	struct world *w = world_open(PLAIN, "end_binds=1");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &with_workspace);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "guest_died");
	world_until_ready(w, 2);
	expect_silence(w, client);
	assert_int_equal(w->starts, 1);
	assert_int_equal(w->supervisor->builders[0]->bind_orphans, 0);
	assert_int_equal(w->supervisor->builders[0]->asked_count, 0);
	a = world_lease(w, client);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_limit_that_the_file_system_does_not_hold_is_called_soft(void **state)
{
	struct world *w = world_open("[workspaces]\nlimit = 1G\n" PLAIN, "soft=1");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_acquire_own(client, 1, &with_workspace);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(a.leased.is_soft, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

/* A lease whose BIND its builder, which is stopped, does not see. */
static int leave_pending(struct world *w)
{
	int client = world_connect(w);

	world_until_ready(w, 2);
	kill(w->builder, SIGSTOP);
	world_acquire_own(client, 1, &with_workspace);
	world_until_leased(w, 1);
	return client;
}

static void a_client_that_leaves_meanwhile_loses_it(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = leave_pending(w);

	(void)state;
	close(client);
	world_until_leased(w, 0);
	kill(w->builder, SIGCONT);
	world_until_ready(w, 2);
	assert_int_equal(w->starts, 1);
	world_close(w);
}

static void a_builder_that_dies_meanwhile_is_told(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = leave_pending(w);

	(void)state;
	kill(w->builder, SIGKILL);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "builder_lost");
	world_until_ready(w, 2);
	expect_silence(w, client);
	close(client);
	world_close(w);
}

static void a_builder_that_never_answers_is_lost(void **state)
{
	/* START, two of SLOT and BUILD each, BIND. */
	struct world *w =
		world_open(ONE_BUILDER "[pool \"tiny\"]\nmin = 2\nmax = 2\nbuild_concurrency = 1\n",
			"hang_at=6");
	int client = world_connect(w);

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &with_workspace);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "builder_lost");
	world_until_ready(w, 2);
	assert_int_equal(w->starts, 2);
	close(client);
	world_close(w);
}

static void a_drain_refuses_it(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = leave_pending(w);

	(void)state;
	supervisor_drain(w->supervisor);
	world_expect_refused(w, client, 1, REFUSED_STOPPING, "the supervisor is stopping");
	kill(w->builder, SIGCONT);
	assert_int_equal(world_run(w), 0);
	close(client);
	world_close(w);
}

static void its_deadline_refuses_it(void **state)
{
	struct world *w = world_open(PLAIN "lease = 30ms\n", NULL);
	int client = leave_pending(w);

	(void)state;
	world_expect_refused(w, client, 1, REFUSED_TIMEOUT, "deadline");
	kill(w->builder, SIGCONT);
	world_until_ready(w, 2);
	expect_silence(w, client);
	close(client);
	world_close(w);
}

static void nobody_has_it_before_it_is_told(void **state)
{
	static const uint16_t types[] = {CONTROL_TOUCH, CONTROL_RELEASE, CONTROL_KILL};
	struct world *w = world_open(PLAIN, NULL);
	int client = leave_pending(w);
	struct control_handle handle = {1, w->supervisor->epoch};
	struct answer a;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
		world_lease_request(client, types[i], 2 + i, &handle);
		world_expect_refused(w, client, 2 + i, REFUSED_STALE, "");
	}
	kill(w->builder, SIGCONT);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(a.leased.handle.sandbox, handle.sandbox);
	close(a.fd);
	close(client);
	world_close(w);
}

static void another_profile_is_in_force_before_the_lease_is_told(void **state)
{
	struct control_acquire own = {.net = "allow"};
	struct world *w = world_open(NETWORKED, NULL);
	int client = world_connect(w);
	struct control_sandbox_details d;
	struct answer a;

	(void)state;
	world_until_ready(w, 1);
	for (int i = 0; i < 2; i++) { /* alone, and with a workspace */
		world_acquire_own(client, 1, &own);
		a = world_expect(w, client, CONTROL_LEASED, 1);
		assert_string_equal(a.leased.net, "allow");
		assert_true(a.leased.bind_ns > 0);
		world_lease_request(client, CONTROL_INSPECT, 2, &a.leased.handle);
		d = world_expect(w, client, CONTROL_SANDBOX_DETAILS, 2).details;
		assert_string_equal(d.net, "allow");
		world_lease_request(client, CONTROL_RELEASE, 3, &a.leased.handle);
		world_expect(w, client, CONTROL_DONE, 3);
		close(a.fd);
		own.workspace[0] = 'w';
	}
	a = world_lease(w, client);
	assert_string_equal(a.leased.net, "default");
	world_lease_request(client, CONTROL_INSPECT, 2, &a.leased.handle);
	d = world_expect(w, client, CONTROL_SANDBOX_DETAILS, 2).details;
	assert_string_equal(d.net, "default");
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_profile_that_cannot_be_had_is_refused_and_its_sandbox_thrown_away(void **state)
{
	static const struct control_acquire own = {.net = "allow", .workspace = "w"};
	struct world *w = world_open_network(NETWORKED, NULL, "fail_profile_at=2");
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 1);
	world_acquire_own(client, 1, &own);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "cannot be bound: pretended: no map");
	expect_silence(w, client);
	a = world_lease(w, client);
	assert_int_equal(a.leased.handle.sandbox, 2);
	assert_string_equal(a.leased.net, "default");
	close(a.fd);
	close(client);
	world_close(w);
}

static void the_loss_of_hearth_network_meanwhile_is_told(void **state)
{
	static const struct control_acquire own = {.net = "allow"};
	struct world *w = world_open(NETWORKED, NULL);
	int client = world_connect(w);

	(void)state;
	world_until_ready(w, 1);
	kill(w->network, SIGSTOP);
	world_acquire_own(client, 1, &own);
	world_until_leased(w, 1);
	kill(w->network, SIGKILL);
	assert_int_equal(world_run(w), -ENETDOWN);
	world_expect_refused(w, client, 1, REFUSED_STOPPING, "the supervisor is stopping");
	close(client);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_asked_is_bound_in_and_told),
		cmocka_unit_test(the_limit_that_is_told_when_memory_ran_out_is_the_leases_own),
		cmocka_unit_test(what_the_template_has_already_is_not_bound),
		cmocka_unit_test(what_cannot_be_had_is_refused_with_its_reason),
		cmocka_unit_test(a_limit_that_this_host_does_not_enforce_is_refused),
		cmocka_unit_test(where_the_template_has_no_limit_a_lease_may_have_any),
		cmocka_unit_test(an_acquire_that_waits_gets_what_it_asked_for),
		cmocka_unit_test(one_that_leaves_while_it_waits_is_forgotten),
		cmocka_unit_test(one_that_cannot_wait_is_refused_as_any),
		cmocka_unit_test(a_binding_that_fails_is_refused_and_its_sandbox_thrown_away),
		cmocka_unit_test(a_sandbox_that_dies_of_itself_meanwhile_is_refused_once),
		cmocka_unit_test(a_limit_that_the_file_system_does_not_hold_is_called_soft),
		cmocka_unit_test(a_client_that_leaves_meanwhile_loses_it),
		cmocka_unit_test(a_builder_that_dies_meanwhile_is_told),
		cmocka_unit_test(a_builder_that_never_answers_is_lost),
		cmocka_unit_test(a_drain_refuses_it),
		cmocka_unit_test(its_deadline_refuses_it),
		cmocka_unit_test(nobody_has_it_before_it_is_told),
		cmocka_unit_test(another_profile_is_in_force_before_the_lease_is_told),
		cmocka_unit_test(
			a_profile_that_cannot_be_had_is_refused_and_its_sandbox_thrown_away),
		cmocka_unit_test(the_loss_of_hearth_network_meanwhile_is_told),
	};

	return cmocka_run_group_tests_name("supervisor_binding", tests, NULL, NULL);
}
