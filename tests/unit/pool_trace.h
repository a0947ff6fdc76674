/*
 * pool_trace.h - what happens to a pool in one round of the simulation, as a list of steps: made at
 * random, played, shortened when it fails, written and read.
 *
 * Each step brings its own random numbers, so that the others do the same when one is left out.
 */
#ifndef TESTS_UNIT_POOL_TRACE_H
#define TESTS_UNIT_POOL_TRACE_H
#include "tests/unit/pool_model.h"

#define TRACE_STEPS_MAX 2000
#define TRACE_TEXT_MAX	(TRACE_STEPS_MAX * 24 + 16)

enum trace_act {
	TRACE_ACQUIRE,
	TRACE_RELEASE,
	TRACE_TOUCH,
	TRACE_LESSEE_GONE,
	TRACE_BUILT,
	TRACE_BUILD_FAILED,
	TRACE_DIED,
	TRACE_GONE,
	TRACE_SUSPECT,
	TRACE_TICK,
	TRACE_KILL,
	TRACE_FOREIGN,
	TRACE_MEASURE,
	TRACE_SET_LIMITS,
	TRACE_DRAIN,
	TRACE_ACTS
};

struct trace_step {
	enum trace_act act;
	uint32_t seed;
};

struct trace {
	uint32_t seed; /* of the configuration */
	unsigned count;
	struct trace_step steps[TRACE_STEPS_MAX];
};

/* count steps; towards the end the pool is drained. */
void trace_make(struct trace *trace, uint32_t seed, unsigned count);

/*
 * -1: the pool did as it should, to its end. Otherwise the index of the step that showed it did not,
 * `count`: the end did; model->broken says what was not so.
 */
int trace_play(const struct trace *trace, struct model *model);

/* It fails. Leave out what it fails without, for the same reason. Returns how often it was played. */
unsigned trace_shrink(struct trace *trace, struct model *model);

/* "SEED ACT:SEED ..."; hex. */
void trace_write(const struct trace *trace, char text[TRACE_TEXT_MAX]);
/* False: that is not what trace_write() writes. */
bool trace_read(struct trace *trace, const char *text);
#endif
