/* The tool calls of a reply: which one a piece belongs to, and what the message says of them. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agentd/upstream/loose_json.h"
#include "agentd/upstream/reply_private.h"
#include "base/cleanup.h"
#include "base/error.h"

static void finish_call(struct reply_call *call)
{
	free(call->id);
	free(call->name);
	if (call->arguments)
		evbuffer_free(call->arguments);
	json_decref(call->extra);
}

void reply_calls_finish(struct reply *reply)
{
	for (size_t i = 0; i < reply->call_count; i++)
		finish_call(&reply->calls[i]);
	free(reply->calls);
}

/* An object behind an object: no JSON goes on like that. */
static bool is_another(const struct reply_call *call, const struct reply_call_piece *piece)
{
	const char *arguments = json_string_value(piece->arguments);

	return call->last_byte == '}' && arguments && *arguments == '{';
}

/*
 * Which call a piece belongs to; NULL: a new one. Servers number their calls, but some give all the same number, and
 * some none: then another id with a name begins a new call, and so does a name without id and number, or one whose
 * arguments begin again.
 */
static struct reply_call *find_call(struct reply *reply, const struct reply_call_piece *piece)
{
	bool has_id = piece->id && *piece->id, has_name = piece->name && *piece->name;

	for (size_t i = reply->call_count; i-- > 0;) {
		struct reply_call *call = &reply->calls[i];

		if (piece->index < 0 && !has_id)
			return has_name ? NULL : call;
		if (has_id && call->id && strcmp(call->id, piece->id) == 0 &&
			(piece->index < 0 || call->index == piece->index))
			return call;
		if (piece->index < 0 || call->index != piece->index)
			continue;
		if (!has_name || !call->name)
			return call;
		if (!has_id || call->is_own_id)
			return is_another(call, piece) ? NULL : call;
	}
	return NULL;
}

static struct reply_call *new_call(struct reply *reply, json_int_t index, struct error *err)
{
	struct reply_call *grown;

	if (reply->call_count == UPSTREAM_TOOL_CALLS_MAX) {
		error_set(err, E2BIG, "the reply has more than %d tool calls",
			UPSTREAM_TOOL_CALLS_MAX);
		return NULL;
	}
	grown = reallocarray(reply->calls, reply->call_count + 1, sizeof(*grown));
	if (grown)
		reply->calls = grown;
	if (!grown) {
		reply_no_memory(err);
		return NULL;
	}
	grown += reply->call_count;
	*grown = (struct reply_call){.index = index, .arguments = evbuffer_new()};
	if (!grown->arguments) {
		reply_no_memory(err);
		return NULL;
	}
	reply->call_count++;
	return grown;
}

static bool is_id_taken(const struct reply *reply, const char *id)
{
	for (size_t i = 0; i < reply->call_count; i++)
		if (reply->calls[i].id && strcmp(reply->calls[i].id, id) == 0)
			return true;
	return false;
}

/* Its own id where that tells it from the others of all turns, else one that does. */
static char *choose_id(const struct reply *reply, struct reply_call *call, const char *id)
{
	uint64_t number = 0;
	char *made;

	if (id && *id && !is_id_taken(reply, id))
		return strdup(id);
	call->is_own_id = true;
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = (uint64_t)(uintptr_t)call;
	return asprintf(&made, "call_%016llx%02zx", (unsigned long long)number, reply->call_count) <
			       0
		       ? NULL
		       : made;
}

/* It begins with its name: then its reader is told. */
static int begin_call(struct reply *reply, struct reply_call *call,
	const struct reply_call_piece *piece, struct error *err)
{
	int r = reply_flush(reply, err);

	if (r < 0)
		return r;
	if (strlen(piece->name) > REPLY_NAME_MAX ||
		(piece->id && strlen(piece->id) > REPLY_NAME_MAX))
		return error_set(err, EPROTO, "a tool call's name or id has more than %d bytes",
			REPLY_NAME_MAX);
	call->id = choose_id(reply, call, piece->id);
	call->name = strdup(piece->name);
	if (!call->id || !call->name)
		return reply_no_memory(err);
	if (reply->callbacks->on_tool_call)
		reply->callbacks->on_tool_call(reply->callbacks->arg, call->id, call->name);
	return 0;
}

static int keep_arguments(struct reply *reply, struct reply_call *call, const char *bytes,
	size_t size, struct error *err)
{
	if (size == 0)
		return 0;
	call->last_byte = bytes[size - 1];
	return reply_keep(reply, call->arguments, bytes, size, err);
}

static int add_arguments(
	struct reply *reply, struct reply_call *call, const json_t *arguments, struct error *err)
{
	size_t size = json_string_length(arguments);
	auto_free char *bytes = NULL;

	if (json_is_string(arguments) && !reply->is_loose)
		return keep_arguments(reply, call, json_string_value(arguments), size, err);
	if (json_is_string(arguments)) {
		bytes = loose_json_bytes(json_string_value(arguments), size, &size);
	} else if (json_is_object(arguments)) {
		bytes = json_dumps(arguments, JSON_COMPACT);
		size = bytes ? strlen(bytes) : 0;
	} else {
		return 0;
	}
	return bytes ? keep_arguments(reply, call, bytes, size, err) : reply_no_memory(err);
}

static int keep_extra(
	struct reply *reply, struct reply_call *call, const json_t *extra, struct error *err)
{
	if (!json_is_object(extra) || call->extra)
		return 0;
	call->extra = json_deep_copy(extra);
	if (!call->extra)
		return reply_no_memory(err);
	return reply_hold(reply, json_dumpb(extra, NULL, 0, JSON_COMPACT), err);
}

int reply_call(struct reply *reply, const struct reply_call_piece *piece, struct error *err)
{
	struct reply_call *call = find_call(reply, piece);
	struct error why = {0};
	int r = 0;

	if (!call)
		call = new_call(reply, piece->index, &why);
	if (!call)
		return error_set(err, why.code, "%s", why.text);
	if (!call->name && piece->name && *piece->name)
		r = begin_call(reply, call, piece, err);
	if (r == 0)
		r = keep_extra(reply, call, piece->extra, err);
	return r < 0 ? r : add_arguments(reply, call, piece->arguments, err);
}

static json_t *describe_call(const struct reply_call *call)
{
	json_t *arguments = evbuffer_get_length(call->arguments) > 0
				    ? reply_to_json(call->arguments)
				    : json_string("{}");
	json_t *json = json_pack("{s:s, s:s, s:{s:s, s:o}}", "id", call->id, "type", "function",
		"function", "name", call->name, "arguments", arguments);

	if (json && call->extra)
		json_object_set(json, "extra_content", call->extra);
	return json;
}

int reply_calls_describe(const struct reply *reply, json_t *message, struct error *err)
{
	json_t *calls = json_array();

	for (size_t i = 0; i < reply->call_count; i++) {
		if (!reply->calls[i].name) {
			json_decref(calls);
			return error_set(err, EPROTO, "the reply has a tool call without a name");
		}
		if (json_array_append_new(calls, describe_call(&reply->calls[i])) < 0) {
			json_decref(calls);
			return reply_no_memory(err);
		}
	}
	return json_object_set_new(message, "tool_calls", calls) < 0 ? reply_no_memory(err) : 0;
}
