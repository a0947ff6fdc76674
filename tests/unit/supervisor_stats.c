/* STATS counts what happened; POOL_SET is in force at once, within what the instance was started with. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proto/channel.h"
#include "supervisor/client.h"
#include "supervisor/sandbox.h"
#include "supervisor/stats.h"
#include "tests/unit/supervisor_world.h"

#define PLAIN "[instance]\nbuilders = 1\n[pool \"p\"]\nimage = i\nmin = 2\nmax = 6\n"
#define TWO   PLAIN "[pool \"q\"]\nimage = j\nmin = 1\nmax = 4\n"
#define EMPTY "[instance]\nbuilders = 1\n[pool \"p\"]\nimage = i\nmin = 0\nmax = 2\n"

struct wanted {
	enum stat_family family;
	const char *labels[STAT_LABELS_MAX]; /* NULL: any */
	struct stat_sample found;
	unsigned count;
};

static bool fits(const struct wanted *wanted, const struct stat_sample *sample)
{
	if (sample->family != wanted->family)
		return false;
	for (size_t i = 0; i < STAT_LABELS_MAX; i++)
		if (wanted->labels[i] && strcmp(wanted->labels[i], sample->labels[i]) != 0)
			return false;
	return true;
}

/* Ask STATS; the one sample that fits, or a zeroed one. */
static struct stat_sample sample_of(struct world *w, int client, enum stat_family family,
	const char *first, const char *second, const char *third)
{
	struct wanted wanted = {.family = family, .labels = {first, second, third}};
	struct answer answer;

	world_query(client, CONTROL_STATS, 50);
	while ((answer = world_await(w, client)).header.type != CONTROL_DONE) {
		assert_int_equal(answer.header.type, CONTROL_STAT_ROW);
		assert_int_equal(answer.header.id, 50);
		if (!fits(&wanted, &answer.stat.sample))
			continue;
		wanted.found = answer.stat.sample;
		wanted.count++;
	}
	assert_int_equal(answer.header.id, 50);
	assert_true(wanted.count <= 1);
	return wanted.found;
}

static uint64_t value(
	struct world *w, int client, enum stat_family family, const char *first, const char *second)
{
	return sample_of(w, client, family, first, second, NULL).value;
}

static uint64_t acquires(struct world *w, int client, const char *path, const char *result)
{
	return sample_of(w, client, STAT_ACQUIRE_DURATION, "p", path, result).histogram.count;
}

static void acquires_are_counted_by_path_and_result(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a, b;
	struct stat_sample sample;

	(void)state;
	world_until_ready(w, 2);
	a = world_lease(w, client);
	world_until_ready(w, 2);
	b = world_lease(w, client);
	sample = sample_of(w, client, STAT_ACQUIRE_DURATION, "p", "ready", "ok");
	assert_int_equal(sample.histogram.count, 2);
	assert_true(sample.histogram.sum_ns > 0);
	assert_int_equal(value(w, client, STAT_POOL_MISSES, "p", NULL), 0);
	assert_int_equal(value(w, client, STAT_POOL_SANDBOXES, "p", "leased"), 2);
	world_release(w, client, &a);
	world_release(w, client, &b);
	assert_int_equal(value(w, client, STAT_POOL_SANDBOXES, "p", "leased"), 0);
	close(client);
	world_close(w);
}

static void misses_are_those_that_waited_or_were_refused_because_none_was_ready(void **state)
{
	struct world *w = world_open(EMPTY, NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_acquire(client, 1, "", ON_EMPTY_FAIL, 0);
	world_expect_refused(w, client, 1, REFUSED_EMPTY, "no sandbox is ready");
	world_acquire(client, 2, "", ON_EMPTY_WAIT, 1);
	world_expect_refused(w, client, 2, REFUSED_TIMEOUT, "in time");
	world_acquire(client, 1, "", ON_EMPTY_BUILD, 0);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(acquires(w, client, "none", "empty"), 1);
	assert_int_equal(acquires(w, client, "none", "timeout"), 1);
	assert_int_equal(acquires(w, client, "built", "ok"), 1);
	assert_int_equal(value(w, client, STAT_POOL_MISSES, "p", NULL), 3);
	world_release(w, client, &a);
	close(client);
	world_close(w);
}

static struct control_pool_row pool_row(struct world *w, int client, const char *name)
{
	struct control_pool_row found = {0};
	struct answer answer;

	world_query(client, CONTROL_POOLS, 51);
	while ((answer = world_await(w, client)).header.type != CONTROL_DONE)
		if (strcmp(answer.pool.template_name, name) == 0)
			found = answer.pool;
	return found;
}

static void every_refusal_is_counted_as_it_was_told(void **state)
{
	static const struct control_acquire own[] = {
		{.net = "wide"}, {.cpu_milli = 1}, {.memory_bytes = UINT64_MAX}};
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &own[0]);
	world_expect_refused(w, client, 1, REFUSED_UNSUPPORTED, "profile");
	world_acquire_own(client, 2, &own[1]);
	world_expect_refused(w, client, 2, REFUSED_LIMIT, "cpus");
	world_acquire_own(client, 3, &own[2]);
	world_expect_refused(w, client, 3, REFUSED_LIMIT, "memory");
	world_acquire(client, 4, "nope", ON_EMPTY_FAIL, 0); /* of no pool */
	world_expect_refused(w, client, 4, REFUSED_NO_TEMPLATE, "nope");
	assert_int_equal(acquires(w, client, "none", "unsupported"), 1);
	assert_int_equal(acquires(w, client, "none", "limit"), 2);
	assert_int_equal(pool_row(w, client, "p").refused, 3);
	assert_int_equal(pool_row(w, client, "p").hits, 0);
	assert_int_equal(value(w, client, STAT_POOL_MISSES, "p", NULL), 0);
	close(client);
	world_close(w);
}

static void a_binding_that_fails_is_a_refusal_and_neither_hit_nor_miss(void **state)
{
	struct world *w = world_open(PLAIN, "fail_binds=1");
	const struct control_acquire own = {.hostname = "box"};
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &own);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "cannot be bound");
	assert_int_equal(pool_row(w, client, "p").hits, 0);
	assert_int_equal(pool_row(w, client, "p").refused, 1);
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &own);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(pool_row(w, client, "p").hits, 1);
	assert_int_equal(pool_row(w, client, "p").refused, 1);
	assert_int_equal(value(w, client, STAT_POOL_MISSES, "p", NULL), 0);
	world_release(w, client, &a);
	close(client);
	world_close(w);
}

static void who_has_too_many_waiters_is_counted_under_what_he_is_told(void **state)
{
	struct world *w = world_open("[instance]\nbuilders = 1\nwaiters_per_connection = 1\n"
				     "[pool \"p\"]\nmin = 0\nmax = 1\n",
		NULL);
	int other = world_connect(w), client = world_connect(w);
	struct answer a = world_lease(w, other);

	(void)state;
	world_acquire(client, 1, "", ON_EMPTY_WAIT, 0);
	world_acquire(client, 2, "", ON_EMPTY_WAIT, 0);
	world_expect_refused(w, client, 2, REFUSED_LIMIT, "waiters_per_connection: 1");
	assert_int_equal(acquires(w, other, "none", "limit"), 1);
	assert_int_equal(acquires(w, other, "none", "empty"), 0);
	assert_int_equal(pool_row(w, other, "p").refused, 1);
	close(a.fd);
	close(client);
	close(other);
	world_close(w);
}

static void a_bound_acquire_is_one_and_so_is_its_binding(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	const struct control_acquire own = {.hostname = "box"};
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &own);
	a = world_expect(w, client, CONTROL_LEASED, 1);
	assert_int_equal(acquires(w, client, "bound", "ok"), 1);
	assert_int_equal(
		sample_of(w, client, STAT_STAGE_DURATION, "bind", NULL, NULL).histogram.count, 1);
	world_release(w, client, &a);
	close(client);
	world_close(w);
}

static void each_build_has_its_stages_and_each_end_its_destroy(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	for (uint32_t i = 0; i < STAGE_COUNT; i++)
		assert_int_equal(
			sample_of(w, client, STAT_STAGE_DURATION, jail_stage_name(i), NULL, NULL)
				.histogram.count,
			2);
	assert_int_equal(
		sample_of(w, client, STAT_STAGE_DURATION, "destroy", NULL, NULL).histogram.count,
		0);
	a = world_lease(w, client);
	world_release(w, client, &a);
	assert_int_equal(
		sample_of(w, client, STAT_STAGE_DURATION, "destroy", NULL, NULL).histogram.count,
		1);
	close(client);
	world_close(w);
}

static bool has_failed(struct world *w, void *arg)
{
	return world_counters(w).build_failures >= *(uint64_t *)arg;
}

static void failed_builds_are_counted_by_stage_and_errno(void **state)
{
	struct world *w = world_open(PLAIN, "fail_builds=2");
	int client = world_connect(w);
	uint64_t failures = 2, counted = 0;
	struct answer answer;

	(void)state;
	world_until(w, has_failed, &failures);
	world_until_ready(w, 2);
	world_query(client, CONTROL_STATS, 50);
	while ((answer = world_await(w, client)).header.type != CONTROL_DONE) {
		if (answer.stat.sample.family != STAT_CREATE_FAILURES)
			continue;
		assert_string_equal(answer.stat.sample.labels[0], "build");
		assert_true(answer.stat.sample.labels[1][0] == 'E');
		counted += answer.stat.sample.value;
	}
	assert_int_equal(counted, 2);
	close(client);
	world_close(w);
}

static void a_network_that_fails_is_counted_with_its_errno(void **state)
{
	static const struct {
		const char *behaviour, *stage;
	} cases[] = {{"fail_slots=1", "slot"}, {"fail_profile_at=1", "network"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w =
			world_open_network(PLAIN "net = default\n", NULL, cases[i].behaviour);
		int client = world_connect(w);

		world_until_ready(w, 2);
		assert_int_equal(value(w, client, STAT_CREATE_FAILURES, cases[i].stage, "EIO"), 1);
		close(client);
		world_close(w);
	}
}

static void a_profile_that_a_lease_cannot_have_is_counted(void **state)
{
	/* The first two are of the builds. */
	struct world *w = world_open_network(PLAIN "net = default\n", NULL, "fail_profile_at=3");
	const struct control_acquire own = {.net = "none"};
	int client = world_connect(w);

	(void)state;
	world_until_ready(w, 2);
	world_acquire_own(client, 1, &own);
	world_expect_refused(w, client, 1, REFUSED_BROKEN, "pretended: no map");
	assert_int_equal(value(w, client, STAT_CREATE_FAILURES, "network", "EIO"), 1);
	close(client);
	world_close(w);
}

static bool has_built_or_failed(struct world *w, void *arg)
{
	(void)arg;
	if (w->starts == 2)
		w->behaviour = NULL;
	return world_counters(w).build_failures > 0;
}

/* START, SLOT, BUILD: each of the first two builders dies of it. */
static void a_build_that_is_lost_twice_is_counted(void **state)
{
	struct world *w = world_open(
		"[instance]\nbuilders = 1\n[pool \"p\"]\nmin = 1\nmax = 1\n", "die_at=3");
	int client = world_connect(w);

	(void)state;
	w->behaviour = "die_at=3";
	world_until(w, has_built_or_failed, NULL);
	assert_int_equal(value(w, client, STAT_CREATE_FAILURES, "build", "unknown"), 1);
	close(client);
	world_close(w);
}

static void more_kinds_of_failures_than_there_is_room_for_are_others(void **state)
{
	static struct stats stats;

	(void)state;
	memset(&stats, 0, sizeof(stats));
	for (uint32_t error = 1; error <= STATS_FAILURES_MAX + 3; error++)
		stats_failed(&stats, STATS_FAILED_BUILD, error);
	stats_failed(&stats, STATS_FAILED_BUILD, 1);
	assert_int_equal(stats.failures[0].count, 2);
	assert_int_equal(stats.failures[STATS_FAILURES_MAX - 1].count, 1);
	assert_int_equal(stats.other_failures, 3);
}

static void an_oom_is_counted_by_its_victims_and_its_limit(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	assert_int_equal(value(w, client, STAT_OOM_KILLS, NULL, NULL), 0);
	a = world_lease(w, client);
	assert_int_equal(channel_send(a.fd, "oom", 3, NULL, 0, NULL, 0), 0);
	world_expect(w, client, CONTROL_LEASE_ENDED, 0);
	world_expect(w, client, CONTROL_RECEIPT, 0);
	assert_true(value(w, client, STAT_OOM_KILLS, NULL, NULL) > 0);
	assert_int_equal(value(w, client, STAT_LIMIT_HITS, "memory", NULL), 1);
	close(a.fd);
	close(client);
	world_close(w);
}

static bool has_a_second_builder(struct world *w, void *arg)
{
	(void)arg;
	return w->starts == 2;
}

static void sandboxes_of_a_lost_builder_are_orphans(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	world_until_ready(w, 2);
	assert_int_equal(value(w, client, STAT_ORPHANS_REAPED, NULL, NULL), 0);
	kill(w->builder, SIGKILL);
	world_until(w, has_a_second_builder, NULL);
	world_until_ready(w, 2);
	assert_int_equal(value(w, client, STAT_ORPHANS_REAPED, NULL, NULL), 2);
	close(client);
	world_close(w);
}

static void pool_set(int client, const char *name, uint32_t what, uint32_t min, uint32_t max)
{
	struct control_pool_set m = {.what = what, .min = min, .max = max};

	control_header(&m.header, CONTROL_POOL_SET, sizeof(m), 60);
	memcpy(m.template_name, name, strlen(name));
	assert_int_equal(world_send(client, &m, sizeof(m), -1), 0);
}

/* The tests may run as anybody; a lease shows the supervisor's end of its connection. */
static void become(struct world *w, int client, enum role role)
{
	struct answer a = world_lease(w, client);

	sandbox_find(w->supervisor, a.leased.handle.sandbox)->owner->role = role;
	world_release(w, client, &a);
}

static void pool_set_is_in_force_at_once_and_shown(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);
	struct control_pool_row row;

	(void)state;
	become(w, client, ROLE_ROOT);
	world_until_ready(w, 2);
	pool_set(client, "p", POOL_SET_MIN, 4, 0);
	world_expect(w, client, CONTROL_DONE, 60);
	world_until_ready(w, 4);
	row = pool_row(w, client, "p");
	assert_int_equal(row.min, 4);
	assert_int_equal(row.max, 6);
	pool_set(client, "i", POOL_SET_ALL, 1, 3);
	world_expect(w, client, CONTROL_DONE, 60);
	row = pool_row(w, client, "p");
	assert_int_equal(row.min, 1);
	assert_int_equal(row.max, 3);
	close(client);
	world_close(w);
}

static void max_stays_within_the_slots_of_the_start(void **state)
{
	struct world *w = world_open(TWO, NULL);
	int client = world_connect(w);

	(void)state;
	become(w, client, ROLE_ROOT);
	pool_set(client, "p", POOL_SET_MAX, 0, 7);
	world_expect_refused(w, client, 60, REFUSED_LIMIT, "10 slots, 6 of them");
	assert_int_equal(pool_row(w, client, "p").max, 6);
	/* What another pool has given up, may be taken. */
	pool_set(client, "q", POOL_SET_MAX, 0, 2);
	world_expect(w, client, CONTROL_DONE, 60);
	pool_set(client, "p", POOL_SET_MAX, 0, 8);
	world_expect(w, client, CONTROL_DONE, 60);
	pool_set(client, "q", POOL_SET_MAX, 0, 3);
	world_expect_refused(w, client, 60, REFUSED_LIMIT, "10 slots, 2 of them");
	close(client);
	world_close(w);
}

static void pool_set_refuses_what_makes_no_sense(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	become(w, client, ROLE_ROOT);
	pool_set(client, "nope", POOL_SET_MAX, 0, 3);
	world_expect_refused(w, client, 60, REFUSED_NO_TEMPLATE, "no pool or image named 'nope'");
	pool_set(client, "p", POOL_SET_MIN, 7, 0);
	world_expect_refused(w, client, 60, REFUSED_UNSUPPORTED, "pool p: ");
	pool_set(client, "p", POOL_SET_MAX, 0, 0);
	world_expect_refused(w, client, 60, REFUSED_UNSUPPORTED, "pool p: ");
	assert_int_equal(pool_row(w, client, "p").min, 2);
	assert_int_equal(pool_row(w, client, "p").max, 6);
	close(client);
	world_close(w);
}

static void pool_set_is_for_root_only(void **state)
{
	struct world *w = world_open(PLAIN, NULL);
	int client = world_connect(w);

	(void)state;
	become(w, client, ROLE_USER);
	pool_set(client, "p", POOL_SET_MIN, 1, 0);
	world_expect_refused(w, client, 60, REFUSED_DENIED, "may not ask this");
	assert_int_equal(pool_row(w, client, "p").min, 2);
	sample_of(w, client, STAT_POOL_TARGET, "p", NULL, NULL); /* STATS is for both */
	close(client);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acquires_are_counted_by_path_and_result),
		cmocka_unit_test(
			misses_are_those_that_waited_or_were_refused_because_none_was_ready),
		cmocka_unit_test(every_refusal_is_counted_as_it_was_told),
		cmocka_unit_test(a_binding_that_fails_is_a_refusal_and_neither_hit_nor_miss),
		cmocka_unit_test(who_has_too_many_waiters_is_counted_under_what_he_is_told),
		cmocka_unit_test(a_bound_acquire_is_one_and_so_is_its_binding),
		cmocka_unit_test(each_build_has_its_stages_and_each_end_its_destroy),
		cmocka_unit_test(failed_builds_are_counted_by_stage_and_errno),
		cmocka_unit_test(a_network_that_fails_is_counted_with_its_errno),
		cmocka_unit_test(a_profile_that_a_lease_cannot_have_is_counted),
		cmocka_unit_test(a_build_that_is_lost_twice_is_counted),
		cmocka_unit_test(more_kinds_of_failures_than_there_is_room_for_are_others),
		cmocka_unit_test(an_oom_is_counted_by_its_victims_and_its_limit),
		cmocka_unit_test(sandboxes_of_a_lost_builder_are_orphans),
		cmocka_unit_test(pool_set_is_in_force_at_once_and_shown),
		cmocka_unit_test(max_stays_within_the_slots_of_the_start),
		cmocka_unit_test(pool_set_refuses_what_makes_no_sense),
		cmocka_unit_test(pool_set_is_for_root_only),
	};

	return cmocka_run_group_tests_name("supervisor_stats", tests, NULL, NULL);
}
