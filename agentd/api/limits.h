/*
 * limits.h - how many at a time and how many a second, counted by name (an address, a key's id).
 *
 * Pure: the time is a parameter. A name is remembered while it holds something or its bucket is not full again.
 */
#ifndef AGENTD_API_LIMITS_H
#define AGENTD_API_LIMITS_H
#include <stddef.h>
#include <stdint.h>

#define LIMITS_NAMES_MAX 4096
#define LIMITS_NAME_MAX	 48 /* bytes with its terminator */
#define LIMITS_BUCKETS	 256

struct limits_entry;

struct limits {
	unsigned at_once_max; /* of one name */
	unsigned rate;	      /* a second, of one name; 0: not counted */
	unsigned burst;	      /* as many at once after a quiet time; at least 1 */
	size_t count;
	struct limits_entry *buckets[LIMITS_BUCKETS];
};

void limits_init(struct limits *limits, unsigned at_once_max, unsigned rate, unsigned burst);
void limits_finish(struct limits *limits);

/* One more is there: 0, or -EBUSY: as many are as may be. -ENOMEM: also when too many names are known. */
int limits_enter(struct limits *limits, const char *name);
/* One of those that entered has gone. */
void limits_leave(struct limits *limits, const char *name);

/* One more is asked for: 0, or -EAGAIN with the time until the next may be, 1 ms at least. -ENOMEM as above. */
int limits_take(struct limits *limits, const char *name, uint64_t now_ms, uint32_t *ret_retry_ms);
#endif
