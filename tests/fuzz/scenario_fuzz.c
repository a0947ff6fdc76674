/*
 * Any bytes as a scenario of the scripted model: refused with a line that is in it, or such that each of its first steps
 * can be said.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agentd/scripted/chat.h"
#include "base/error.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/speech.h"

#define STEPS 8

static void check_refusal(int r, const struct error *err, const uint8_t *data, size_t size)
{
	unsigned line = 0, lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (r != -EINVAL || err->code != EINVAL || sscanf(err->text, "line %u: ", &line) != 1 ||
		line < 1 || line > lines)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chat chat = {.model = "scripted/x", .size = 8};
	struct scenario *scenario;
	struct scenario_step step;
	struct error err = {0};
	int r = scenario_parse((const char *)data, size, &scenario, &err);

	if (r < 0) {
		check_refusal(r, &err, data, size);
		return 0;
	}
	chat.last_user = chat.first_user = json_string("hello");
	for (int i = 0; i < STEPS; i++) {
		if (!scenario_next(scenario, chat.first_user, chat.last_user, &step))
			break;
		if (step.status == 0) {
			fuzz_say(&speech_openai, &step, &chat);
			fuzz_say(&speech_anthropic, &step, &chat);
		}
		scenario_step_finish(&step);
	}
	json_decref(chat.first_user);
	scenario_destroy(scenario);
	return 0;
}
