/*
 * rules_private.h - what the files of rules share: the table's text, and changes of single elements.
 *
 * The text goes through libnftables, once; elements go over a socket that stays open.
 */
#ifndef NSJAIL_LITE_NETWORK_RULES_PRIVATE_H
#define NSJAIL_LITE_NETWORK_RULES_PRIVATE_H
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "nsjail-lite/network/rules.h"

#define RULES_TABLE_SIZE (sizeof("hearth-") + NETWORK_INSTANCE_MAX)

/* Names in the text that elements refer to. */
#define RULES_PROFILES "profiles" /* map: link . source -> goto the profile's chain */
#define RULES_ADMITTED "admitted" /* set: source . destination, with a time-out */
#define RULES_FRESH    "fresh"	  /* set: source, with its limit of new connections a second */
#define RULES_FLOWS    "flows"	  /* set: source, with its connections */
#define RULES_DENIED   "denied"	  /* set: link, with a counter */

void rules_table_name(const char *instance, char ret_table[RULES_TABLE_SIZE]);
/* The chain of a profile that has one: not of NETWORK_NONE. */
const char *rules_chain(enum network_profile profile);

/* The whole table, as nft(8) reads it. The caller frees it. NULL: out of memory. */
char *rules_text(const struct network_start *config);
/* What removes the table, be it there or not. Likewise. */
char *rules_text_remove(const char *instance);

/* A key as the kernel has it: each part padded to 4 bytes, a name to IFNAMSIZ. */
struct rules_key {
	unsigned char bytes[IFNAMSIZ + 4];
	uint32_t size;
};

struct rules_key rules_key_link(const char *link);
struct rules_key rules_key_address(uint32_t address);
/* first, then second. */
struct rules_key rules_key_pair(struct rules_key first, struct rules_key second);

/* The socket, and a batch that is being put together in its memory. */
struct rules_batch;

int rules_batch_create(const char *table, struct rules_batch **ret_batch, struct error *err);
void rules_batch_destroy(struct rules_batch *batch);

void rules_batch_begin(struct rules_batch *batch);
/*
 * Elements of one set. Adding one that is there does nothing. chain: the verdict is to go there; NULL: it is no
 * map. timeout_ms 0: none.
 */
void rules_batch_add(struct rules_batch *batch, const char *set, const struct rules_key *keys,
	size_t count, const char *chain, uint64_t timeout_ms);
void rules_batch_delete(
	struct rules_batch *batch, const char *set, const struct rules_key *keys, size_t count);
/* All of it or nothing. 0 or -errno: -ENOENT when something to delete was not there. */
int rules_batch_commit(struct rules_batch *batch, struct error *err);

/* Packets that an element has counted. -ENOENT: there is no such element. */
int rules_batch_count(struct rules_batch *batch, const char *set, const struct rules_key *key,
	uint64_t *ret_packets, struct error *err);
#endif
