#include "agentd/loop/compact.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define NOTE_MIN     256 /* bytes of a text that are worth a note */
#define CUT_NOTE_MAX 96
#define WORDS_WEIGHT 4 /* so many times more is kept of what was said than of a result */

#define QUESTION                                                                                   \
	"Sum up the conversation between a user and an agent that stands below, so that whoever "  \
	"knows only your summary can go on with the work. Keep what the user wants, in the "       \
	"user's "                                                                                  \
	"own words where they matter, what was decided and why, which files were made or changed " \
	"and which commands were run with what outcome, what is done, what is left to do, and "    \
	"what went wrong and is not mended. Answer with the summary alone, of one page at most.\n"
#define SUMMARY "[The earlier part of this conversation was summed up, to make room:]\n\n"

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
		size_t bytes = measure(message), gain;

		if (!has_role(message, "tool") || bytes < NOTE_MIN)
			continue;
		json_array_set_new(messages, i, shorten(message, bytes));
		gain = bytes - measure(json_array_get(messages, i));
		excess = excess > gain ? excess - gain : 0;
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

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Of a string that is longer than max bytes the beginning and the end, with a note between them. */
static json_t *cut_text(const json_t *text, size_t max)
{
	const char *all = json_string_value(text);
	size_t length = json_string_length(text), head, tail;
	char note[CUT_NOTE_MAX];

	if (length <= max)
		return json_incref((json_t *)text);
	head = (max - CUT_NOTE_MAX) / 2;
	tail = length - head;
	while (is_inside_character(all[head]))
		head--;
	while (is_inside_character(all[tail]))
		tail++;
	snprintf(note, sizeof(note), "\n[%zu bytes were left out here, to make room]\n",
		tail - head);
	return json_pack("s%++%", all, head, note, all + tail, length - tail);
}

/* The texts in them, so that they stay an object. */
static json_t *cut_arguments(const json_t *text, size_t max)
{
	json_auto_t *arguments = NULL;
	auto_free char *cut = NULL;
	const char *name;
	json_t *value;

	if (json_string_length(text) <= max)
		return json_incref((json_t *)text);
	arguments =
		json_loadb(json_string_value(text), json_string_length(text), JSON_ALLOW_NUL, NULL);
	if (!json_is_object(arguments))
		return cut_text(text, max);
	json_object_foreach(arguments, name, value)
		json_object_set_new(arguments, name, cut_text(value, max));
	cut = json_dumps(arguments, JSON_COMPACT);
	return cut ? json_string(cut) : NULL;
}

static json_t *cut_message(const json_t *message, size_t max)
{
	json_t *copy = json_deep_copy(message), *content = json_object_get(copy, "content");
	json_t *part, *call;
	size_t i;

	if (json_is_string(content))
		json_object_set_new(copy, "content", cut_text(content, max));
	json_array_foreach(content, i, part)
		json_object_set_new(part, "text", cut_text(json_object_get(part, "text"), max));
	json_array_foreach(json_object_get(copy, "tool_calls"), i, call)
	{
		json_t *function = json_object_get(call, "function");

		json_object_set_new(function, "arguments",
			cut_arguments(json_object_get(function, "arguments"), max));
	}
	return copy;
}

/* Of each result `share` bytes at most. */
static json_t *cut_messages(const json_t *messages, size_t share, bool with_words)
{
	json_t *result = json_copy((json_t *)messages), *message;
	size_t i;

	json_array_foreach((json_t *)messages, i, message)
	{
		bool is_result = has_role(message, "tool");
		size_t max = is_result ? share : WORDS_WEIGHT * share;

		if ((is_result || with_words) && measure(message) > max)
			json_array_set_new(result, i, cut_message(message, max));
	}
	return result;
}

/* The longest texts lose their middle until all fits, or none is long. What was said only when a model wants it so. */
static json_t *cut_longest(json_t *messages, size_t max_bytes)
{
	json_t *result = json_incref(messages);
	size_t share = max_bytes;

	while (compact_measure(result) > max_bytes && share > NOTE_MIN) {
		share -= share / 4;
		json_decref(result);
		result = cut_messages(messages, share, max_bytes < COMPACT_BYTES);
	}
	return result;
}

size_t compact_measure(const json_t *messages)
{
	size_t bytes = 0, i;
	json_t *message;

	json_array_foreach((json_t *)messages, i, message)
	{
		bytes += measure(message);
	}
	return bytes;
}

json_t *compact_messages(const json_t *messages, size_t max_bytes)
{
	json_auto_t *result = json_copy((json_t *)messages);
	size_t bytes = compact_measure(messages), excess;

	if (!result || bytes <= max_bytes)
		return take_ptr(&result);
	excess = shorten_outputs(result, bytes - max_bytes);
	leave_out_turns(result, excess);
	return cut_longest(result, max_bytes);
}

size_t compact_count(const json_t *messages, size_t max_bytes)
{
	json_auto_t *shorter = NULL;
	size_t bytes = compact_measure(messages), count = 0, next;

	if (bytes <= max_bytes)
		return 0;
	shorter = json_copy((json_t *)messages);
	shorten_outputs(shorter, bytes - max_bytes);
	bytes = compact_measure(shorter);
	if (bytes <= max_bytes)
		return 0;
	while (bytes > max_bytes / 2) {
		next = turn_end(shorter, count);
		if (next + COMPACT_KEPT > json_array_size(shorter))
			break;
		for (; count < next; count++)
			bytes -= measure(json_array_get(shorter, count));
	}
	return count > 1 ? count : 0; /* one alone may be a summary */
}

/* --- in words --- */

static void write_text(FILE *to, const json_t *text)
{
	size_t length = json_string_length(text);

	if (length > 0)
		fwrite(json_string_value(text), 1, length, to);
	fputc('\n', to);
}

static void write_message(FILE *to, const json_t *message)
{
	const json_t *content = json_object_get(message, "content");
	size_t i;
	json_t *part, *call;

	fprintf(to, "\n<%s>\n", json_string_value(json_object_get(message, "role")));
	if (json_is_string(content))
		write_text(to, content);
	json_array_foreach((json_t *)content, i, part)
	{
		write_text(to, json_object_get(part, "text"));
	}
	json_array_foreach(json_object_get(message, "tool_calls"), i, call)
	{
		const json_t *function = json_object_get(call, "function");

		fprintf(to, "calls %s with ", json_string_value(json_object_get(function, "name")));
		write_text(to, json_object_get(function, "arguments"));
	}
}

static json_t *first_messages(const json_t *messages, size_t count)
{
	json_t *first = json_array();

	for (size_t i = 0; first && i < count; i++)
		if (json_array_append(first, json_array_get(messages, i)) < 0) {
			json_decref(first);
			return NULL;
		}
	return first;
}

json_t *compact_question(const json_t *messages, size_t count, size_t max_bytes)
{
	json_auto_t *oldest = first_messages(messages, count);
	json_auto_t *fitting = oldest ? compact_messages(oldest, max_bytes) : NULL;
	auto_free char *text = NULL;
	size_t size = 0, i;
	json_t *message;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	fputs(QUESTION, to);
	json_array_foreach(fitting, i, message)
	{
		write_message(to, message);
	}
	if ((ferror(to) | fclose(to)) || !fitting)
		return NULL;
	return json_pack("[{s:s,s:s%}]", "role", "user", "content", text, size);
}

json_t *compact_summary(const char *text)
{
	return json_pack("{s:s,s:s+}", "role", "user", "content", SUMMARY, text);
}
