#include "agentd/upstream/loose_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define STAND_IN_SIZE 4 /* bytes of U+10FF80..U+10FFFF: f4 8f be..bf 80..bf */
#define ESCAPE_SIZE   6 /* of \uXXXX */

static size_t put_stand_in(char *to, unsigned char byte)
{
	to[0] = '\xf4';
	to[1] = '\x8f';
	to[2] = (char)(byte & 0x40 ? 0xbf : 0xbe);
	to[3] = (char)(0x80 | (byte & 0x3f));
	return STAND_IN_SIZE;
}

static bool is_stand_in(const char *text, size_t left)
{
	return left >= STAND_IN_SIZE && text[0] == '\xf4' && text[1] == '\x8f' &&
	       (text[2] == '\xbe' || text[2] == '\xbf');
}

static char byte_of(const char *text)
{
	return (char)(0x80 | (text[2] == '\xbf' ? 0x40 : 0) | (text[3] & 0x3f));
}

/* The code unit of \uXXXX at text, or -1. */
static long escape_unit(const char *text, size_t left)
{
	char digits[5];
	char *end;
	long unit;

	if (left < ESCAPE_SIZE || text[0] != '\\' || text[1] != 'u')
		return -1;
	memcpy(digits, text + 2, 4);
	digits[4] = '\0';
	unit = strtol(digits, &end, 16);
	return end == digits + 4 && digits[0] != '-' && digits[0] != '+' ? unit : -1;
}

/* Copy the escape at data, whose length is returned; to takes as many bytes. */
static size_t mend_escape(char *to, const char *data, size_t left)
{
	long unit = escape_unit(data, left), low;
	size_t length = left < 2 ? left : 2;

	if (unit >= 0)
		length = ESCAPE_SIZE;
	memcpy(to, data, length);
	if (unit < 0xd800 || unit > 0xdfff)
		return length;
	low = unit < 0xdc00 ? escape_unit(data + ESCAPE_SIZE, left - ESCAPE_SIZE) : -1;
	if (low >= 0xdc00 && low <= 0xdfff) {
		memcpy(to + length, data + length, ESCAPE_SIZE);
		return 2 * ESCAPE_SIZE;
	}
	memcpy(to, "\\ufffd", ESCAPE_SIZE);
	return length;
}

static size_t mend(char *to, const char *data, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < size;) {
		size_t n = text_utf8_sequence(data + i, size - i);

		if (data[i] == '\\') {
			n = mend_escape(to + used, data + i, size - i);
			used += n;
		} else if (n > 0) {
			memcpy(to + used, data + i, n);
			used += n;
		} else {
			n = 1;
			used += put_stand_in(to + used, (unsigned char)data[i]);
		}
		i += n;
	}
	return used;
}

json_t *loose_json_parse(const char *data, size_t size, bool *ret_is_loose)
{
	json_t *json = json_loadb(data, size, JSON_ALLOW_NUL, NULL);
	auto_free char *mended = NULL;

	*ret_is_loose = false;
	if (json || size == 0 || size > LOOSE_JSON_MAX)
		return json;
	mended = malloc(size * STAND_IN_SIZE);
	if (!mended)
		return NULL;
	*ret_is_loose = true;
	return json_loadb(mended, mend(mended, data, size), JSON_ALLOW_NUL, NULL);
}

char *loose_json_bytes(const char *text, size_t size, size_t *ret_size)
{
	char *bytes = malloc(size + 1);
	size_t used = 0;

	if (!bytes)
		return NULL;
	for (size_t i = 0; i < size;) {
		if (is_stand_in(text + i, size - i)) {
			bytes[used++] = byte_of(text + i);
			i += STAND_IN_SIZE;
		} else {
			bytes[used++] = text[i++];
		}
	}
	*ret_size = used;
	return bytes;
}
