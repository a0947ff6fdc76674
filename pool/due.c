#include "pool/due.h"

#include <errno.h>
#include <stdlib.h>

#include "pool/pool.h"

int due_init(struct due *due)
{
	due->count = 0;
	due->heap = calloc(POOL_SANDBOXES_MAX + 1, sizeof(*due->heap));
	return due->heap ? 0 : -ENOMEM;
}

void due_finish(struct due *due)
{
	free(due->heap);
}

static void put(struct due *due, uint32_t index, struct due_entry entry)
{
	due->heap[index] = entry;
	entry.sandbox->due_index = index;
}

/* Into the gap at index, or as far above it as it belongs. */
static void put_up(struct due *due, uint32_t index, struct due_entry entry)
{
	for (; index > 1 && entry.ms < due->heap[index / 2].ms; index /= 2)
		put(due, index, due->heap[index / 2]);
	put(due, index, entry);
}

/* Or as far below it. */
static void put_down(struct due *due, uint32_t index, struct due_entry entry)
{
	uint32_t child;

	while ((child = 2 * index) <= due->count) {
		if (child < due->count && due->heap[child + 1].ms < due->heap[child].ms)
			child++;
		if (entry.ms <= due->heap[child].ms)
			break;
		put(due, index, due->heap[child]);
		index = child;
	}
	put(due, index, entry);
}

static void put_near(struct due *due, uint32_t index, struct due_entry entry)
{
	if (index > 1 && entry.ms < due->heap[index / 2].ms)
		put_up(due, index, entry);
	else
		put_down(due, index, entry);
}

void due_set(struct due *due, struct pool_sandbox *sandbox, uint64_t ms)
{
	uint32_t index = sandbox->due_index;
	struct due_entry last;

	if (ms != UINT64_MAX) {
		if (index == 0)
			index = ++due->count;
		put_near(due, index, (struct due_entry){ms, sandbox});
		return;
	}
	if (index == 0)
		return;
	sandbox->due_index = 0;
	last = due->heap[due->count--];
	if (last.sandbox != sandbox)
		put_near(due, index, last);
}

const struct due_entry *due_first(const struct due *due)
{
	return due->count > 0 ? &due->heap[1] : NULL;
}
