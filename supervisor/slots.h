/*
 * slots.h - which slot builds the next sandbox: the instance's slots, dealt out to its builders.
 *
 * Slot i belongs to builder i % builders and to nobody else, ever. A free slot that is made is used
 * before one that is not, first-in first-out. A slot is made (LINK_SLOT) at its first use by
 * a builder's life; a lost builder's slots stay out of use until its replacement has started. Where
 * there are networks, a slot that had a tenant is dirty, and not free, until it has been flushed.
 * Plain memory: no system call.
 */
#ifndef SUPERVISOR_SLOTS_H
#define SUPERVISOR_SLOTS_H
#include <stdbool.h>
#include <stdint.h>

#include "proto/network.h"

struct sandbox;
struct slots;

/* All slots are out of use until slots_builder_started(). NULL: out of memory. */
struct slots *slots_create(uint32_t count, uint32_t builders);
/* Accepts NULL. */
void slots_destroy(struct slots *slots);

/* The builder's slot that has been free the longest, for this sandbox, or -1. */
int slots_take(struct slots *slots, uint32_t builder, struct sandbox *sandbox);
bool slots_has_free(const struct slots *slots, uint32_t builder);
/* Free again: its sandbox is proven dead, or was never made. */
void slots_give(struct slots *slots, uint32_t slot);
/* The sandbox that has it, also when it is dying; NULL: none. */
struct sandbox *slots_tenant(const struct slots *slots, uint32_t slot);

/* Its sandbox, which is gone now or will be with its builder, may have left something in its network. */
void slots_set_dirty(struct slots *slots, uint32_t slot);
/* The first from `first` on that is dirty and not being flushed, its sandbox proven dead; -1: none. */
int slots_next_to_flush(const struct slots *slots, uint32_t first);
void slots_set_flushing(struct slots *slots, uint32_t slot, bool is_flushing);
/* It is clean, and free unless its builder is lost: then once there is another. */
void slots_set_clean(struct slots *slots, uint32_t slot);

/* Whether the slot's builder has made it; builders that are lost take this with them. */
bool slots_is_made(const struct slots *slots, uint32_t slot);
void slots_set_made(struct slots *slots, uint32_t slot, bool is_made);

/*
 * The egress profile that was asked for last (0: none or unknown), and how often it was asked for without
 * an answer yet. A profile that was refused is unknown.
 */
enum network_profile slots_profile(const struct slots *slots, uint32_t slot);
bool slots_awaits_profile(const struct slots *slots, uint32_t slot);
void slots_ask_profile(struct slots *slots, uint32_t slot, enum network_profile profile);
void slots_answer_profile(struct slots *slots, uint32_t slot, bool is_set);

/* The builder has gone: none of its slots may be used, none is made. */
void slots_builder_lost(struct slots *slots, uint32_t builder);
/* Its replacement has ended whatever was in them: all of them are free but those that are dirty. */
void slots_builder_started(struct slots *slots, uint32_t builder);
#endif
