#include "agentd/upstream/reply.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agentd/upstream/loose_json.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#define NO_UTF8_BYTE '\xff' /* becomes U+FFFD */

typedef int (*emit_fn)(struct reply *reply, const char *text, size_t size, struct error *err);

int reply_init(struct reply *reply, const struct upstream_callbacks *callbacks)
{
	*reply = (struct reply){.callbacks = callbacks};
	reply->text = evbuffer_new();
	reply->thought = evbuffer_new();
	reply->signature = evbuffer_new();
	reply->thoughts = json_array();
	return reply->text && reply->thought && reply->signature && reply->thoughts ? 0 : -ENOMEM;
}

static void free_buffer(struct evbuffer *buffer)
{
	if (buffer)
		evbuffer_free(buffer);
}

static void finish_call(struct reply_call *call)
{
	free(call->id);
	free(call->name);
	free_buffer(call->arguments);
	json_decref(call->extra);
}

void reply_finish(struct reply *reply)
{
	for (size_t i = 0; i < reply->call_count; i++)
		finish_call(&reply->calls[i]);
	free(reply->calls);
	free_buffer(reply->text);
	free_buffer(reply->thought);
	free_buffer(reply->signature);
	json_decref(reply->thoughts);
	*reply = (struct reply){0};
}

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for a reply");
}

/* Count size bytes more of what is kept. */
static int hold(struct reply *reply, size_t size, struct error *err)
{
	if (size > UPSTREAM_REPLY_MAX - reply->held)
		return error_set(
			err, E2BIG, "the reply has more than %d bytes", UPSTREAM_REPLY_MAX);
	reply->held += size;
	return 0;
}

static int keep(
	struct reply *reply, struct evbuffer *to, const char *data, size_t size, struct error *err)
{
	int r = hold(reply, size, err);

	if (r == 0 && evbuffer_add(to, data, size) < 0)
		r = no_memory(err);
	return r;
}

static int emit_text(struct reply *reply, const char *text, size_t size, struct error *err)
{
	int r = keep(reply, reply->text, text, size, err);

	if (r == 0 && reply->callbacks->on_text) {
		reply->has_passed_text = true;
		reply->callbacks->on_text(reply->callbacks->arg, text, size);
	}
	return r;
}

static int emit_thinking(struct reply *reply, const char *text, size_t size, struct error *err)
{
	(void)err;
	if (reply->callbacks->on_thinking)
		reply->callbacks->on_thinking(reply->callbacks->arg, text, size);
	return 0;
}

/* A NUL would end the string for half of its readers. */
static void strike_nul(char *bytes, size_t size)
{
	for (char *nul = memchr(bytes, '\0', size); nul;
		nul = memchr(nul, '\0', size - (size_t)(nul - bytes)))
		*nul = NO_UTF8_BYTE;
}

/* Bytes of any kind become text. */
static int emit_mended(
	struct reply *reply, char *bytes, size_t size, emit_fn emit, struct error *err)
{
	json_auto_t *mended = NULL;

	if (size == 0)
		return 0;
	strike_nul(bytes, size);
	mended = utf8_to_json(bytes, size);
	if (!mended)
		return no_memory(err);
	return emit(reply, json_string_value(mended), json_string_length(mended), err);
}

/* What is not a whole character yet is carried over, unless nothing more comes. */
static int emit_bytes(struct reply *reply, struct reply_carry *carry, const char *data, size_t size,
	bool is_last, emit_fn emit, struct error *err)
{
	size_t total = carry->size + size, whole;
	auto_free char *joined = malloc(total + 1);

	if (!joined)
		return no_memory(err);
	memcpy(joined, carry->bytes, carry->size);
	memcpy(joined + carry->size, data, size);
	whole = is_last ? total : utf8_whole_length(joined, total);
	carry->size = total - whole;
	memcpy(carry->bytes, joined + whole, carry->size);
	return emit_mended(reply, joined, whole, emit, err);
}

static int add_piece(struct reply *reply, struct reply_carry *carry, const json_t *piece,
	emit_fn emit, struct error *err)
{
	const char *text = json_string_value(piece);
	size_t size = json_string_length(piece);
	auto_free char *bytes = NULL;

	if (size == 0) /* also of what is no string */
		return 0;
	if (reply->is_loose) {
		bytes = loose_json_bytes(text, size, &size);
		if (!bytes)
			return no_memory(err);
		text = bytes;
	}
	if (carry->size == 0 && !bytes && !memchr(text, '\0', size))
		return emit(reply, text, size, err);
	return emit_bytes(reply, carry, text, size, false, emit, err);
}

/* No more bytes come for what is carried over. */
static int flush(struct reply *reply, struct error *err)
{
	int r = emit_bytes(reply, &reply->text_carry, "", 0, true, emit_text, err);

	if (r == 0)
		r = emit_bytes(reply, &reply->thinking_carry, "", 0, true, emit_thinking, err);
	return r;
}

int reply_text(struct reply *reply, const json_t *piece, struct error *err)
{
	return add_piece(reply, &reply->text_carry, piece, emit_text, err);
}

int reply_thinking(struct reply *reply, const json_t *piece, struct error *err)
{
	return add_piece(reply, &reply->thinking_carry, piece, emit_thinking, err);
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
		no_memory(err);
		return NULL;
	}
	grown += reply->call_count;
	*grown = (struct reply_call){.index = index, .arguments = evbuffer_new()};
	if (!grown->arguments) {
		no_memory(err);
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
	int r = flush(reply, err);

	if (r < 0)
		return r;
	if (strlen(piece->name) > REPLY_NAME_MAX ||
		(piece->id && strlen(piece->id) > REPLY_NAME_MAX))
		return error_set(err, EPROTO, "a tool call's name or id has more than %d bytes",
			REPLY_NAME_MAX);
	call->id = choose_id(reply, call, piece->id);
	call->name = strdup(piece->name);
	if (!call->id || !call->name)
		return no_memory(err);
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
	return keep(reply, call->arguments, bytes, size, err);
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
	return bytes ? keep_arguments(reply, call, bytes, size, err) : no_memory(err);
}

static int keep_extra(
	struct reply *reply, struct reply_call *call, const json_t *extra, struct error *err)
{
	if (!json_is_object(extra) || call->extra)
		return 0;
	call->extra = json_deep_copy(extra);
	if (!call->extra)
		return no_memory(err);
	return hold(reply, json_dumpb(extra, NULL, 0, JSON_COMPACT), err);
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

int reply_thought(
	struct reply *reply, const json_t *text, const json_t *signature, struct error *err)
{
	int r = 0;

	if (json_string_length(text) > 0)
		r = keep(reply, reply->thought, json_string_value(text), json_string_length(text),
			err);
	if (r == 0 && json_string_length(signature) > 0)
		r = keep(reply, reply->signature, json_string_value(signature),
			json_string_length(signature), err);
	return r;
}

/* A buffer's bytes as a JSON string. NULL: out of memory. */
static json_t *to_json(struct evbuffer *buffer)
{
	size_t size = evbuffer_get_length(buffer);
	char *bytes = (char *)evbuffer_pullup(buffer, -1);

	if (size == 0)
		return json_string("");
	if (!bytes)
		return NULL;
	strike_nul(bytes, size);
	return utf8_to_json(bytes, size);
}

int reply_thought_end(struct reply *reply, const json_t *whole, struct error *err)
{
	json_t *block = NULL;
	int r = 0;

	if (whole) {
		block = json_deep_copy(whole);
		r = hold(reply, json_dumpb(whole, NULL, 0, JSON_COMPACT), err);
	} else if (evbuffer_get_length(reply->signature) > 0) {
		block = json_pack("{s:s, s:o, s:o}", "type", "thinking", "thinking",
			to_json(reply->thought), "signature", to_json(reply->signature));
	} else { /* without a signature it is worth nothing to the server */
		return 0;
	}
	evbuffer_drain(reply->thought, evbuffer_get_length(reply->thought));
	evbuffer_drain(reply->signature, evbuffer_get_length(reply->signature));
	if (json_array_append_new(reply->thoughts, block) < 0)
		return no_memory(err);
	return r;
}

void reply_usage(struct reply *reply, json_int_t prompt_tokens, json_int_t completion_tokens)
{
	if (prompt_tokens >= 0)
		reply->usage.prompt_tokens = (uint64_t)prompt_tokens;
	if (completion_tokens >= 0)
		reply->usage.completion_tokens = (uint64_t)completion_tokens;
}

bool reply_has_text(const struct reply *reply)
{
	return evbuffer_get_length(reply->text) > 0;
}

void reply_complete(struct reply *reply, enum upstream_finish finish)
{
	reply->is_complete = true;
	reply->finish = finish;
}

int reply_fault(struct reply *reply, long http, const char *text, struct error *err)
{
	reply->fault_http = http;
	snprintf(reply->fault, sizeof(reply->fault), "%s", text);
	return error_set(err, EREMOTEIO, "%s", reply->fault);
}

static json_t *describe_call(const struct reply_call *call)
{
	json_t *arguments = evbuffer_get_length(call->arguments) > 0 ? to_json(call->arguments)
								     : json_string("{}");
	json_t *json = json_pack("{s:s, s:s, s:{s:s, s:o}}", "id", call->id, "type", "function",
		"function", "name", call->name, "arguments", arguments);

	if (json && call->extra)
		json_object_set(json, "extra_content", call->extra);
	return json;
}

static int describe_calls(const struct reply *reply, json_t *message, struct error *err)
{
	json_t *calls = json_array();

	for (size_t i = 0; i < reply->call_count; i++) {
		if (!reply->calls[i].name) {
			json_decref(calls);
			return error_set(err, EPROTO, "the reply has a tool call without a name");
		}
		if (json_array_append_new(calls, describe_call(&reply->calls[i])) < 0) {
			json_decref(calls);
			return no_memory(err);
		}
	}
	return json_object_set_new(message, "tool_calls", calls) < 0 ? no_memory(err) : 0;
}

/* Some servers say "stop" where they mean calls, and the reverse. */
static void mend_end(struct reply *reply)
{
	if (reply->finish == UPSTREAM_STOP && reply->call_count > 0)
		reply->finish = UPSTREAM_TOOLS;
	else if (reply->finish == UPSTREAM_TOOLS && reply->call_count == 0)
		reply->finish = UPSTREAM_STOP;
}

int reply_message(struct reply *reply, json_t **ret_message, struct error *err)
{
	json_auto_t *message = NULL;
	bool has_text;
	int r = flush(reply, err);

	if (r < 0)
		return r;
	mend_end(reply);
	has_text = reply_has_text(reply) || reply->call_count == 0;
	message = json_pack("{s:s, s:o}", "role", "assistant", "content",
		has_text ? to_json(reply->text) : json_null());
	if (!message)
		return no_memory(err);
	if (reply->call_count > 0) {
		r = describe_calls(reply, message, err);
		if (r == 0 && json_array_size(reply->thoughts) > 0)
			r = json_object_set(message, "thinking_blocks", reply->thoughts);
		if (r < 0)
			return r;
	}
	*ret_message = take_ptr(&message);
	return 0;
}

json_t *reply_partial(struct reply *reply)
{
	if (!reply->has_passed_text)
		return NULL;
	return json_pack("{s:s, s:o}", "role", "assistant", "content", to_json(reply->text));
}
