/* verdict.h: what is tried again, what is not, and after how long. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agentd/upstream/verdict.h"
#include "base/cleanup.h"

static void each_http_status_has_its_meaning(void **state)
{
	static const struct {
		long http;
		enum verdict verdict;
		int status;
	} rows[] = {
		{301, VERDICT_END, -EINVAL},
		{400, VERDICT_END, -EINVAL},
		{401, VERDICT_NEXT, -EACCES},
		{402, VERDICT_NEXT, -EACCES},
		{403, VERDICT_NEXT, -EACCES},
		{404, VERDICT_NEXT, -ENOENT},
		{405, VERDICT_END, -EINVAL},
		{408, VERDICT_AGAIN, -ETIMEDOUT},
		{409, VERDICT_AGAIN, -EIO},
		{410, VERDICT_NEXT, -ENOENT},
		{413, VERDICT_END, -EINVAL},
		{422, VERDICT_END, -EINVAL},
		{425, VERDICT_AGAIN, -EIO},
		{429, VERDICT_AGAIN, -EBUSY},
		{500, VERDICT_AGAIN, -EIO},
		{502, VERDICT_AGAIN, -EIO},
		{503, VERDICT_AGAIN, -EIO},
		{504, VERDICT_AGAIN, -EIO},
		{529, VERDICT_AGAIN, -EBUSY},
		{999, VERDICT_AGAIN, -EIO},
	};
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(verdict_of_http(rows[i].http, "", &status), rows[i].verdict);
		assert_int_equal(status, rows[i].status);
	}
}

static void what_is_too_long_is_known_by_the_words_of_each_server(void **state)
{
	static const char *const said[] = {
		"This model's maximum context length is 8192 tokens. However, your messages "
		"resulted in 9000",
		"prompt is too long: 205000 tokens > 200000 maximum",
		"input length and `max_tokens` exceed context limit; the context window is 200000",
		"The input token count (1200000) exceeds the maximum number of tokens allowed "
		"(1048576)",
		"This model's maximum prompt length is 131072 but the request contains 150000 "
		"tokens",
		"the request exceeds the available context size. try increasing the context size",
	};
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		assert_int_equal(verdict_of_http(400, said[i], &status), VERDICT_END);
		assert_int_equal(status, -EMSGSIZE);
	}
	assert_int_equal(verdict_of_http(429, said[0], &status), VERDICT_AGAIN);
	assert_int_equal(verdict_of_http(500, said[0], &status), VERDICT_AGAIN);
	assert_int_equal(verdict_of_http(400, "max_tokens: too large", &status), VERDICT_END);
	assert_int_equal(status, -EINVAL);
}

static void each_way_to_lose_a_connection_has_its_meaning(void **state)
{
	int status;

	(void)state;
	assert_int_equal(verdict_of_errno(-ECONNREFUSED, &status), VERDICT_AGAIN);
	assert_int_equal(status, -EIO);
	assert_int_equal(verdict_of_errno(-ECONNRESET, &status), VERDICT_AGAIN);
	assert_int_equal(status, -ECONNRESET);
	assert_int_equal(verdict_of_errno(-ETIMEDOUT, &status), VERDICT_AGAIN);
	assert_int_equal(status, -ETIMEDOUT);
	assert_int_equal(verdict_of_errno(-EKEYREJECTED, &status), VERDICT_NEXT);
	assert_int_equal(verdict_of_errno(-E2BIG, &status), VERDICT_NEXT);
	assert_int_equal(status, -EPROTO);
	assert_int_equal(verdict_of_errno(-ENOMEM, &status), VERDICT_END);
	assert_int_equal(status, -EIO);
}

static void waits_double_up_to_the_last_and_lose_up_to_a_half(void **state)
{
	static const uint32_t full[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(full); i++) {
		assert_int_equal(verdict_wait_ms(i + 1, 1000, 30000, -1, 0), full[i]);
		assert_int_equal(verdict_wait_ms(i + 1, 1000, 30000, -1, UINT32_MAX), full[i] / 2);
	}
	assert_int_equal(verdict_wait_ms(1, 1, 1, -1, UINT32_MAX), 1);
	assert_int_equal(verdict_wait_ms(UINT32_MAX, UINT32_MAX, UINT32_MAX, -1, 0), UINT32_MAX);
	assert_int_equal(verdict_wait_ms(9, 5000, 100, -1, 0), 100);
}

static void what_the_server_asks_for_is_waited_up_to_the_cap(void **state)
{
	(void)state;
	assert_int_equal(verdict_wait_ms(1, 1000, 30000, 7, UINT32_MAX), 7000);
	assert_int_equal(verdict_wait_ms(4, 1000, 30000, 7, 0), 8000);
	assert_int_equal(verdict_wait_ms(1, 1000, 30000, 3600, 0), 30000);
	assert_int_equal(verdict_wait_ms(1, 1000, 30000, INT32_MAX, 0), 30000);
	assert_int_equal(verdict_wait_ms(1, 1000, 30000, 0, 0), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_http_status_has_its_meaning),
		cmocka_unit_test(what_is_too_long_is_known_by_the_words_of_each_server),
		cmocka_unit_test(each_way_to_lose_a_connection_has_its_meaning),
		cmocka_unit_test(waits_double_up_to_the_last_and_lose_up_to_a_half),
		cmocka_unit_test(what_the_server_asks_for_is_waited_up_to_the_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
