/* text.h - what the targets of texts share: an input as strings of their own, cut at NULs. */
#ifndef TESTS_FUZZ_TEXT_H
#define TESTS_FUZZ_TEXT_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * The bytes up to the next NUL or the end, terminated, in memory of just that size; the input advances
 * behind the NUL. The caller frees it.
 */
static char *fuzz_next_text(const uint8_t **data, size_t *size)
{
	size_t length = strnlen((const char *)*data, *size);
	char *text = malloc(length + 1);

	if (!text)
		abort();
	memcpy(text, *data, length);
	text[length] = '\0';
	length += length < *size;
	*data += length;
	*size -= length;
	return text;
}
#endif
