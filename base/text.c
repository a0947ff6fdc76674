#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int text_copy(char *to, size_t size, const char *from)
{
	size_t length = strlen(from);

	if (length >= size) {
		to[0] = '\0';
		return -ENAMETOOLONG;
	}
	memcpy(to, from, length + 1);
	return 0;
}

bool text_is_terminated(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool text_is_name(const char *text, size_t max_length)
{
	size_t i;

	if (!is_alphanumeric(text[0]))
		return false;
	for (i = 0; text[i] != '\0'; i++)
		if (i >= max_length || (!is_alphanumeric(text[i]) && !strchr("._-", text[i])))
			return false;
	return true;
}

size_t text_utf8_sequence(const char *text, size_t left)
{
	const unsigned char *p = (const unsigned char *)text;
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;
	size_t length;

	if (p[0] < 0x80)
		return 1;
	if ((p[0] & 0xe0) == 0xc0)
		length = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		length = 3;
	else if ((p[0] & 0xf8) == 0xf0)
		length = 4;
	else
		return 0;
	if (length > left)
		return 0;
	code = p[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

bool text_is_utf8(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length) {
		size_t n = text_utf8_sequence(text + i, length - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

/* Marks, embeddings, overrides and isolates of direction, and Unicode's two line ends. */
static bool is_steering(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
	       (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

/* Of a well-formed sequence; those of four bytes are none that steer. */
static unsigned decode(const unsigned char *p, size_t length)
{
	switch (length) {
	case 1:
		return p[0];
	case 2:
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	case 3:
		return (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	default:
		return 0x10000;
	}
}

size_t text_next(const char *text, size_t left, bool *ret_is_shown)
{
	size_t length = text_utf8_sequence(text, left);

	*ret_is_shown = length > 0 && !is_steering(decode((const unsigned char *)text, length));
	return length > 0 ? length : 1;
}

unsigned text_distance(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b);
	unsigned row[64];

	if (m > 63 || n > 63)
		return 64;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}
