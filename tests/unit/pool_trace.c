#include "tests/unit/pool_trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_DRAINED 50 /* of each trace, the last ones */

static const char *const names[TRACE_ACTS] = {"acquire", "release", "touch", "lessee_gone", "built",
	"build_failed", "died", "gone", "suspect", "tick", "kill", "foreign", "measure",
	"set_limits", "drain"};

/* How likely each act is in this round; rounds differ, so that some run dry and some overflow. */
struct weights {
	unsigned of[TRACE_ACTS], sum;
};

static void choose_weights(struct model *m, struct weights *weights)
{
	static const unsigned most[TRACE_DRAIN] = {40, 30, 10, 2, 40, 20, 3, 40, 3, 40, 5, 3, 2, 2};

	memset(weights, 0, sizeof(*weights));
	for (unsigned i = 0; i < TRACE_DRAIN; i++) {
		weights->of[i] = 1 + (unsigned)model_random(m, most[i]);
		weights->sum += weights->of[i];
	}
	if (model_random(m, 2) == 0) { /* in half the rounds builds work */
		weights->sum -= weights->of[TRACE_BUILD_FAILED];
		weights->of[TRACE_BUILD_FAILED] = 0;
	}
}

static void choose_config(struct model *m)
{
	struct pool_config *c = &m->config;

	memset(c, 0, sizeof(*c));
	c->max = 1 + (uint32_t)model_random(m, MODEL_SANDBOXES);
	c->min = (uint32_t)model_random(m, c->max + 1);
	c->target_max = (uint32_t)(model_random(m, 2) * model_random(m, c->max + 4));
	c->build_concurrency = 1 + (uint32_t)model_random(m, 4);
	c->waiters_max = (uint32_t)model_random(m, MODEL_WAITERS + 1);
	c->on_empty = (enum control_on_empty)(1 + model_random(m, 3));
	c->wait_ms = 1 + model_random(m, 500);
	c->lease_ms = model_random(m, 2) * model_random(m, 2000);
	c->idle_ms = model_random(m, 2) * model_random(m, 300);
	c->frozen_ms = model_random(m, 2) * model_random(m, 300);
	c->ttl_ms = model_random(m, 2) * model_random(m, 20000);
	c->backoff_min_ms = 1 + model_random(m, 50);
	c->backoff_max_ms = c->backoff_min_ms * (1 + model_random(m, 20));
	c->idle_bytes = 1 + model_random(m, 20);
	c->lease_bytes = model_random(m, 100);
	m->budget.limit_bytes = model_random(m, 2) * model_random(m, 1500);
	m->freezes = model_random(m, 3) > 0;
	m->start_fails = (unsigned)(model_random(m, 2) * model_random(m, 200));
	m->calloc_fails = (unsigned)(model_random(m, 2) * model_random(m, 50));
}

static enum trace_act choose_act(struct model *m, const struct weights *weights)
{
	unsigned left = (unsigned)model_random(m, weights->sum), act = 0;

	while (left >= weights->of[act])
		left -= weights->of[act++];
	return (enum trace_act)act;
}

void trace_make(struct trace *trace, uint32_t seed, unsigned count)
{
	struct model m = {.random = seed};
	struct weights weights;

	choose_weights(&m, &weights);
	trace->seed = seed;
	trace->count = count;
	for (unsigned i = 0; i < count; i++) {
		trace->steps[i].act = choose_act(&m, &weights);
		trace->steps[i].seed = (uint32_t)model_random(&m, UINT64_C(1) << 32);
	}
	if (count > STEPS_DRAINED)
		trace->steps[count - STEPS_DRAINED].act = TRACE_DRAIN;
}

static uint64_t random_pause_ms(struct model *m)
{
	static const uint64_t below[] = {2, 2, 5, 5, 5, 50, 50, 500, 5000};

	if (model_random(m, 2000) == 0)
		return UINT64_C(1) << model_random(m, 40);
	return model_random(m, below[model_random(m, sizeof(below) / sizeof(below[0]))]);
}

static void act_on_one(struct model *m, enum trace_act act)
{
	static const struct {
		enum sandbox_state state;
		void (*act)(struct model *m, struct model_sandbox *s);
	} acts[TRACE_ACTS] = {
		[TRACE_RELEASE] = {SANDBOX_LEASED, model_release},
		[TRACE_TOUCH] = {SANDBOX_LEASED, model_touch},
		[TRACE_KILL] = {SANDBOX_LEASED, model_kill},
		[TRACE_BUILT] = {SANDBOX_BUILDING, model_built},
		[TRACE_BUILD_FAILED] = {SANDBOX_BUILDING, model_build_failed},
		[TRACE_GONE] = {SANDBOX_DISCARDING, model_gone},
		[TRACE_SUSPECT] = {SANDBOX_READY, model_suspect},
	};
	struct model_sandbox *s = model_pick(m, acts[act].state);

	if (s)
		acts[act].act(m, s);
}

static void die(struct model *m)
{
	struct model_sandbox *s =
		model_pick(m, (enum sandbox_state)(SANDBOX_BUILDING + model_random(m, 4)));

	if (s)
		model_died(m, s);
}

static void act(struct model *m, enum trace_act act)
{
	switch (act) {
	case TRACE_ACQUIRE:
		model_acquire(m);
		break;
	case TRACE_LESSEE_GONE:
		model_lessee_gone(m);
		break;
	case TRACE_DIED:
		die(m);
		break;
	case TRACE_TICK:
		model_tick(m, random_pause_ms(m));
		break;
	case TRACE_FOREIGN:
		model_foreign(m);
		break;
	case TRACE_MEASURE:
		model_measure(m);
		break;
	case TRACE_SET_LIMITS:
		model_set_limits(m);
		break;
	case TRACE_DRAIN:
		model_drain(m);
		break;
	case TRACE_RELEASE:
	case TRACE_TOUCH:
	case TRACE_KILL:
	case TRACE_BUILT:
	case TRACE_BUILD_FAILED:
	case TRACE_GONE:
	case TRACE_SUSPECT:
		act_on_one(m, act);
		break;
	case TRACE_ACTS:
		break;
	}
}

static void take_step(struct model *m, uint32_t trace_seed, const struct trace_step *step)
{
	m->random = (uint64_t)trace_seed << 32 | step->seed;
	act(m, step->act);
	model_compare(m);
	if (model_random(m, 2) == 0) { /* the embedder ticks soon, but not at once */
		model_tick(m, 0);
		model_compare(m);
	}
}

/* Whatever is left ends. */
static void end_all(struct model *m)
{
	struct model_sandbox *s;

	if (!m->draining)
		model_drain(m);
	model_compare(m);
	while ((s = model_pick(m, SANDBOX_BUILDING)))
		model_built(m, s);
	while ((s = model_pick(m, SANDBOX_DISCARDING)))
		model_gone(m, s);
	model_compare(m);
	model_finish(m);
}

int trace_play(const struct trace *trace, struct model *m)
{
	static const uint64_t starts_ms[] = {0, 1000, UINT64_C(1) << 40,
		UINT64_MAX - 100000}; /* the last sees the end of time */
	volatile unsigned step = 0;

	m->broken[0] = '\0';
	m->random = ~(uint64_t)trace->seed;
	choose_config(m);
	if (setjmp(m->escape) != 0) {
		model_abandon(m);
		return (int)step;
	}
	model_start(m, starts_ms[model_random(m, 4)]);
	model_compare(m);
	for (; step < trace->count; step++)
		take_step(m, trace->seed, &trace->steps[step]);
	end_all(m);
	return -1;
}

/* Whether it still fails so without `left_out` steps from `from` on; then they are left out for good. */
static bool fails_without(
	struct trace *trace, struct model *m, const char *broken, unsigned from, unsigned left_out)
{
	struct trace *shorter = test_malloc(sizeof(*shorter));
	unsigned after = trace->count - from - left_out;
	int failed_at;
	bool fails;

	*shorter = *trace;
	memmove(&shorter->steps[from], &shorter->steps[from + left_out],
		after * sizeof(shorter->steps[0]));
	shorter->count -= left_out;
	failed_at = trace_play(shorter, m);
	fails = failed_at >= 0 && strcmp(m->broken, broken) == 0;
	if (fails) {
		if ((unsigned)failed_at < shorter->count)
			shorter->count = (unsigned)failed_at + 1;
		*trace = *shorter;
	}
	test_free(shorter);
	return fails;
}

unsigned trace_shrink(struct trace *trace, struct model *m)
{
	unsigned played = 1, chunk;
	char broken[sizeof(m->broken)];
	int failed_at = trace_play(trace, m);
	bool shrunk;

	memcpy(broken, m->broken, sizeof(broken));
	if (failed_at >= 0 && (unsigned)failed_at < trace->count)
		trace->count = (unsigned)failed_at + 1;
	/* Halves, quarters, ...; then single ones, as long as that helps. */
	for (chunk = (trace->count + 1) / 2; chunk > 0;
		chunk = shrunk && chunk == 1 ? 1 : chunk / 2) {
		shrunk = false;
		for (unsigned from = 0; from < trace->count; played++) {
			unsigned left_out =
				chunk < trace->count - from ? chunk : trace->count - from;

			if (fails_without(trace, m, broken, from, left_out))
				shrunk = true;
			else
				from += left_out;
		}
	}
	memcpy(m->broken, broken, sizeof(broken));
	return played;
}

void trace_write(const struct trace *trace, char text[TRACE_TEXT_MAX])
{
	int at = snprintf(text, TRACE_TEXT_MAX, "%x", trace->seed);

	for (unsigned i = 0; i < trace->count; i++)
		at += snprintf(text + at, (size_t)(TRACE_TEXT_MAX - at), " %s:%x",
			names[trace->steps[i].act], trace->steps[i].seed);
}

static bool read_step(struct trace_step *step, const char **text)
{
	for (unsigned i = 0; i < TRACE_ACTS; i++) {
		size_t length = strlen(names[i]);
		char *end;

		if (strncmp(*text, names[i], length) != 0 || (*text)[length] != ':')
			continue;
		step->act = (enum trace_act)i;
		step->seed = (uint32_t)strtoul(*text + length + 1, &end, 16);
		*text = end;
		return *end == ' ' || *end == '\0';
	}
	return false;
}

bool trace_read(struct trace *trace, const char *text)
{
	char *end;

	trace->seed = (uint32_t)strtoul(text, &end, 16);
	trace->count = 0;
	for (text = end; *text == ' ';) {
		text++;
		if (trace->count == TRACE_STEPS_MAX ||
			!read_step(&trace->steps[trace->count++], &text))
			return false;
	}
	return *text == '\0';
}
