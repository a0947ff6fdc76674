/* What a client sends as messages. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/api/chat.h"
#include "base/cleanup.h"
#include "base/error.h"

enum role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL, ROLES };

static const struct {
	const char *name;
	enum role role;
} roles[] = {
	{"system", ROLE_SYSTEM},
	{"developer", ROLE_SYSTEM},
	{"user", ROLE_USER},
	{"assistant", ROLE_ASSISTANT},
	{"tool", ROLE_TOOL},
};

static int find_role(const json_t *message, size_t at, enum role *ret_role, struct error *err)
{
	const char *name = json_string_value(json_object_get(message, "role"));

	for (size_t i = 0; name && i < ARRAY_SIZE(roles); i++) {
		if (strcmp(roles[i].name, name) != 0)
			continue;
		*ret_role = roles[i].role;
		return 0;
	}
	return error_set(err, EINVAL,
		"messages[%zu].role: must be one of system, user, assistant, tool", at);
}

/* Text parts as one string. */
static int join_parts(const json_t *parts, size_t at, json_t **ret_text, struct error *err)
{
	auto_free char *text = NULL;
	size_t size = 0, i;
	FILE *to = open_memstream(&text, &size);
	json_t *part;
	int r = 0;

	if (!to)
		return error_set(err, ENOMEM, "out of memory");
	json_array_foreach((json_t *)parts, i, part)
	{
		const char *type = json_string_value(json_object_get(part, "type"));
		const char *piece = json_string_value(json_object_get(part, "text"));

		if (r == 0 && (!type || strcmp(type, "text") != 0 || !piece))
			r = error_set(err, EINVAL,
				"messages[%zu].content[%zu]: only text parts are understood here: "
				"{\"type\": \"text\", \"text\": \"...\"}",
				at, i);
		else if (r == 0)
			fputs(piece, to);
	}
	if (ferror(to) | fclose(to))
		return error_set(err, ENOMEM, "out of memory");
	if (r == 0)
		*ret_text = json_string(text);
	return r;
}

static int take_content(
	const json_t *message, size_t at, enum role role, json_t **ret_content, struct error *err)
{
	json_t *content = json_object_get(message, "content");

	if (json_is_array(content))
		return join_parts(content, at, ret_content, err);
	if (json_is_string(content)) {
		*ret_content = json_incref(content);
		return 0;
	}
	/* Without calls too: OpenAI's clients make one of an answer that failed. */
	if (role == ROLE_ASSISTANT && (!content || json_is_null(content))) {
		*ret_content = json_array_size(json_object_get(message, "tool_calls")) > 0
				       ? json_null()
				       : json_string("");
		return 0;
	}
	return error_set(err, EINVAL, "messages[%zu].content: must be a string or text parts", at);
}

static int check_calls(const json_t *calls, size_t at, struct error *err)
{
	size_t i;
	json_t *call;

	json_array_foreach((json_t *)calls, i, call)
	{
		const json_t *function = json_object_get(call, "function");

		if (!json_is_string(json_object_get(call, "id")) ||
			!json_is_string(json_object_get(function, "name")) ||
			!json_is_string(json_object_get(function, "arguments")))
			return error_set(err, EINVAL,
				"messages[%zu].tool_calls[%zu]: id, function.name and "
				"function.arguments must be strings",
				at, i);
	}
	return 0;
}

static int take_message(const json_t *message, size_t at, enum role role, json_t *content,
	json_t *to, struct error *err)
{
	static const char *const names[ROLES] = {"system", "user", "assistant", "tool"};
	json_t *id = json_object_get(message, "tool_call_id");
	json_t *calls = json_object_get(message, "tool_calls");
	json_t *kept = json_pack("{s:s,s:O}", "role", names[role], "content", content);
	int r = 0;

	if (role == ROLE_TOOL && !json_is_string(id))
		r = error_set(err, EINVAL, "messages[%zu].tool_call_id: must be a string", at);
	else if (role == ROLE_TOOL)
		json_object_set(kept, "tool_call_id", id);
	else if (role == ROLE_ASSISTANT && json_array_size(calls) > 0)
		r = check_calls(calls, at, err);
	if (r == 0 && role == ROLE_ASSISTANT && json_array_size(calls) > 0)
		json_object_set_new(kept, "tool_calls", json_deep_copy(calls));
	if (r < 0)
		json_decref(kept);
	else if (json_array_append_new(to, kept) < 0)
		r = error_set(err, ENOMEM, "out of memory");
	return r;
}

static int take_all(const json_t *messages, json_t *kept, FILE *system, struct error *err)
{
	size_t i;
	json_t *message;

	json_array_foreach((json_t *)messages, i, message)
	{
		json_auto_t *content = NULL;
		enum role role = ROLE_USER;
		int r = find_role(message, i, &role, err);

		if (r == 0)
			r = take_content(message, i, role, &content, err);
		if (r == 0 && role == ROLE_SYSTEM)
			fprintf(system, "%s\n", json_string_value(content));
		else if (r == 0)
			r = take_message(message, i, role, content, kept, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int chat_parse(const json_t *messages, json_t **ret_messages, char **ret_system, struct error *err)
{
	auto_free char *text = NULL;
	size_t size = 0;
	json_auto_t *kept = json_array();
	FILE *system = open_memstream(&text, &size);
	int r;

	if (!kept || !system) {
		if (system)
			fclose(system);
		return error_set(err, ENOMEM, "out of memory");
	}
	r = take_all(messages, kept, system, err);
	if (ferror(system) | fclose(system))
		r = error_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return r;
	*ret_system = size > 0 ? take_ptr(&text) : NULL;
	*ret_messages = take_ptr(&kept);
	return 0;
}

/* How many results each call still has to get: models do write two with one id. */
static int count(json_t *unanswered, const char *id, int by)
{
	json_int_t now = json_integer_value(json_object_get(unanswered, id)) + by;

	if (now == 0)
		return json_object_del(unanswered, id);
	return now < 0 ? -1 : json_object_set_new(unanswered, id, json_integer(now));
}

static int check_answered(json_t *unanswered, struct error *err)
{
	const char *id = json_object_iter_key(json_object_iter(unanswered));

	if (!id)
		return 0;
	return error_set(err, EINVAL,
		"messages: an assistant message with tool_calls must be followed by tool messages "
		"that answer each tool_call_id: %.64s has none",
		id);
}

static int count_calls(const json_t *message, json_t *unanswered, struct error *err)
{
	size_t i;
	json_t *call;

	json_array_foreach(json_object_get(message, "tool_calls"), i, call)
	{
		if (count(unanswered, json_string_value(json_object_get(call, "id")), 1) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

int chat_check(const json_t *messages, struct error *err)
{
	json_auto_t *unanswered = json_object();
	bool has_user = false;
	size_t i;
	json_t *message;

	json_array_foreach((json_t *)messages, i, message)
	{
		const char *role = json_string_value(json_object_get(message, "role"));
		const char *id = json_string_value(json_object_get(message, "tool_call_id"));

		has_user |= strcmp(role, "user") == 0;
		if (id && count(unanswered, id, -1) < 0)
			return error_set(err, EINVAL,
				"messages: a tool message must answer one of the tool_calls of "
				"the assistant message before it: %.64s is none of them",
				id);
		if (!id && (check_answered(unanswered, err) < 0 ||
				   count_calls(message, unanswered, err) < 0))
			return -err->code;
	}
	if (!has_user)
		return error_set(err, EINVAL, "messages: one at least must be the user's");
	return check_answered(unanswered, err);
}

json_t *chat_new_messages(const json_t *messages)
{
	json_t *fresh = json_array();
	size_t at = json_array_size(messages);

	while (at > 0) {
		const char *role = json_string_value(
			json_object_get(json_array_get(messages, at - 1), "role"));

		if (strcmp(role, "user") != 0)
			break;
		at--;
	}
	for (; at < json_array_size(messages); at++)
		json_array_append(fresh, json_array_get(messages, at));
	return fresh;
}
