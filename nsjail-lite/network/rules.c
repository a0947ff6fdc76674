#include "nsjail-lite/network/rules.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "nsjail-lite/network/rules_private.h"
#include "proto/dns.h"

struct admitted {
	uint32_t destination;
	uint64_t until_ms;
};

/* What the kernel has of one address. */
struct rule_slot {
	char link[IFNAMSIZ]; /* empty: nothing yet */
	enum network_profile profile;
	uint32_t admitted_count;
	struct admitted *admitted; /* DNS_ADMITTED_MAX, made when first needed */
};

struct rules {
	const struct network_start *config;
	struct rules_batch *batch;
	struct rule_slot *slots; /* config->slot_count */
};

/* Run nft(8)'s words; what it complains of is one line of its own and then a picture. */
static int run_text(char *text, struct error *err)
{
	auto_free char *owned = text;
	struct nft_ctx *nft = text ? nft_ctx_new(NFT_CTX_DEFAULT) : NULL;
	const char *why;
	int r = 0;

	if (!nft)
		return error_set(err, ENOMEM, "nftables: out of memory");
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, owned) != 0) {
		why = nft_ctx_get_error_buffer(nft);
		r = error_set(err, EIO, "nftables: %.*s", (int)strcspn(why, "\n"), why);
	}
	nft_ctx_free(nft);
	return r;
}

int rules_open(const struct network_start *config, struct rules **ret_rules, struct error *err)
{
	struct rules *rules = calloc(1, sizeof(*rules));
	char table[RULES_TABLE_SIZE];
	int r;

	if (!rules)
		return error_set(err, ENOMEM, "rules: out of memory");
	rules->config = config;
	rules->slots = calloc(config->slot_count, sizeof(*rules->slots));
	rules_table_name(config->instance, table);
	r = rules->slots ? run_text(rules_text(config), err)
			 : error_set(err, ENOMEM, "rules: out of memory");
	if (r == 0)
		r = rules_batch_create(table, &rules->batch, err);
	if (r < 0) {
		rules_close(rules);
		return r;
	}
	*ret_rules = rules;
	return 0;
}

void rules_close(struct rules *rules)
{
	if (!rules)
		return;
	rules_recover(rules->config->instance, NULL);
	rules_batch_destroy(rules->batch);
	for (uint32_t i = 0; rules->slots && i < rules->config->slot_count; i++)
		free(rules->slots[i].admitted);
	free(rules->slots);
	free(rules);
}

int rules_recover(const char *instance, struct error *err)
{
	return run_text(rules_text_remove(instance), err);
}

static int find_slot(
	struct rules *rules, uint32_t address, struct rule_slot **ret_slot, struct error *err)
{
	uint32_t first = network_slot_address(rules->config, 0);

	if (address - first >= rules->config->slot_count)
		return error_set(err, EINVAL, "rules: no slot has the address %#x", address);
	*ret_slot = &rules->slots[address - first];
	return 0;
}

static struct rules_key admitted_key(uint32_t address, uint32_t destination)
{
	return rules_key_pair(rules_key_address(address), rules_key_address(destination));
}

/* Some may have run out meanwhile: added first, so that there is something to delete. */
static void put_forget_admitted(struct rules *rules, uint32_t address, const struct rule_slot *slot)
{
	struct rules_key keys[DNS_ADMITTED_MAX];

	for (uint32_t i = 0; i < slot->admitted_count; i++)
		keys[i] = admitted_key(address, slot->admitted[i].destination);
	if (slot->admitted_count == 0)
		return;
	rules_batch_add(rules->batch, RULES_ADMITTED, keys, slot->admitted_count, NULL, 0);
	rules_batch_delete(rules->batch, RULES_ADMITTED, keys, slot->admitted_count);
}

int rules_set_profile(struct rules *rules, const char *link, uint32_t address,
	enum network_profile profile, struct error *err)
{
	struct rules_key link_key = rules_key_link(link), old_link_key;
	struct rules_key address_key = rules_key_address(address), key;
	struct rule_slot *slot = NULL;
	int r = find_slot(rules, address, &slot, err);

	if (r < 0)
		return r;
	if (slot->profile == profile && strcmp(slot->link, link) == 0)
		return 0;
	old_link_key = rules_key_link(slot->link);
	rules_batch_begin(rules->batch);
	if (slot->link[0] && strcmp(slot->link, link) != 0)
		rules_batch_delete(rules->batch, RULES_DENIED, &old_link_key, 1);
	rules_batch_add(rules->batch, RULES_DENIED, &link_key, 1, NULL, 0);
	key = rules_key_pair(old_link_key, address_key);
	if (slot->profile)
		rules_batch_delete(rules->batch, RULES_PROFILES, &key, 1);
	key = rules_key_pair(link_key, address_key);
	rules_batch_add(rules->batch, RULES_PROFILES, &key, 1, rules_chain(profile), 0);
	put_forget_admitted(rules, address, slot);
	r = rules_batch_commit(rules->batch, err);
	if (r < 0)
		return error_prefix(err, r, "profile of %s", link);
	snprintf(slot->link, sizeof(slot->link), "%s", link);
	slot->profile = profile;
	slot->admitted_count = 0;
	return 0;
}

static void drop_expired(struct rule_slot *slot, uint64_t now_ms)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < slot->admitted_count; i++)
		if (slot->admitted[i].until_ms > now_ms)
			slot->admitted[kept++] = slot->admitted[i];
	slot->admitted_count = kept;
}

static struct admitted *find_admitted(struct rule_slot *slot, uint32_t destination)
{
	for (uint32_t i = 0; i < slot->admitted_count; i++)
		if (slot->admitted[i].destination == destination)
			return &slot->admitted[i];
	return NULL;
}

/* Until then, or longer if it was for longer. NULL: there are too many. */
static struct admitted *note_admitted(
	struct rule_slot *slot, uint32_t destination, uint64_t until_ms)
{
	struct admitted *a = find_admitted(slot, destination);

	if (!a && slot->admitted_count == DNS_ADMITTED_MAX)
		return NULL;
	if (!a) {
		a = &slot->admitted[slot->admitted_count++];
		*a = (struct admitted){.destination = destination};
	}
	if (a->until_ms < until_ms)
		a->until_ms = until_ms;
	return a;
}

int rules_admit(struct rules *rules, uint32_t address, const uint32_t *destinations, uint32_t count,
	uint32_t ttl, struct error *err)
{
	uint64_t now_ms = clock_now_ms();
	struct rule_slot *slot = NULL;
	int r = find_slot(rules, address, &slot, err);

	if (r < 0)
		return r;
	if (!slot->admitted)
		slot->admitted = calloc(DNS_ADMITTED_MAX, sizeof(*slot->admitted));
	if (!slot->admitted)
		return error_set(err, ENOMEM, "rules: out of memory");
	drop_expired(slot, now_ms);
	rules_batch_begin(rules->batch);
	for (uint32_t i = 0; i < count; i++) {
		struct rules_key key = admitted_key(address, destinations[i]);
		struct admitted *a =
			note_admitted(slot, destinations[i], now_ms + ttl * UINT64_C(1000));

		if (!a)
			return error_set(err, ENOSPC, "admit to %s: it has %d addresses already",
				slot->link, DNS_ADMITTED_MAX);
		/* Kernels before 6.12 leave the time-out of what is there as it was. */
		rules_batch_add(rules->batch, RULES_ADMITTED, &key, 1, NULL, 0);
		rules_batch_delete(rules->batch, RULES_ADMITTED, &key, 1);
		rules_batch_add(rules->batch, RULES_ADMITTED, &key, 1, NULL, a->until_ms - now_ms);
	}
	r = rules_batch_commit(rules->batch, err);
	return r < 0 ? error_prefix(err, r, "admit to %s", slot->link) : 0;
}

int rules_forget(struct rules *rules, uint32_t address, struct error *err)
{
	struct rules_key key = rules_key_address(address), link_key;
	struct rule_slot *slot = NULL;
	int r = find_slot(rules, address, &slot, err);

	if (r < 0 || !slot->link[0])
		return r;
	link_key = rules_key_link(slot->link);
	rules_batch_begin(rules->batch);
	put_forget_admitted(rules, address, slot);
	rules_batch_add(rules->batch, RULES_FRESH, &key, 1, NULL, 0);
	rules_batch_delete(rules->batch, RULES_FRESH, &key, 1);
	rules_batch_add(rules->batch, RULES_FLOWS, &key, 1, NULL, 0);
	rules_batch_delete(rules->batch, RULES_FLOWS, &key, 1);
	rules_batch_delete(rules->batch, RULES_DENIED, &link_key, 1);
	rules_batch_add(rules->batch, RULES_DENIED, &link_key, 1, NULL, 0);
	r = rules_batch_commit(rules->batch, err);
	if (r < 0)
		return error_prefix(err, r, "forget %s", slot->link);
	slot->admitted_count = 0;
	return 0;
}

int rules_denied(struct rules *rules, uint32_t address, uint64_t *ret_packets, struct error *err)
{
	struct rules_key link_key;
	struct rule_slot *slot = NULL;
	int r = find_slot(rules, address, &slot, err);

	if (r < 0)
		return r;
	if (!slot->link[0]) {
		*ret_packets = 0;
		return 0;
	}
	link_key = rules_key_link(slot->link);
	return rules_batch_count(rules->batch, RULES_DENIED, &link_key, ret_packets, err);
}
