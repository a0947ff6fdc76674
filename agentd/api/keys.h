/*
 * keys.h - the API keys that are good now: SHA-256 hashes only, and who they are.
 *
 * A key is sk_live_ or sk_test_ and 16 to 128 letters and digits. Looking one up hashes it and compares it with
 * every hash there is, so that the time says nothing of which was near.
 */
#ifndef AGENTD_API_KEYS_H
#define AGENTD_API_KEYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_KEY_ID_MAX	  32 /* bytes with its terminator */
#define API_KEY_HASH_SIZE 32
#define API_KEY_BODY_MIN  16 /* characters behind sk_live_ */
#define API_KEY_BODY_MAX  128

struct error;

struct api_key {
	char id[API_KEY_ID_MAX];
	char prefix[16]; /* its first characters, for people; not secret */
	unsigned char hash[API_KEY_HASH_SIZE];
};

struct api_keys {
	struct api_key *keys;
	size_t count;
};

/* Another set instead of the present one; copied. 0, or -ENOMEM: the present one holds on. */
int api_keys_set(
	struct api_keys *keys, const struct api_key *list, size_t count, struct error *err);
/* Accepts one that is zeroed. */
void api_keys_finish(struct api_keys *keys);

/* text has the form of a key. */
bool api_key_is_wellformed(const char *text);
/* 0, or -EIO: libcrypto cannot. */
int api_key_hash(const char *text, unsigned char ret_hash[static API_KEY_HASH_SIZE]);

/* The key that this text is, or NULL. Valid until the next api_keys_set(). */
const struct api_key *api_keys_find(const struct api_keys *keys, const char *text);
/* There is a key of this id. */
bool api_keys_has_id(const struct api_keys *keys, const char *id);
#endif
