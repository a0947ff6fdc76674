/*
 * bench_stats.h - percentiles of samples, and whether those of two runs differ. Pure.
 *
 * Quantiles are in ten thousandths: 9990 is p99.9, 10000 the greatest sample.
 *
 * Samples that follow one another are alike: what slows one down slows down its neighbours. So a run is cut
 * into BENCH_BLOCKS parts in the order of time, and the interval comes from drawing whole parts (block
 * bootstrap), not single samples, which would make it far too narrow. What a machine does otherwise between
 * two runs is in no interval.
 */
#ifndef CLI_BENCH_STATS_H
#define CLI_BENCH_STATS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define BENCH_BLOCKS	  32
#define BENCH_COMPARE_MIN 100 /* samples of either run */
#define BENCH_BEYOND_MIN  10  /* of them beyond the quantile that is compared */

/* Sort in place, ascending. */
void bench_sort(uint64_t *samples, unsigned long count);

/* Nearest rank of sorted samples: an observed value, never one in between. 0 without samples. */
uint64_t bench_percentile(const uint64_t *sorted, unsigned long count, unsigned quantile);

/* So many samples have one beyond this quantile: else it is only their greatest. 10000 needs one sample. */
bool bench_supports(unsigned long count, unsigned quantile);

/* To three significant digits. */
uint64_t bench_round(uint64_t ns);

/* The block of sample number i of count, in the order of time: 0..BENCH_BLOCKS - 1. */
unsigned bench_block(unsigned long i, unsigned long count);

/* So many samples of one block that have the same value. */
struct bench_cell {
	uint64_t ns;
	uint32_t block, count;
};

struct bench_distribution {
	struct bench_cell *cells; /* sorted by ns, by bench_sort_cells() */
	size_t cell_count;
	unsigned long n; /* sum of their counts */
};

void bench_sort_cells(struct bench_distribution *distribution);

enum bench_verdict { BENCH_TOO_FEW, BENCH_NO_CHANGE, BENCH_FASTER, BENCH_SLOWER };

/* All but verdict is 0 where n is too small. */
struct bench_difference {
	enum bench_verdict verdict; /* of b against a */
	uint64_t a_ns, b_ns;
	double low_ns, high_ns; /* of b - a, 95 %, from a fixed seed */
};

/* 0 or -ENOMEM. */
int bench_compare(const struct bench_distribution *a, const struct bench_distribution *b,
	unsigned quantile, struct bench_difference *ret_difference, struct error *err);
#endif
