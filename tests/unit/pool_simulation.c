/*
 * Random steps in rounds of one random configuration each; every round ends with a drain. After each
 * step the pool is compared with a model of it. What fails is shortened and printed.
 *
 * HEARTH_SEED=N repeats the run that printed it; HEARTH_SOAK=1 takes ten million steps instead of a
 * million; HEARTH_STEPS=N takes N; HEARTH_TRACE='...' plays what a failure printed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tests/unit/pool_trace.h"

#define ROUND_STEPS TRACE_STEPS_MAX
#define STEPS	    1000000
#define STEPS_SOAK  10000000

static uint64_t choose_seed(void)
{
	const char *text = getenv("HEARTH_SEED");
	uint64_t seed = 1;

	if (text)
		return strtoull(text, NULL, 10);
	if (getenv("HEARTH_SOAK"))
		assert_int_equal(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	return seed;
}

static uint64_t choose_steps(void)
{
	const char *text = getenv("HEARTH_STEPS");

	if (text)
		return strtoull(text, NULL, 10);
	return getenv("HEARTH_SOAK") ? STEPS_SOAK : STEPS;
}

/* Shorten what fails, print it, and end the test. */
static void tell_failure(struct trace *trace, struct model *m)
{
	static char text[TRACE_TEXT_MAX];
	unsigned played = trace_shrink(trace, m);

	trace_write(trace, text);
	print_message("# shortened to %u steps in %u plays\n# HEARTH_TRACE='%s'\n", trace->count,
		played, text);
	fail_msg("not so: %s", m->broken);
}

static void check_tally(const struct model_tally *t)
{
	assert_true(t->hits > 0 && t->built > 0 && t->waited > 0);
	assert_true(t->timeouts > 0 && t->broken > 0 && t->full > 0 && t->out_of_memory > 0);
	assert_true(t->idle > 0 && t->deadline > 0 && t->died > 0 && t->shutdown > 0);
	assert_true(t->vanished > 0 && t->suspects > 0 && t->killed > 0);
	assert_true(t->limited > 0 && t->starved > 0 && t->ahead > 0);
	assert_true(t->frozen > 0 && t->thawed > 0 && t->overtaken > 0);
	assert_true(t->aimed_higher > 0 && t->shed > 0 && t->renewed > 0);
	assert_true(t->limits > 0 && t->beyond_max > 0);
}

static void random_steps_keep_every_invariant(void **state)
{
	struct model *m = test_calloc(1, sizeof(*m)), seeds = {.random = choose_seed()};
	struct trace *trace = test_calloc(1, sizeof(*trace));
	const char *replay = getenv("HEARTH_TRACE");
	uint64_t steps = choose_steps();

	(void)state;
	if (replay) {
		assert_true(trace_read(trace, replay));
		if (trace_play(trace, m) >= 0)
			tell_failure(trace, m);
	}
	print_message("# HEARTH_SEED=%llu, %llu steps\n", (unsigned long long)seeds.random,
		(unsigned long long)steps);
	for (uint64_t done = 0; !replay && done < steps; done += ROUND_STEPS) {
		trace_make(trace, (uint32_t)model_random(&seeds, UINT64_C(1) << 32), ROUND_STEPS);
		if (trace_play(trace, m) >= 0)
			tell_failure(trace, m);
	}
	if (!replay && steps >= STEPS)
		check_tally(&m->tally); /* everything that a pool does has happened */
	test_free(trace);
	test_free(m);
}

/* Not a rule of pools: a simulator that finds it broken finds others. */
static const char *three_have_ended(const struct model *m)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < m->alive; i++)
		ended += m->sandboxes[i].state == SANDBOX_DISCARDING && m->sandboxes[i].ended;
	return ended >= 3 && !m->draining ? "three that were ended are never there at once" : NULL;
}

/* Long, and fails by that rule. */
static void make_failing(struct trace *trace, struct model *m)
{
	uint32_t seed = 0;

	m->rule = three_have_ended;
	do
		trace_make(trace, ++seed, ROUND_STEPS);
	while (trace_play(trace, m) < 100);
	assert_string_equal(m->broken, "three that were ended are never there at once");
}

static void a_failing_trace_is_shortened_to_the_steps_it_fails_by(void **state)
{
	struct model *m = test_calloc(1, sizeof(*m));
	struct trace *trace = test_calloc(1, sizeof(*trace));
	struct trace *shorter = test_calloc(1, sizeof(*shorter));

	(void)state;
	make_failing(trace, m);
	assert_in_range(trace_shrink(trace, m), 10, 5000);
	assert_in_range(trace->count, 5, 25);
	assert_int_equal(trace_play(trace, m), trace->count - 1);
	assert_string_equal(m->broken, "three that were ended are never there at once");
	for (unsigned i = 0; i < trace->count; i++) { /* none of them can be spared */
		*shorter = *trace;
		shorter->count--;
		memmove(&shorter->steps[i], &shorter->steps[i + 1],
			(shorter->count - i) * sizeof(shorter->steps[0]));
		assert_int_equal(trace_play(shorter, m), -1);
	}
	m->rule = NULL;
	assert_int_equal(trace_play(trace, m), -1); /* it was that rule alone */
	test_free(shorter);
	test_free(trace);
	test_free(m);
}

static void a_trace_that_was_written_is_read_and_fails_again(void **state)
{
	static char text[TRACE_TEXT_MAX], again[TRACE_TEXT_MAX];
	struct model *m = test_calloc(1, sizeof(*m));
	struct trace *trace = test_calloc(1, sizeof(*trace));
	int failed_at;

	(void)state;
	make_failing(trace, m);
	failed_at = trace_play(trace, m);
	trace_write(trace, text);
	memset(trace, 0, sizeof(*trace));
	assert_true(trace_read(trace, text));
	assert_int_equal(trace_play(trace, m), failed_at);
	trace_write(trace, again);
	assert_string_equal(text, again);
	test_free(trace);
	test_free(m);
}

static void what_is_no_trace_is_not_read(void **state)
{
	static const char *const texts[] = {
		"1 jump:2", "1 tick", "1 tick:2x", "x", "1 tick:1,tick:2", "1  tick:1"};
	struct trace *trace = test_calloc(1, sizeof(*trace));

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(trace_read(trace, texts[i]));
	assert_true(trace_read(trace, "1f tick:2 drain:a0"));
	assert_int_equal(trace->count, 2);
	test_free(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps_keep_every_invariant),
		cmocka_unit_test(a_failing_trace_is_shortened_to_the_steps_it_fails_by),
		cmocka_unit_test(a_trace_that_was_written_is_read_and_fails_again),
		cmocka_unit_test(what_is_no_trace_is_not_read),
	};

	return cmocka_run_group_tests_name("pool_simulation", tests, NULL, NULL);
}
