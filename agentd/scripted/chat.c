#include "agentd/scripted/chat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/scripted/scenario.h"
#include "base/cleanup.h"
#include "base/error.h"

#define RUN	      "run: "
#define MODEL_DEFAULT "model"

static bool is_word(const json_t *object, const char *key, const char *word)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && strcmp(value, word) == 0;
}

static void replace(json_t **to, json_t *with)
{
	json_decref(*to);
	*to = with;
}

/* The texts of a content, which is a string or an array of parts, in one string; "" when it has none. NULL: out of memory. */
static json_t *join_texts(const json_t *content)
{
	auto_free char *joined = NULL;
	size_t size = 0, index;
	const json_t *part, *text;
	FILE *to;

	if (json_is_string(content))
		return json_incref((json_t *)content);
	to = open_memstream(&joined, &size);
	if (!to)
		return NULL;
	json_array_foreach(content, index, part)
	{
		text = json_object_get(part, "text");
		if (is_word(part, "type", "text") && json_is_string(text))
			fwrite(json_string_value(text), 1, json_string_length(text), to);
	}
	if (ferror(to) | fclose(to))
		return NULL;
	return json_stringn(joined, size);
}

static int add_result(struct chat *chat, const json_t *content)
{
	replace(&chat->result, join_texts(content));
	chat->results++;
	return chat->result ? 0 : -ENOMEM;
}

static int add_user(struct chat *chat, const json_t *content)
{
	json_t *text = join_texts(content);

	if (!text)
		return -ENOMEM;
	if (!chat->first_user)
		chat->first_user = json_incref(text);
	replace(&chat->last_user, text);
	replace(&chat->result, NULL);
	chat->results = 0;
	return 0;
}

/* Results first, as they stand in Anthropic's dialect; then what the user says, if anything. */
static int read_user(struct chat *chat, const json_t *content)
{
	bool has_text = json_is_string(content);
	size_t index;
	const json_t *part;
	int r = 0;

	json_array_foreach(content, index, part)
	{
		has_text |= is_word(part, "type", "text");
		if (r == 0 && is_word(part, "type", "tool_result"))
			r = add_result(chat, json_object_get(part, "content"));
	}
	return r == 0 && has_text ? add_user(chat, content) : r;
}

static int read_messages(struct chat *chat, const json_t *messages, struct error *err)
{
	size_t index;
	const json_t *message;
	int r = 0;

	if (json_array_size(messages) == 0)
		return error_set(err, EINVAL, "messages: an array that is not empty is wanted");
	json_array_foreach(messages, index, message)
	{
		const json_t *content = json_object_get(message, "content");

		if (!json_is_string(json_object_get(message, "role")))
			return error_set(
				err, EINVAL, "messages[%zu].role: a string is wanted", index);
		if (is_word(message, "role", "user"))
			r = read_user(chat, content);
		else if (is_word(message, "role", "tool"))
			r = add_result(chat, content);
		if (r < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

/* Its own name first, so that nobody takes it for the other. */
static void name_model(struct chat *chat, const json_t *model)
{
	const char *name = json_string_value(model);
	size_t prefix = strlen(CHAT_MODEL_PREFIX);

	if (name && strncmp(name, CHAT_MODEL_PREFIX, prefix) == 0)
		name += prefix;
	if (!name || !*name || strlen(name) > CHAT_MODEL_MAX)
		name = MODEL_DEFAULT;
	snprintf(chat->model, sizeof(chat->model), "%s%s", CHAT_MODEL_PREFIX, name);
}

int chat_parse(const char *body, size_t size, struct chat *ret_chat, struct error *err)
{
	struct chat chat = {.size = size};
	json_error_t why;
	json_auto_t *root = json_loadb(body, size, JSON_ALLOW_NUL, &why);
	const json_t *options = json_object_get(root, "stream_options");
	int r;

	if (!root)
		return error_set(err, EINVAL, "the body is not JSON: %.150s", why.text);
	if (!json_is_object(root))
		return error_set(err, EINVAL, "the body: an object is wanted");
	chat.is_stream = json_is_true(json_object_get(root, "stream"));
	chat.wants_usage = json_is_true(json_object_get(options, "include_usage"));
	name_model(&chat, json_object_get(root, "model"));
	r = read_messages(&chat, json_object_get(root, "messages"), err);
	if (r < 0) {
		chat_finish(&chat);
		return r;
	}
	*ret_chat = chat;
	return 0;
}

void chat_finish(struct chat *chat)
{
	replace(&chat->first_user, NULL);
	replace(&chat->last_user, NULL);
	replace(&chat->result, NULL);
}

/* The line of a text that begins at `at`: its length without what ends it. */
static size_t line_length(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	size_t length = (size_t)((newline ? newline : end) - at);

	while (length > 0 && at[length - 1] == '\r')
		length--;
	return length;
}

static bool is_run(const char *at, const char *end)
{
	return (size_t)(end - at) >= strlen(RUN) && memcmp(at, RUN, strlen(RUN)) == 0;
}

/* The n-th command, or NULL and 0. */
static const char *find_command(const json_t *text, size_t n, size_t *ret_length)
{
	const char *at = json_string_value(text);
	const char *end, *newline;

	*ret_length = 0;
	if (!at)
		return NULL;
	end = at + json_string_length(text);
	if (!is_run(at, end))
		return NULL;
	for (; at < end; at = newline + 1) {
		if (is_run(at, end) && n-- == 0) {
			at += strlen(RUN);
			*ret_length = line_length(at, end);
			return at;
		}
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			break;
	}
	return NULL;
}

static json_t *say(const char *prefix, const json_t *text)
{
	size_t size = strlen(prefix) + json_string_length(text);
	auto_free char *said = malloc(size + 1);

	if (!said)
		return NULL;
	memcpy(stpcpy(said, prefix), json_string_length(text) ? json_string_value(text) : "",
		json_string_length(text));
	return json_stringn_nocheck(said, size);
}

static json_t *call_bash(const char *command, size_t length)
{
	json_auto_t *arguments =
		json_pack("{s:o}", "command", json_stringn_nocheck(command, length));
	auto_free char *text = json_dumps(arguments, JSON_COMPACT);

	return text ? json_pack("[{s:s,s:s}]", "name", "bash", "arguments", text) : NULL;
}

int chat_answer(const struct chat *chat, struct scenario_step *ret_step)
{
	struct scenario_step step;
	size_t length;
	const char *command = find_command(chat->last_user, chat->results, &length);

	scenario_step_init(&step);
	if (command)
		step.calls = call_bash(command, length);
	else if (chat->results > 0)
		step.text = say("scripted model: ", chat->result);
	else
		step.text = say("scripted model: you said: ", chat->last_user);
	if (!step.text && !step.calls)
		return -ENOMEM;
	*ret_step = step;
	return 0;
}
