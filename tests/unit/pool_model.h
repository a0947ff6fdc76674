/*
 * pool_model.h - what a pool may and must do, kept by counting on the other side of its ops.
 *
 * Knows nothing of the pool's inside. Each model_ function does one thing to the pool and compares
 * what came of it; at a difference it does not return, but jumps to m->escape with m->broken set.
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
	bool handed_out, ended, is_frozen;
	unsigned lessee;
	uint64_t deadline_ms, idle_ms, touched_ms, frozen_until_ms;
	uint64_t ready_ms, ready_number; /* since when; the how-manieth to be ready */
	uint64_t promised;
};

struct model_waiter {
	uint32_t request_id;
	unsigned lessee;
	uint64_t until_ms;
	uint32_t lease_ms, idle_ms;
	uint64_t turn;
	bool wants_build;
	uint64_t promised;
};

/* What has happened in all rounds: a simulation in which something never does proves little. */
struct model_tally {
	uint64_t hits, built, waited, timeouts, broken, full, out_of_memory;
	uint64_t idle, deadline, died, shutdown, vanished, suspects, killed;
	uint64_t limited, starved, ahead; /* by the budget; builds beyond it for who waits */
	uint64_t frozen, thawed, overtaken, aimed_higher, shed, renewed, beyond_max, limits;
};

struct model {
	jmp_buf escape;
	char broken[160];		    /* what was not so */
	uint64_t random;		    /* the state of the random numbers */
	struct pool_config config;	    /* complete: no 0 that stands for a default */
	bool freezes;			    /* the world can freeze */
	unsigned start_fails, calloc_fails; /* in a thousand */
	/* One more rule, for tests of the simulator itself; what is broken, or NULL. */
	const char *(*rule)(const struct model *m);

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
	uint64_t turn, ready_count, arrived_ms;
	uint32_t failures_in_row;
	struct pool_counters counters; /* expected; without the gauges */
	struct model_tally tally;

	/* The call that runs just now, for the ops that it leads to. */
	struct pool_sandbox *releasing, *suspect, *killing, *touching;
	bool ticking, cutting; /* the latter: more may live than max */
	struct model_sandbox dying;
	enum lease_end_reason reason;
	const char *lessee_gone;
	bool waiter_calloc_failed;
};

/* 0..below - 1. */
uint64_t model_random(struct model *m, uint64_t below);

/* A new pool, and nothing is left of the last one but the tally; m->config and the rates are set. */
void model_start(struct model *m, uint64_t now_ms);
/* Drained and empty, as it must be. */
void model_finish(struct model *m);
/* After a jump to m->escape. */
void model_abandon(struct model *m);

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
void model_set_limits(struct model *m);
/* Other pools promise and release; what an idle sandbox costs is measured anew. */
void model_foreign(struct model *m);
void model_measure(struct model *m);

/* For pool_model.c, which is the pool's ops, and pool_acts.c, which has the acts above. */
extern const char model_lessees[MODEL_LESSEES];
void model_require(struct model *m, bool holds, const char *sentence);
uint64_t model_later(uint64_t now_ms, uint64_t ms); /* or UINT64_MAX: never */
uint64_t model_tighter(uint64_t a, uint64_t b);	    /* of two limits of which 0 is none */
uint64_t model_idle_end(const struct model_sandbox *s);
uint64_t model_lease_cost(const struct model *m);
bool model_fits(const struct model *m, uint64_t bytes);
unsigned model_count(const struct model *m, enum sandbox_state state);
unsigned model_living(const struct model *m); /* not being discarded */
struct model_sandbox *model_oldest_ready(struct model *m);
bool model_is_old(const struct model *m, const struct model_sandbox *s);
void model_ready(struct model *m, struct model_sandbox *s);
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
