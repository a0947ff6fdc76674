/*
 * bench_floor.h - what a round trip costs that does nothing, measured in the same run before the samples.
 */
#ifndef CLI_BENCH_FLOOR_H
#define CLI_BENCH_FLOOR_H
#include <stdint.h>

struct error;

#define BENCH_FLOOR_MAX 1000

/*
 * To a process that only echoes, over the same kind of socket as control.sock with messages of the same sizes
 * as ACQUIRE and LEASED: count samples, at most BENCH_FLOOR_MAX, after a rest each. 0 or -errno.
 */
int bench_floor(unsigned long count, unsigned long pause_us, uint64_t *ret_ns, struct error *err);
#endif
