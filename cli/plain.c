#include "cli/plain.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* The length of text that can be printed as it stands, at most size. */
static size_t span(const char *text, size_t size)
{
	size_t used = 0, length;
	bool is_shown = true;

	while (used < size && is_shown) {
		length = text_next(text + used, size - used, &is_shown);
		if (is_shown || text[used] == '\n' || text[used] == '\t') {
			is_shown = true;
			used += length;
		}
	}
	return used;
}

void plain_print(FILE *to, const char *text, size_t size)
{
	while (size > 0) {
		bool is_shown;
		size_t length = span(text, size);

		fwrite(text, 1, length, to);
		if (length < size) {
			fputc('?', to);
			length += text_next(text + length, size - length, &is_shown);
		}
		text += length;
		size -= length;
	}
}

void plain_clean(char *text)
{
	char *to = text;
	size_t left = strlen(text);

	while (left > 0) {
		bool is_shown;
		size_t length = text_next(text, left, &is_shown);

		if (is_shown || *text == '\n' || *text == '\t') {
			memmove(to, text, length);
			to += length;
		} else {
			*to++ = '?';
		}
		text += length;
		left -= length;
	}
	*to = '\0';
}

void plain_print_line(FILE *to, const char *text, size_t max)
{
	static const char blanks[] = " \n\t\r";
	auto_free char *line = malloc(strlen(text) + 1);
	char *end = line;
	size_t left = line ? strlen(text) : 0;
	size_t count = 0;

	while (left > 0 && count < max) {
		size_t blank = strspn(text, blanks);
		size_t length = blank ? blank : text_utf8_sequence(text, left);

		if (length == 0)
			length = 1;
		if (blank && end > line)
			*end++ = ' ';
		else if (!blank)
			end = mempcpy(end, text, length);
		count += !blank || end > line;
		text += length;
		left -= length;
	}
	if (!line)
		return;
	while (end > line && end[-1] == ' ')
		end--;
	*end = '\0';
	plain_clean(line);
	fprintf(to, "%s%s", line, text[strspn(text, blanks)] ? "..." : "");
}

bool plain_has_colour(FILE *to)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(fileno(to)) && !(none && *none) && terminal && strcmp(terminal, "dumb") != 0;
}
