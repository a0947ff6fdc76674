/*
 * bench_svg.h - a picture of a run: latency over percentile, the floor as a second line.
 */
#ifndef CLI_BENCH_SVG_H
#define CLI_BENCH_SVG_H
#include <stdint.h>

struct error;

/*
 * Both axes are logarithmic: to the right come 90 %, 99 %, 99.9 % at equal distances. samples (at least one) and
 * floor (may be none) are sorted, in ns; title is text without markup. Replaces the file. 0 or -errno.
 */
int bench_write_svg(const char *path, const char *title, const uint64_t *samples,
	unsigned long count, const uint64_t *floor, unsigned long floor_count, struct error *err);
#endif
