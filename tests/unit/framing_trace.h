/* framing_trace.h - what framing.c tells of some bytes, as one text; for its unit test and its fuzz target. */
#ifndef TESTS_UNIT_FRAMING_TRACE_H
#define TESTS_UNIT_FRAMING_TRACE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/api/framing.h"

/* One event; a body's bytes stand behind "BODY ", however many pushes brought them. */
static void trace_event(FILE *to, const struct framing *f, enum framing_event event,
	const char *data, size_t size, bool *is_in_body)
{
	if (event == FRAMING_BODY && !*is_in_body)
		fprintf(to, "BODY ");
	if (event != FRAMING_BODY && event != FRAMING_MORE && *is_in_body)
		fprintf(to, "; ");
	if (event != FRAMING_MORE)
		*is_in_body = event == FRAMING_BODY;
	switch (event) {
	case FRAMING_MORE:
		break;
	case FRAMING_HEAD:
		fprintf(to, "HEAD %s %s 1.%u%s%s; ", f->method, f->target, f->minor,
			f->is_kept_alive ? "" : " close", f->has_expect ? " expect" : "");
		break;
	case FRAMING_BODY:
		fwrite(data, 1, size, to);
		break;
	case FRAMING_END:
		fprintf(to, "END; ");
		break;
	case FRAMING_BAD:
		fprintf(to, "BAD %d %s", (int)f->fault, f->why);
		break;
	}
}

/* Push all of it in pieces of at most piece bytes (the first of at most first). The caller frees the text. */
static char *trace_framing(const char *data, size_t size, size_t first, size_t piece)
{
	char *text = NULL;
	size_t text_size, done = 0, end = first < size ? first : size;
	FILE *to = open_memstream(&text, &text_size);
	enum framing_event event = FRAMING_MORE;
	bool is_in_body = false;
	struct framing f;

	if (!to)
		abort();
	framing_init(&f);
	while (event != FRAMING_BAD) {
		size_t taken = framing_push(&f, data + done, end - done, &event);

		if (taken > end - done || (taken == 0 && event == FRAMING_MORE && done < end))
			abort(); /* it would never come to an end */
		trace_event(to, &f, event, data + done, taken, &is_in_body);
		done += taken;
		if (event == FRAMING_HEAD)
			f.body_max = 1000;
		else if (event == FRAMING_MORE && done == size)
			break;
		else if (event == FRAMING_MORE && done == end)
			end = size - done > piece ? done + piece : size;
	}
	framing_finish(&f);
	fclose(to);
	return text;
}
#endif
