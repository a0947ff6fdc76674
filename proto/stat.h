/*
 * stat.h - what Hearth counts: one const table of metric families, and their text for Prometheus.
 *
 * Both daemons count in memory of their own and hand out samples; the supervisor's go over control.sock
 * (STAT_ROW, control.h), agentd writes all of them as text. Plain memory: no system call.
 */
#ifndef PROTO_STAT_H
#define PROTO_STAT_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define STAT_LABELS_MAX 3
#define STAT_LABEL_SIZE 32 /* with terminator: a label's value */
#define STAT_BUCKETS	17

enum stat_type { STAT_COUNTER = 1, STAT_GAUGE, STAT_HISTOGRAM };

/* The numbers go over control.sock: append only. */
enum stat_family {
	/* of the supervisor */
	STAT_ACQUIRE_DURATION = 1,
	STAT_STAGE_DURATION = 2,
	STAT_POOL_SANDBOXES = 3,
	STAT_POOL_TARGET = 4,
	STAT_POOL_MISSES = 5,
	STAT_CREATE_FAILURES = 6,
	STAT_OOM_KILLS = 7,
	STAT_LIMIT_HITS = 8,
	STAT_ORPHANS_REAPED = 9,
	/* of agentd */
	STAT_EXEC_DURATION = 10,
	STAT_TOOL_CALLS = 11,
	STAT_HTTP_REQUESTS = 12,
	STAT_TURNS = 13,
	STAT_MODEL_DURATION = 14,
	STAT_MODEL_TOKENS = 15,
};
#define STAT_FAMILY_LAST STAT_MODEL_TOKENS

struct stat_family_info {
	const char *name; /* of the metric */
	const char *help;
	enum stat_type type;
	const char *labels[STAT_LABELS_MAX]; /* their names; NULL: no more */
};

/* Durations, each in the first bucket whose bound it does not exceed. */
struct stat_histogram {
	uint64_t count; /* of all, also of those beyond the last bound */
	uint64_t sum_ns;
	uint64_t buckets[STAT_BUCKETS]; /* not cumulative */
};

/* One sample of one family. */
struct stat_sample {
	uint32_t family; /* enum stat_family */
	uint32_t reserved;
	char labels[STAT_LABELS_MAX][STAT_LABEL_SIZE]; /* values, as the family names them */
	uint64_t value;				       /* of a counter or gauge */
	struct stat_histogram histogram;	       /* of a histogram */
};

/* Upper bounds of the buckets, rising: 25 us to 5 s. */
extern const uint64_t stat_bucket_ns[STAT_BUCKETS];

/* NULL: there is no such family. */
const struct stat_family_info *stat_family_info(uint32_t family);

void stat_histogram_add(struct stat_histogram *histogram, uint64_t ns);
void stat_histogram_merge(struct stat_histogram *into, const struct stat_histogram *from);
/*
 * The bound below which at least percent (0..100) of all lie, as far as buckets can tell; 0: empty;
 * UINT64_MAX: beyond the last bound.
 */
uint64_t stat_histogram_bound(const struct stat_histogram *histogram, unsigned percent);

/* With these values of labels, which fit STAT_LABEL_SIZE (else empty); NULL: no more. The rest is 0. */
struct stat_sample stat_sample(
	enum stat_family family, const char *first, const char *second, const char *third);

/*
 * Prometheus' text format, version 0.0.4: each family once, with all its samples, in the order of the table;
 * those without samples are left out. Samples of unknown families are passed over. Errors stay in `to`.
 */
void stat_write(FILE *to, const struct stat_sample *samples, size_t count);
#endif
