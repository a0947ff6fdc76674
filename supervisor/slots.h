/*
 * slots.h - which slot builds the next sandbox: the instance's slots, dealt out to its builders.
 *
 * Slot i belongs to builder i % builders and to nobody else, ever. A free slot is used first-in
 * first-out, so that each rests as long as it can. A slot is made (LINK_SLOT) at its first use by
 * a builder's life; a lost builder's slots stay out of use until its replacement has started.
 * Plain memory: no system call.
 */
#ifndef SUPERVISOR_SLOTS_H
#define SUPERVISOR_SLOTS_H
#include <stdbool.h>
#include <stdint.h>

struct slots;

/* All slots are out of use until slots_builder_started(). NULL: out of memory. */
struct slots *slots_create(uint32_t count, uint32_t builders);
/* Accepts NULL. */
void slots_destroy(struct slots *slots);

/* The builder's slot that has been free the longest, or -1. */
int slots_take(struct slots *slots, uint32_t builder);
bool slots_has_free(const struct slots *slots, uint32_t builder);
/* Free again: its sandbox is proven dead, or was never made. */
void slots_give(struct slots *slots, uint32_t slot);

/* Whether the slot's builder has made it; builders that are lost take this with them. */
bool slots_is_made(const struct slots *slots, uint32_t slot);
void slots_set_made(struct slots *slots, uint32_t slot);

/* The builder has gone: none of its slots may be used, none is made. */
void slots_builder_lost(struct slots *slots, uint32_t builder);
/* Its replacement has ended whatever was in them: all of them are free. */
void slots_builder_started(struct slots *slots, uint32_t builder);
#endif
