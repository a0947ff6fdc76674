/*
 * Any bytes as what a model's server answers: the first one says in which dialect, and whether as a stream or
 * whole. Whatever comes, the text that was passed on is that of the message, and both are UTF-8.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/upstream/dialect.h"
#include "agentd/upstream/sse.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

struct fuzzed {
	const struct dialect *dialect;
	struct reply reply;
	struct evbuffer *text;
	size_t calls;
};

static void check_text(const char *text, size_t size)
{
	if (size == 0 || !text_is_utf8(text, size) || memchr(text, '\0', size))
		abort();
}

static void on_text(void *arg, const char *text, size_t size)
{
	struct fuzzed *fuzzed = arg;

	check_text(text, size);
	if (evbuffer_add(fuzzed->text, text, size) < 0)
		abort();
}

static void on_thinking(void *arg, const char *text, size_t size)
{
	(void)arg;
	check_text(text, size);
}

static void on_tool_call(void *arg, const char *id, const char *name)
{
	struct fuzzed *fuzzed = arg;

	if (!*id || !*name || ++fuzzed->calls > UPSTREAM_TOOL_CALLS_MAX)
		abort();
}

static int on_event(void *arg, const char *data, size_t size)
{
	struct fuzzed *fuzzed = arg;
	struct error err = {0};
	int r = dialect_read(fuzzed->dialect, &fuzzed->reply, false, data, size, &err);

	if (r < 0 && (err.code != -r || !err.text[0]))
		abort();
	return r;
}

static int read_all(struct fuzzed *fuzzed, bool is_whole, const char *data, size_t size)
{
	struct error err;
	struct sse sse;
	int r;

	if (is_whole)
		return dialect_read(fuzzed->dialect, &fuzzed->reply, true, data, size, &err);
	if (sse_init(&sse, on_event, fuzzed) < 0)
		abort();
	r = sse_feed(&sse, data, size);
	if (r == 0)
		r = sse_end(&sse);
	sse_finish(&sse);
	return r;
}

static void check_calls(const json_t *calls)
{
	size_t index;
	json_t *call;

	json_array_foreach(calls, index, call)
	{
		const json_t *function = json_object_get(call, "function");

		if (!json_is_string(json_object_get(call, "id")) ||
			!json_is_string(json_object_get(function, "name")) ||
			json_string_length(json_object_get(function, "arguments")) == 0)
			abort();
	}
}

static void check_message(struct fuzzed *fuzzed)
{
	size_t size;
	json_t *message = NULL;
	const json_t *content, *calls;

	if (reply_message(&fuzzed->reply, &message, NULL) < 0)
		return;
	content = json_object_get(message, "content");
	calls = json_object_get(message, "tool_calls");
	size = evbuffer_get_length(fuzzed->text); /* with what was carried over */
	if (json_string_length(content) != size || (!json_is_string(content) && !calls) ||
		json_array_size(calls) != fuzzed->calls)
		abort();
	if (size > 0 &&
		memcmp(json_string_value(content), evbuffer_pullup(fuzzed->text, -1), size) != 0)
		abort();
	check_calls(calls);
	json_decref(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzzed fuzzed = {.text = evbuffer_new()};
	const struct upstream_callbacks callbacks = {.on_text = on_text,
		.on_thinking = on_thinking,
		.on_tool_call = on_tool_call,
		.arg = &fuzzed};

	if (size > 0) {
		fuzzed.dialect = data[0] & 1 ? &dialect_anthropic : &dialect_openai;
		if (!fuzzed.text || reply_init(&fuzzed.reply, &callbacks) < 0)
			abort();
		if (read_all(&fuzzed, data[0] & 2, (const char *)data + 1, size - 1) == 0)
			check_message(&fuzzed);
		reply_finish(&fuzzed.reply);
	}
	evbuffer_free(fuzzed.text);
	return 0;
}
