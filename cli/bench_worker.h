/*
 * bench_worker.h - one client of hearth bench: a process that takes samples when it is told to.
 *
 * A process, not a thread: what clients of a service share is the service. It has a SEQPACKET pair to
 * the process that started it, on which each order has one report; the pair's end is its own. Where it
 * talks to guests it becomes user hearth once it is connected.
 */
#ifndef CLI_BENCH_WORKER_H
#define CLI_BENCH_WORKER_H
#include "base/error.h"
#include "cli/bench.h"

enum bench_what {
	BENCH_TAKE = 1, /* up to attempts samples; burst: exactly so many sandboxes at once */
	BENCH_RELEASE,	/* all that is held */
	BENCH_DRAIN,	/* lease what is ready, until nothing is */
	BENCH_FLOOR,	/* of the command on the host: floor_ns of up to attempts samples */
};

struct bench_order {
	uint32_t what; /* enum bench_what */
	uint32_t attempts;
	uint64_t
		start_ns; /* CLOCK_MONOTONIC: with a rate and of a burst, when the first is meant to start */
};

/* Of a process that may read hostile bytes: numbers, to be judged before they are used. */
struct bench_report {
	int32_t result; /* 0; 1: no more is granted at a time, err says why; -errno: err says why */
	uint32_t taken; /* samples so far, those of the warm-up too */
	uint32_t held, held_most;
	uint32_t is_disordered; /* 1: some answer came before that of an earlier request */
	struct error err;
};

/*
 * Client number index: connects, reports, obeys. Its samples are bench_share() of the plan's, from
 * samples[0]. Does not return.
 */
_Noreturn void bench_worker_main(
	const struct bench_plan *plan, unsigned index, int link, struct bench_sample *samples);
#endif
