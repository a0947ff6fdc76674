#include <errno.h>
#include <event2/buffer.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/upstream/loose_json.h"
#include "agentd/upstream/reply_private.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

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

void reply_finish(struct reply *reply)
{
	reply_calls_finish(reply);
	free_buffer(reply->text);
	free_buffer(reply->thought);
	free_buffer(reply->signature);
	json_decref(reply->thoughts);
	*reply = (struct reply){0};
}

int reply_no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for a reply");
}

int reply_hold(struct reply *reply, size_t size, struct error *err)
{
	if (size > UPSTREAM_REPLY_MAX - reply->held)
		return error_set(
			err, E2BIG, "the reply has more than %d bytes", UPSTREAM_REPLY_MAX);
	reply->held += size;
	return 0;
}

int reply_keep(
	struct reply *reply, struct evbuffer *to, const char *data, size_t size, struct error *err)
{
	int r = reply_hold(reply, size, err);

	if (r == 0 && evbuffer_add(to, data, size) < 0)
		r = reply_no_memory(err);
	return r;
}

static int emit_text(struct reply *reply, const char *text, size_t size, struct error *err)
{
	int r = reply_keep(reply, reply->text, text, size, err);

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

/* Bytes of any kind become text. */
static int emit_mended(
	struct reply *reply, const char *bytes, size_t size, emit_fn emit, struct error *err)
{
	json_auto_t *mended = NULL;

	if (size == 0)
		return 0;
	mended = utf8_to_json(bytes, size);
	if (!mended)
		return reply_no_memory(err);
	return emit(reply, json_string_value(mended), json_string_length(mended), err);
}

/* What is not a whole character yet is carried over, unless nothing more comes. */
static int emit_bytes(struct reply *reply, struct reply_carry *carry, const char *data, size_t size,
	bool is_last, emit_fn emit, struct error *err)
{
	size_t total = carry->size + size, whole;
	auto_free char *joined = malloc(total + 1);

	if (!joined)
		return reply_no_memory(err);
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
			return reply_no_memory(err);
		text = bytes;
	}
	if (carry->size == 0 && !bytes && !memchr(text, '\0', size))
		return emit(reply, text, size, err);
	return emit_bytes(reply, carry, text, size, false, emit, err);
}

int reply_flush(struct reply *reply, struct error *err)
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

int reply_thought(
	struct reply *reply, const json_t *text, const json_t *signature, struct error *err)
{
	int r = 0;

	if (json_string_length(text) > 0)
		r = reply_keep(reply, reply->thought, json_string_value(text),
			json_string_length(text), err);
	if (r == 0 && json_string_length(signature) > 0)
		r = reply_keep(reply, reply->signature, json_string_value(signature),
			json_string_length(signature), err);
	return r;
}

json_t *reply_to_json(struct evbuffer *buffer)
{
	size_t size = evbuffer_get_length(buffer);
	const char *bytes = (const char *)evbuffer_pullup(buffer, -1);

	if (size == 0)
		return json_string("");
	if (!bytes)
		return NULL;
	return utf8_to_json(bytes, size);
}

int reply_thought_end(struct reply *reply, const json_t *whole, struct error *err)
{
	json_t *block = NULL;
	int r = 0;

	if (whole) {
		block = json_deep_copy(whole);
		r = reply_hold(reply, json_dumpb(whole, NULL, 0, JSON_COMPACT), err);
	} else if (evbuffer_get_length(reply->signature) > 0) {
		block = json_pack("{s:s, s:o, s:o}", "type", "thinking", "thinking",
			reply_to_json(reply->thought), "signature",
			reply_to_json(reply->signature));
	} else { /* without a signature it is worth nothing to the server */
		return 0;
	}
	evbuffer_drain(reply->thought, evbuffer_get_length(reply->thought));
	evbuffer_drain(reply->signature, evbuffer_get_length(reply->signature));
	if (json_array_append_new(reply->thoughts, block) < 0)
		return reply_no_memory(err);
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
	int r = reply_flush(reply, err);

	if (r < 0)
		return r;
	mend_end(reply);
	has_text = reply_has_text(reply) || reply->call_count == 0;
	message = json_pack("{s:s, s:o}", "role", "assistant", "content",
		has_text ? reply_to_json(reply->text) : json_null());
	if (!message)
		return reply_no_memory(err);
	if (reply->call_count > 0) {
		r = reply_calls_describe(reply, message, err);
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
	return json_pack("{s:s, s:o}", "role", "assistant", "content", reply_to_json(reply->text));
}
