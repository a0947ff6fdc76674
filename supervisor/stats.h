/*
 * stats.h - what the supervisor counts, in memory, and hands out as samples (proto/stat.h).
 *
 * To count is a few compares and sums, after the answer it is about has been sent. Everything is counted
 * since the start of the supervisor; gauges are read when they are asked for.
 */
#ifndef SUPERVISOR_STATS_H
#define SUPERVISOR_STATS_H
#include <stdint.h>

#include "nsjail-lite/jail.h"
#include "proto/control.h"
#include "proto/stat.h"

struct link_ended;
struct supervisor;

#define STATS_FAILURES_MAX 32 /* kinds of them that are told apart; the rest count as "other" */

enum stats_failed {
	STATS_FAILED_SLOT,
	STATS_FAILED_BUILD,
	STATS_FAILED_BIND,
	STATS_FAILED_NETWORK
};

struct stats_pool {
	struct stat_histogram leased[RUNG_BOUND + 1];
	struct stat_histogram refused[REFUSED_STOPPING + 1];
};

struct stats {
	struct stats_pool pools[JAIL_TEMPLATES_MAX]; /* as in config */
	struct stat_histogram stages[STAGE_COUNT], bind, destroy;
	struct {
		enum stats_failed what;
		uint32_t error; /* errno; 0: unknown */
		uint64_t count; /* 0: free, and so is what follows */
	} failures[STATS_FAILURES_MAX];
	uint64_t other_failures;
	uint64_t oom_kills;
	uint64_t limit_hits[32]; /* by bit of enum limit_hit */
	uint64_t orphans;	 /* sandboxes that nobody owned any more and that were ended */
};

/* An acquire at pool `pool` was answered LEASED, wait_ns after it came; bind_ns of that: 0: nothing was bound. */
void stats_leased(struct stats *stats, uint32_t pool, enum control_rung rung, uint64_t wait_ns,
	uint64_t bind_ns);
/* Or REFUSED. */
void stats_refused(
	struct stats *stats, uint32_t pool, enum control_refusal refusal, uint64_t wait_ns);
uint64_t stats_refusals(const struct stats_pool *pool);
void stats_built(struct stats *stats, const struct jail_stages *stages);
void stats_failed(struct stats *stats, enum stats_failed what, uint32_t error);
/* A sandbox is proven dead. */
void stats_ended(struct stats *stats, const struct link_ended *ended);

/* All that is not 0, and every gauge: on_sample(arg, sample) for each. */
void stats_for_each(const struct supervisor *supervisor,
	void (*on_sample)(void *arg, const struct stat_sample *sample), void *arg);
#endif
