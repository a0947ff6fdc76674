/*
 * OpenAI Chat Completions, and what those who follow it do otherwise.
 * https://platform.openai.com/docs/api-reference/chat
 */
#include <errno.h>
#include <string.h>

#include "agentd/upstream/dialect.h"
#include "agentd/upstream/provider.h"
#include "base/cleanup.h"
#include "base/error.h"

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for a request");
}

/* Arguments that are no object come back from some servers as 400, for ever: they are in the history. */
static json_t *encode_call(const json_t *call, unsigned traits)
{
	const json_t *function = json_object_get(call, "function");
	json_auto_t *arguments =
		dialect_arguments(json_string_value(json_object_get(function, "arguments")));
	auto_free char *text = json_dumps(arguments, JSON_COMPACT);
	json_t *json = json_pack("{s:O?, s:s, s:{s:O?, s:s}}", "id", json_object_get(call, "id"),
		"type", "function", "function", "name", json_object_get(function, "name"),
		"arguments", text);
	json_t *extra = json_object_get(call, "extra_content");

	if (json && extra && (traits & PROVIDER_TAKES_EXTRA_CONTENT))
		json_object_set(json, "extra_content", extra);
	return json;
}

/* The members that the interface knows; ours beside them stay here. */
static json_t *encode_message(const json_t *message, unsigned traits)
{
	static const char *const members[] = {"role", "content", "name", "tool_call_id"};
	const json_t *calls = json_object_get(message, "tool_calls");
	json_auto_t *json = json_object();
	json_t *list, *call;
	size_t index;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		json_t *member = json_object_get(message, members[i]);

		if (member && json_object_set(json, members[i], member) < 0)
			return NULL;
	}
	if (json_array_size(calls) == 0)
		return take_ptr(&json);
	list = json_array();
	if (json_object_set_new(json, "tool_calls", list) < 0)
		return NULL;
	json_array_foreach(calls, index, call)
	{
		if (json_array_append_new(list, encode_call(call, traits)) < 0)
			return NULL;
	}
	return take_ptr(&json);
}

static int add_messages(const struct dialect_ask *ask, json_t *body, struct error *err)
{
	json_t *list = json_array(), *message;
	size_t index;

	if (json_object_set_new(body, "messages", list) < 0)
		return no_memory(err);
	json_array_foreach(ask->messages, index, message)
	{
		if (json_array_append_new(list, encode_message(message, ask->traits)) < 0)
			return no_memory(err);
	}
	return 0;
}

static int add_options(const struct dialect_ask *ask, json_t *body)
{
	static const char *const passed[] = {
		"temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty"};
	bool has_tools = json_array_size(ask->tools) > 0;
	json_t *value = json_object_get(ask->options, "max_tokens");
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		if (json_object_get(ask->options, passed[i]))
			r |= json_object_set(
				body, passed[i], json_object_get(ask->options, passed[i]));
	if (value)
		r |= json_object_set(body,
			ask->traits & PROVIDER_TAKES_COMPLETION_MAX ? "max_completion_tokens"
								    : "max_tokens",
			value);
	value = json_object_get(ask->options, "parallel_tool_calls");
	if (value && has_tools) /* refused without tools */
		r |= json_object_set(body, "parallel_tool_calls", value);
	if (ask->traits & PROVIDER_TAKES_STREAM_OPTIONS)
		r |= json_object_set_new(
			body, "stream_options", json_pack("{s:b}", "include_usage", 1));
	return r;
}

/* NULL: it is not said. */
static const char *effort_of(const struct dialect_ask *ask)
{
	if (!ask->reasoning || strcmp(ask->reasoning, "off") == 0 ||
		!(ask->traits & PROVIDER_TAKES_EFFORT))
		return NULL;
	if (ask->traits & PROVIDER_TAKES_EVERY_EFFORT)
		return ask->reasoning;
	if (strcmp(ask->reasoning, "minimal") == 0)
		return "low";
	return strcmp(ask->reasoning, "xhigh") == 0 ? "high" : ask->reasoning;
}

static int encode(const struct dialect_ask *ask, json_t **ret_body, struct error *err)
{
	json_auto_t *body = json_pack("{s:s, s:b}", "model", ask->model, "stream", 1);
	const char *effort = effort_of(ask);
	int r;

	if (!body)
		return no_memory(err);
	r = add_messages(ask, body, err);
	if (r < 0)
		return r;
	if (add_options(ask, body) < 0 ||
		(effort && json_object_set_new(body, "reasoning_effort", json_string(effort)) < 0))
		return no_memory(err);
	*ret_body = take_ptr(&body);
	return 0;
}

static json_t *encode_tools(const json_t *tools)
{
	return json_incref((json_t *)tools);
}

static enum upstream_finish finish_of(const char *reason)
{
	static const struct {
		const char *reason;
		enum upstream_finish finish;
	} rows[] = {
		{"length", UPSTREAM_LENGTH},
		{"max_tokens", UPSTREAM_LENGTH},
		{"model_length", UPSTREAM_LENGTH},
		{"tool_calls", UPSTREAM_TOOLS},
		{"function_call", UPSTREAM_TOOLS},
		{"content_filter", UPSTREAM_FILTERED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(reason, rows[i].reason) == 0)
			return rows[i].finish;
	return UPSTREAM_STOP;
}

/* Mistral's reasoning models: [{type:"thinking", thinking:[{type:"text", text}]}, {type:"text", text}]. */
static int read_parts(struct reply *reply, const json_t *parts, struct error *err)
{
	size_t index, inner_index;
	json_t *part, *inner;
	int r = 0;

	json_array_foreach(parts, index, part)
	{
		if (r == 0)
			r = reply_text(reply, json_object_get(part, "text"), err);
		json_array_foreach(json_object_get(part, "thinking"), inner_index, inner)
		{
			if (r == 0)
				r = reply_thinking(reply, json_object_get(inner, "text"), err);
		}
	}
	return r;
}

static int read_calls(struct reply *reply, const json_t *calls, struct error *err)
{
	size_t index;
	json_t *call;
	int r = 0;

	json_array_foreach(calls, index, call)
	{
		const json_t *number = json_object_get(call, "index");
		const json_t *function = json_object_get(call, "function");
		struct reply_call_piece piece = {
			.index = json_is_integer(number) ? json_integer_value(number) : -1,
			.id = json_string_value(json_object_get(call, "id")),
			.name = json_string_value(json_object_get(function, "name")),
			.arguments = json_object_get(function, "arguments"),
			.extra = json_object_get(call, "extra_content"),
		};

		if (r == 0)
			r = reply_call(reply, &piece, err);
	}
	return r;
}

/* A delta, or the message of an answer that came whole: they look the same. */
static int read_delta(struct reply *reply, const json_t *delta, struct error *err)
{
	static const char *const thinking[] = {"reasoning_content", "reasoning", "thinking"};
	const json_t *content = json_object_get(delta, "content");
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(thinking); i++) {
		const json_t *piece = json_object_get(delta, thinking[i]);

		if (json_is_string(piece)) { /* some say it under two names */
			r = reply_thinking(reply, piece, err);
			break;
		}
	}
	if (r == 0)
		r = json_is_array(content) ? read_parts(reply, content, err)
					   : reply_text(reply, content, err);
	if (r == 0)
		r = reply_text(reply, json_object_get(delta, "refusal"), err);
	return r < 0 ? r : read_calls(reply, json_object_get(delta, "tool_calls"), err);
}

static void read_usage(struct reply *reply, const json_t *usage)
{
	const json_t *prompt = json_object_get(usage, "prompt_tokens");
	const json_t *completion = json_object_get(usage, "completion_tokens");

	reply_usage(reply, json_is_integer(prompt) ? json_integer_value(prompt) : -1,
		json_is_integer(completion) ? json_integer_value(completion) : -1);
}

static int read_answer(
	struct reply *reply, const json_t *answer, const char *member, struct error *err)
{
	size_t index;
	json_t *choice;
	int r = 0;

	read_usage(reply, json_object_get(answer, "usage"));
	read_usage(reply, json_object_get(json_object_get(answer, "x_groq"), "usage"));
	json_array_foreach(json_object_get(answer, "choices"), index, choice)
	{
		const json_t *reason = json_object_get(choice, "finish_reason");

		if (r < 0 || json_integer_value(json_object_get(choice, "index")) != 0)
			continue;
		r = read_delta(reply, json_object_get(choice, member), err);
		if (json_string_length(reason) > 0)
			reply_complete(reply, finish_of(json_string_value(reason)));
	}
	return r;
}

static int event(struct reply *reply, const json_t *json, struct error *err)
{
	return read_answer(reply, json, "delta", err);
}

static int whole(struct reply *reply, const json_t *answer, struct error *err)
{
	int r = read_answer(reply, answer, "message", err);

	if (r == 0 && json_array_size(json_object_get(answer, "choices")) == 0)
		return error_set(err, EPROTO, "the answer has no choices");
	if (r == 0 && !reply->is_complete)
		reply_complete(reply, UPSTREAM_STOP);
	return r;
}

const struct dialect dialect_openai = {
	.path = "/chat/completions",
	.key_header = "Authorization: Bearer ",
	.encode = encode,
	.encode_tools = encode_tools,
	.event = event,
	.whole = whole,
};
