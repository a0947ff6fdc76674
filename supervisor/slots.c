#include "supervisor/slots.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"

struct slot {
	struct list free; /* in its builder's list while free */
	bool is_made;
};

struct slots {
	uint32_t count, builders;
	struct list *free; /* one list per builder */
	struct slot slots[];
};

struct slots *slots_create(uint32_t count, uint32_t builders)
{
	struct slots *slots = calloc(1, sizeof(*slots) + count * sizeof(slots->slots[0]));

	if (!slots)
		return NULL;
	slots->free = calloc(builders, sizeof(slots->free[0]));
	if (!slots->free) {
		free(slots);
		return NULL;
	}
	slots->count = count;
	slots->builders = builders;
	for (uint32_t i = 0; i < count; i++)
		list_init(&slots->slots[i].free);
	for (uint32_t i = 0; i < builders; i++)
		list_init(&slots->free[i]);
	return slots;
}

void slots_destroy(struct slots *slots)
{
	if (!slots)
		return;
	free(slots->free);
	free(slots);
}

bool slots_has_free(const struct slots *slots, uint32_t builder)
{
	return !list_is_empty(&slots->free[builder]);
}

int slots_take(struct slots *slots, uint32_t builder)
{
	struct slot *slot = list_first(&slots->free[builder], struct slot, free);

	if (!slot)
		return -1;
	list_remove(&slot->free);
	return (int)(slot - slots->slots);
}

void slots_give(struct slots *slots, uint32_t slot)
{
	assert(slot < slots->count && list_is_empty(&slots->slots[slot].free));
	list_append(&slots->free[slot % slots->builders], &slots->slots[slot].free);
}

bool slots_is_made(const struct slots *slots, uint32_t slot)
{
	return slots->slots[slot].is_made;
}

void slots_set_made(struct slots *slots, uint32_t slot)
{
	slots->slots[slot].is_made = true;
}

void slots_builder_lost(struct slots *slots, uint32_t builder)
{
	for (uint32_t i = builder; i < slots->count; i += slots->builders) {
		list_remove(&slots->slots[i].free);
		slots->slots[i].is_made = false;
	}
}

void slots_builder_started(struct slots *slots, uint32_t builder)
{
	slots_builder_lost(slots, builder);
	for (uint32_t i = builder; i < slots->count; i += slots->builders)
		slots_give(slots, i);
}
