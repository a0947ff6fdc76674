/*
 * bench.h - what one run of hearth bench measures, and one sample of it.
 *
 * bench.c reads the plan from the command line; bench_run.c carries it out with one process for each
 * client (bench_worker.c), which write their samples into shared memory; bench_report.c, bench_csv.c
 * and bench_svg.c show them.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H
#include <stdbool.h>
#include <stdint.h>

#define BENCH_SAMPLES_MAX 1000000
#define BENCH_CLIENTS_MAX 64
#define BENCH_HELD_MAX	  4096 /* sandboxes that one client holds at a time */
#define BENCH_STAGES_MAX  5

enum bench_kind { BENCH_ACQUIRE, BENCH_EXEC, BENCH_CHURN, BENCH_MISS, BENCH_BURST };

struct bench_plan {
	enum bench_kind kind;
	const char *name; /* "acquire" */
	const char *directory;
	const char *image;	/* empty: the instance's first pool */
	unsigned long count;	/* samples of all clients together */
	unsigned long warmup;	/* likewise, before these, thrown away */
	unsigned long clients;	/* processes with a connection each */
	unsigned long pause_us; /* rest before each sample */
	unsigned long rate;	/* arrivals a second of all clients together; 0: closed loop */
	unsigned long burst;	/* sandboxes asked for at once by all clients together */
	unsigned long batch;	/* of these, in one message */
	bool refill;		/* each sandbox is released at once, and a miss is a sample */
	bool fresh;		/* exec: another sandbox for each command */
	bool quiet;		/* say nothing but the result */
	const char *const *argv;
};

struct bench_sample {
	uint64_t started_ns; /* CLOCK_MONOTONIC; with a rate when it was meant to start */
	uint64_t latency_ns;
	uint64_t stage_ns[BENCH_STAGES_MAX]; /* bench_stage_names() */
	uint64_t floor_ns;		     /* exec, churn: the command on the host; 0: none */
	uint32_t rung;			     /* enum control_rung; 0: refused */
	uint32_t client;
};

/* What the stages of a sample are called: BENCH_STAGES_MAX, NULL where there are fewer. */
const char *const *bench_stage_names(const struct bench_plan *plan);

/* Of total things the part of one of so many clients; all parts together are total. */
unsigned long bench_share(unsigned long total, unsigned long clients, unsigned index);

void bench_rest(unsigned long pause_us);
#endif
