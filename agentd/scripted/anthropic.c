/* Anthropic's Messages, as its API reference has it, with the ping that its streams have. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>

#include "agentd/scripted/chat.h"
#include "agentd/scripted/scenario.h"
#include "agentd/scripted/speech.h"
#include "base/cleanup.h"

#define ID_SIZE	  64
#define SIGNATURE "c2NyaXB0ZWQ=" /* a model signs what it thinks; this one has no key */

static const char *stop_reason(const struct scenario_step *step)
{
	switch (step->finish) {
	case SCENARIO_FINISH_AUTO:
		return step->calls ? "tool_use" : "end_turn";
	case SCENARIO_FINISH_STOP:
		return "end_turn";
	case SCENARIO_FINISH_LENGTH:
		return "max_tokens";
	case SCENARIO_FINISH_CALLS:
		return "tool_use";
	case SCENARIO_FINISH_FILTER:
		return "refusal";
	}
	return NULL;
}

/* The message; in a stream it has no content yet and no reason to have ended. */
static json_t *make_message(
	const struct speech *speech, json_t *content, const char *reason, uint64_t output_tokens)
{
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "msg_scripted_%ju", (uintmax_t)speech->number);
	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:s?,s:n,s:{s:I,s:I}}", "id", id, "type", "message",
		"role", "assistant", "model", speech->chat->model, "content", content,
		"stop_reason", reason, "stop_sequence", "usage", "input_tokens",
		(json_int_t)speech_prompt_tokens(speech), "output_tokens",
		(json_int_t)output_tokens);
}

static json_t *make_call(const struct speech *speech, size_t call, json_t *input)
{
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "toolu_%ju_%zu", (uintmax_t)speech->number, call);
	return json_pack("{s:s,s:s,s:s,s:o}", "type", "tool_use", "id", id, "name",
		speech_call_name(speech, call), "input", input);
}

static json_t *make_block(const struct speech *speech)
{
	switch (speech->part) {
	case SPEECH_THINKING:
		return json_pack(
			"{s:s,s:s,s:s}", "type", "thinking", "thinking", "", "signature", "");
	case SPEECH_TEXT:
		return json_pack("{s:s,s:s}", "type", "text", "text", "");
	case SPEECH_CALL:
		return make_call(speech, speech->call, json_object());
	}
	return NULL;
}

static json_t *make_delta(const struct speech *speech)
{
	json_t *text = json_stringn(speech->delta, speech->delta_size);

	switch (speech->part) {
	case SPEECH_THINKING:
		return json_pack("{s:s,s:o}", "type", "thinking_delta", "thinking", text);
	case SPEECH_TEXT:
		return json_pack("{s:s,s:o}", "type", "text_delta", "text", text);
	case SPEECH_CALL:
		return json_pack("{s:s,s:o}", "type", "input_json_delta", "partial_json", text);
	}
	json_decref(text);
	return NULL;
}

static int write_delta(const struct speech *speech, json_t *delta, struct evbuffer *out)
{
	return speech_write_event(speech, "content_block_delta",
		json_pack("{s:s,s:I,s:o}", "type", "content_block_delta", "index",
			(json_int_t)speech->index, "delta", delta),
		out);
}

static int write_begin(const struct speech *speech, struct evbuffer *out)
{
	int r = speech_write_event(speech, "message_start",
		json_pack("{s:s,s:o}", "type", "message_start", "message",
			make_message(speech, json_array(), NULL, 1)),
		out);

	return r < 0 ? r : speech_write_line(speech, "ping", "{\"type\":\"ping\"}", out);
}

static int write_block_end(const struct speech *speech, struct evbuffer *out)
{
	int r = 0;

	if (speech->part == SPEECH_THINKING)
		r = write_delta(speech,
			json_pack("{s:s,s:s}", "type", "signature_delta", "signature", SIGNATURE),
			out);
	if (r < 0)
		return r;
	return speech_write_event(speech, "content_block_stop",
		json_pack("{s:s,s:I}", "type", "content_block_stop", "index",
			(json_int_t)speech->index),
		out);
}

static int write_end(const struct speech *speech, struct evbuffer *out)
{
	return speech_write_event(speech, "message_delta",
		json_pack("{s:s,s:{s:s,s:n},s:{s:I}}", "type", "message_delta", "delta",
			"stop_reason", stop_reason(speech->step), "stop_sequence", "usage",
			"output_tokens", (json_int_t)speech_completion_tokens(speech)),
		out);
}

static int write_piece(const struct speech *speech, enum speech_piece piece, struct evbuffer *out)
{
	switch (piece) {
	case SPEECH_BEGIN:
		return write_begin(speech, out);
	case SPEECH_PART_BEGIN:
		return speech_write_event(speech, "content_block_start",
			json_pack("{s:s,s:I,s:o}", "type", "content_block_start", "index",
				(json_int_t)speech->index, "content_block", make_block(speech)),
			out);
	case SPEECH_DELTA:
		return write_delta(speech, make_delta(speech), out);
	case SPEECH_PART_END:
		return write_block_end(speech, out);
	case SPEECH_END:
		return write_end(speech, out);
	case SPEECH_DONE:
		return speech_write_line(
			speech, "message_stop", "{\"type\":\"message_stop\"}", out);
	case SPEECH_USAGE:
	case SPEECH_NOTHING:
		return 0;
	}
	return 0;
}

/* Arguments that are no JSON cannot be an input; they come as the string that they are. */
static json_t *make_input(const json_t *arguments)
{
	json_t *input = json_loadb(json_string_value(arguments), json_string_length(arguments),
		JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	return input ? input : json_incref((json_t *)arguments);
}

static json_t *make_whole(const struct speech *speech)
{
	const struct scenario_step *step = speech->step;
	json_t *content = json_array();

	if (step->thinking)
		json_array_append_new(
			content, json_pack("{s:s,s:O,s:s}", "type", "thinking", "thinking",
					 step->thinking, "signature", SIGNATURE));
	if (step->text)
		json_array_append_new(
			content, json_pack("{s:s,s:O}", "type", "text", "text", step->text));
	for (size_t i = 0; i < json_array_size(step->calls); i++)
		json_array_append_new(content,
			make_call(speech, i, make_input(speech_call_arguments(speech, i))));
	return make_message(speech, content, stop_reason(step), speech_completion_tokens(speech));
}

static json_t *make_error(unsigned status, const char *message)
{
	static const struct {
		unsigned status;
		const char *type;
	} kinds[] = {
		{401, "authentication_error"},
		{403, "permission_error"},
		{404, "not_found_error"},
		{413, "request_too_large"},
		{429, "rate_limit_error"},
		{529, "overloaded_error"},
	};
	const char *type = status < 500 ? "invalid_request_error" : "api_error";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].status == status)
			type = kinds[i].type;
	return json_pack(
		"{s:s,s:{s:s,s:s}}", "type", "error", "error", "type", type, "message", message);
}

const struct dialect speech_anthropic = {
	.path = "/v1/messages",
	.write_piece = write_piece,
	.make_whole = make_whole,
	.make_error = make_error,
};
