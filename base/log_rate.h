/*
 * log_rate.h - how many lines of the log one source may cause: a sandbox must not drown the others' lines.
 *
 * Plain memory, time is a parameter. Sources are sandboxes' ids, counted up; two that are
 * LOG_RATE_SOURCES apart share one allowance, so that memory and lines in all are bounded whatever comes.
 */
#ifndef BASE_LOG_RATE_H
#define BASE_LOG_RATE_H
#include <stdbool.h>
#include <stdint.h>

#define LOG_RATE_LINES	 10 /* of one source in one second */
#define LOG_RATE_SOURCES 1024

/* Zeroed, it is ready for use. */
struct log_rate {
	struct {
		uint64_t second;
		uint32_t lines, suppressed;
	} of[LOG_RATE_SOURCES];
};

/*
 * Whether the source may have another line now. True: *ret_suppressed is how many it was refused since its
 * last one.
 */
bool log_rate_admits(
	struct log_rate *rate, uint64_t source, uint64_t now_ms, uint32_t *ret_suppressed);
#endif
