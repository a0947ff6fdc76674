/*
 * bench_run.h - carry out a plan: the clients' processes, rounds that the pool and the host can grant.
 */
#ifndef CLI_BENCH_RUN_H
#define CLI_BENCH_RUN_H
#include "cli/bench.h"
#include "cli/bench_environment.h"

struct error;

struct bench_result {
	struct bench_environment environment;
	struct bench_sample
		*samples;   /* plan->count of them, client by client, in the order of time */
	uint64_t *floor_ns; /* sorted; as many as there are */
	unsigned long floor_count;
	unsigned round; /* sandboxes held at a time, by all clients together */
	bool is_disordered;
};

/* On failure *ret_result is empty. Finish it either way. 0 or -errno. */
int bench_run(const struct bench_plan *plan, struct bench_result *ret_result, struct error *err);
void bench_result_finish(const struct bench_plan *plan, struct bench_result *result);
#endif
