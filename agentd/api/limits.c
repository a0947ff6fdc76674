#include "agentd/api/limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct limits_entry {
	struct limits_entry *next;
	char name[LIMITS_NAME_MAX];
	unsigned at_once;
	uint64_t tokens; /* thousandths */
	uint64_t filled_ms;
};

void limits_init(struct limits *limits, unsigned at_once_max, unsigned rate, unsigned burst)
{
	memset(limits, 0, sizeof(*limits));
	limits->at_once_max = at_once_max;
	limits->rate = rate;
	limits->burst = burst;
}

void limits_finish(struct limits *limits)
{
	for (size_t i = 0; i < LIMITS_BUCKETS; i++) {
		while (limits->buckets[i]) {
			struct limits_entry *entry = limits->buckets[i];

			limits->buckets[i] = entry->next;
			free(entry);
		}
	}
	limits->count = 0;
}

static struct limits_entry **bucket_of(struct limits *limits, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return &limits->buckets[hash % LIMITS_BUCKETS];
}

static void fill(const struct limits *limits, struct limits_entry *entry, uint64_t now_ms)
{
	uint64_t most = (uint64_t)limits->burst * 1000;

	/* rate a second is as many thousandths a millisecond. */
	if (now_ms > entry->filled_ms) {
		entry->tokens += (now_ms - entry->filled_ms) * limits->rate;
		entry->filled_ms = now_ms;
	}
	if (entry->tokens > most)
		entry->tokens = most;
}

/* Nothing would be different without it. */
static bool is_idle(const struct limits *limits, struct limits_entry *entry, uint64_t now_ms)
{
	if (entry->at_once > 0)
		return false;
	if (limits->rate == 0)
		return true;
	fill(limits, entry, now_ms);
	return entry->tokens >= (uint64_t)limits->burst * 1000;
}

static void sweep(struct limits *limits, uint64_t now_ms)
{
	for (size_t i = 0; i < LIMITS_BUCKETS; i++) {
		struct limits_entry **at = &limits->buckets[i];

		while (*at) {
			struct limits_entry *entry = *at;

			if (!is_idle(limits, entry, now_ms)) {
				at = &entry->next;
				continue;
			}
			*at = entry->next;
			free(entry);
			limits->count--;
		}
	}
}

static struct limits_entry *find(struct limits *limits, const char *name)
{
	for (struct limits_entry *entry = *bucket_of(limits, name); entry; entry = entry->next) {
		if (strcmp(entry->name, name) == 0)
			return entry;
	}
	return NULL;
}

static struct limits_entry *find_or_add(struct limits *limits, const char *name, uint64_t now_ms)
{
	struct limits_entry *entry = find(limits, name);
	struct limits_entry **bucket = bucket_of(limits, name);

	if (entry)
		return entry;
	if (limits->count >= LIMITS_NAMES_MAX)
		sweep(limits, now_ms);
	if (limits->count >= LIMITS_NAMES_MAX)
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry || text_copy(entry->name, sizeof(entry->name), name) < 0) {
		free(entry);
		return NULL;
	}
	entry->tokens = (uint64_t)limits->burst * 1000;
	entry->filled_ms = now_ms;
	entry->next = *bucket;
	*bucket = entry;
	limits->count++;
	return entry;
}

int limits_enter(struct limits *limits, const char *name)
{
	struct limits_entry *entry = find_or_add(limits, name, 0);

	if (!entry)
		return -ENOMEM;
	if (entry->at_once >= limits->at_once_max)
		return -EBUSY;
	entry->at_once++;
	return 0;
}

void limits_leave(struct limits *limits, const char *name)
{
	struct limits_entry *entry = find(limits, name);

	if (!entry || entry->at_once == 0)
		return;
	entry->at_once--;
	if (limits->rate == 0 && entry->at_once == 0) {
		struct limits_entry **at = bucket_of(limits, name);

		while (*at != entry)
			at = &(*at)->next;
		*at = entry->next;
		free(entry);
		limits->count--;
	}
}

int limits_take(struct limits *limits, const char *name, uint64_t now_ms, uint32_t *ret_retry_ms)
{
	struct limits_entry *entry;

	if (limits->rate == 0)
		return 0;
	entry = find_or_add(limits, name, now_ms);
	if (!entry)
		return -ENOMEM;
	fill(limits, entry, now_ms);
	if (entry->tokens < 1000) {
		*ret_retry_ms =
			(uint32_t)((1000 - entry->tokens + limits->rate - 1) / limits->rate);
		return -EAGAIN;
	}
	entry->tokens -= 1000;
	return 0;
}
