/* What the world does to a pool, and what must come of it: see pool_model.h. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "tests/unit/pool_model.h"

/* Each ready one, or when there is none one more, could be leased. */
static bool has_room(const struct model *m)
{
	uint64_t cost = model_lease_cost(m);
	bool is_ready = false;

	for (unsigned i = 0; i < m->alive; i++) {
		const struct model_sandbox *s = &m->sandboxes[i];

		if (s->state != SANDBOX_READY)
			continue;
		is_ready = true;
		if (cost > s->promised && !model_fits(m, cost - s->promised))
			return false;
	}
	return is_ready || model_fits(m, cost);
}

/* A ready one has been leased, when so much was promised. */
static void expect_promise(struct model *m, struct model_sandbox *s, uint64_t promised)
{
	uint64_t before = s->promised, cost = model_lease_cost(m);

	s->promised = cost > before ? cost : before;
	model_require(m,
		s->promised == before || m->budget.limit_bytes == 0 ||
			promised + s->promised - before <= m->budget.limit_bytes,
		"what is leased is within the budget");
}

static void expect_refused(struct model *m, enum control_on_empty on_empty,
	enum control_refusal refusal, uint32_t retry_ms, bool queue_was_full)
{
	if (on_empty == ON_EMPTY_DEFAULT)
		on_empty = m->config.on_empty;
	switch ((unsigned)refusal) {
	case REFUSED_EMPTY:
		model_require(m, on_empty == ON_EMPTY_FAIL || queue_was_full, "EMPTY has a reason");
		m->tally.full++;
		break;
	case REFUSED_BROKEN:
		model_require(m, m->failures_in_row > 0, "BROKEN is said when builds fail");
		m->tally.broken++;
		break;
	case REFUSED_STOPPING:
		model_require(m, m->draining, "STOPPING is said when draining");
		break;
	case REFUSED_LIMIT:
		model_require(m, !has_room(m), "LIMIT is said when the budget is used up");
		m->tally.limited++;
		break;
	default:
		model_require(m, false, "an acquire is refused EMPTY, BROKEN, STOPPING or LIMIT");
	}
	if (refusal == REFUSED_LIMIT && model_lease_cost(m) > m->budget.limit_bytes)
		model_require(m, retry_ms == 0, "what never fits is not worth a retry");
	else
		model_require(m, (retry_ms == 0) == m->draining, "there is a time to retry");
}

static void random_request(struct model *m, struct pool_request *request, unsigned *ret_lessee)
{
	*ret_lessee = (unsigned)model_random(m, MODEL_LESSEES);
	request->lessee = (void *)(uintptr_t)&model_lessees[*ret_lessee];
	request->request_id = ++m->request_id;
	request->on_empty = (enum control_on_empty)model_random(m, 4);
	request->wait_ms = (uint32_t)(model_random(m, 2) * model_random(m, 600));
	request->lease_ms = (uint32_t)(model_random(m, 2) * model_random(m, 3000));
	request->idle_ms = (uint32_t)(model_random(m, 2) * model_random(m, 500));
}

/* The turn after the lessee's last one, else after the one that was served last. */
static uint64_t next_turn(const struct model *m, unsigned lessee)
{
	uint64_t turn = m->turn;

	for (unsigned i = 0; i < m->waiting; i++)
		if (m->queue[i].lessee == lessee && m->queue[i].turn > turn)
			turn = m->queue[i].turn;
	return turn + 1;
}

/* It waits now. So much was promised before. */
static void expect_waits(
	struct model *m, const struct pool_request *request, unsigned lessee, uint64_t promised)
{
	enum control_on_empty on_empty =
		request->on_empty == ON_EMPTY_DEFAULT ? m->config.on_empty : request->on_empty;
	uint64_t cost = model_lease_cost(m);

	model_require(m, on_empty != ON_EMPTY_FAIL, "who does not want to wait does not");
	model_require(m, m->waiting < m->config.waiters_max, "the queue has its limit");
	model_require(m,
		cost == 0 || m->budget.limit_bytes == 0 || promised + cost <= m->budget.limit_bytes,
		"who waits was promised his lease");
	m->queue[m->waiting] = (struct model_waiter){.request_id = request->request_id,
		.lessee = lessee,
		.until_ms =
			model_later(m->now_ms, model_tighter(request->wait_ms, m->config.wait_ms)),
		.lease_ms = request->lease_ms,
		.idle_ms = request->idle_ms,
		.turn = next_turn(m, lessee),
		.wants_build = on_empty == ON_EMPTY_BUILD,
		.promised = cost};
	m->waiting++;
}

void model_acquire(struct model *m)
{
	struct pool_request request;
	struct pool_sandbox *handle = NULL;
	enum control_refusal refusal = 0;
	uint32_t retry_ms = 0;
	unsigned lessee, ready = model_count(m, SANDBOX_READY), waited = m->waiting;
	uint64_t now_ms = m->now_ms, promised = m->budget.promised_bytes;
	int r;

	random_request(m, &request, &lessee);
	m->now_ms =
		now_ms - model_random(m, now_ms < 3 ? 1 : 3); /* it may have come a little ago */
	m->waiter_calloc_failed = false;
	if (!m->draining)
		m->arrived_ms = m->now_ms;
	if (!m->draining && ready == 0)
		m->counters.misses++;
	r = pool_acquire(m->pool, m->now_ms, &request, &handle, &refusal, &retry_ms);
	model_require(m, (r == 0) == (ready > 0 && !m->draining && refusal != REFUSED_LIMIT),
		"what is ready is handed out");
	if (r == 0) {
		model_require(m, model_find(m, handle) == model_oldest_ready(m),
			"the one that has been ready longest goes first");
		expect_promise(m, model_find(m, handle), promised);
		model_lease(m, model_find(m, handle), lessee, request.lease_ms, request.idle_ms);
		m->tally.hits++;
	} else if (r == -EINPROGRESS) {
		expect_waits(m, &request, lessee, promised);
	} else if (r == -ENOMEM) {
		model_require(m, m->waiter_calloc_failed && retry_ms > 0, "memory ran out");
	} else {
		model_require(m, r == -EAGAIN, "an acquire ends as documented");
		expect_refused(
			m, request.on_empty, refusal, retry_ms, waited >= m->config.waiters_max);
	}
	m->now_ms = now_ms;
}

void model_release(struct model *m, struct model_sandbox *s)
{
	m->releasing = s->handle;
	pool_release(m->pool, m->now_ms, s->handle);
	m->releasing = NULL;
	model_require(m, s->state == SANDBOX_DISCARDING, "what is released is discarded");
	pool_release(m->pool, m->now_ms, s->handle); /* once more changes nothing */
}

void model_touch(struct model *m, struct model_sandbox *s)
{
	s->touched_ms = m->now_ms;
	m->touching = s->handle;
	pool_touch(m->pool, m->now_ms, s->handle);
	m->touching = NULL;
	model_require(m, !s->is_frozen, "who is touched is not frozen");
}

void model_lessee_gone(struct model *m)
{
	unsigned lessee = (unsigned)model_random(m, MODEL_LESSEES);
	unsigned i = 0;

	while (i < m->waiting) {
		if (m->queue[i].lessee != lessee) {
			i++;
			continue;
		}
		model_take_waiter(m, i);
		m->tally.vanished++;
	}
	m->lessee_gone = &model_lessees[lessee];
	pool_lessee_gone(m->pool, m->now_ms, (void *)(uintptr_t)m->lessee_gone);
	m->lessee_gone = NULL;
	model_require(m, list_is_empty(&m->leases[lessee]), "a lessee that is gone has no leases");
}

void model_built(struct model *m, struct model_sandbox *s)
{
	bool somebody_waits = m->waiting > 0;
	struct pool_sandbox *handle = s->handle;
	bool is_beyond_max = model_living(m) > m->config.max;
	enum sandbox_state expected = m->draining      ? SANDBOX_DISCARDING
				      : somebody_waits ? SANDBOX_LEASED
				      : is_beyond_max  ? SANDBOX_DISCARDING
						       : SANDBOX_READY;

	model_ready(m, s);
	m->failures_in_row = 0;
	m->cutting = true;
	pool_built(m->pool, m->now_ms, handle, 1);
	m->cutting = false;
	model_require(m, model_find(m, handle)->state == expected,
		"a built sandbox goes where it should");
}

void model_build_failed(struct model *m, struct model_sandbox *s)
{
	struct model_sandbox failed = model_forget(m, s);

	model_expect_build_failure(m);
	pool_build_failed(m->pool, m->now_ms, failed.handle);
}

void model_died(struct model *m, struct model_sandbox *s)
{
	m->dying = model_forget(m, s);
	m->reason = (enum lease_end_reason)(LEASE_OOM + model_random(m, 3));
	if (m->dying.state == SANDBOX_BUILDING)
		model_expect_build_failure(m);
	else if (m->dying.state != SANDBOX_DISCARDING)
		m->counters.deaths++;
	pool_died(m->pool, m->now_ms, m->dying.handle, m->reason);
	model_require(m, m->dying.state != SANDBOX_LEASED || m->dying.ended, "the lessee is told");
	m->dying.handle = NULL;
}

void model_gone(struct model *m, struct model_sandbox *s)
{
	struct model_sandbox gone = model_forget(m, s);

	pool_gone(m->pool, m->now_ms, gone.handle);
}

void model_suspect(struct model *m, struct model_sandbox *s)
{
	m->counters.deaths++;
	m->tally.suspects++;
	m->suspect = s->handle;
	pool_suspect(m->pool, m->now_ms, s->handle);
	m->suspect = NULL;
	model_require(m, s->state == SANDBOX_DISCARDING, "a suspect is discarded");
}

static uint64_t nearest_limit(const struct model *m)
{
	uint64_t nearest = UINT64_MAX;

	for (unsigned i = 0; i < m->alive; i++) {
		const struct model_sandbox *s = &m->sandboxes[i];

		if (s->state != SANDBOX_LEASED)
			continue;
		nearest = s->deadline_ms < nearest ? s->deadline_ms : nearest;
		nearest = model_idle_end(s) < nearest ? model_idle_end(s) : nearest;
	}
	for (unsigned i = 0; i < m->waiting; i++)
		nearest = m->queue[i].until_ms < nearest ? m->queue[i].until_ms : nearest;
	return nearest;
}

static void check_target(struct model *m)
{
	const struct pool_config *c = &m->config;
	uint32_t target = pool_target(m->pool);
	uint64_t ceiling = model_tighter(c->target_max, c->max);

	model_require(m, target >= c->min && (target <= ceiling || target == c->min),
		"the target is between floor and ceiling");
	m->tally.aimed_higher += target > c->min;
}

/* An old one is about to be replaced, where there is room for that. */
static void check_old(struct model *m)
{
	const struct model_sandbox *oldest = model_oldest_ready(m);

	if (!oldest || !model_is_old(m, oldest) || m->draining || m->failures_in_row > 0)
		return;
	model_require(m,
		model_count(m, SANDBOX_BUILDING) > 0 || m->alive >= m->config.max ||
			!model_fits(m, model_lease_cost(m)) ||
			model_count(m, SANDBOX_READY) > pool_target(m->pool),
		"an old one is replaced");
}

void model_tick(struct model *m, uint64_t ms)
{
	uint64_t next_ms, nearest;

	m->now_ms = model_later(m->now_ms, ms);
	if (m->now_ms == UINT64_MAX)
		m->now_ms--;
	m->ticking = true;
	next_ms = pool_tick(m->pool, m->now_ms);
	m->ticking = false;
	nearest = nearest_limit(m);
	model_require(m, m->now_ms < nearest, "what is over has ended");
	model_require(m, next_ms > 0, "a tick does not ask for another at once");
	model_require(m, !pool_is_starved(m->pool) || !model_fits(m, model_lease_cost(m)),
		"only the budget starves");
	m->tally.starved += pool_is_starved(m->pool);
	model_require(m, nearest == UINT64_MAX || next_ms <= nearest - m->now_ms,
		"no deadline is slept through");
	check_target(m);
	check_old(m);
}

void model_set_limits(struct model *m)
{
	uint32_t max = (uint32_t)model_random(m, MODEL_SANDBOXES + 1);
	uint32_t min = (uint32_t)model_random(m, max + 2);
	bool makes_sense = max > 0 && min <= max;

	if (makes_sense) {
		m->config.min = min;
		m->config.max = max;
	}
	m->cutting = true;
	model_require(m,
		pool_set_limits(m->pool, m->now_ms, min, max, NULL) == (makes_sense ? 0 : -EINVAL),
		"limits are taken when they make sense");
	m->cutting = false;
	model_require(m, model_count(m, SANDBOX_READY) == 0 || model_living(m) <= m->config.max,
		"nothing is ready beyond max");
	m->tally.limits++;
}

void model_kill(struct model *m, struct model_sandbox *s)
{
	m->killing = s->handle;
	model_require(m, pool_kill(m->pool, m->now_ms, s->handle) == 0, "a lease can be killed");
	m->killing = NULL;
	model_require(m, s->ended && s->state == SANDBOX_DISCARDING, "what is killed is discarded");
	model_require(m, pool_kill(m->pool, m->now_ms, s->handle) == -ESTALE, "and only once");
}

void model_foreign(struct model *m)
{
	uint64_t promise = model_random(m, 2) * model_random(m, 2 * m->budget.limit_bytes + 1);

	m->budget.promised_bytes += promise - m->foreign;
	m->foreign = promise;
	model_tick(m, 0);
}

void model_measure(struct model *m)
{
	m->config.idle_bytes = model_random(m, 20);
	pool_set_idle_bytes(m->pool, m->config.idle_bytes);
}

void model_drain(struct model *m)
{
	m->draining = true;
	pool_drain(m->pool, m->now_ms);
	model_require(m, m->waiting == 0, "a drain leaves nobody waiting");
	model_require(m, model_count(m, SANDBOX_READY) + model_count(m, SANDBOX_LEASED) == 0,
		"a drain discards everything");
}

static void compare_promises(struct model *m)
{
	uint64_t promised = m->foreign;

	for (unsigned i = 0; i < m->alive; i++)
		promised += m->sandboxes[i].promised;
	for (unsigned i = 0; i < m->waiting; i++)
		promised += m->queue[i].promised;
	model_require(m, m->budget.promised_bytes == promised, "the promises add up");
}

static void visit(void *arg, struct pool_sandbox *handle)
{
	struct model *m = arg;
	const struct model_sandbox *s = model_find(m, handle);

	model_require(m, s->state == handle->state, "the states agree");
	model_require(m, s->is_frozen == handle->is_frozen, "who is frozen agrees");
}

static void compare_leases(struct model *m)
{
	for (unsigned i = 0; i < MODEL_LESSEES; i++) {
		unsigned listed = 0, leased = 0;

		list_for_each(pos, &m->leases[i]) listed++;
		for (unsigned j = 0; j < m->alive; j++)
			leased += m->sandboxes[j].state == SANDBOX_LEASED &&
				  m->sandboxes[j].lessee == i;
		model_require(m, listed == leased, "a lessee's list holds its leases");
	}
}

void model_compare(struct model *m)
{
	const char *broken = m->rule ? m->rule(m) : NULL;
	struct pool_counters is;
	struct error err;

	model_require(m, !broken, broken);
	model_require(m, pool_check(m->pool, &err) == 0, err.text);
	pool_get_counters(m->pool, &is);
	m->counters.building = model_count(m, SANDBOX_BUILDING);
	m->counters.ready = model_count(m, SANDBOX_READY);
	m->counters.leased = model_count(m, SANDBOX_LEASED);
	m->counters.discarding = model_count(m, SANDBOX_DISCARDING);
	m->counters.waiting = m->waiting;
	m->counters.frozen = 0;
	for (unsigned i = 0; i < m->alive; i++)
		m->counters.frozen +=
			m->sandboxes[i].state == SANDBOX_LEASED && m->sandboxes[i].is_frozen;
	model_require(m, memcmp(&is, &m->counters, sizeof(is)) == 0, "the counters agree");
	model_require(m, pool_failures_in_row(m->pool) == m->failures_in_row, "the failures agree");
	model_require(m, m->waiting == 0 || is.ready == 0, "nobody waits while a sandbox is ready");
	pool_for_each(m->pool, visit, m);
	compare_leases(m);
	compare_promises(m);
}
