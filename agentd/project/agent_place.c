#include "agentd/project/agent_place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *agent_place_suggest(const struct agent_place *place, const char *name,
	const char *const *names, size_t count, const char *otherwise,
	char fix[static AGENT_PLACE_FIX_MAX])
{
	const char *nearest = NULL;
	unsigned best = 3;

	if (!problems_has_room(place->problems, PROJECT_WARNING))
		return otherwise;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = text_distance(name, names[i]);

		/* Two letters of three are no typing error. */
		if (distance < best && distance < strlen(names[i]) / 2 + 1) {
			best = distance;
			nearest = names[i];
		}
	}
	if (!nearest)
		return otherwise;
	snprintf(fix, AGENT_PLACE_FIX_MAX, "did you mean '%s'?", nearest);
	return fix;
}

int agent_place_report(const struct agent_place *place, enum project_level level, const char *key,
	const char *fix, const char *format, ...)
{
	struct place_step steps[AGENT_PLACE_STEPS_MAX + 1];
	char text[PROBLEM_TEXT_MAX];
	size_t depth = place->depth;
	va_list ap;

	if (!problems_has_room(place->problems, level)) { /* counted only, which is quick */
		problems_add(place->problems, level, place->file, 0, fix, "%s", format);
		return -EINVAL;
	}
	memcpy(steps, place->steps, sizeof(place->steps));
	if (key)
		steps[depth++] = (struct place_step){.key = key};
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	problems_add(place->problems, level, place->file, place_line(place->text, steps, depth),
		fix, "agent%s%s%s%.64s: %s", place->name[0] ? " " : "", place->name,
		key ? ": " : "", key ? key : "", text);
	return -EINVAL;
}
