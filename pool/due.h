/*
 * due.h - leases by the time at which something happens to them by itself: a binary heap.
 *
 * The time that is kept for a sandbox may be too early, never too late. So a touch, which only puts
 * off what is due, does not come here: whoever finds a time that has come looks what is really due.
 */
#ifndef POOL_DUE_H
#define POOL_DUE_H
#include <stdint.h>

struct pool_sandbox;

struct due_entry {
	uint64_t ms;
	struct pool_sandbox *sandbox;
};

struct due {
	struct due_entry *heap; /* from 1: a due_index of 0 is of one that is not in it */
	uint32_t count;
};

/* Room for POOL_SANDBOXES_MAX, which takes memory once it is used. 0 or -ENOMEM. */
int due_init(struct due *due);
void due_finish(struct due *due);

/* From now on at that time; UINT64_MAX: never, it is out. One whose time is after all others' costs O(1). */
void due_set(struct due *due, struct pool_sandbox *sandbox, uint64_t ms);

/* The first; NULL: none is due ever. */
const struct due_entry *due_first(const struct due *due);
#endif
