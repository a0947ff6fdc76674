/*
 * Anthropic Messages: how its answers are read. https://docs.anthropic.com/en/api/messages-streaming
 */
#include <errno.h>
#include <string.h>

#include "agentd/upstream/dialect.h"
#include "base/cleanup.h"
#include "base/error.h"

/* A member that counts tokens; 0 when it is absent. */
static json_int_t count_of(const json_t *usage, const char *member)
{
	json_int_t count = json_integer_value(json_object_get(usage, member));

	return count > 0 && count < INT32_MAX ? count : 0;
}

/* input_tokens does not include what came from the cache or went there. */
static void read_usage(struct reply *reply, const json_t *usage)
{
	json_int_t prompt = count_of(usage, "input_tokens") +
			    count_of(usage, "cache_creation_input_tokens") +
			    count_of(usage, "cache_read_input_tokens");
	json_int_t completion = count_of(usage, "output_tokens");

	reply_usage(reply, prompt > 0 ? prompt : -1, completion > 0 ? completion : -1);
}

static void read_stop(struct reply *reply, const json_t *stop_reason)
{
	static const struct {
		const char *reason;
		enum upstream_finish finish;
	} rows[] = {
		{"max_tokens", UPSTREAM_LENGTH},
		{"model_context_window_exceeded", UPSTREAM_LENGTH},
		{"tool_use", UPSTREAM_TOOLS},
		{"refusal", UPSTREAM_FILTERED},
	};
	enum upstream_finish finish = UPSTREAM_STOP;

	if (!json_is_string(stop_reason))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(json_string_value(stop_reason), rows[i].reason) == 0)
			finish = rows[i].finish;
	reply_complete(reply, finish);
}

static bool is_word(const json_t *word, const char *text)
{
	return json_is_string(word) && strcmp(json_string_value(word), text) == 0;
}

/* The beginning of a block in a stream, or a whole one. */
static int read_block(struct reply *reply, json_int_t index, const json_t *block, struct error *err)
{
	const json_t *type = json_object_get(block, "type");
	const json_t *input = json_object_get(block, "input");
	struct reply_call_piece piece = {
		.index = index,
		.id = json_string_value(json_object_get(block, "id")),
		.name = json_string_value(json_object_get(block, "name")),
		.arguments =
			json_object_size(input) > 0 ? input : NULL, /* else it comes in deltas */
	};
	int r;

	if (is_word(type, "text"))
		return reply_text(reply, json_object_get(block, "text"), err);
	if (is_word(type, "tool_use"))
		return reply_call(reply, &piece, err);
	if (is_word(type, "redacted_thinking"))
		return reply_thought_end(reply, block, err);
	if (!is_word(type, "thinking"))
		return 0;
	r = reply_thinking(reply, json_object_get(block, "thinking"), err);
	if (r == 0)
		r = reply_thought(reply, json_object_get(block, "thinking"),
			json_object_get(block, "signature"), err);
	return r;
}

static int read_delta(struct reply *reply, json_int_t index, const json_t *delta, struct error *err)
{
	const json_t *type = json_object_get(delta, "type");
	const json_t *thinking = json_object_get(delta, "thinking");
	struct reply_call_piece piece = {
		.index = index, .arguments = json_object_get(delta, "partial_json")};
	int r;

	if (is_word(type, "text_delta"))
		return reply_text(reply, json_object_get(delta, "text"), err);
	if (is_word(type, "input_json_delta"))
		return reply_call(reply, &piece, err);
	if (is_word(type, "signature_delta"))
		return reply_thought(reply, NULL, json_object_get(delta, "signature"), err);
	if (!is_word(type, "thinking_delta"))
		return 0;
	r = reply_thinking(reply, thinking, err);
	return r < 0 ? r : reply_thought(reply, thinking, NULL, err);
}

static int event(struct reply *reply, const json_t *json, struct error *err)
{
	const json_t *type = json_object_get(json, "type");
	json_int_t index = json_integer_value(json_object_get(json, "index"));

	if (is_word(type, "content_block_delta"))
		return read_delta(reply, index, json_object_get(json, "delta"), err);
	if (is_word(type, "content_block_start"))
		return read_block(reply, index, json_object_get(json, "content_block"), err);
	if (is_word(type, "content_block_stop"))
		return reply_thought_end(reply, NULL, err);
	if (is_word(type, "message_start"))
		read_usage(reply, json_object_get(json_object_get(json, "message"), "usage"));
	if (is_word(type, "message_delta")) {
		read_usage(reply, json_object_get(json, "usage"));
		read_stop(reply, json_object_get(json_object_get(json, "delta"), "stop_reason"));
	}
	if (is_word(type, "message_stop"))
		reply->is_last = true;
	return 0; /* ping, and what is not known yet */
}

static int whole(struct reply *reply, const json_t *answer, struct error *err)
{
	const json_t *content = json_object_get(answer, "content");
	size_t index;
	json_t *block;
	int r = 0;

	if (!json_is_array(content))
		return error_set(err, EPROTO, "the answer has no content");
	json_array_foreach(content, index, block)
	{
		if (r == 0)
			r = read_block(reply, (json_int_t)index, block, err);
		if (r == 0)
			r = reply_thought_end(reply, NULL, err);
	}
	read_usage(reply, json_object_get(answer, "usage"));
	reply_complete(reply, UPSTREAM_STOP);
	read_stop(reply, json_object_get(answer, "stop_reason"));
	return r;
}

const struct dialect dialect_anthropic = {
	.path = "/messages",
	.key_header = "x-api-key: ",
	.header = "anthropic-version: 2023-06-01",
	.encode = dialect_anthropic_encode,
	.encode_tools = dialect_anthropic_encode_tools,
	.event = event,
	.whole = whole,
};
