/*
 * Any bytes as a command's output: cut after whole characters, mended for JSON, kept as head and tail.
 * The first byte says in pieces of which size they come, the second what may be left.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/tool/headtail.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

#define CUT_LINE_MAX 64

static void check_utf8(const char *data, size_t size)
{
	json_auto_t *json = utf8_to_json(data, size);
	size_t whole = utf8_whole_length(data, size);

	if (whole > size || size - whole >= UTF8_SEQUENCE_MAX || !json)
		abort();
	if (!text_is_utf8(json_string_value(json), json_string_length(json)))
		abort();
	if (memchr(json_string_value(json), '\0', json_string_length(json)))
		abort();
	if (text_is_utf8(data, size) && whole != size)
		abort();
	if (text_is_utf8(data, size) && !memchr(data, '\0', size) &&
		(json_string_length(json) != size ||
			memcmp(json_string_value(json), data, size) != 0))
		abort();
}

static void check_headtail(const char *data, size_t size, size_t piece, size_t budget)
{
	struct headtail kept = {0};
	struct evbuffer *text = evbuffer_new();
	size_t length;

	for (size_t at = 0; at < size; at += piece)
		if (headtail_add(&kept, data + at, size - at < piece ? size - at : piece) < 0)
			abort();
	if (!text || headtail_format(&kept, budget, text) < 0 || kept.total != size)
		abort();
	length = evbuffer_get_length(text);
	if (length > budget + CUT_LINE_MAX || (size <= budget && length != size))
		abort();
	if (size <= budget && size > 0 && memcmp(evbuffer_pullup(text, -1), data, size) != 0)
		abort();
	evbuffer_free(text);
	headtail_finish(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	check_utf8((const char *)data + 2, size - 2);
	check_headtail((const char *)data + 2, size - 2, data[0] + 1u, data[1]);
	return 0;
}
