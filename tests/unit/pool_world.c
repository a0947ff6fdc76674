#include "tests/unit/pool_world.h"

#include <stdlib.h>
#include <string.h>

static struct {
	unsigned fails_in; /* 0: never */
	bool for_good;
	unsigned failed;
} faults[WORLD_OPERATIONS];

void world_fail(enum world_operation operation, unsigned n, bool for_good)
{
	faults[operation].fails_in = n;
	faults[operation].for_good = for_good;
	faults[operation].failed = 0;
}

unsigned world_failed(enum world_operation operation)
{
	return faults[operation].failed;
}

static bool fails(enum world_operation operation)
{
	if (faults[operation].fails_in == 0 || --faults[operation].fails_in > 0)
		return false;
	faults[operation].fails_in = faults[operation].for_good ? 1 : 0;
	faults[operation].failed++;
	return true;
}

static void nothing_fails(void)
{
	for (unsigned operation = 0; operation < WORLD_OPERATIONS; operation++)
		world_fail(operation, 0, false);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return fails(WORLD_CALLOC) ? NULL : __real_calloc(count, size);
}

static void forget(struct pool_sandbox **list, int *count, const struct pool_sandbox *sandbox)
{
	for (int i = 0; i < *count; i++) {
		if (list[i] != sandbox)
			continue;
		(*count)--;
		memmove(&list[i], &list[i + 1],
			(size_t)(*count - i) * sizeof(struct pool_sandbox *));
		return;
	}
}

static int on_build(void *arg, struct pool_sandbox *sandbox)
{
	struct world *w = arg;

	if (fails(WORLD_START))
		return -EAGAIN;
	assert_in_range(w->in_flight, 0, WORLD_MAX - 1);
	w->building[w->in_flight++] = sandbox;
	w->builds++;
	return 0;
}

static void on_discard(void *arg, struct pool_sandbox *sandbox)
{
	struct world *w = arg;

	assert_in_range(w->to_reap, 0, WORLD_MAX - 1);
	assert_int_equal(sandbox->state, SANDBOX_DISCARDING);
	assert_null(sandbox->lessee);
	w->dying[w->to_reap++] = sandbox;
	w->discards++;
}

static struct world_answer *next_answer(struct world *w, const struct pool_waiter *waiter)
{
	struct world_answer *answer = &w->answers[w->answered++];

	assert_in_range(w->answered, 1, WORLD_MAX);
	answer->request_id = waiter->request_id;
	answer->asked_ms = waiter->asked_ms;
	answer->arrived_ns = waiter->arrived_ns;
	answer->data = waiter->data;
	return answer;
}

static void on_grant(void *arg, const struct pool_waiter *waiter, struct pool_sandbox *sandbox,
	enum control_rung rung)
{
	struct world_answer *answer = next_answer(arg, waiter);

	assert_int_equal(sandbox->state, SANDBOX_LEASED);
	assert_ptr_equal(sandbox->lessee, waiter->lessee);
	answer->sandbox = sandbox;
	answer->rung = rung;
}

static void on_refuse(void *arg, const struct pool_waiter *waiter, enum control_refusal refusal,
	uint32_t retry_ms)
{
	struct world_answer *answer = next_answer(arg, waiter);

	answer->refusal = refusal;
	answer->retry_ms = retry_ms;
}

static void on_ended(void *arg, struct pool_sandbox *sandbox, enum lease_end_reason reason)
{
	struct world *w = arg;
	struct world_ending *ending = &w->endings[w->ended++];

	assert_in_range(w->ended, 1, WORLD_MAX);
	assert_int_equal(sandbox->state, SANDBOX_LEASED);
	ending->sandbox_id = sandbox->id;
	ending->reason = reason;
	ending->lessee = sandbox->lessee;
	ending->discards_before = w->discards;
}

static void on_freeze(void *arg, struct pool_sandbox *sandbox, bool is_frozen, uint64_t left_ms)
{
	struct world *w = arg;
	struct world_frost *frost = &w->frosts[w->frosted++];

	assert_in_range(w->frosted, 1, WORLD_MAX);
	assert_int_equal(sandbox->state, SANDBOX_LEASED);
	assert_int_equal(sandbox->is_frozen, is_frozen);
	frost->sandbox_id = sandbox->id;
	frost->is_frozen = is_frozen;
	frost->left_ms = left_ms;
}

const struct pool_ops world_ops = {
	.build = on_build,
	.discard = on_discard,
	.grant = on_grant,
	.refuse = on_refuse,
	.ended = on_ended,
};

static const struct pool_ops freezing_ops = {
	.build = on_build,
	.discard = on_discard,
	.grant = on_grant,
	.refuse = on_refuse,
	.ended = on_ended,
	.freeze = on_freeze,
};

void world_check(struct world *w)
{
	struct error err;

	if (pool_check(w->pool, &err) < 0)
		fail_msg("pool_check: %s", err.text);
}

uint64_t world_settle(struct world *w)
{
	uint64_t next_ms;

	world_check(w);
	next_ms = pool_tick(w->pool, w->now_ms);
	world_check(w);
	return next_ms;
}

static struct world *create(const struct pool_config *config, const struct pool_ops *ops)
{
	struct world *w = test_calloc(1, sizeof(*w));
	struct error err;

	nothing_fails();
	w->now_ms = 1000;
	w->next_id = 1;
	assert_int_equal(pool_create(config, ops, w, &w->next_id, &w->pool, &err), 0);
	world_check(w);
	return w;
}

struct world *world_create(const struct pool_config *config)
{
	return create(config, &world_ops);
}

struct world *world_open(const struct pool_config *config)
{
	struct world *w = create(config, &world_ops);

	pool_start(w->pool, w->now_ms);
	world_settle(w);
	return w;
}

struct world *world_open_freezing(const struct pool_config *config)
{
	struct world *w = create(config, &freezing_ops);

	pool_start(w->pool, w->now_ms);
	world_settle(w);
	return w;
}

void world_close(struct world *w)
{
	nothing_fails();
	pool_destroy(w->pool);
	test_free(w);
}

int world_acquire_as(struct world *w, const struct pool_request *request)
{
	int answered = w->answered;
	int r;

	w->retry_ms = 4711; /* of nobody */
	r = pool_acquire(w->pool, w->now_ms, request, &w->sandbox, &w->refusal, &w->retry_ms);
	for (int i = answered; i < w->answered; i++)
		assert_int_not_equal(w->answers[i].request_id, request->request_id);
	world_settle(w);
	return r;
}

int world_acquire(struct world *w, uint32_t id, enum control_on_empty on_empty)
{
	struct pool_request request = {.lessee = "a", .request_id = id, .on_empty = on_empty};

	return world_acquire_as(w, &request);
}

struct pool_sandbox *world_lease(struct world *w)
{
	assert_int_equal(world_acquire(w, 0, ON_EMPTY_FAIL), 0);
	assert_int_equal(w->sandbox->state, SANDBOX_LEASED);
	return w->sandbox;
}

void world_release(struct world *w, struct pool_sandbox *sandbox)
{
	pool_release(w->pool, w->now_ms, sandbox);
	world_settle(w);
}

void world_touch(struct world *w, struct pool_sandbox *sandbox)
{
	pool_touch(w->pool, w->now_ms, sandbox);
	world_settle(w);
}

static struct pool_sandbox *oldest(struct pool_sandbox **list, int *count)
{
	struct pool_sandbox *sandbox = list[0];

	assert_in_range(*count, 1, WORLD_MAX);
	forget(list, count, sandbox);
	return sandbox;
}

void world_built(struct world *w)
{
	struct pool_sandbox *sandbox;

	if (fails(WORLD_BUILD)) {
		world_build_failed(w);
		return;
	}
	sandbox = oldest(w->building, &w->in_flight);
	pool_built(w->pool, w->now_ms, sandbox, 500000);
	assert_int_equal(sandbox->build_ns, 500000);
	world_settle(w);
}

void world_build_failed(struct world *w)
{
	pool_build_failed(w->pool, w->now_ms, oldest(w->building, &w->in_flight));
	world_settle(w);
}

void world_build_all(struct world *w)
{
	while (w->in_flight > 0)
		world_built(w);
}

void world_reap(struct world *w)
{
	pool_gone(w->pool, w->now_ms, oldest(w->dying, &w->to_reap));
	world_settle(w);
}

void world_reap_all(struct world *w)
{
	while (w->to_reap > 0)
		world_reap(w);
}

void world_died(struct world *w, struct pool_sandbox *sandbox, enum lease_end_reason reason)
{
	forget(w->building, &w->in_flight, sandbox);
	forget(w->dying, &w->to_reap, sandbox);
	pool_died(w->pool, w->now_ms, sandbox, reason);
	world_settle(w);
}

uint64_t world_pass(struct world *w, uint64_t ms)
{
	w->now_ms += ms;
	return world_settle(w);
}

struct pool_counters world_counters(struct world *w)
{
	struct pool_counters counters;

	pool_get_counters(w->pool, &counters);
	return counters;
}
