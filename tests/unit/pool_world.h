/*
 * pool_world.h - the world around a pool in tests: a clock that is turned by hand, builders that
 * only note what they were told, and operations that fail when asked to.
 *
 * Every function that calls the pool ticks afterwards, as an embedder does, and looks at pool_check()
 * before and after that.
 */
#ifndef TESTS_UNIT_POOL_WORLD_H
#define TESTS_UNIT_POOL_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/error.h"
#include "pool/pool.h"

#define WORLD_MAX 128

struct world_answer {
	uint32_t request_id;
	uint64_t asked_ms, arrived_ns;
	void *data;
	struct pool_sandbox *sandbox; /* NULL: refused */
	enum control_rung rung;
	enum control_refusal refusal;
	uint32_t retry_ms;
};

struct world_ending {
	uint64_t sandbox_id;
	enum lease_end_reason reason;
	void *lessee;
	int discards_before;
};

struct world_frost {
	uint64_t sandbox_id;
	bool is_frozen;
	uint64_t left_ms;
};

struct world {
	struct pool *pool;
	uint64_t now_ms;
	uint64_t next_id;

	struct pool_sandbox *building[WORLD_MAX]; /* told to build, oldest first */
	int in_flight;
	struct pool_sandbox *dying[WORLD_MAX]; /* told to discard, oldest first */
	int to_reap;
	int builds, discards; /* told so far */

	struct world_answer answers[WORLD_MAX];
	int answered;
	struct world_ending endings[WORLD_MAX];
	int ended;
	struct world_frost frosts[WORLD_MAX]; /* frozen and thawed */
	int frosted;

	/* of the last world_acquire() */
	struct pool_sandbox *sandbox;
	enum control_refusal refusal;
	uint32_t retry_ms;
};

/* What can fail. */
enum world_operation {
	WORLD_CALLOC, /* any of the code under test */
	WORLD_START,  /* ops.build() */
	WORLD_BUILD,  /* a build that world_built() would have succeed */
	WORLD_OPERATIONS
};

/* The n-th operation from now on (1: the next) fails; for good: and all that follow. */
void world_fail(enum world_operation operation, unsigned n, bool for_good);
/* How many have failed since. */
unsigned world_failed(enum world_operation operation);

extern const struct pool_ops world_ops; /* without freeze */

/* A pool that is not started yet, at 1000 ms. Nothing fails until world_fail(). */
struct world *world_create(const struct pool_config *config);
/* And one that is. */
struct world *world_open(const struct pool_config *config);
/* And one that can freeze. */
struct world *world_open_freezing(const struct pool_config *config);
void world_close(struct world *w);

/* Request number `id` of lessee "a", with the pool's limits. */
int world_acquire(struct world *w, uint32_t id, enum control_on_empty on_empty);
int world_acquire_as(struct world *w, const struct pool_request *request);
/* As world_acquire(), and it must be served at once. */
struct pool_sandbox *world_lease(struct world *w);
void world_release(struct world *w, struct pool_sandbox *sandbox);
void world_touch(struct world *w, struct pool_sandbox *sandbox);

/* The oldest build in flight has succeeded, failed. */
void world_built(struct world *w);
void world_build_failed(struct world *w);
/* Every build that is started succeeds until none is. */
void world_build_all(struct world *w);
/* The oldest discarded one is gone. */
void world_reap(struct world *w);
void world_reap_all(struct world *w);
/* It is dead without having been told. */
void world_died(struct world *w, struct pool_sandbox *sandbox, enum lease_end_reason reason);

/* So many ms go by; returns what pool_tick() wants. */
uint64_t world_pass(struct world *w, uint64_t ms);
struct pool_counters world_counters(struct world *w);
void world_check(struct world *w);
/* Check, tick, check; as world_pass(). */
uint64_t world_settle(struct world *w);
#endif
