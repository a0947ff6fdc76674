/*
 * bench.h - percentiles of samples, as hearth bench prints them.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H
#include <stdint.h>

/* Sort in place, ascending. */
void bench_sort(uint64_t *samples, unsigned long count);

/* Nearest rank of sorted samples, 0..1000 per mille: an observed value, never one in between. 0 without samples. */
uint64_t bench_percentile(const uint64_t *sorted, unsigned long count, unsigned per_mille);
#endif
