#include "agentd/api/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define PREFIX_LENGTH 8

_Static_assert(sizeof("sk_live_") - 1 == PREFIX_LENGTH, "the prefixes' length");

int api_keys_set(struct api_keys *keys, const struct api_key *list, size_t count, struct error *err)
{
	struct api_key *copy = NULL;

	if (count > 0) {
		copy = calloc(count, sizeof(*copy));
		if (!copy)
			return error_set(err, ENOMEM, "API keys: out of memory");
		memcpy(copy, list, count * sizeof(*copy));
	}
	free(keys->keys);
	keys->keys = copy;
	keys->count = count;
	return 0;
}

void api_keys_finish(struct api_keys *keys)
{
	free(keys->keys);
	memset(keys, 0, sizeof(*keys));
}

bool api_key_is_wellformed(const char *text)
{
	size_t length;

	if (strncmp(text, "sk_live_", PREFIX_LENGTH) != 0 &&
		strncmp(text, "sk_test_", PREFIX_LENGTH) != 0)
		return false;
	text += PREFIX_LENGTH;
	length = strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-");
	return text[length] == '\0' && length >= API_KEY_BODY_MIN && length <= API_KEY_BODY_MAX;
}

int api_key_hash(const char *text, unsigned char ret_hash[static API_KEY_HASH_SIZE])
{
	unsigned size = 0;

	if (!EVP_Digest(text, strlen(text), ret_hash, &size, EVP_sha256(), NULL) ||
		size != API_KEY_HASH_SIZE)
		return -EIO;
	return 0;
}

const struct api_key *api_keys_find(const struct api_keys *keys, const char *text)
{
	unsigned char hash[API_KEY_HASH_SIZE];
	const struct api_key *found = NULL;

	if (!api_key_is_wellformed(text) || api_key_hash(text, hash) < 0)
		return NULL;
	for (size_t i = 0; i < keys->count; i++) {
		if (CRYPTO_memcmp(keys->keys[i].hash, hash, sizeof(hash)) == 0)
			found = &keys->keys[i];
	}
	return found;
}

bool api_keys_has_id(const struct api_keys *keys, const char *id)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(keys->keys[i].id, id) == 0)
			return true;
	}
	return false;
}
