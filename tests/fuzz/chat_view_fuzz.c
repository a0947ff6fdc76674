/* Any JSON as frames of an answer and as messages of a session: what is shown steers no terminal. One a line. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/chat_view.h"
#include "tests/fuzz/fuzz.h"

static void check(const char *text, size_t size)
{
	if (!text_is_utf8(text, size))
		abort();
	for (size_t i = 0; i < size; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t') ||
			text[i] == 0x7f || (text[i] == '\xc2' && (unsigned char)text[i + 1] < 0xa0))
			abort();
}

static void view_line(struct chat_view *view, const char *line, size_t size)
{
	json_t *value = json_loadb(line, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (!value)
		return;
	chat_view_frame(view, value);
	chat_view_message(view, "agent", value);
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct chat_view view;
	char *shown = NULL;
	size_t shown_size = 0;
	FILE *to = open_memstream(&shown, &shown_size);

	if (!to)
		abort();
	chat_view_init(&view, to);
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((newline ? newline : end) - at);

		view_line(&view, at, length);
		at += length + 1;
	}
	chat_view_end_line(&view);
	if (fclose(to) != 0)
		abort();
	check(shown, shown_size);
	free(shown);
	return 0;
}
