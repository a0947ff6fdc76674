/* One long story, told with a failure at each place where something can fail. */
#include "tests/unit/pool_world.h"

#define REQUESTS 36

/* What became of the requests. */
struct ledger {
	int waiting[REQUESTS + 1]; /* by id: kept waiting and not answered so far */
	int answers_seen;
	const char *lessee[REQUESTS + 1];
};

struct search {
	enum sandbox_state state;
	struct pool_sandbox *found;
};

static void match(void *arg, struct pool_sandbox *sandbox)
{
	struct search *search = arg;

	if (!search->found && sandbox->state == search->state)
		search->found = sandbox;
}

/* The oldest in that state, or NULL. */
static struct pool_sandbox *find(struct world *w, enum sandbox_state state)
{
	struct search search = {.state = state};

	pool_for_each(w->pool, match, &search);
	return search.found;
}

static void collect_answers(struct world *w, struct ledger *ledger)
{
	for (; ledger->answers_seen < w->answered; ledger->answers_seen++)
		ledger->waiting[w->answers[ledger->answers_seen].request_id]--;
	for (unsigned id = 0; id <= REQUESTS; id++)
		assert_in_range(ledger->waiting[id], 0, 1); /* never answered twice */
}

static void ask(struct world *w, struct ledger *ledger, uint32_t id)
{
	static char *lessees[] = {"a", "b", "c"};
	struct pool_request request = {.lessee = lessees[id % 3],
		.request_id = id,
		.on_empty = id % 4, /* default, build, wait, fail */
		.wait_ms = id % 5 == 0 ? 60 : 0};
	int r;

	r = world_acquire_as(w, &request);
	assert_true(r == 0 || r == -EINPROGRESS || r == -EAGAIN || r == -ENOMEM);
	ledger->waiting[id] = r == -EINPROGRESS;
	ledger->lessee[id] = request.lessee;
	collect_answers(w, ledger);
}

static void lessee_gone(struct world *w, struct ledger *ledger, const char *lessee)
{
	collect_answers(w, ledger);
	pool_lessee_gone(w->pool, w->now_ms, (void *)(uintptr_t)lessee);
	world_check(w);
	for (unsigned id = 0; id <= REQUESTS; id++)
		if (ledger->lessee[id] == lessee)
			ledger->waiting[id] = 0;
}

/* Something happens to one sandbox of each kind, in turn. */
static void stir(struct world *w, unsigned turn)
{
	struct pool_sandbox *sandbox;

	sandbox = find(w, turn % 7 == 6 ? SANDBOX_READY : SANDBOX_LEASED);
	if (!sandbox)
		return;
	switch (turn % 7) {
	case 1:
	case 3:
		world_release(w, sandbox);
		break;
	case 2:
		pool_touch(w->pool, w->now_ms, sandbox);
		break;
	case 5:
		world_died(w, sandbox, LEASE_OOM);
		break;
	case 6:
		pool_suspect(w->pool, w->now_ms, sandbox);
		break;
	}
	world_check(w);
}

static void tell_story(struct world *w, struct ledger *ledger)
{
	pool_start(w->pool, w->now_ms);
	world_check(w);
	for (uint32_t id = 1; id <= REQUESTS; id++) {
		ask(w, ledger, id);
		if (id % 3 != 0 && w->in_flight > 0)
			world_built(w);
		stir(w, id);
		if (id % 4 == 0 && w->to_reap > 0)
			world_reap(w);
		if (id % 11 == 0)
			lessee_gone(w, ledger, ledger->lessee[id]);
		world_pass(w, id % 2 == 0 ? 35 : 0);
		collect_answers(w, ledger);
	}
}

/* Time enough for leases to end, waiters to give up, the back-off to pass. */
static void let_recover(struct world *w, struct ledger *ledger)
{
	for (unsigned i = 0; i < 20; i++) {
		world_pass(w, 1000);
		world_reap_all(w);
		while (w->in_flight > 0)
			world_built(w);
	}
	collect_answers(w, ledger);
	for (unsigned id = 0; id <= REQUESTS; id++)
		assert_int_equal(ledger->waiting[id], 0);
	assert_int_equal(world_counters(w).leased, 0);
}

static void drain(struct world *w)
{
	pool_drain(w->pool, w->now_ms);
	world_check(w);
	while (w->in_flight > 0)
		world_built(w);
	world_reap_all(w);
	assert_true(pool_is_empty(w->pool));
}

/* False when the story has no n-th operation of that kind. */
static bool story_survives_failure(enum world_operation operation, unsigned n, bool for_good)
{
	struct pool_config config = {.min = 2,
		.max = 6,
		.build_concurrency = 2,
		.waiters_max = 3,
		.wait_ms = 200,
		.lease_ms = 400,
		.idle_ms = 150,
		.backoff_min_ms = 20,
		.backoff_max_ms = 100};
	struct world *w = world_create(&config);
	struct ledger ledger = {.answers_seen = 0};
	bool failed;

	world_fail(operation, n, for_good);
	tell_story(w, &ledger);
	failed = world_failed(operation) > 0;
	let_recover(w, &ledger);
	if (!for_good) {
		assert_int_equal(world_counters(w).ready, config.min);
		assert_int_equal(pool_failures_in_row(w->pool), 0);
	}
	drain(w);
	world_close(w);
	return failed;
}

static void survive_each(enum world_operation operation)
{
	unsigned n = 1;

	while (story_survives_failure(operation, n, false)) {
		story_survives_failure(operation, n, true);
		n++;
	}
	assert_in_range(n, 15, 1000); /* the story is long enough to tell something */
}

static void each_calloc_may_fail_once_or_for_good(void **state)
{
	(void)state;
	survive_each(WORLD_CALLOC);
}

static void each_start_of_a_build_may_fail_once_or_for_good(void **state)
{
	(void)state;
	survive_each(WORLD_START);
}

static void each_build_may_fail_once_or_for_good(void **state)
{
	(void)state;
	survive_each(WORLD_BUILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_calloc_may_fail_once_or_for_good),
		cmocka_unit_test(each_start_of_a_build_may_fail_once_or_for_good),
		cmocka_unit_test(each_build_may_fail_once_or_for_good),
	};

	return cmocka_run_group_tests_name("pool_faults", tests, NULL, NULL);
}
