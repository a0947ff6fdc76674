#include "dns/sandboxes.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"

#define MILLI 1000

void sandboxes_init(struct sandboxes *sandboxes)
{
	list_init(&sandboxes->denied);
}

/* Its place, or the free one where it would be: there are twice as many places as sandboxes. */
static struct sandbox *find_place(struct sandboxes *sandboxes, uint32_t address)
{
	uint32_t i = address;

	while (sandboxes->place[i % SANDBOXES_PLACES].address != 0 &&
		sandboxes->place[i % SANDBOXES_PLACES].address != address)
		i++;
	return &sandboxes->place[i % SANDBOXES_PLACES];
}

struct sandbox *sandboxes_find(struct sandboxes *sandboxes, uint32_t address)
{
	struct sandbox *found = find_place(sandboxes, address);

	return found->address == 0 ? NULL : found;
}

int sandboxes_set(struct sandboxes *sandboxes, uint32_t address, uint32_t profile,
	uint64_t generation, uint64_t now_ms)
{
	struct sandbox *sandbox = find_place(sandboxes, address);
	bool is_new = sandbox->address == 0;

	if (is_new && sandboxes->count == SANDBOXES_MAX)
		return -ENOSPC;
	if (is_new || sandbox->generation != generation) {
		if (is_new)
			sandboxes->count++;
		else
			list_remove(&sandbox->denied_link);
		memset(sandbox, 0, sizeof(*sandbox));
		list_init(&sandbox->denied_link);
		sandbox->address = address;
		sandbox->generation = generation;
		sandbox->use = ++sandboxes->uses;
		sandbox->milli_tokens =
			UINT64_MAX; /* more than any allowance: it begins with all of it */
		sandbox->filled_ms = now_ms;
	}
	sandbox->profile = profile;
	return 0;
}

bool sandbox_take_token(struct sandbox *sandbox, uint32_t per_second, uint64_t now_ms)
{
	/* A query a second is a thousandth of one a millisecond. */
	uint64_t most = (uint64_t)per_second * SANDBOX_SECONDS_AT_ONCE * MILLI;
	uint64_t passed_ms = now_ms - sandbox->filled_ms;

	if (per_second == 0)
		return true;
	if (sandbox->milli_tokens >= most || passed_ms >= SANDBOX_SECONDS_AT_ONCE * MILLI)
		sandbox->milli_tokens = most;
	else
		sandbox->milli_tokens += passed_ms * per_second;
	if (sandbox->milli_tokens > most)
		sandbox->milli_tokens = most;
	sandbox->filled_ms = now_ms;
	if (sandbox->milli_tokens < MILLI)
		return false;
	sandbox->milli_tokens -= MILLI;
	return true;
}

void sandboxes_add_denied(struct sandboxes *sandboxes, struct sandbox *sandbox, uint32_t count)
{
	if (sandbox->denied == 0)
		list_append(&sandboxes->denied, &sandbox->denied_link);
	sandbox->denied +=
		count < UINT32_MAX - sandbox->denied ? count : UINT32_MAX - sandbox->denied;
}

struct sandbox *sandboxes_take_denied(struct sandboxes *sandboxes, uint32_t *ret_count)
{
	struct sandbox *first = list_first(&sandboxes->denied, struct sandbox, denied_link);

	if (!first)
		return NULL;
	list_remove(&first->denied_link);
	*ret_count = first->denied;
	first->denied = 0;
	return first;
}

/* Who finds two names of one key has a line less in the log; both are counted. */
static uint64_t key_of(const char *name)
{
	uint64_t key = hash_more(HASH_START, name, strlen(name));

	return key ? key : 1;
}

bool sandbox_is_news(struct sandbox *sandbox, const char *name, uint64_t now_ms)
{
	uint64_t key = key_of(name);
	int place = -1;

	for (int i = 0; i < SANDBOX_NEWS_MAX; i++) {
		bool is_free = sandbox->news[i].key == 0 ||
			       now_ms - sandbox->news[i].logged_ms >= SANDBOX_NEWS_MS;

		if (!is_free && sandbox->news[i].key == key)
			return false;
		if (is_free)
			place = i;
	}
	if (place < 0)
		return false;
	sandbox->news[place].key = key;
	sandbox->news[place].logged_ms = now_ms;
	return true;
}
