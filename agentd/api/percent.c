#include "agentd/api/percent.h"

#include <errno.h>

#include "base/text.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

int percent_decode(const char *text, size_t length, enum percent_kind kind, char *to, size_t max)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		int c = (unsigned char)text[i];

		if (c == '+' && kind == PERCENT_QUERY) {
			c = ' ';
		} else if (c == '%') {
			if (length - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
				return -EINVAL;
			c = hex(text[i + 1]) * 16 + hex(text[i + 2]);
			i += 2;
		}
		/* Texts of a query may have lines; paths name things. */
		if (c == 0x7f || (c < ' ' && (kind == PERCENT_PATH || c == '\0')))
			return -EINVAL;
		if (used == max)
			return -ENAMETOOLONG;
		to[used++] = (char)c;
	}
	to[used] = '\0';
	return text_is_utf8(to, used) ? (int)used : -EINVAL;
}
