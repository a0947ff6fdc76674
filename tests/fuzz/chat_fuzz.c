/* Any bytes as a request to the scripted model: refused with a reason, or answered in both dialects. */
#include <errno.h>
#include <string.h>

#include "agentd/scripted/chat.h"
#include "base/error.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/speech.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chat chat;
	struct scenario_step step;
	struct error err = {0};
	int r = chat_parse((const char *)data, size, &chat, &err);

	if (r < 0) {
		if (r != -EINVAL || err.code != EINVAL || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (strncmp(chat.model, CHAT_MODEL_PREFIX, strlen(CHAT_MODEL_PREFIX)) != 0 ||
		chat_answer(&chat, &step) < 0 || !step.text == !step.calls)
		abort();
	fuzz_say(&speech_openai, &step, &chat);
	fuzz_say(&speech_anthropic, &step, &chat);
	scenario_step_finish(&step);
	chat_finish(&chat);
	return 0;
}
