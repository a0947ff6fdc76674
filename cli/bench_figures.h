/*
 * bench_figures.h - what is derived from a run's samples, before it is shown.
 */
#ifndef CLI_BENCH_FIGURES_H
#define CLI_BENCH_FIGURES_H
#include "cli/bench_run.h"

struct error;

/* The percentiles that are shown, quantiles as in bench_stats.h. */
struct bench_quantile {
	const char *key; /* in JSON: "p50_us" */
	unsigned quantile;
};

#define BENCH_QUANTILES 6
extern const struct bench_quantile bench_quantiles[BENCH_QUANTILES];

/* Of each burst the first, the middle and the last answer; of all bursts the median of these. */
struct bench_burst {
	uint64_t first_ns, median_ns, last_ns, last_max_ns;
};

/* Arrays are sorted and hold plan->count each. */
struct bench_figures {
	uint64_t *latency_ns;
	uint64_t *stage_ns[BENCH_STAGES_MAX]; /* NULL: no such stage */
	unsigned long ready, built, waited, refused;
	uint64_t client_low_ns, client_high_ns; /* the clients' medians: least and greatest */
	double per_second;			/* 0: of this plan it says nothing */
	struct bench_burst burst;
};

/* 0 or -ENOMEM; finish them either way. */
int bench_figures_init(struct bench_figures *figures, const struct bench_plan *plan,
	const struct bench_result *result, struct error *err);
void bench_figures_finish(struct bench_figures *figures);

/* The sandbox of an exec is held: no rung of the pool's served it. */
bool bench_has_rungs(const struct bench_plan *plan);

static inline double bench_us(uint64_t ns)
{
	return (double)ns / 1e3;
}
#endif
