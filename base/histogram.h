/*
 * histogram.h - durations in nanoseconds, counted with three significant digits (HDR, log-linear).
 *
 * Any value from 1 ns to 1 h is kept to within 0.1 %; 0 counts as 1 ns, more than 1 h as 1 h (max and
 * mean stay exact). About 265 KiB each, whatever is recorded; record is O(1) and never allocates.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H
#include <stdint.h>

struct histogram;

#define HISTOGRAM_MAX_NS UINT64_C(3600000000000)

/* Empty. NULL: out of memory. */
struct histogram *histogram_create(void);
/* Accepts NULL. */
void histogram_destroy(struct histogram *h);

void histogram_record(struct histogram *h, uint64_t ns);
void histogram_reset(struct histogram *h);
/* Add all that `from` has counted. */
void histogram_merge(struct histogram *into, const struct histogram *from);

uint64_t histogram_count(const struct histogram *h);
/* 0 when empty, as are the next three. */
uint64_t histogram_min(const struct histogram *h);
uint64_t histogram_max(const struct histogram *h);
double histogram_mean(const struct histogram *h);
/*
 * The smallest recorded duration, rounded up within its 0.1 %, that at least percent (0..100) of all
 * do not exceed. Never more than histogram_max(); 100 is exactly that.
 */
uint64_t histogram_percentile(const struct histogram *h, double percent);
#endif
