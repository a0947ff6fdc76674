/*
 * A million random steps, in rounds of one random configuration each; every round ends with a
 * drain. After each step the pool is compared with a model of it. HEARTH_SEED repeats a run.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tests/unit/pool_model.h"

#define ROUNDS	    100
#define ROUND_STEPS 10000

/* How likely each act is in this round; rounds differ, so that some run dry and some overflow. */
enum act {
	ACQUIRE,
	RELEASE,
	TOUCH,
	LESSEE_GONE,
	BUILT,
	BUILD_FAILED,
	DIED,
	GONE,
	SUSPECT,
	TICK,
	KILL,
	FOREIGN,
	MEASURE,
	ACTS
};

struct weights {
	unsigned of[ACTS], sum;
};

static void choose_weights(struct model *m, struct weights *weights)
{
	static const unsigned most[ACTS] = {40, 30, 10, 2, 40, 20, 3, 40, 3, 40, 5, 3, 2};

	weights->sum = 0;
	for (unsigned i = 0; i < ACTS; i++) {
		weights->of[i] = 1 + (unsigned)model_random(m, most[i]);
		weights->sum += weights->of[i];
	}
	if (model_random(m, 2) == 0) { /* in half the rounds builds work */
		weights->sum -= weights->of[BUILD_FAILED];
		weights->of[BUILD_FAILED] = 0;
	}
}

static void choose_config(struct model *m)
{
	struct pool_config *c = &m->config;

	memset(c, 0, sizeof(*c));
	c->max = 1 + (uint32_t)model_random(m, MODEL_SANDBOXES);
	c->min = (uint32_t)model_random(m, c->max + 1);
	c->build_concurrency = 1 + (uint32_t)model_random(m, 4);
	c->waiters_max = (uint32_t)model_random(m, MODEL_WAITERS + 1);
	c->on_empty = (enum control_on_empty)(1 + model_random(m, 3));
	c->wait_ms = 1 + model_random(m, 500);
	c->lease_ms = model_random(m, 2) * model_random(m, 2000);
	c->idle_ms = model_random(m, 2) * model_random(m, 300);
	c->backoff_min_ms = 1 + model_random(m, 50);
	c->backoff_max_ms = c->backoff_min_ms * (1 + model_random(m, 20));
	c->idle_bytes = 1 + model_random(m, 20);
	c->lease_bytes = model_random(m, 100);
	m->budget.limit_bytes = model_random(m, 2) * model_random(m, 1500);
	m->start_fails = (unsigned)(model_random(m, 2) * model_random(m, 200));
	m->calloc_fails = (unsigned)(model_random(m, 2) * model_random(m, 50));
}

static uint64_t random_pause_ms(struct model *m)
{
	static const uint64_t below[] = {2, 2, 5, 5, 5, 50, 50, 500, 5000};

	if (model_random(m, 2000) == 0)
		return UINT64_C(1) << model_random(m, 40);
	return model_random(m, below[model_random(m, sizeof(below) / sizeof(below[0]))]);
}

static void act_on(struct model *m, enum sandbox_state state,
	void (*act)(struct model *m, struct model_sandbox *s))
{
	struct model_sandbox *s = model_pick(m, state);

	if (s)
		act(m, s);
}

static void act_on_one(struct model *m, enum act act)
{
	static const struct {
		enum sandbox_state state;
		void (*act)(struct model *m, struct model_sandbox *s);
	} acts[ACTS] = {
		[RELEASE] = {SANDBOX_LEASED, model_release},
		[TOUCH] = {SANDBOX_LEASED, model_touch},
		[KILL] = {SANDBOX_LEASED, model_kill},
		[BUILT] = {SANDBOX_BUILDING, model_built},
		[BUILD_FAILED] = {SANDBOX_BUILDING, model_build_failed},
		[GONE] = {SANDBOX_DISCARDING, model_gone},
		[SUSPECT] = {SANDBOX_READY, model_suspect},
	};

	if (acts[act].act)
		act_on(m, acts[act].state, acts[act].act);
}

static void take_step(struct model *m, enum act act)
{
	if (act == ACQUIRE)
		model_acquire(m);
	else if (act == LESSEE_GONE)
		model_lessee_gone(m);
	else if (act == DIED)
		act_on(m, (enum sandbox_state)(SANDBOX_BUILDING + model_random(m, 4)), model_died);
	else if (act == TICK)
		model_tick(m, random_pause_ms(m));
	else if (act == FOREIGN)
		model_foreign(m);
	else if (act == MEASURE)
		model_measure(m);
	else
		act_on_one(m, act);
	model_compare(m);
}

static void take_random_step(struct model *m, const struct weights *weights)
{
	unsigned left = (unsigned)model_random(m, weights->sum);
	unsigned act = 0;

	while (left >= weights->of[act])
		left -= weights->of[act++];
	take_step(m, (enum act)act);
}

static void play_round(struct model *m)
{
	static const uint64_t starts_ms[] = {0, 1000, UINT64_C(1) << 40,
		UINT64_MAX - 100000}; /* the last sees the end of time */
	struct weights weights;

	choose_config(m);
	choose_weights(m, &weights);
	model_start(m, starts_ms[model_random(m, 4)]);
	model_compare(m);
	for (m->step = 0; m->step < ROUND_STEPS; m->step++)
		take_random_step(m, &weights);

	model_drain(m);
	model_compare(m);
	while (m->alive > 0) {
		take_random_step(m, &weights);
		m->step++;
	}
	model_finish(m);
}

static uint64_t choose_seed(void)
{
	const char *text = getenv("HEARTH_SEED");
	uint64_t seed = 0;

	if (text)
		return strtoull(text, NULL, 10);
	assert_int_equal(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	return seed;
}

static void a_million_random_steps_keep_every_invariant(void **state)
{
	struct model *m = test_calloc(1, sizeof(*m));
	const struct model_tally *t = &m->tally;

	(void)state;
	m->seed = m->random = choose_seed();
	print_message("# HEARTH_SEED=%llu\n", (unsigned long long)m->seed);
	for (m->round = 0; m->round < ROUNDS; m->round++)
		play_round(m);

	/* Everything that a pool does has happened. */
	assert_true(t->hits > 0 && t->built > 0 && t->waited > 0);
	assert_true(t->timeouts > 0 && t->broken > 0 && t->full > 0 && t->out_of_memory > 0);
	assert_true(t->idle > 0 && t->deadline > 0 && t->died > 0 && t->shutdown > 0);
	assert_true(t->vanished > 0 && t->suspects > 0 && t->killed > 0);
	assert_true(t->limited > 0 && t->starved > 0 && t->ahead > 0);
	test_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_random_steps_keep_every_invariant),
	};

	return cmocka_run_group_tests_name("pool_simulation", tests, NULL, NULL);
}
