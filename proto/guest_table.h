/*
 * guest_table.h - requests in flight by id. Part of guest_client.h's implementation.
 *
 * The table chooses the ids: counting up, wrapping around, never one that is still in it. Entries
 * are embedded in what they stand for and owned by whoever added them.
 */
#ifndef PROTO_GUEST_TABLE_H
#define PROTO_GUEST_TABLE_H
#include <stdint.h>

struct guest_table_entry {
	uint32_t id; /* never 0 while in the table */
	struct guest_table_entry *next;
};

struct guest_table { /* all zero: empty */
	struct guest_table_entry **buckets;
	uint32_t bucket_count; /* power of two, or 0 */
	uint32_t count;
	uint32_t last_id;
};

/* Frees memory of the table only. */
void guest_table_finish(struct guest_table *table);
/* Chooses entry->id. 0 or -ENOMEM. */
int guest_table_add(struct guest_table *table, struct guest_table_entry *entry);
/* NULL when there is none. */
struct guest_table_entry *guest_table_find(const struct guest_table *table, uint32_t id);
/* Must be in the table. */
void guest_table_remove(struct guest_table *table, struct guest_table_entry *entry);
#endif
