/* keys.h: which texts are keys, and that looking one up is the same work whatever it is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agentd/api/keys.h"
#include "base/error.h"

#define COUNT 100

static size_t compared; /* bytes, by __wrap_CRYPTO_memcmp() */

/* The linker puts it in the place of libcrypto's, whose time does not depend on the bytes. */
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t size);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t size)
{
	compared += size;
	return memcmp(a, b, size);
}

static void make_text(char text[64], unsigned number)
{
	snprintf(text, 64, "sk_live_%020u", number);
}

static void fill(struct api_keys *keys)
{
	struct api_key list[COUNT] = {0};
	char text[64];

	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(list[i].id, sizeof(list[i].id), "id%u", i);
		make_text(text, i);
		assert_int_equal(api_key_hash(text, list[i].hash), 0);
	}
	assert_int_equal(api_keys_set(keys, list, COUNT, NULL), 0);
}

static void each_key_is_found_and_nothing_else_is(void **state)
{
	struct api_keys keys = {0};
	char text[64];

	(void)state;
	fill(&keys);
	for (unsigned i = 0; i < COUNT; i++) {
		char id[16];

		make_text(text, i);
		snprintf(id, sizeof(id), "id%u", i);
		assert_string_equal(api_keys_find(&keys, text)->id, id);
		assert_true(api_keys_has_id(&keys, id));
	}
	make_text(text, COUNT);
	assert_null(api_keys_find(&keys, text));
	make_text(text, 7);
	text[strlen(text) - 1] = '\0'; /* a prefix of a key */
	assert_null(api_keys_find(&keys, text));
	assert_false(api_keys_has_id(&keys, "id100"));
	api_keys_finish(&keys);
}

static void every_lookup_compares_all_bytes_of_all_hashes(void **state)
{
	static const unsigned numbers[] = {0, COUNT / 2, COUNT - 1, COUNT + 1};
	struct api_keys keys = {0};
	char text[64];

	(void)state;
	fill(&keys);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		compared = 0;
		make_text(text, numbers[i]);
		api_keys_find(&keys, text);
		assert_int_equal(compared, COUNT * API_KEY_HASH_SIZE);
	}
	api_keys_finish(&keys);
}

static void what_has_not_a_keys_form_is_none_and_costs_nothing(void **state)
{
	static const char *const texts[] = {"", "sk_live_", "sk_live_012345678901234",
		"sk_prod_0123456789012345", "SK_LIVE_0123456789012345", " sk_live_0123456789012345",
		"sk_live_0123456789012345 ", "sk_live_01234567890123\xc3\xa4", "Bearer"};
	struct api_keys keys = {0};
	char text[8 + API_KEY_BODY_MAX + 2] = "sk_test_";

	(void)state;
	fill(&keys);
	compared = 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_false(api_key_is_wellformed(texts[i]));
		assert_null(api_keys_find(&keys, texts[i]));
	}
	memset(text + 8, 'a', API_KEY_BODY_MAX);
	assert_true(api_key_is_wellformed(text));
	text[8 + API_KEY_BODY_MAX] = 'a';
	assert_null(api_keys_find(&keys, text));
	assert_int_equal(compared, 0);
	api_keys_finish(&keys);
}

static void a_hash_is_sha_256(void **state)
{
	static const unsigned char wanted[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
	unsigned char hash[API_KEY_HASH_SIZE];

	(void)state;
	assert_int_equal(api_key_hash("abc", hash), 0);
	assert_memory_equal(hash, wanted, sizeof(wanted));
}

static void another_set_takes_the_place_of_the_first(void **state)
{
	struct api_keys keys = {0};
	char text[64];

	(void)state;
	fill(&keys);
	assert_int_equal(api_keys_set(&keys, NULL, 0, NULL), 0);
	make_text(text, 1);
	assert_null(api_keys_find(&keys, text));
	api_keys_finish(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_found_and_nothing_else_is),
		cmocka_unit_test(every_lookup_compares_all_bytes_of_all_hashes),
		cmocka_unit_test(what_has_not_a_keys_form_is_none_and_costs_nothing),
		cmocka_unit_test(a_hash_is_sha_256),
		cmocka_unit_test(another_set_takes_the_place_of_the_first),
	};

	return cmocka_run_group_tests_name("api_keys", tests, NULL, NULL);
}
