#include "agentd/utf8.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static const char replacement[] = "\xef\xbf\xbd";

/* Bytes that a character with this first byte has; 1 for what can be none. */
static size_t promised_length(unsigned char first)
{
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 1;
}

size_t utf8_whole_length(const char *data, size_t length)
{
	for (size_t back = 1; back < UTF8_SEQUENCE_MAX && back <= length; back++) {
		unsigned char c = (unsigned char)data[length - back];

		if ((c & 0xc0) != 0x80)
			return promised_length(c) > back ? length - back : length;
	}
	return length;
}

/* Bytes that the character here has; 0: it is none, or a NUL, which would end the string for half of its readers. */
static size_t character_length(const char *data, size_t left)
{
	return data[0] == '\0' ? 0 : text_utf8_sequence(data, left);
}

json_t *utf8_to_json(const char *data, size_t length)
{
	auto_free char *text = NULL;
	size_t used = 0;

	if (text_is_utf8(data, length) && !memchr(data, '\0', length))
		return json_stringn_nocheck(data, length);

	text = malloc(length * (sizeof(replacement) - 1));
	if (!text)
		return NULL;
	for (size_t i = 0; i < length;) {
		size_t n = character_length(data + i, length - i);

		if (n > 0) {
			memcpy(text + used, data + i, n);
			used += n;
			i += n;
		} else {
			memcpy(text + used, replacement, sizeof(replacement) - 1);
			used += sizeof(replacement) - 1;
			i++;
		}
	}
	return json_stringn_nocheck(text, used);
}
