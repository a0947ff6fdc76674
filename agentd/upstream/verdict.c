#include "agentd/upstream/verdict.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	long http;
	enum verdict verdict;
	int status;
} http_rows[] = {
	{400, VERDICT_END, -EINVAL}, {401, VERDICT_NEXT, -EACCES},
	{402, VERDICT_NEXT, -EACCES}, /* not paid for */
	{403, VERDICT_NEXT, -EACCES}, {404, VERDICT_NEXT, -ENOENT},
	{408, VERDICT_AGAIN, -ETIMEDOUT}, {409, VERDICT_AGAIN, -EIO}, {410, VERDICT_NEXT, -ENOENT},
	{413, VERDICT_END, -EINVAL}, {422, VERDICT_END, -EINVAL}, {425, VERDICT_AGAIN, -EIO},
	{429, VERDICT_AGAIN, -EBUSY}, {529, VERDICT_AGAIN, -EBUSY}, /* Anthropic: overloaded */
};

static const struct {
	int error;
	enum verdict verdict;
	int status;
} errno_rows[] = {
	{-ECONNREFUSED, VERDICT_AGAIN, -EIO},
	{-EHOSTUNREACH, VERDICT_AGAIN, -EIO},
	{-EIO, VERDICT_AGAIN, -EIO},
	{-ECONNRESET, VERDICT_AGAIN, -ECONNRESET},
	{-ETIMEDOUT, VERDICT_AGAIN, -ETIMEDOUT},
	{-EPROTO, VERDICT_AGAIN, -EPROTO},
	{-E2BIG, VERDICT_NEXT, -EPROTO},
	{-EFBIG, VERDICT_NEXT, -EPROTO},
	{-EINVAL, VERDICT_NEXT, -EIO}, /* of a URL */
	{-EKEYREJECTED, VERDICT_NEXT, -EIO},
	{-ECANCELED, VERDICT_END, -ECANCELED},
};

/* No status says it; so do, each in its words, OpenAI, Anthropic, Google, xAI, vLLM and llama-server. */
static bool is_too_long(const char *text)
{
	static const char *const words[] = {"context length", "context_length", "context window",
		"context size", "prompt is too long", "input is too long", "too many tokens",
		"maximum prompt length", "maximum number of tokens"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasestr(text, words[i]))
			return true;
	return false;
}

enum verdict verdict_of_http(long http, const char *text, int *ret_status)
{
	if (http >= 400 && http < 500 && http != 429 && is_too_long(text)) {
		*ret_status = -EMSGSIZE;
		return VERDICT_END;
	}
	for (size_t i = 0; i < ARRAY_SIZE(http_rows); i++)
		if (http_rows[i].http == http) {
			*ret_status = http_rows[i].status;
			return http_rows[i].verdict;
		}
	*ret_status = http >= 500 ? -EIO : -EINVAL;
	return http >= 500 ? VERDICT_AGAIN : VERDICT_END;
}

enum verdict verdict_of_errno(int error, int *ret_status)
{
	for (size_t i = 0; i < ARRAY_SIZE(errno_rows); i++)
		if (errno_rows[i].error == error) {
			*ret_status = errno_rows[i].status;
			return errno_rows[i].verdict;
		}
	*ret_status = -EIO;
	return VERDICT_END;
}

uint32_t verdict_wait_ms(
	unsigned made, uint32_t first_ms, uint32_t last_ms, long retry_after_s, uint32_t random)
{
	uint64_t wait = first_ms, asked = retry_after_s > 0 ? (uint64_t)retry_after_s * 1000 : 0;

	for (unsigned i = 1; i < made && wait < last_ms; i++)
		wait *= 2;
	if (wait > last_ms)
		wait = last_ms;
	wait -= (uint64_t)random * (wait / 2 + 1) >> 32;
	if (asked > last_ms)
		asked = last_ms;
	return (uint32_t)(asked > wait ? asked : wait);
}
