#include "cli/bench_stats.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"

#define WHOLE	  10000
#define RESAMPLES 2000
#define TAIL	  (RESAMPLES / 40) /* 2.5 % at either end */
#define SEED	  UINT64_C(20261129)

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void bench_sort(uint64_t *samples, unsigned long count)
{
	if (count > 0)
		qsort(samples, count, sizeof(*samples), compare_numbers);
}

/* 1..count */
static unsigned long rank_of(unsigned long count, unsigned quantile)
{
	unsigned long rank = (count * quantile + WHOLE - 1) / WHOLE;

	return rank ? rank : 1;
}

uint64_t bench_percentile(const uint64_t *sorted, unsigned long count, unsigned quantile)
{
	return count ? sorted[rank_of(count, quantile) - 1] : 0;
}

bool bench_supports(unsigned long count, unsigned quantile)
{
	return quantile == WHOLE ? count > 0 : count * (WHOLE - quantile) >= WHOLE;
}

uint64_t bench_round(uint64_t ns)
{
	uint64_t unit = 1;

	while (ns / unit >= 1000)
		unit *= 10;
	return (ns / unit + (ns % unit >= (unit + 1) / 2)) * unit;
}

unsigned bench_block(unsigned long i, unsigned long count)
{
	return (unsigned)(i * BENCH_BLOCKS / count);
}

static int compare_cells(const void *a, const void *b)
{
	const struct bench_cell *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

void bench_sort_cells(struct bench_distribution *distribution)
{
	if (distribution->cell_count > 0)
		qsort(distribution->cells, distribution->cell_count, sizeof(*distribution->cells),
			compare_cells);
}

/* The quantile where each block is there as often as weights says. */
static uint64_t weighted_quantile(
	const struct bench_distribution *d, const uint32_t weights[BENCH_BLOCKS], unsigned quantile)
{
	unsigned long total = 0, seen = 0, rank;
	size_t i;

	for (i = 0; i < d->cell_count; i++)
		total += (unsigned long)weights[d->cells[i].block] * d->cells[i].count;
	rank = rank_of(total, quantile);
	for (i = 0; i < d->cell_count; i++) {
		seen += (unsigned long)weights[d->cells[i].block] * d->cells[i].count;
		if (seen >= rank)
			return d->cells[i].ns;
	}
	return 0;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t resampled_quantile(
	const struct bench_distribution *d, uint64_t *random, unsigned quantile)
{
	uint32_t weights[BENCH_BLOCKS] = {0};

	for (int i = 0; i < BENCH_BLOCKS; i++)
		weights[next_random(random) % BENCH_BLOCKS]++;
	return weighted_quantile(d, weights, quantile);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool is_enough(const struct bench_distribution *d, unsigned quantile)
{
	return d->n >= BENCH_COMPARE_MIN &&
	       d->n * (WHOLE - quantile) >= (unsigned long)BENCH_BEYOND_MIN * WHOLE;
}

static uint64_t plain_quantile(const struct bench_distribution *d, unsigned quantile)
{
	uint32_t weights[BENCH_BLOCKS];

	for (int i = 0; i < BENCH_BLOCKS; i++)
		weights[i] = 1;
	return weighted_quantile(d, weights, quantile);
}

int bench_compare(const struct bench_distribution *a, const struct bench_distribution *b,
	unsigned quantile, struct bench_difference *ret_difference, struct error *err)
{
	struct bench_difference d = {.verdict = BENCH_TOO_FEW};
	auto_free double *differences = malloc(RESAMPLES * sizeof(*differences));
	uint64_t random = SEED;

	if (!differences)
		return error_set(err, ENOMEM, "compare: out of memory");
	if (is_enough(a, quantile) && is_enough(b, quantile)) {
		d.a_ns = plain_quantile(a, quantile);
		d.b_ns = plain_quantile(b, quantile);
		for (int i = 0; i < RESAMPLES; i++) {
			double before = (double)resampled_quantile(a, &random, quantile);

			differences[i] = (double)resampled_quantile(b, &random, quantile) - before;
		}
		qsort(differences, RESAMPLES, sizeof(*differences), compare_doubles);
		d.low_ns = differences[TAIL];
		d.high_ns = differences[RESAMPLES - 1 - TAIL];
		d.verdict = d.high_ns < 0  ? BENCH_FASTER
			    : d.low_ns > 0 ? BENCH_SLOWER
					   : BENCH_NO_CHANGE;
	}
	*ret_difference = d;
	return 0;
}
