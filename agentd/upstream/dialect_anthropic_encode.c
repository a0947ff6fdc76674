/*
 * A chat as OpenAI has it, in Anthropic's words. https://docs.anthropic.com/en/api/messages
 *
 * There, system texts stand apart, roles alternate, and the results of tools are blocks of a user's message. A prefix
 * of the request that was sent before is read from a cache where marks stand: behind the system text and behind the last message.
 */
#include <errno.h>
#include <string.h>

#include "agentd/upstream/dialect.h"
#include "base/cleanup.h"
#include "base/error.h"

#define MAX_TOKENS_DEFAULT 8192
#define THINKING_LEAST	   1024 /* tokens; less is refused */

/* Tokens that it may think, beside those of the answer. */
static const struct {
	const char *level;
	json_int_t tokens;
} budgets[] = {
	{"minimal", THINKING_LEAST},
	{"low", 2048},
	{"medium", 8192},
	{"high", 16384},
	{"xhigh", 32768},
};

/* Under construction. */
struct chat {
	json_t *system;	  /* blocks */
	json_t *messages; /* alternating */
	bool with_thoughts;
	bool lacks_thoughts; /* calls since the user's last words came without what was thought before them */
};

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for a request");
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* The blocks of the last message when it is of this role, else of a new one. NULL: out of memory. */
static json_t *blocks_for(struct chat *chat, const char *role)
{
	size_t count = json_array_size(chat->messages);
	const json_t *last = count > 0 ? json_array_get(chat->messages, count - 1) : NULL;
	json_t *blocks;

	if (last && strcmp(text_of(last, "role"), role) == 0)
		return json_object_get(last, "content");
	blocks = json_array();
	return json_array_append_new(
		       chat->messages, json_pack("{s:s, s:o}", "role", role, "content", blocks)) < 0
		       ? NULL
		       : blocks;
}

/* A text block of nothing but blanks is refused. */
static int add_text(json_t *blocks, const json_t *text)
{
	const char *value = json_string_value(text);

	if (!value || value[strspn(value, " \t\r\n")] == '\0')
		return 0;
	return json_array_append_new(blocks, json_pack("{s:s, s:O}", "type", "text", "text", text));
}

/* "data:image/png;base64,..." is an image in itself, anything else an address. */
static json_t *encode_image(const char *url)
{
	const char *type = strncmp(url, "data:", 5) == 0 ? url + 5 : NULL;
	const char *semicolon = type ? strchr(type, ';') : NULL;

	if (!semicolon || strncmp(semicolon, ";base64,", 8) != 0)
		return json_pack("{s:s, s:{s:s, s:s}}", "type", "image", "source", "type", "url",
			"url", url);
	return json_pack("{s:s, s:{s:s, s:s%, s:s}}", "type", "image", "source", "type", "base64",
		"media_type", type, (size_t)(semicolon - type), "data", semicolon + 8);
}

static int add_part(json_t *blocks, const json_t *part, struct error *err)
{
	const char *type = text_of(part, "type");
	int r;

	if (strcmp(type, "text") == 0)
		r = add_text(blocks, json_object_get(part, "text"));
	else if (strcmp(type, "image_url") == 0)
		r = json_array_append_new(
			blocks, encode_image(text_of(json_object_get(part, "image_url"), "url")));
	else
		return error_set(err, EINVAL,
			"messages: a part of type \"%.40s\" cannot be told to Anthropic's "
			"interface: send "
			"text or image_url",
			type);
	return r < 0 ? no_memory(err) : 0;
}

/* A string, or an array of parts; null is nothing. */
static int add_content(json_t *blocks, const json_t *content, struct error *err)
{
	size_t index;
	json_t *part;
	int r = 0;

	if (!json_is_array(content))
		return add_text(blocks, content) < 0 ? no_memory(err) : 0;
	json_array_foreach(content, index, part)
	{
		if (r == 0)
			r = add_part(blocks, part, err);
	}
	return r;
}

static int add_calls(json_t *blocks, const json_t *calls, struct error *err)
{
	size_t index;
	json_t *call;

	json_array_foreach(calls, index, call)
	{
		const json_t *function = json_object_get(call, "function");
		json_t *input = dialect_arguments(text_of(function, "arguments"));

		if (json_array_append_new(
			    blocks, json_pack("{s:s, s:s, s:s, s:o}", "type", "tool_use", "id",
					    text_of(call, "id"), "name", text_of(function, "name"),
					    "input", input)) < 0)
			return no_memory(err);
	}
	return 0;
}

static int add_assistant(struct chat *chat, const json_t *message, struct error *err)
{
	json_t *thoughts = json_object_get(message, "thinking_blocks");
	const json_t *calls = json_object_get(message, "tool_calls");
	json_t *blocks = blocks_for(chat, "assistant");
	int r;

	if (!blocks)
		return no_memory(err);
	if (json_array_size(calls) > 0 && json_array_size(thoughts) == 0)
		chat->lacks_thoughts = true;
	if (chat->with_thoughts && json_is_array(thoughts) &&
		json_array_extend(blocks, thoughts) < 0)
		return no_memory(err);
	r = add_content(blocks, json_object_get(message, "content"), err);
	return r < 0 ? r : add_calls(blocks, calls, err);
}

static int add_result(struct chat *chat, const json_t *message, struct error *err)
{
	json_t *blocks = blocks_for(chat, "user");
	json_t *content = json_array();

	if (!blocks || json_array_append_new(blocks,
			       json_pack("{s:s, s:s, s:o}", "type", "tool_result", "tool_use_id",
				       text_of(message, "tool_call_id"), "content", content)) < 0)
		return no_memory(err);
	return add_content(content, json_object_get(message, "content"), err);
}

static int add_message(struct chat *chat, const json_t *message, struct error *err)
{
	const char *role = text_of(message, "role");
	const json_t *content = json_object_get(message, "content");
	json_t *blocks;

	if (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0)
		return add_content(chat->system, content, err);
	if (strcmp(role, "tool") == 0)
		return add_result(chat, message, err);
	if (strcmp(role, "assistant") == 0)
		return add_assistant(chat, message, err);
	if (strcmp(role, "user") != 0)
		return error_set(err, EINVAL, "messages: there is no role \"%.40s\"", role);
	chat->lacks_thoughts = false;
	blocks = blocks_for(chat, "user");
	return blocks ? add_content(blocks, content, err) : no_memory(err);
}

/* It wants a user's message first, and no message without blocks. */
static int mend_order(struct chat *chat)
{
	static const char unseen[] = "(The beginning of this conversation is not shown.)";

	for (size_t i = json_array_size(chat->messages); i-- > 0;) {
		const json_t *message = json_array_get(chat->messages, i);

		if (json_array_size(json_object_get(message, "content")) == 0)
			json_array_remove(chat->messages, i);
	}
	if (strcmp(text_of(json_array_get(chat->messages, 0), "role"), "assistant") != 0)
		return 0;
	return json_array_insert_new(chat->messages, 0,
		json_pack("{s:s, s:[{s:s, s:s}]}", "role", "user", "content", "type", "text",
			"text", unseen));
}

static int fill_chat(struct chat *chat, const json_t *messages, struct error *err)
{
	size_t index;
	json_t *message;
	int r = 0;

	json_array_clear(chat->system);
	json_array_clear(chat->messages);
	json_array_foreach(messages, index, message)
	{
		if (r == 0)
			r = add_message(chat, message, err);
	}
	return r == 0 && mend_order(chat) < 0 ? no_memory(err) : r;
}

/* Of the last block of these, which is ours to change unless it is what was thought. */
static void mark_for_cache(json_t *blocks)
{
	size_t count = json_array_size(blocks);
	json_t *last = count > 0 ? json_array_get(blocks, count - 1) : NULL;

	if (last && !strstr(text_of(last, "type"), "thinking"))
		json_object_set_new(last, "cache_control", json_pack("{s:s}", "type", "ephemeral"));
}

json_t *dialect_anthropic_encode_tools(const json_t *tools)
{
	json_auto_t *list = json_array();
	size_t index;
	json_t *tool;

	json_array_foreach((json_t *)tools, index, tool)
	{
		const json_t *function = json_object_get(tool, "function");
		json_t *schema = json_object_get(function, "parameters");

		schema = schema ? json_incref(schema) : json_pack("{s:s}", "type", "object");
		if (json_array_append_new(
			    list, json_pack("{s:s, s:s, s:o}", "name", text_of(function, "name"),
					  "description", text_of(function, "description"),
					  "input_schema", schema)) < 0)
			return NULL;
	}
	return take_ptr(&list);
}

static int choose_tools(const struct dialect_ask *ask, json_t *body)
{
	if (json_array_size(ask->tools) == 0 ||
		!json_is_false(json_object_get(ask->options, "parallel_tool_calls")))
		return 0;
	return json_object_set_new(body, "tool_choice",
		json_pack("{s:s, s:b}", "type", "auto", "disable_parallel_tool_use", 1));
}

/* Tokens to think with; 0: it does not. */
static json_int_t budget_of(const struct dialect_ask *ask, const struct chat *chat)
{
	json_int_t max = json_integer_value(json_object_get(ask->options, "max_tokens"));
	json_int_t budget = 0;

	if (!ask->reasoning || chat->lacks_thoughts)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++)
		if (strcmp(ask->reasoning, budgets[i].level) == 0)
			budget = budgets[i].tokens;
	if (max > 0 && budget > max / 2) /* the caller's limit holds for both together */
		budget = max / 2;
	return budget >= THINKING_LEAST ? budget : 0;
}

static int add_options(const struct dialect_ask *ask, json_t *body, json_int_t budget)
{
	static const char *const passed[] = {"temperature", "top_p"};
	json_int_t max = json_integer_value(json_object_get(ask->options, "max_tokens"));
	json_t *stop = json_object_get(ask->options, "stop");
	int r;

	if (max <= 0)
		max = MAX_TOKENS_DEFAULT + budget;
	r = json_object_set_new(body, "max_tokens", json_integer(max));
	if (budget > 0)
		r |= json_object_set_new(body, "thinking",
			json_pack("{s:s, s:I}", "type", "enabled", "budget_tokens", budget));
	/* Refused while it thinks. */
	for (size_t i = 0; budget == 0 && i < ARRAY_SIZE(passed); i++)
		if (json_object_get(ask->options, passed[i]))
			r |= json_object_set(
				body, passed[i], json_object_get(ask->options, passed[i]));
	if (json_is_array(stop))
		r |= json_object_set(body, "stop_sequences", stop);
	else if (json_is_string(stop))
		r |= json_object_set_new(body, "stop_sequences", json_pack("[O]", stop));
	return r;
}

static int build(
	const struct dialect_ask *ask, struct chat *chat, json_t **ret_body, struct error *err)
{
	json_auto_t *body = NULL;
	json_int_t budget;
	size_t count;
	int r = fill_chat(chat, ask->messages, err);

	if (r < 0)
		return r;
	budget = budget_of(ask, chat);
	/* What was thought goes along only where it may think now. */
	chat->with_thoughts = budget > 0;
	if (budget > 0)
		r = fill_chat(chat, ask->messages, err);
	if (r < 0)
		return r;
	count = json_array_size(chat->messages);
	mark_for_cache(chat->system);
	if (count > 0)
		mark_for_cache(
			json_object_get(json_array_get(chat->messages, count - 1), "content"));
	body = json_pack(
		"{s:s, s:b, s:O}", "model", ask->model, "stream", 1, "messages", chat->messages);
	if (!body || add_options(ask, body, budget) < 0 || choose_tools(ask, body) < 0 ||
		(json_array_size(chat->system) > 0 &&
			json_object_set(body, "system", chat->system) < 0))
		return no_memory(err);
	*ret_body = take_ptr(&body);
	return 0;
}

int dialect_anthropic_encode(const struct dialect_ask *ask, json_t **ret_body, struct error *err)
{
	struct chat chat = {.system = json_array(), .messages = json_array()};
	int r = chat.system && chat.messages ? build(ask, &chat, ret_body, err) : no_memory(err);

	json_decref(chat.system);
	json_decref(chat.messages);
	return r;
}
