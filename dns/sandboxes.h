/*
 * sandboxes.h - who may ask: by source address, the profile, the allowance of queries, what was denied.
 *
 * Addresses are the slots' of an instance, the same again and again, so an entry stays once it is made.
 * Pure; memory is bounded; time is a parameter, in ms, and does not go back.
 */
#ifndef DNS_SANDBOXES_H
#define DNS_SANDBOXES_H
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "proto/network.h"

#define SANDBOXES_MAX		16384 /* as many as an instance has slots */
#define SANDBOXES_PLACES	(2 * SANDBOXES_MAX)
#define SANDBOX_SECONDS_AT_ONCE 10    /* of its queries a second, after a quiet time */
#define SANDBOX_NEWS_MAX	16    /* denied names that are logged of one sandbox ... */
#define SANDBOX_NEWS_MS		60000 /* ... in this time, each once */

struct sandbox {
	uint32_t address; /* host byte order; 0: a free place */
	uint32_t profile;
	uint64_t generation;
	/* No two uses of this process have the same, even if hearth-network comes back to a generation. */
	uint64_t use;
	uint64_t milli_tokens; /* thousandths of a query that it may still make ... */
	uint64_t filled_ms;    /* ... as of then */
	uint32_t in_flight;    /* queries of this generation that are not answered yet */
	uint32_t denied;       /* since sandboxes_take_denied() */
	struct list denied_link;
	struct {
		uint64_t key, logged_ms; /* key 0: free */
	} news[SANDBOX_NEWS_MAX];
};

struct sandboxes {
	struct list denied; /* those with denied > 0, the longest waiting first */
	uint32_t count;
	uint64_t uses;
	struct sandbox place[SANDBOXES_PLACES];
};

/* sandboxes: zeroed. */
void sandboxes_init(struct sandboxes *sandboxes);

/*
 * The address is of this use (generation) and profile from now on. Of another generation everything is
 * forgotten. 0, or -ENOSPC: SANDBOXES_MAX others are known.
 */
int sandboxes_set(struct sandboxes *sandboxes, uint32_t address, uint32_t profile,
	uint64_t generation, uint64_t now_ms);

/* NULL: never set. The pointer stays good. */
struct sandbox *sandboxes_find(struct sandboxes *sandboxes, uint32_t address);

/* Whether it may make one more query now, of so many a second; 0: of any number. */
bool sandbox_take_token(struct sandbox *sandbox, uint32_t per_second, uint64_t now_ms);

/* count more queries of it were denied. */
void sandboxes_add_denied(struct sandboxes *sandboxes, struct sandbox *sandbox, uint32_t count);

/* One with a count of denied queries, which becomes 0 and is *ret_count. NULL: there is none. */
struct sandbox *sandboxes_take_denied(struct sandboxes *sandboxes, uint32_t *ret_count);

/* Whether a line about this name is due: not one in the last minute, nor as many of others as there may be. */
bool sandbox_is_news(struct sandbox *sandbox, const char *name, uint64_t now_ms);
#endif
