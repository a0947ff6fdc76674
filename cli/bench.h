/*
 * bench.h - percentiles of samples, as hearth bench prints them.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H
#include <stdint.h>

struct error;

/* Sort in place, ascending. */
void bench_sort(uint64_t *samples, unsigned long count);

/* Nearest rank of sorted samples, 0..1000 per mille: an observed value, never one in between. 0 without samples. */
uint64_t bench_percentile(const uint64_t *sorted, unsigned long count, unsigned per_mille);

void bench_rest(unsigned long pause_us);

/* The median of a round trip to a process that only echoes, in at most 1000 samples. 0 or -errno. */
int bench_floor(
	unsigned long count, unsigned long pause_us, uint64_t *ret_p50_ns, struct error *err);
#endif
