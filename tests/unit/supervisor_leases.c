/* What clients ask in good faith, and what they are told when a lease ends. */
#include "tests/unit/supervisor_world.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "pool/pool.h"
#include "supervisor/pool_host.h"

#define ONE_BUILDER "[instance]\nbuilders = 1\n"
#define PLAIN	    ONE_BUILDER "[pool \"tiny\"]\nmin = 2\nmax = 4\n"
#define SINGLE	    ONE_BUILDER "[pool \"tiny\"]\nmin = 0\nmax = 1\n"

static void a_ready_sandbox_is_leased_with_its_channel_and_limits(void **state)
{
	struct world *w = world_open(PLAIN "memory = 64M\npids = 9\ncpus = 1.5\n", NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	a = world_lease(w, client);
	assert_int_equal(a.leased.rung, RUNG_READY);
	assert_int_equal(a.leased.handle.epoch, w->supervisor->epoch);
	assert_string_equal(a.leased.template_name, "tiny");
	assert_int_equal(a.leased.memory_bytes, 64 << 20);
	assert_int_equal(a.leased.disk_bytes, 32 << 20);
	assert_int_equal(a.leased.pids, 9);
	assert_int_equal(a.leased.cpu_milli, 1500);
	assert_int_equal(a.leased.lease_ms, 0);
	assert_int_equal(a.leased.build_ns, 500000);
	assert_true(a.leased.wait_ns > 0);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_leased_sandbox_is_replaced(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	a = world_lease(w, client);
	world_until_ready(w, 2);
	world_until_leased(w, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

static void release_ends_the_lease_and_is_answered_once(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	close(a.fd);
	world_lease_request(client, CONTROL_TOUCH, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	world_lease_request(client, CONTROL_RELEASE, 3, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 3);
	world_until_leased(w, 0);
	world_query(client, CONTROL_POOLS, 4);
	world_expect(w, client, CONTROL_POOL_ROW, 4);
	world_expect(w, client, CONTROL_DONE, 4);
	close(client);
	world_close(w);
}

static void an_owner_that_leaves_loses_its_leases(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	close(a.fd);
	world_until_leased(w, 1);
	close(client);
	world_until_leased(w, 0);
	world_until_ready(w, 2);
	world_close(w);
}

static void one_connection_may_lease_several_at_once(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a, b;

	(void)state;
	world_until_ready(w, 2);
	world_acquire(client, 1, "", ON_EMPTY_DEFAULT, 0);
	world_acquire(client, 2, "tiny", ON_EMPTY_DEFAULT, 0);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	b = world_expect(w, client, CONTROL_LEASED, 2);
	assert_true(a.leased.handle.sandbox != b.leased.handle.sandbox);
	close(a.fd);
	close(b.fd);
	close(client);
	world_until_leased(w, 0);
	world_close(w);
}

static void one_message_may_ask_for_several_and_each_is_answered(void **state)
{
	static const struct control_acquire batch = {.on_empty = ON_EMPTY_FAIL, .count = 3};
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a, b;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &batch);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	b = world_expect(w, client, CONTROL_LEASED, 1);
	assert_true(a.leased.handle.sandbox != b.leased.handle.sandbox);
	assert_int_equal(a.leased.queue_ns, 0);
	world_expect_refused(w, client, 1, REFUSED_EMPTY, "");
	world_until_leased(w, 2);
	close(a.fd);
	close(b.fd);
	close(client);
	world_close(w);
}

static void an_acquire_on_an_empty_pool_is_built_for(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_acquire(client, 1, "", ON_EMPTY_BUILD, 0);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(a.leased.rung, RUNG_BUILT);
	assert_true(a.leased.queue_ns > 0);
	assert_int_equal(a.leased.wait_ns, a.leased.queue_ns);
	close(a.fd);
	close(client);
	world_close(w);
}

static void an_acquire_that_waits_gets_the_next_that_is_free(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int first = world_connect(w), second = world_connect(w);
	struct answer a = world_lease(w, first), b;

	(void)state;
	world_acquire(second, 7, "", ON_EMPTY_BUILD, 0);
	/* Nothing can be built: max is 1. Only the end of the first lease lets it in. */
	world_query(second, CONTROL_POOLS, 8);
	b = world_expect(w, second, CONTROL_POOL_ROW, 8);
	assert_int_equal(b.pool.waiting, 1);
	world_expect(w, second, CONTROL_DONE, 8);
	world_lease_request(first, CONTROL_RELEASE, 2, &a.leased.handle);
	b = world_expect(w, second, CONTROL_LEASED, 7);
	close(a.fd);
	close(b.fd);
	close(first);
	close(second);
	world_close(w);
}

static void an_acquire_that_waits_too_long_is_refused(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client);

	(void)state;
	world_acquire(client, 2, "", ON_EMPTY_WAIT, 20);
	world_expect_refused(w, client, 2, REFUSED_TIMEOUT, "none became ready in time (max 1)");
	close(a.fd);
	close(client);
	world_close(w);
}

static void an_acquire_that_will_not_wait_is_refused_at_once(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int client = world_connect(w);

	(void)state;
	world_acquire(client, 2, "", ON_EMPTY_FAIL, 0);
	world_expect_refused(w, client, 2, REFUSED_EMPTY, "pool tiny: no sandbox is ready");
	close(client);
	world_close(w);
}

static void a_waiter_that_leaves_is_forgotten(void **state)
{
	struct world *w = world_open(SINGLE, NULL);
	int first = world_connect(w), second = world_connect(w);
	struct answer a = world_lease(w, first);

	(void)state;
	world_acquire(second, 7, "", ON_EMPTY_WAIT, 0);
	close(second);
	world_lease_request(first, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect(w, first, CONTROL_DONE, 2);
	world_until_leased(w, 0);
	close(a.fd);
	close(first);
	world_close(w);
}

static void a_template_is_found_by_pool_then_by_image(void **state)
{
	struct world *w = world_open(ONE_BUILDER "[pool \"a\"]\nimage = b\nmin = 1\n"
						 "[pool \"b\"]\nimage = c\nmin = 1\n",
		NULL);
	static const char *const asked[] = {"", "a", "b", "c"}, *const got[] = {"a", "a", "b", "b"};
	int client = world_connect(w);
	struct answer a;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		world_acquire(client, i + 1, asked[i], ON_EMPTY_DEFAULT, 0);
		a = world_expect(w, client, CONTROL_LEASED, i + 1);
		assert_string_equal(a.leased.template_name, got[i]);
		close(a.fd);
	}
	world_acquire(client, 9, "nope", ON_EMPTY_DEFAULT, 0);
	world_expect_refused(w, client, 9, REFUSED_NO_TEMPLATE, "'nope'");
	close(client);
	world_close(w);
}

static void a_network_profile_that_the_pool_has_not_is_refused(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	struct control_acquire m = {.net = "open"};
	int client = world_connect(w);
	struct answer a;

	(void)state;
	control_header(&m.header, CONTROL_ACQUIRE, sizeof(m), 1);
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
	world_expect_refused(w, client, 1, REFUSED_UNSUPPORTED, "has network profile none");
	memcpy(m.net, "none", sizeof("none"));
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	close(a.fd);
	close(client);
	world_close(w);
}

static void list_names_each_sandbox_its_state_and_its_owner(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a, row;
	unsigned leased = 0, ready = 0;

	(void)state;
	world_until_ready(w, 2);
	a = world_lease(w, client);
	world_until_ready(w, 2);
	world_query(client, CONTROL_LIST, 5);
	for (int i = 0; i < 3; i++) {
		row = world_expect(w, client, CONTROL_SANDBOX_ROW, 5);
		if (row.sandbox.state == SANDBOX_LEASED) {
			leased++;
			assert_int_equal(row.sandbox.owner_pid, getpid());
			assert_int_equal(row.sandbox.owner_uid, getuid());
			assert_int_equal(row.sandbox.handle.sandbox, a.leased.handle.sandbox);
		} else {
			ready += row.sandbox.state == SANDBOX_READY;
			assert_int_equal(row.sandbox.owner_pid, 0);
		}
	}
	world_expect(w, client, CONTROL_DONE, 5);
	assert_int_equal(leased, 1);
	assert_int_equal(ready, 2);
	close(a.fd);
	close(client);
	world_close(w);
}

static void pools_tell_what_was_asked_and_how_long_builds_take(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a, row;

	(void)state;
	world_until_ready(w, 2);
	a = world_lease(w, client);
	world_query(client, CONTROL_POOLS, 5);
	row = world_expect(w, client, CONTROL_POOL_ROW, 5);
	world_expect(w, client, CONTROL_DONE, 5);
	assert_string_equal(row.pool.template_name, "tiny");
	assert_string_equal(row.pool.image, "tiny");
	assert_string_equal(row.pool.net, "none");
	assert_int_equal(row.pool.min, 2);
	assert_int_equal(row.pool.max, 4);
	assert_int_equal(row.pool.leased, 1);
	assert_int_equal(row.pool.hits, 1);
	assert_in_range(row.pool.build_p50_ns, 499000, 501000);
	assert_in_range(row.pool.build_p99_ns, 499000, 501000);
	assert_string_equal(row.pool.broken, "");
	close(a.fd);
	close(client);
	world_close(w);
}

/* Write a word to the sandbox, which then ends, and expect the owner to be told so. */
static void end_by_word(const char *word, enum lease_end_reason reason, uint64_t limit)
{
	struct world *w = world_open(PLAIN "memory = 64M\n", NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), ended;

	assert_int_equal(world_send(a.fd, word, strlen(word), -1), 0);
	ended = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_string_equal(control_reason_name(ended.ended.reason), control_reason_name(reason));
	assert_int_equal(ended.ended.handle.sandbox, a.leased.handle.sandbox);
	assert_int_equal(ended.ended.limit, limit);
	assert_int_equal(ended.ended.limits_hit, reason == LEASE_OOM ? LIMIT_HIT_MEMORY : 0);
	/* It is gone for good: a release comes too late, and another has taken its place. */
	world_lease_request(client, CONTROL_RELEASE, 2, &a.leased.handle);
	world_expect_refused(w, client, 2, REFUSED_STALE, "no lease");
	world_until_ready(w, 2);
	close(a.fd);
	close(client);
	world_close(w);
}

static void the_owner_is_told_when_the_guest_died(void **state)
{
	(void)state;
	end_by_word("die", LEASE_GUEST_DIED, 0);
}

static void the_owner_is_told_the_limit_when_memory_ran_out(void **state)
{
	(void)state;
	end_by_word("oom", LEASE_OOM, 64 << 20);
}

static void end_by_time(const char *config, enum lease_end_reason reason)
{
	struct world *w = world_open(config, NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), ended;

	ended = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_string_equal(control_reason_name(ended.ended.reason), control_reason_name(reason));
	assert_int_equal(ended.ended.limit, 30);
	world_until_leased(w, 0);
	world_until_ready(w, 2);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_lease_ends_at_its_deadline(void **state)
{
	(void)state;
	end_by_time(PLAIN "lease = 30ms\n", LEASE_DEADLINE);
}

static void a_lease_that_is_idle_is_frozen_and_then_ends(void **state)
{
	struct world *w = world_open(PLAIN "idle = 30ms\nfrozen = 20ms\n", NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), told;

	(void)state;
	told = world_expect(w, client, CONTROL_LEASE_FROZEN, 0);
	assert_int_equal(told.frozen.handle.sandbox, a.leased.handle.sandbox);
	assert_int_equal(told.frozen.idle_ms, 30);
	assert_in_range(told.frozen.ends_ms, 1, 20);
	assert_int_equal(world_counters(w).frozen, 1);
	told = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(told.ended.reason, LEASE_IDLE);
	assert_int_equal(told.ended.limit, 30);
	world_until_leased(w, 0);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_ready_sandbox_that_has_just_died_is_not_handed_out(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	siginfo_t info;

	(void)state;
	world_until_ready(w, 2);
	/* With their builder all of them are gone; nobody here has noticed. */
	kill(w->builder, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)w->builder, &info, WEXITED | WNOWAIT), 0);
	world_acquire(client, 1, "", ON_EMPTY_FAIL, 0);
	world_expect_refused(w, client, 1, REFUSED_EMPTY, "");
	world_until_ready(w, 2);
	close(client);
	world_close(w);
}

/* What is frozen takes no word. */
static void a_touch_thaws_a_lease_that_is_frozen(void **state)
{
	struct world *w = world_open(PLAIN "idle = 30ms\nfrozen = 1h\n", NULL);
	int client = world_connect(w);
	struct answer a = world_lease(w, client), told;

	(void)state;
	world_expect(w, client, CONTROL_LEASE_FROZEN, 0);
	assert_int_equal(world_send(a.fd, "die", strlen("die"), -1), 0);
	world_turns(w);
	assert_int_equal(world_counters(w).leased, 1);
	world_lease_request(client, CONTROL_TOUCH, 2, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 2);
	assert_int_equal(world_counters(w).frozen, 0);
	told = world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(told.ended.reason, LEASE_GUEST_DIED);
	close(a.fd);
	close(client);
	world_close(w);
}

static void a_lease_that_is_idle_ends_where_the_host_cannot_freeze(void **state)
{
	(void)state;
	world_can_freeze = false;
	end_by_time(PLAIN "idle = 30ms\n", LEASE_IDLE);
	world_can_freeze = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ready_sandbox_is_leased_with_its_channel_and_limits),
		cmocka_unit_test(a_leased_sandbox_is_replaced),
		cmocka_unit_test(release_ends_the_lease_and_is_answered_once),
		cmocka_unit_test(an_owner_that_leaves_loses_its_leases),
		cmocka_unit_test(one_connection_may_lease_several_at_once),
		cmocka_unit_test(one_message_may_ask_for_several_and_each_is_answered),
		cmocka_unit_test(an_acquire_on_an_empty_pool_is_built_for),
		cmocka_unit_test(an_acquire_that_waits_gets_the_next_that_is_free),
		cmocka_unit_test(an_acquire_that_waits_too_long_is_refused),
		cmocka_unit_test(an_acquire_that_will_not_wait_is_refused_at_once),
		cmocka_unit_test(a_waiter_that_leaves_is_forgotten),
		cmocka_unit_test(a_template_is_found_by_pool_then_by_image),
		cmocka_unit_test(a_network_profile_that_the_pool_has_not_is_refused),
		cmocka_unit_test(list_names_each_sandbox_its_state_and_its_owner),
		cmocka_unit_test(pools_tell_what_was_asked_and_how_long_builds_take),
		cmocka_unit_test(the_owner_is_told_when_the_guest_died),
		cmocka_unit_test(the_owner_is_told_the_limit_when_memory_ran_out),
		cmocka_unit_test(a_lease_ends_at_its_deadline),
		cmocka_unit_test(a_lease_that_is_idle_is_frozen_and_then_ends),
		cmocka_unit_test(a_touch_thaws_a_lease_that_is_frozen),
		cmocka_unit_test(a_ready_sandbox_that_has_just_died_is_not_handed_out),
		cmocka_unit_test(a_lease_that_is_idle_ends_where_the_host_cannot_freeze),
	};

	return cmocka_run_group_tests_name("supervisor_leases", tests, NULL, NULL);
}
