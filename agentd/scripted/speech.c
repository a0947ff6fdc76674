#include "agentd/scripted/speech.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>
#include <time.h>

#include "agentd/scripted/chat.h"
#include "agentd/scripted/scenario.h"
#include "base/cleanup.h"
#include "base/text.h"

#define BYTES_PER_TOKEN 4

void speech_init(struct speech *speech, const struct scenario_step *step, const struct chat *chat,
	uint64_t number)
{
	*speech = (struct speech){
		.step = step,
		.chat = chat,
		.number = number,
		.created = time(NULL),
		.next = SPEECH_BEGIN,
	};
}

const json_t *speech_call_arguments(const struct speech *speech, size_t call)
{
	return json_object_get(json_array_get(speech->step->calls, call), "arguments");
}

const char *speech_call_name(const struct speech *speech, size_t call)
{
	return json_string_value(
		json_object_get(json_array_get(speech->step->calls, call), "name"));
}

/* The next part that the step has, from this kind and call on. False: there is none. */
static bool find_part(struct speech *speech, enum speech_part from, size_t call)
{
	const struct scenario_step *step = speech->step;

	speech->call = call;
	speech->said = 0;
	speech->text = NULL;
	if (from == SPEECH_THINKING) {
		speech->part = SPEECH_THINKING;
		speech->text = step->thinking;
	}
	if (!speech->text && from <= SPEECH_TEXT) {
		speech->part = SPEECH_TEXT;
		speech->text = step->text;
	}
	if (!speech->text) {
		speech->part = SPEECH_CALL;
		speech->text = speech_call_arguments(speech, call);
	}
	return speech->text != NULL;
}

/* The part after this one, or the first. False: there is none. */
static bool find_next_part(struct speech *speech)
{
	if (!speech->text)
		return find_part(speech, SPEECH_THINKING, 0);
	speech->index++;
	switch (speech->part) {
	case SPEECH_THINKING:
		return find_part(speech, SPEECH_TEXT, 0);
	case SPEECH_TEXT:
		return find_part(speech, SPEECH_CALL, 0);
	case SPEECH_CALL:
		return find_part(speech, SPEECH_CALL, speech->call + 1);
	}
	return false;
}

/* At most step->chunk bytes, but whole characters, and one at least. */
static void cut_delta(struct speech *speech)
{
	const char *text = json_string_value(speech->text) + speech->said;
	size_t left = json_string_length(speech->text) - speech->said;
	size_t size = speech->step->chunk < left ? (size_t)speech->step->chunk : left;

	while (size > 0 && size < left && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	if (size == 0)
		size = text_utf8_sequence(text, left);
	speech->delta = text;
	speech->delta_size = size;
	speech->said += size;
}

static enum speech_piece after_delta(const struct speech *speech)
{
	return speech->said < json_string_length(speech->text) ? SPEECH_DELTA : SPEECH_PART_END;
}

enum speech_piece speech_take(struct speech *speech)
{
	enum speech_piece piece = speech->next;

	if (piece == SPEECH_PART_BEGIN && !find_next_part(speech))
		piece = SPEECH_END;
	switch (piece) {
	case SPEECH_BEGIN:
		speech->next = SPEECH_PART_BEGIN;
		break;
	case SPEECH_PART_BEGIN:
		speech->next = after_delta(speech);
		break;
	case SPEECH_DELTA:
		cut_delta(speech);
		speech->next = after_delta(speech);
		break;
	case SPEECH_PART_END:
		speech->next = SPEECH_PART_BEGIN;
		break;
	case SPEECH_END:
		speech->next = SPEECH_USAGE;
		break;
	case SPEECH_USAGE:
		speech->next = speech->step->no_done ? SPEECH_NOTHING : SPEECH_DONE;
		break;
	case SPEECH_DONE:
		speech->next = SPEECH_NOTHING;
		break;
	case SPEECH_NOTHING:
		break;
	}
	return piece;
}

static uint64_t tokens(uint64_t bytes)
{
	return (bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

uint64_t speech_prompt_tokens(const struct speech *speech)
{
	return speech->step->has_usage ? speech->step->prompt_tokens : tokens(speech->chat->size);
}

uint64_t speech_completion_tokens(const struct speech *speech)
{
	const struct scenario_step *step = speech->step;
	uint64_t bytes = json_string_length(step->text) + json_string_length(step->thinking);

	for (size_t i = 0; i < json_array_size(step->calls); i++)
		bytes += json_string_length(speech_call_arguments(speech, i));
	return step->has_usage ? step->completion_tokens : tokens(bytes);
}

int speech_write_line(
	const struct speech *speech, const char *name, const char *data, struct evbuffer *out)
{
	const char *end = speech->step->crlf ? "\r\n" : "\n";
	int r = 0;

	if (speech->step->comments)
		r |= evbuffer_add_printf(out, ": a comment%s%s", end, end);
	if (name)
		r |= evbuffer_add_printf(out, "event: %s%s", name, end);
	r |= evbuffer_add_printf(out, "data: ");
	r |= evbuffer_add(out, data, strlen(data));
	r |= evbuffer_add_printf(out, "%s%s", end, end);
	return r < 0 ? -ENOMEM : 0;
}

int speech_write_event(
	const struct speech *speech, const char *name, json_t *data, struct evbuffer *out)
{
	auto_free char *text = json_dumps(data, JSON_COMPACT);

	json_decref(data);
	return text ? speech_write_line(speech, name, text, out) : -ENOMEM;
}
