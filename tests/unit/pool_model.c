#include "tests/unit/pool_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct model *current; /* for calloc(), which has no argument of ours */
const char model_lessees[MODEL_LESSEES];

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void model_require(struct model *m, bool holds, const char *sentence)
{
	if (holds)
		return;
	snprintf(m->broken, sizeof(m->broken), "%s", sentence);
	longjmp(m->escape, 1);
}

uint64_t model_random(struct model *m, uint64_t below)
{
	uint64_t z = m->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

void model_expect_build_failure(struct model *m)
{
	m->counters.build_failures++;
	m->failures_in_row++;
}

void *__wrap_calloc(size_t count, size_t size)
{
	if (!current || model_random(current, 1000) >= current->calloc_fails)
		return __real_calloc(count, size);
	current->tally.out_of_memory++;
	if (size == sizeof(struct pool_sandbox))
		model_expect_build_failure(current);
	else
		current->waiter_calloc_failed = true;
	return NULL;
}

uint64_t model_later(uint64_t now_ms, uint64_t ms)
{
	return ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + ms;
}

/* The smaller of two limits of which 0 is none. */
uint64_t model_tighter(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

uint64_t model_idle_end(const struct model_sandbox *s)
{
	if (s->is_frozen)
		return s->frozen_until_ms;
	return s->idle_ms == 0 ? UINT64_MAX : model_later(s->touched_ms, s->idle_ms);
}

uint64_t model_lease_cost(const struct model *m)
{
	const struct pool_config *c = &m->config;

	return c->lease_bytes > c->idle_bytes ? c->lease_bytes : c->idle_bytes;
}

bool model_fits(const struct model *m, uint64_t bytes)
{
	return bytes == 0 || m->budget.limit_bytes == 0 ||
	       m->budget.promised_bytes + bytes <= m->budget.limit_bytes;
}

unsigned model_count(const struct model *m, enum sandbox_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->alive; i++)
		n += m->sandboxes[i].state == state;
	return n;
}

unsigned model_living(const struct model *m)
{
	return m->alive - model_count(m, SANDBOX_DISCARDING);
}

struct model_sandbox *model_oldest_ready(struct model *m)
{
	struct model_sandbox *oldest = NULL;

	for (unsigned i = 0; i < m->alive; i++) {
		struct model_sandbox *s = &m->sandboxes[i];

		if (s->state == SANDBOX_READY &&
			(!oldest || s->ready_number < oldest->ready_number))
			oldest = s;
	}
	return oldest;
}

bool model_is_old(const struct model *m, const struct model_sandbox *s)
{
	return m->config.ttl_ms > 0 && m->now_ms >= model_later(s->ready_ms, m->config.ttl_ms);
}

void model_ready(struct model *m, struct model_sandbox *s)
{
	s->state = SANDBOX_READY;
	s->ready_ms = m->now_ms;
	s->ready_number = ++m->ready_count;
}

struct model_sandbox *model_pick(struct model *m, enum sandbox_state state)
{
	unsigned n = model_count(m, state);
	uint64_t nth;

	if (n == 0)
		return NULL;
	nth = model_random(m, n);
	for (unsigned i = 0; i < m->alive; i++)
		if (m->sandboxes[i].state == state && nth-- == 0)
			return &m->sandboxes[i];
	return NULL;
}

struct model_sandbox *model_find(struct model *m, const struct pool_sandbox *handle)
{
	for (unsigned i = 0; i < m->alive; i++) {
		struct model_sandbox *s = &m->sandboxes[i];

		if (s->handle != handle)
			continue;
		model_require(m, s->id == handle->id, "a sandbox keeps its id");
		return s;
	}
	model_require(m, false, "the pool speaks of sandboxes that live");
	return NULL;
}

struct model_sandbox model_forget(struct model *m, struct model_sandbox *s)
{
	struct model_sandbox forgotten = *s;

	*s = m->sandboxes[--m->alive];
	return forgotten;
}

/* Fewer are coming than are wanted; or one more, beside an old one that it shall replace. */
static bool is_build_wanted(struct model *m)
{
	const struct model_sandbox *oldest = model_oldest_ready(m);
	unsigned wanted = pool_target(m->pool);

	for (unsigned i = 0; i < m->waiting; i++)
		wanted += m->queue[i].wants_build;
	wanted += oldest && model_is_old(m, oldest);
	return model_count(m, SANDBOX_READY) + model_count(m, SANDBOX_BUILDING) < wanted;
}

static int on_build(void *arg, struct pool_sandbox *handle)
{
	struct model *m = arg;

	model_require(m, m->ticking, "only a tick builds");
	model_require(m, !m->draining, "no build starts after the drain");
	model_require(m, handle->state == SANDBOX_BUILDING, "what is to be built is BUILDING");
	model_require(m, handle->id > m->newest_id, "an id is new");
	model_require(m, m->alive < m->config.max, "no build starts beyond max");
	model_require(m, model_count(m, SANDBOX_BUILDING) < m->config.build_concurrency,
		"no more builds are in flight than allowed");
	model_require(m, is_build_wanted(m), "what is built is wanted");
	if (!model_fits(m, model_lease_cost(m) - m->config.idle_bytes)) {
		/* Its own bytes are promised already. */
		model_require(m, m->waiting > model_count(m, SANDBOX_BUILDING),
			"beyond the budget is built for who waits only");
		m->tally.ahead++;
	}
	m->newest_id = handle->id;
	if (model_random(m, 1000) < m->start_fails) {
		model_expect_build_failure(m);
		return -EAGAIN;
	}
	m->sandboxes[m->alive++] = (struct model_sandbox){.handle = handle,
		.id = handle->id,
		.state = SANDBOX_BUILDING,
		.promised = m->config.idle_bytes};
	return 0;
}

/* A tick gives up a ready one: there are too many of them, or it is old. */
static void expect_given_up(struct model *m, struct model_sandbox *s)
{
	bool too_many = model_count(m, SANDBOX_READY) > pool_target(m->pool);
	bool is_quiet = m->now_ms >= model_later(m->arrived_ms, 5000);

	model_require(m, s == model_oldest_ready(m), "the oldest is given up");
	if (model_is_old(m, s)) {
		model_require(m,
			too_many || model_count(m, SANDBOX_BUILDING) +
						    model_count(m, SANDBOX_DISCARDING) ==
					    0,
			"an old one goes when its replacement is ready, or nothing else goes on");
		m->tally.renewed++;
		return;
	}
	model_require(m, too_many && is_quiet, "one that is ready is kept while it may be wanted");
	m->tally.shed++;
}

static void on_discard(void *arg, struct pool_sandbox *handle)
{
	struct model *m = arg;
	struct model_sandbox *s = model_find(m, handle);

	if (s->state == SANDBOX_LEASED) {
		model_require(m,
			s->ended || handle == m->releasing ||
				m->lessee_gone == &model_lessees[s->lessee],
			"a lease ends for a reason");
	} else {
		model_require(
			m, s->state == SANDBOX_READY, "what is discarded was ready or leased");
		if (m->ticking) {
			expect_given_up(m, s);
		} else if (m->cutting && !m->draining) {
			model_require(m, model_living(m) > m->config.max,
				"max keeps as many ready as it allows");
			m->tally.beyond_max++;
		} else {
			model_require(m, m->draining || handle == m->suspect,
				"a ready one goes for a reason");
		}
	}
	s->state = SANDBOX_DISCARDING;
}

void model_lease(struct model *m, struct model_sandbox *s, unsigned lessee, uint32_t lease_ms,
	uint32_t idle_ms)
{
	uint64_t longest_ms = model_tighter(lease_ms, m->config.lease_ms);

	model_require(m, s->state == SANDBOX_READY, "what is handed out was ready");
	model_require(m, !s->handed_out, "no sandbox is handed out twice");
	model_require(m, !m->draining, "nothing is handed out after the drain");
	model_require(m, s->handle->state == SANDBOX_LEASED, "what is handed out is LEASED");
	model_require(
		m, s->handle->lessee == &model_lessees[lessee], "it is leased to whoever asked");
	s->state = SANDBOX_LEASED;
	s->handed_out = true;
	s->lessee = lessee;
	s->deadline_ms = longest_ms == 0 ? UINT64_MAX : model_later(m->now_ms, longest_ms);
	s->idle_ms = model_tighter(idle_ms, m->config.idle_ms);
	s->touched_ms = m->now_ms;
	list_append(&m->leases[lessee], &s->handle->by_lessee);
}

struct model_waiter model_take_waiter(struct model *m, unsigned index)
{
	struct model_waiter taken = m->queue[index];

	m->waiting--;
	memmove(&m->queue[index], &m->queue[index + 1], (m->waiting - index) * sizeof(m->queue[0]));
	return taken;
}

static bool is_served_before(const struct model_waiter *a, const struct model_waiter *b)
{
	return a->turn < b->turn || (a->turn == b->turn && a->request_id < b->request_id);
}

/* How many are served before it. */
static unsigned rank(const struct model *m, unsigned index)
{
	unsigned before = 0;

	for (unsigned i = 0; i < m->waiting; i++)
		before += is_served_before(&m->queue[i], &m->queue[index]);
	return before;
}

static unsigned find_waiter(struct model *m, const struct pool_waiter *waiter)
{
	unsigned index = 0;

	while (index < m->waiting && m->queue[index].request_id != waiter->request_id)
		index++;
	model_require(m, index < m->waiting, "who is answered waits");
	return index;
}

static void on_grant(void *arg, const struct pool_waiter *waiter, struct pool_sandbox *handle,
	enum control_rung rung)
{
	struct model *m = arg;
	unsigned index = find_waiter(m, waiter);
	struct model_waiter first;

	model_require(m, rank(m, index) == 0, "it is the first in turn who is served");
	m->tally.overtaken += index > 0;
	first = model_take_waiter(m, index);
	m->turn = first.turn;
	model_find(m, handle)->promised = first.promised;
	model_lease(m, model_find(m, handle), first.lessee, first.lease_ms, first.idle_ms);
	if (rung == RUNG_BUILT)
		m->tally.built++;
	else
		m->tally.waited++;
	model_require(m, rung == RUNG_BUILT || rung == RUNG_WAITED, "a waiter's rung is not ready");
}

static void on_refuse(void *arg, const struct pool_waiter *waiter, enum control_refusal refusal,
	uint32_t retry_ms)
{
	struct model *m = arg;
	unsigned index = find_waiter(m, waiter), before = rank(m, index);
	struct model_waiter refused = model_take_waiter(m, index);

	switch ((unsigned)refusal) {
	case REFUSED_TIMEOUT:
		model_require(
			m, m->now_ms >= refused.until_ms, "nobody is refused before his time");
		m->tally.timeouts++;
		break;
	case REFUSED_BROKEN:
		model_require(m, m->failures_in_row > 0, "BROKEN is said when builds fail");
		model_require(m, before >= model_count(m, SANDBOX_BUILDING),
			"in-flight builds serve the first");
		m->tally.broken++;
		break;
	case REFUSED_STOPPING:
		model_require(m, m->draining, "STOPPING is said when draining");
		break;
	default:
		model_require(m, false, "a waiter is refused TIMEOUT, BROKEN or STOPPING");
	}
	model_require(m, (retry_ms == 0) == m->draining, "there is a time to retry");
}

static void on_ended(void *arg, struct pool_sandbox *handle, enum lease_end_reason reason)
{
	struct model *m = arg;
	bool died = handle == m->dying.handle;
	struct model_sandbox *s = died ? &m->dying : model_find(m, handle);

	model_require(m, s->state == SANDBOX_LEASED && !s->ended, "a lease ends once");
	s->ended = true;
	if (died) {
		model_require(m, reason == m->reason, "a lease ends for what it died of");
		m->tally.died++;
	} else if (reason == LEASE_IDLE) {
		model_require(m, s->is_frozen == m->freezes, "idle is who was frozen before");
		model_require(m, m->now_ms >= model_idle_end(s), "idle is who was idle");
		model_require(
			m, model_idle_end(s) < s->deadline_ms, "the earlier limit is the reason");
		m->tally.idle++;
	} else if (reason == LEASE_DEADLINE) {
		model_require(m, m->now_ms >= s->deadline_ms, "a deadline has passed");
		model_require(m,
			s->deadline_ms <= model_idle_end(s) || (m->freezes && !s->is_frozen),
			"the earlier limit is the reason");
		m->tally.deadline++;
	} else if (reason == LEASE_KILLED) {
		model_require(m, handle == m->killing, "KILLED is said when killing");
		m->tally.killed++;
	} else {
		model_require(m, reason == LEASE_SHUTDOWN && m->draining, "the drain ends leases");
		m->tally.shutdown++;
	}
}

static void on_freeze(void *arg, struct pool_sandbox *handle, bool is_frozen, uint64_t left_ms)
{
	struct model *m = arg;
	struct model_sandbox *s = model_find(m, handle);
	uint64_t end_ms;

	model_require(m, s->state == SANDBOX_LEASED, "what is frozen or thawed is leased");
	model_require(m, s->is_frozen != is_frozen, "frozen and thawed take turns");
	if (!is_frozen) {
		model_require(m, handle == m->touching && left_ms == 0, "a touch thaws");
		s->is_frozen = false;
		m->tally.thawed++;
		return;
	}
	model_require(m, m->ticking && m->now_ms >= model_idle_end(s) && m->now_ms < s->deadline_ms,
		"who is frozen was idle for too long");
	s->is_frozen = true;
	s->frozen_until_ms =
		model_later(m->now_ms, m->config.frozen_ms > 0 ? m->config.frozen_ms : s->idle_ms);
	end_ms = s->frozen_until_ms < s->deadline_ms ? s->frozen_until_ms : s->deadline_ms;
	model_require(m, left_ms == (end_ms == UINT64_MAX ? end_ms : end_ms - m->now_ms),
		"the time that is left is told");
	m->tally.frozen++;
}

void model_start(struct model *m, uint64_t now_ms)
{
	struct pool_ops ops = {.build = on_build,
		.discard = on_discard,
		.grant = on_grant,
		.refuse = on_refuse,
		.ended = on_ended,
		.freeze = m->freezes ? on_freeze : NULL};

	m->now_ms = m->arrived_ms = now_ms;
	m->next_id = 1;
	m->newest_id = 0;
	m->draining = m->ticking = m->cutting = false;
	m->alive = m->waiting = 0;
	m->turn = m->ready_count = 0;
	m->request_id = m->failures_in_row = 0;
	m->releasing = m->suspect = m->killing = m->touching = NULL;
	m->lessee_gone = NULL;
	m->config.budget = &m->budget;
	m->budget.promised_bytes = m->foreign = 0;
	memset(&m->dying, 0, sizeof(m->dying));
	memset(&m->counters, 0, sizeof(m->counters));
	for (unsigned i = 0; i < MODEL_LESSEES; i++)
		list_init(&m->leases[i]);
	assert_int_equal(pool_create(&m->config, &ops, m, &m->next_id, &m->pool, NULL), 0);
	current = m;
	pool_start(m->pool, now_ms);
}

void model_abandon(struct model *m)
{
	current = NULL;
	pool_destroy(m->pool);
	m->pool = NULL;
}

void model_finish(struct model *m)
{
	model_require(m, m->alive == 0 && pool_is_empty(m->pool), "in the end nothing is left");
	model_require(m, m->waiting == 0, "in the end nobody waits");
	model_require(m, m->budget.promised_bytes == m->foreign, "in the end nothing is promised");
	model_abandon(m);
}
