/*
 * bench_sample.h - one sample of each kind: what lies between its start and its end.
 */
#ifndef CLI_BENCH_SAMPLE_H
#define CLI_BENCH_SAMPLE_H
#include "cli/bench.h"
#include "cli/bench_client.h"

struct error;
struct guest_client;

/* The state of one client's process. */
struct bench_worker {
	const struct bench_plan *plan;
	unsigned index;
	unsigned long share, warmup; /* samples to keep; to throw away before */
	unsigned long taken, thrown; /* so far */
	struct bench_sample *samples;
	struct bench_client client;
	struct guest_client *guest; /* exec: of the sandbox that is held */
	unsigned held_most;	    /* at a time, in this round */
	bool is_disordered;	    /* some answer came before that of an earlier request */
};

#define BENCH_ROUND_ENDS 1 /* no more is granted at a time: err says why */
#define BENCH_NO_SAMPLE	 2 /* miss: one was ready */

/* 0 with latency, stages, rung and, on its own clock, start; one of the above; or -errno. */
int bench_sample_take(struct bench_worker *w, struct bench_sample *sample, struct error *err);
/* count sandboxes at once, in messages of the plan's batch: samples[0] is the one answered first. 0 or -errno. */
int bench_sample_burst(
	struct bench_worker *w, struct bench_sample *samples, uint32_t count, struct error *err);
/* Lease what is ready. 0 or -errno. */
int bench_sample_drain(struct bench_worker *w, struct error *err);
void bench_sample_finish(struct bench_worker *w);
#endif
