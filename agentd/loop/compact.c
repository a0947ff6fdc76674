#include "agentd/loop/compact.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define NOTE_MIN 256 /* bytes of a result that are worth a note */

static bool has_role(const json_t *message, const char *role)
{
	const char *own = json_string_value(json_object_get(message, "role"));

	return own && strcmp(own, role) == 0;
}

/* Content, and what a reply's calls hold. */
static size_t measure(const json_t *message)
{
	size_t bytes = json_string_length(json_object_get(message, "content"));
	const json_t *content = json_object_get(message, "content");
	size_t i;
	json_t *part, *call;

	json_array_foreach((json_t *)content, i, part)
	{
		bytes += json_string_length(json_object_get(part, "text"));
	}
	json_array_foreach(json_object_get(message, "tool_calls"), i, call)
	{
		const json_t *function = json_object_get(call, "function");

		bytes += json_string_length(json_object_get(function, "name"));
		bytes += json_string_length(json_object_get(function, "arguments"));
	}
	return bytes;
}

static json_t *shorten(const json_t *message, size_t bytes)
{
	json_t *copy = json_copy((json_t *)message);
	char note[96];

	snprintf(note, sizeof(note), "[%zu bytes of this old output were left out]", bytes);
	json_object_set_new(copy, "content", json_string(note));
	return copy;
}

/* The oldest outputs, until it fits. Returns what is left too much. */
static size_t shorten_outputs(json_t *messages, size_t excess)
{
	size_t end = json_array_size(messages);

	for (size_t i = 0; excess > 0 && i + COMPACT_KEPT < end; i++) {
		const json_t *message = json_array_get(messages, i);
		size_t bytes = measure(message);

		if (!has_role(message, "tool") || bytes < NOTE_MIN)
			continue;
		json_array_set_new(messages, i, shorten(message, bytes));
		excess = excess > bytes ? excess - bytes : 0;
	}
	return excess;
}

/* One past the turn that begins at `at`: a reply goes with the results of its calls. */
static size_t turn_end(const json_t *messages, size_t at)
{
	for (at++; at < json_array_size(messages); at++)
		if (!has_role(json_array_get(messages, at), "tool"))
			break;
	return at;
}

static size_t first_user(const json_t *messages)
{
	size_t i = 0;

	while (i < json_array_size(messages) && !has_role(json_array_get(messages, i), "user"))
		i++;
	return i;
}

/* The model is told that something is missing, and where. */
static void say_left_out(json_t *messages, size_t at, size_t count)
{
	char note[96];

	if (count == 0)
		return;
	snprintf(note, sizeof(note),
		"[%zu earlier messages of this conversation were left out here]", count);
	json_array_insert_new(
		messages, at, json_pack("{s:s,s:s}", "role", "user", "content", note));
}

static void leave_out_turns(json_t *messages, size_t excess)
{
	size_t at = first_user(messages) + 1;
	size_t left_out = 0;

	while (excess > 0 && turn_end(messages, at) + COMPACT_KEPT < json_array_size(messages)) {
		size_t count = turn_end(messages, at) - at;

		left_out += count;
		while (count-- > 0) {
			size_t bytes = measure(json_array_get(messages, at));

			excess = excess > bytes ? excess - bytes : 0;
			json_array_remove(messages, at);
		}
	}
	say_left_out(messages, at, left_out);
}

json_t *compact_messages(const json_t *messages, size_t max_bytes)
{
	json_t *result = json_copy((json_t *)messages);
	size_t bytes = 0, i;
	json_t *message;

	json_array_foreach(result, i, message)
	{
		bytes += measure(message);
	}
	if (result && bytes > max_bytes) {
		size_t excess = shorten_outputs(result, bytes - max_bytes);

		leave_out_turns(result, excess);
	}
	return result;
}
