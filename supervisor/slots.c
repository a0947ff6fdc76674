#include "supervisor/slots.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"

struct slot {
	struct list free; /* in its builder's list while free */
	struct sandbox *tenant;
	bool is_made, is_dirty, is_flushing;
	enum network_profile profile; /* asked for last */
	uint32_t profiles_asked;
};

/* Of one builder. */
struct share {
	struct list made;   /* free, the longest first: what they have is used again */
	struct list unmade; /* free, and nothing there yet */
	bool is_in_use;	    /* between its start and its loss */
};

struct slots {
	uint32_t count, builders;
	struct share *shares; /* one per builder */
	struct slot slots[];
};

struct slots *slots_create(uint32_t count, uint32_t builders)
{
	struct slots *slots = calloc(1, sizeof(*slots) + count * sizeof(slots->slots[0]));

	if (!slots)
		return NULL;
	slots->shares = calloc(builders, sizeof(slots->shares[0]));
	if (!slots->shares) {
		free(slots);
		return NULL;
	}
	slots->count = count;
	slots->builders = builders;
	for (uint32_t i = 0; i < count; i++)
		list_init(&slots->slots[i].free);
	for (uint32_t i = 0; i < builders; i++) {
		list_init(&slots->shares[i].made);
		list_init(&slots->shares[i].unmade);
	}
	return slots;
}

void slots_destroy(struct slots *slots)
{
	if (!slots)
		return;
	free(slots->shares);
	free(slots);
}

bool slots_has_free(const struct slots *slots, uint32_t builder)
{
	const struct share *share = &slots->shares[builder];

	return !list_is_empty(&share->made) || !list_is_empty(&share->unmade);
}

int slots_take(struct slots *slots, uint32_t builder, struct sandbox *sandbox)
{
	struct share *share = &slots->shares[builder];
	struct slot *slot = list_first(&share->made, struct slot, free);

	if (!slot)
		slot = list_first(&share->unmade, struct slot, free);
	if (!slot)
		return -1;
	list_remove(&slot->free);
	slot->tenant = sandbox;
	return (int)(slot - slots->slots);
}

void slots_give(struct slots *slots, uint32_t slot)
{
	struct share *share;

	assert(slot < slots->count && list_is_empty(&slots->slots[slot].free));
	slots->slots[slot].tenant = NULL;
	share = &slots->shares[slot % slots->builders];
	list_append(slots->slots[slot].is_made ? &share->made : &share->unmade,
		&slots->slots[slot].free);
}

struct sandbox *slots_tenant(const struct slots *slots, uint32_t slot)
{
	return slots->slots[slot].tenant;
}

void slots_set_dirty(struct slots *slots, uint32_t slot)
{
	slots->slots[slot].is_dirty = true;
	slots->slots[slot].tenant = NULL;
}

int slots_next_to_flush(const struct slots *slots, uint32_t first)
{
	for (uint32_t i = first; i < slots->count; i++)
		if (slots->slots[i].is_dirty && !slots->slots[i].is_flushing &&
			slots->shares[i % slots->builders].is_in_use)
			return (int)i;
	return -1;
}

void slots_set_flushing(struct slots *slots, uint32_t slot, bool is_flushing)
{
	slots->slots[slot].is_flushing = is_flushing;
}

void slots_set_clean(struct slots *slots, uint32_t slot)
{
	slots->slots[slot].is_dirty = slots->slots[slot].is_flushing = false;
	if (slots->shares[slot % slots->builders].is_in_use)
		slots_give(slots, slot);
}

bool slots_is_made(const struct slots *slots, uint32_t slot)
{
	return slots->slots[slot].is_made;
}

void slots_set_made(struct slots *slots, uint32_t slot, bool is_made)
{
	slots->slots[slot].is_made = is_made;
}

enum network_profile slots_profile(const struct slots *slots, uint32_t slot)
{
	return slots->slots[slot].profile;
}

bool slots_awaits_profile(const struct slots *slots, uint32_t slot)
{
	return slots->slots[slot].profiles_asked > 0;
}

void slots_ask_profile(struct slots *slots, uint32_t slot, enum network_profile profile)
{
	slots->slots[slot].profile = profile;
	slots->slots[slot].profiles_asked++;
}

void slots_answer_profile(struct slots *slots, uint32_t slot, bool is_set)
{
	slots->slots[slot].profiles_asked--;
	if (!is_set)
		slots->slots[slot].profile = 0;
}

void slots_builder_lost(struct slots *slots, uint32_t builder)
{
	slots->shares[builder].is_in_use = false;
	for (uint32_t i = builder; i < slots->count; i += slots->builders) {
		list_remove(&slots->slots[i].free);
		slots->slots[i].tenant = NULL;
		slots->slots[i].is_made = false;
	}
}

void slots_builder_started(struct slots *slots, uint32_t builder)
{
	slots_builder_lost(slots, builder);
	slots->shares[builder].is_in_use = true;
	for (uint32_t i = builder; i < slots->count; i += slots->builders)
		if (!slots->slots[i].is_dirty)
			slots_give(slots, i);
}
