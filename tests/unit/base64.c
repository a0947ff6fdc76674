/* base64.h, against the vectors of RFC 4648 section 10. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/base64.h"

static const struct {
	const char *plain, *coded;
} vectors[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
};

static void the_vectors_of_the_standard_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		char *coded = base64_encode(vectors[i].plain, strlen(vectors[i].plain));

		assert_string_equal(coded, vectors[i].coded);
		free(coded);
	}
}

static void the_vectors_of_the_standard_decode(void **state)
{
	char plain[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		size_t size = strlen(vectors[i].plain);

		assert_int_equal(
			base64_decode(vectors[i].coded, strlen(vectors[i].coded), plain), size);
		assert_memory_equal(plain, vectors[i].plain, size);
	}
}

static void every_byte_value_survives(void **state)
{
	unsigned char bytes[256], back[256];
	char *coded;

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	coded = base64_encode(bytes, sizeof(bytes));
	assert_int_equal(base64_decode(coded, strlen(coded), back), 256);
	assert_memory_equal(bytes, back, 256);
	free(coded);
}

static void what_is_no_base64_is_refused(void **state)
{
	static const char *const wrong[] = {
		"Zg=", "Zg", "Zm9v\n", "Zm 9", "Zm9-", "====", "Z===", "=Zm9", "Zm9vYg==Zg=="};
	char plain[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(base64_decode(wrong[i], strlen(wrong[i]), plain), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_standard_encode),
		cmocka_unit_test(the_vectors_of_the_standard_decode),
		cmocka_unit_test(every_byte_value_survives),
		cmocka_unit_test(what_is_no_base64_is_refused),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
