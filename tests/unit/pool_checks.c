/* pool_check() guards the other tests: here it is shown to find each invariant broken. */
#include "pool/policy.h"
#include "tests/unit/pool_world.h"

/* A pool with two leased, one building, and one acquire that waits; in one piece. */
struct scene {
	struct world *w;
	struct pool *pool;
	struct pool_sandbox *leased, *building; /* leased: of two the one that is due first */
	struct pool_waiter *waiter;
};

static void promised_to_a_sandbox_uncounted(struct scene *s)
{
	s->leased->promised_bytes++;
}

static void promised_to_a_waiter_uncounted(struct scene *s)
{
	s->waiter->promised_bytes++;
}

static void list_of_another_state(struct scene *s)
{
	s->leased->state = SANDBOX_READY;
}

static void list_shorter(struct scene *s)
{
	s->pool->count[SANDBOX_LEASED]++;
}

static void list_longer(struct scene *s)
{
	s->pool->count[SANDBOX_LEASED]--;
}

static void foreign_id(struct scene *s)
{
	s->building->id = s->w->next_id;
}

static void lessee_without_lease(struct scene *s)
{
	s->building->lessee = s;
}

static void in_a_list_without_lease(struct scene *s)
{
	s->building->by_lessee.next = &s->leased->by_lessee;
}

static void in_a_bucket_without_lease(struct scene *s)
{
	s->building->same_bucket.next = &s->leased->same_bucket;
}

static void in_no_bucket(struct scene *s)
{
	s->leased->same_bucket.next = &s->leased->same_bucket;
}

static void due_without_lease(struct scene *s)
{
	s->building->due_index = 1;
}

static void due_elsewhere(struct scene *s)
{
	s->leased->due_index = 2;
}

static void due_nowhere(struct scene *s)
{
	s->leased->due_index = 0;
}

static void due_out_of_order(struct scene *s)
{
	s->pool->due.heap[2].ms = s->pool->due.heap[1].ms - 1;
}

static void due_miscounted(struct scene *s)
{
	s->pool->due.count++;
}

static void deadline_slept_through(struct scene *s)
{
	s->leased->deadline_ms = s->pool->due.heap[1].ms - 1;
}

static void idle_limit_slept_through(struct scene *s)
{
	s->leased->idle_ms--;
}

static void frozen_by_nobody(struct scene *s)
{
	s->leased->is_frozen = true;
	s->leased->frozen_until_ms = UINT64_MAX;
}

static void frozen_without_lease(struct scene *s)
{
	s->building->is_frozen = true;
}

static void frozen_miscounted(struct scene *s)
{
	s->pool->frozen++;
}

static void ready_beyond_max(struct scene *s)
{
	pool_set_state(s->pool, s->w->now_ms, s->building, SANDBOX_READY);
	s->pool->config.max = 2;
}

static void over_concurrency(struct scene *s)
{
	s->pool->config.build_concurrency = 0;
}

static void queue_longer(struct scene *s)
{
	s->pool->waiting = 0;
}

static void queue_shorter(struct scene *s)
{
	s->pool->waiting++;
}

static void wishes_miscounted(struct scene *s)
{
	s->pool->builds_wanted++;
}

static void queue_over_limit(struct scene *s)
{
	s->pool->config.waiters_max = 0;
}

static void turns_out_of_order(struct scene *s)
{
	s->pool->turn = s->waiter->turn + 1;
}

static void waiter_slept_through(struct scene *s)
{
	s->waiter->until_ms = s->pool->waiters_until_ms - 1;
}

static void waits_beside_a_ready_one(struct scene *s)
{
	pool_set_state(s->pool, s->w->now_ms, s->building, SANDBOX_READY);
}

static void waits_for_a_stopped_pool(struct scene *s)
{
	s->pool->running = false;
}

static void waits_in_vain(struct scene *s)
{
	s->pool->backing_off = true;
	pool_set_state(s->pool, s->w->now_ms, s->building, SANDBOX_DISCARDING);
}

static void back_off_too_short(struct scene *s)
{
	s->pool->backing_off = true;
	s->pool->backoff_ms = s->pool->config.backoff_min_ms - 1;
}

static void target_below_min(struct scene *s)
{
	s->pool->target = s->pool->config.min - 1;
}

static void target_beyond_max(struct scene *s)
{
	s->pool->target = s->pool->config.max + 1;
}

static void build_not_started(struct scene *s)
{
	s->pool->target++;
}

static const struct {
	void (*break_it)(struct scene *scene);
	const char *text;
} rows[] = {
	{list_of_another_state, "a sandbox is in the list of another state"},
	{list_shorter, "a state's list is shorter than its count"},
	{list_longer, "a state's list is longer than its count"},
	{foreign_id, "a sandbox has an id that was never given"},
	{lessee_without_lease, "a sandbox that is not leased has a lessee"},
	{in_a_list_without_lease, "a sandbox that is not leased is in a lessee's list"},
	{in_a_bucket_without_lease, "a sandbox that is not leased is in a lessee's list"},
	{in_no_bucket, "a leased sandbox is not in the table of lessees"},
	{due_without_lease, "a sandbox that is not leased has a limit of a lease"},
	{due_elsewhere, "a lease is not where it should be among those due"},
	{due_nowhere, "a lease's limit would be slept through"},
	{due_out_of_order, "the first to be due does not stand first"},
	{due_miscounted, "something is due that is not leased"},
	{deadline_slept_through, "a lease's limit would be slept through"},
	{idle_limit_slept_through, "a lease's limit would be slept through"},
	{frozen_by_nobody, "a lease is frozen where nothing can freeze"},
	{frozen_without_lease, "a sandbox is frozen that was never leased"},
	{frozen_miscounted, "the frozen leases do not match their count"},
	{ready_beyond_max, "a sandbox is ready beyond max"},
	{over_concurrency, "more builds are in flight than build concurrency allows"},
	{queue_longer, "the queue is longer than its count"},
	{queue_shorter, "the queue does not match its counts"},
	{wishes_miscounted, "the queue does not match its counts"},
	{queue_over_limit, "more acquires wait than may"},
	{turns_out_of_order, "the turns of those that wait are out of order"},
	{waiter_slept_through, "a waiter's deadline would be slept through"},
	{waits_beside_a_ready_one, "an acquire waits while a sandbox is ready"},
	{waits_for_a_stopped_pool, "an acquire waits for a pool that stops"},
	{waits_in_vain, "an acquire waits in vain during the back-off"},
	{back_off_too_short, "the back-off is out of its range"},
	{target_below_min, "the target is not in min..max"},
	{target_beyond_max, "the target is not in min..max"},
	{build_not_started, "a build is due and not started"},
	{promised_to_a_sandbox_uncounted, "more is promised than the budget counts"},
	{promised_to_a_waiter_uncounted, "more is promised than the budget counts"},
};

static void each_broken_invariant_is_found(void **state)
{
	struct pool_budget budget = {.limit_bytes = 1000};
	struct pool_config config = {.min = 1,
		.budget = &budget,
		.idle_bytes = 1,
		.lease_bytes = 10,
		.max = 9,
		.build_concurrency = 2,
		.waiters_max = 2,
		.lease_ms = 5000,
		.idle_ms = 1000};
	struct world *w = world_open(&config);
	struct scene s = {.w = w, .pool = w->pool};

	(void)state;
	world_built(w);
	s.leased = world_lease(w);
	w->now_ms += 10;
	world_built(w);
	world_lease(w);
	assert_int_equal(world_acquire(w, 1, ON_EMPTY_WAIT), -EINPROGRESS);
	s.building = w->building[0];
	s.waiter = list_first(&w->pool->waiters, struct pool_waiter, list);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pool pool = *s.pool;
		struct pool_sandbox leased = *s.leased, building = *s.building;
		struct pool_waiter waiter = *s.waiter;
		struct due_entry second = s.pool->due.heap[2];
		struct error err = {.text = "nothing"};
		int r;

		rows[i].break_it(&s);
		r = pool_check(s.pool, &err);
		/* Whole again, lists and all, before an assertion can end the test. */
		*s.pool = pool;
		*s.leased = leased;
		*s.building = building;
		*s.waiter = waiter;
		s.pool->due.heap[2] = second;
		assert_string_equal(err.text, rows[i].text);
		assert_int_equal(r, -EINVAL);
		world_check(w);
	}
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_broken_invariant_is_found),
	};

	return cmocka_run_group_tests_name("pool_checks", tests, NULL, NULL);
}
