/*
 * pool_model.h - what a pool may and must do, kept by counting on the other side of its ops.
 *
 * Knows nothing of the pool's inside. Each model_ function does one thing to the pool and compares
 * what came of it; a difference ends the test with the seed, the round and the step.
 */
#ifndef TESTS_UNIT_POOL_MODEL_H
#define TESTS_UNIT_POOL_MODEL_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool/pool.h"

#define MODEL_SANDBOXES 24
#define MODEL_WAITERS	12
#define MODEL_LESSEES	5

struct model_sandbox {
	struct pool_sandbox *handle;
	uint64_t id;
	enum sandbox_state state;
	bool handed_out, ended;
	unsigned lessee;
	uint64_t deadline_ms, idle_ms, touched_ms;
	uint64_t promised;
};

struct model_waiter {
	uint32_t request_id;
	unsigned lessee;
	uint64_t until_ms;
	uint32_t lease_ms, idle_ms;
	uint64_t promised;
};

/* What has happened in all rounds: a simulation in which something never does proves little. */
struct model_tally {
	uint64_t hits, built, waited, timeouts, broken, full, out_of_memory;
	uint64_t idle, deadline, died, shutdown, vanished, suspects, killed;
	uint64_t limited, starved, ahead; /* by the budget; builds beyond it for who waits */
};

struct model {
	uint64_t seed, random; /* the state of the random numbers */
	unsigned round, step;
	struct pool_config config;	    /* complete: no 0 that stands for a default */
	unsigned start_fails, calloc_fails; /* in a thousand */

	struct pool *pool;
	uint64_t now_ms;
	uint64_t next_id, newest_id;
	bool draining;
	struct pool_budget budget;
	uint64_t foreign; /* promised by other pools */
	struct model_sandbox sandboxes[MODEL_SANDBOXES];
	unsigned alive;
	struct model_waiter queue[MODEL_WAITERS];
	unsigned waiting;
	struct list leases[MODEL_LESSEES];
	uint32_t request_id;
	uint32_t failures_in_row;
	struct pool_counters counters; /* expected; without the gauges */
	struct model_tally tally;

	/* The call that runs just now, for the ops that it leads to. */
	struct pool_sandbox *releasing, *suspect, *killing;
	bool acquiring; /* by somebody who may wait, but is not yet in the queue */
	struct model_sandbox dying;
	enum lease_end_reason reason;
	const char *lessee_gone;
	bool waiter_calloc_failed;
};

/* 0..below - 1. */
uint64_t model_random(struct model *m, uint64_t below);

/* A new pool for a new round; m->config and the rates are set. */
void model_start(struct model *m, uint64_t now_ms);
void model_finish(struct model *m);

/* Some sandbox in that state, or NULL. */
struct model_sandbox *model_pick(struct model *m, enum sandbox_state state);

void model_acquire(struct model *m);
void model_release(struct model *m, struct model_sandbox *s);
void model_touch(struct model *m, struct model_sandbox *s);
void model_lessee_gone(struct model *m);
void model_built(struct model *m, struct model_sandbox *s);
void model_build_failed(struct model *m, struct model_sandbox *s);
void model_died(struct model *m, struct model_sandbox *s);
void model_gone(struct model *m, struct model_sandbox *s);
void model_suspect(struct model *m, struct model_sandbox *s);
void model_tick(struct model *m, uint64_t ms);
void model_drain(struct model *m);
void model_kill(struct model *m, struct model_sandbox *s);
/* Other pools promise and release; what an idle sandbox costs is measured anew. */
void model_foreign(struct model *m);
void model_measure(struct model *m);

/* For pool_model.c, which is the pool's ops, and pool_acts.c, which has the acts above. */
extern const char model_lessees[MODEL_LESSEES];
void model_require(const struct model *m, bool holds, const char *sentence);
uint64_t model_later(uint64_t now_ms, uint64_t ms); /* or UINT64_MAX: never */
uint64_t model_tighter(uint64_t a, uint64_t b);	    /* of two limits of which 0 is none */
uint64_t model_idle_end(const struct model_sandbox *s);
uint64_t model_lease_cost(const struct model *m);
bool model_fits(const struct model *m, uint64_t bytes);
unsigned model_count(const struct model *m, enum sandbox_state state);
struct model_sandbox *model_find(struct model *m, const struct pool_sandbox *handle);
struct model_sandbox model_forget(struct model *m, struct model_sandbox *s);
struct model_waiter model_take_waiter(struct model *m, unsigned index);
void model_expect_build_failure(struct model *m);
/* It has been handed out: was that right? */
void model_lease(struct model *m, struct model_sandbox *s, unsigned lessee, uint32_t lease_ms,
	uint32_t idle_ms);

/* The pool is as the model is, and pool_check() agrees. */
void model_compare(struct model *m);
#endif
