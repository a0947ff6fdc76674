/* speech.h - what the targets of the scripted model share: a step said in both dialects, to its end. */
#ifndef TESTS_FUZZ_SPEECH_H
#define TESTS_FUZZ_SPEECH_H
#include <event2/buffer.h>
#include <stdlib.h>

#include "agentd/scripted/scenario.h"
#include "agentd/scripted/speech.h"

static void fuzz_say(
	const struct dialect *dialect, const struct scenario_step *step, const struct chat *chat)
{
	struct evbuffer *out = evbuffer_new();
	struct speech speech;
	json_t *whole;
	enum speech_piece piece;
	size_t said = 0, there;

	speech_init(&speech, step, chat, 1);
	while ((piece = speech_take(&speech)) != SPEECH_NOTHING) {
		if (!out || dialect->write_piece(&speech, piece, out) < 0)
			abort();
		if (piece == SPEECH_DELTA)
			said += speech.delta_size;
	}
	there = json_string_length(step->text) + json_string_length(step->thinking);
	for (size_t i = 0; i < json_array_size(step->calls); i++)
		there += json_string_length(speech_call_arguments(&speech, i));
	whole = dialect->make_whole(&speech);
	if (said != there || !whole)
		abort();
	json_decref(whole);
	evbuffer_free(out);
}
#endif
