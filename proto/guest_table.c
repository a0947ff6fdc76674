#include "proto/guest_table.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_MIN 16

/* Ids count up, so their low bits spread by themselves. */
static struct guest_table_entry **bucket_of(const struct guest_table *table, uint32_t id)
{
	return &table->buckets[id & (table->bucket_count - 1)];
}

void guest_table_finish(struct guest_table *table)
{
	free(table->buckets);
	*table = (struct guest_table){0};
}

static int grow(struct guest_table *table)
{
	struct guest_table old = *table;

	table->bucket_count = old.bucket_count ? old.bucket_count * 2 : BUCKETS_MIN;
	table->buckets = calloc(table->bucket_count, sizeof(struct guest_table_entry *));
	if (!table->buckets) {
		*table = old;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < old.bucket_count; i++) {
		struct guest_table_entry *entry = old.buckets[i];

		while (entry) {
			struct guest_table_entry *next = entry->next;
			struct guest_table_entry **bucket = bucket_of(table, entry->id);

			entry->next = *bucket;
			*bucket = entry;
			entry = next;
		}
	}
	free(old.buckets);
	return 0;
}

int guest_table_add(struct guest_table *table, struct guest_table_entry *entry)
{
	struct guest_table_entry **bucket;

	if (table->count == table->bucket_count) {
		int r = grow(table);

		if (r < 0)
			return r;
	}
	do
		table->last_id++;
	while (table->last_id == 0 || guest_table_find(table, table->last_id));

	entry->id = table->last_id;
	bucket = bucket_of(table, entry->id);
	entry->next = *bucket;
	*bucket = entry;
	table->count++;
	return 0;
}

struct guest_table_entry *guest_table_find(const struct guest_table *table, uint32_t id)
{
	struct guest_table_entry *entry;

	if (table->count == 0)
		return NULL;
	entry = *bucket_of(table, id);
	while (entry && entry->id != id)
		entry = entry->next;
	return entry;
}

void guest_table_remove(struct guest_table *table, struct guest_table_entry *entry)
{
	struct guest_table_entry **at = bucket_of(table, entry->id);

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	entry->id = 0;
	table->count--;
}
