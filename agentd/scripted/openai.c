/* OpenAI's Chat Completions, as its API reference has it; thinking in the member that most others use. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>

#include "agentd/scripted/chat.h"
#include "agentd/scripted/scenario.h"
#include "agentd/scripted/speech.h"
#include "base/cleanup.h"

#define ID_SIZE 64

static const char *finish_reason(const struct scenario_step *step)
{
	switch (step->finish) {
	case SCENARIO_FINISH_AUTO:
		return step->calls ? "tool_calls" : "stop";
	case SCENARIO_FINISH_STOP:
		return "stop";
	case SCENARIO_FINISH_LENGTH:
		return "length";
	case SCENARIO_FINISH_CALLS:
		return "tool_calls";
	case SCENARIO_FINISH_FILTER:
		return "content_filter";
	}
	return NULL;
}

/* What every object of a reply has. */
static json_t *make_base(const struct speech *speech, const char *kind)
{
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "chatcmpl-scripted-%ju", (uintmax_t)speech->number);
	return json_pack("{s:s,s:s,s:I,s:s}", "id", id, "object", kind, "created",
		(json_int_t)speech->created, "model", speech->chat->model);
}

static json_t *make_usage(const struct speech *speech)
{
	uint64_t prompt = speech_prompt_tokens(speech);
	uint64_t completion = speech_completion_tokens(speech);

	return json_pack("{s:I,s:I,s:I}", "prompt_tokens", (json_int_t)prompt, "completion_tokens",
		(json_int_t)completion, "total_tokens", (json_int_t)(prompt + completion));
}

/* Without arguments it is the beginning of one in a stream. */
static json_t *make_call(const struct speech *speech, size_t call, const json_t *arguments)
{
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "call_%ju_%zu", (uintmax_t)speech->number, call);
	return json_pack("{s:s,s:s,s:{s:s,s:o}}", "id", id, "type", "function", "function", "name",
		speech_call_name(speech, call), "arguments",
		arguments ? json_incref((json_t *)arguments) : json_string(""));
}

static json_t *make_delta(const struct speech *speech)
{
	json_t *text = json_stringn(speech->delta, speech->delta_size);

	switch (speech->part) {
	case SPEECH_THINKING:
		return json_pack("{s:o}", "reasoning_content", text);
	case SPEECH_TEXT:
		return json_pack("{s:o}", "content", text);
	case SPEECH_CALL:
		return json_pack("{s:[{s:I,s:{s:o}}]}", "tool_calls", "index",
			(json_int_t)speech->call, "function", "arguments", text);
	}
	json_decref(text);
	return NULL;
}

static json_t *make_call_begin(const struct speech *speech)
{
	json_t *call = make_call(speech, speech->call, NULL);

	json_object_set_new(call, "index", json_integer((json_int_t)speech->call));
	return json_pack("{s:[o]}", "tool_calls", call);
}

static int write_chunk(
	const struct speech *speech, json_t *delta, const char *finish, struct evbuffer *out)
{
	json_t *chunk = make_base(speech, "chat.completion.chunk");
	json_t *choice =
		json_pack("{s:i,s:o,s:s?}", "index", 0, "delta", delta, "finish_reason", finish);

	if (json_object_set_new(chunk, "choices", json_pack("[o]", choice)) < 0) {
		json_decref(chunk);
		return -ENOMEM;
	}
	return speech_write_event(speech, NULL, chunk, out);
}

static int write_usage(const struct speech *speech, struct evbuffer *out)
{
	json_t *chunk = make_base(speech, "chat.completion.chunk");

	if (json_object_set_new(chunk, "choices", json_array()) < 0 ||
		json_object_set_new(chunk, "usage", make_usage(speech)) < 0) {
		json_decref(chunk);
		return -ENOMEM;
	}
	return speech_write_event(speech, NULL, chunk, out);
}

static int write_piece(const struct speech *speech, enum speech_piece piece, struct evbuffer *out)
{
	switch (piece) {
	case SPEECH_BEGIN:
		return write_chunk(speech,
			json_pack("{s:s,s:s}", "role", "assistant", "content", ""), NULL, out);
	case SPEECH_PART_BEGIN:
		if (speech->part != SPEECH_CALL)
			return 0;
		return write_chunk(speech, make_call_begin(speech), NULL, out);
	case SPEECH_DELTA:
		return write_chunk(speech, make_delta(speech), NULL, out);
	case SPEECH_END:
		return write_chunk(speech, json_object(), finish_reason(speech->step), out);
	case SPEECH_USAGE:
		return speech->chat->wants_usage ? write_usage(speech, out) : 0;
	case SPEECH_DONE:
		return speech_write_line(speech, NULL, "[DONE]", out);
	case SPEECH_PART_END:
	case SPEECH_NOTHING:
		return 0;
	}
	return 0;
}

static json_t *make_message(const struct speech *speech)
{
	const struct scenario_step *step = speech->step;
	json_t *message = json_pack("{s:s,s:O?}", "role", "assistant", "content", step->text);
	json_t *calls;

	if (step->thinking)
		json_object_set(message, "reasoning_content", step->thinking);
	if (!step->calls)
		return message;
	calls = json_array();
	for (size_t i = 0; i < json_array_size(step->calls); i++)
		json_array_append_new(
			calls, make_call(speech, i, speech_call_arguments(speech, i)));
	json_object_set_new(message, "tool_calls", calls);
	return message;
}

static json_t *make_whole(const struct speech *speech)
{
	json_t *whole = make_base(speech, "chat.completion");
	json_t *choice = json_pack("{s:i,s:o,s:s}", "index", 0, "message", make_message(speech),
		"finish_reason", finish_reason(speech->step));

	json_object_set_new(whole, "choices", json_pack("[o]", choice));
	json_object_set_new(whole, "usage", make_usage(speech));
	return whole;
}

static json_t *make_error(unsigned status, const char *message)
{
	static const struct {
		unsigned status;
		const char *type, *code;
	} kinds[] = {
		{401, "authentication_error", "invalid_api_key"},
		{404, "invalid_request_error", "model_not_found"},
		{429, "requests", "rate_limit_exceeded"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].status == status)
			return json_pack("{s:{s:s,s:s,s:s,s:n}}", "error", "message", message,
				"type", kinds[i].type, "code", kinds[i].code, "param");
	return json_pack("{s:{s:s,s:s,s:n,s:n}}", "error", "message", message, "type",
		status < 500 ? "invalid_request_error" : "server_error", "code", "param");
}

const struct dialect speech_openai = {
	.path = "/v1/chat/completions",
	.write_piece = write_piece,
	.make_whole = make_whole,
	.make_error = make_error,
};
