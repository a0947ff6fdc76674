#include "base/histogram.h"

#include <stdlib.h>
#include <string.h>

/*
 * Buckets double in width; each is cut into SUB_COUNT equal cells, of which the lower half belongs
 * to the bucket before, so that only bucket 0 uses all of them. A cell of bucket b is 2^b ns wide and
 * its values are at least 2^b * SUB_HALF: never more than 1/1024 off, hence three digits.
 */
#define SUB_BITS  11
#define SUB_COUNT (1u << SUB_BITS)
#define SUB_HALF  (SUB_COUNT / 2)
#define BUCKETS	  32 /* 2^31 * SUB_COUNT ns is more than an hour */
#define CELLS	  ((BUCKETS + 1) * SUB_HALF)

struct histogram {
	uint64_t count, min, max;
	double sum;
	uint64_t cells[CELLS];
};

_Static_assert(HISTOGRAM_MAX_NS < (UINT64_C(1) << (BUCKETS - 1)) * SUB_COUNT, "one hour must fit");

static size_t cell_of(uint64_t ns)
{
	unsigned bucket;

	if (ns < 1)
		ns = 1;
	if (ns > HISTOGRAM_MAX_NS)
		ns = HISTOGRAM_MAX_NS;
	bucket = 64 - SUB_BITS - (unsigned)__builtin_clzll(ns | (SUB_COUNT - 1));
	return (size_t)bucket * SUB_HALF + (size_t)(ns >> bucket);
}

/* The greatest value that is counted in this cell. */
static uint64_t cell_end(size_t cell)
{
	size_t bucket = cell < SUB_COUNT ? 0 : cell / SUB_HALF - 1;
	uint64_t sub = cell - bucket * SUB_HALF;

	return ((sub + 1) << bucket) - 1;
}

struct histogram *histogram_create(void)
{
	struct histogram *h = calloc(1, sizeof(*h));

	if (h)
		h->min = UINT64_MAX;
	return h;
}

void histogram_destroy(struct histogram *h)
{
	free(h);
}

void histogram_record(struct histogram *h, uint64_t ns)
{
	h->cells[cell_of(ns)]++;
	h->count++;
	h->sum += (double)ns;
	if (ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
}

void histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (size_t i = 0; i < CELLS; i++)
		into->cells[i] += from->cells[i];
	into->count += from->count;
	into->sum += from->sum;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
}

uint64_t histogram_count(const struct histogram *h)
{
	return h->count;
}

uint64_t histogram_min(const struct histogram *h)
{
	return h->count > 0 ? h->min : 0;
}

uint64_t histogram_max(const struct histogram *h)
{
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count > 0 ? h->sum / (double)h->count : 0;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	double wanted = percent / 100 * (double)h->count;
	uint64_t rank = (uint64_t)wanted, seen = 0;

	if (percent >= 100 || h->count == 0)
		return h->max;
	/* At least 1, and not below the wanted share, but for what 99.9 is off in binary. */
	if ((double)rank < wanted * (1 - 1e-12) || rank == 0)
		rank++;
	for (size_t i = 0; i < CELLS; i++) {
		seen += h->cells[i];
		if (seen >= rank)
			return cell_end(i) < h->max ? cell_end(i) : h->max;
	}
	return h->max;
}
