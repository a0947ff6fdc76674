#include "proto/base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t length)
{
	const unsigned char *in = data;
	char *text = malloc((length + 2) / 3 * 4 + 1);
	char *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t bits = (uint32_t)in[i] << 16;

		if (left > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			bits |= in[i + 2];
		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = '=';
		*out++ = '=';
		if (left > 1)
			out[-2] = alphabet[bits >> 6 & 63];
		if (left > 2)
			out[-1] = alphabet[bits & 63];
	}
	*out = '\0';
	return text;
}

/* Value of a digit, or -1. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

ssize_t base64_decode(const char *text, size_t length, void *to)
{
	unsigned char *out = to;
	size_t used = 0;
	size_t padding = 0;

	if (length % 4 != 0)
		return -EINVAL;
	while (padding < 2 && length > padding && text[length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < length; i += 4) {
		size_t digits = i + 4 == length ? 4 - padding : 4;
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k < digits ? digit_value(text[i + k]) : 0;

			if (value < 0)
				return -EINVAL;
			bits = bits << 6 | (uint32_t)value;
		}
		for (size_t k = 0; k + 1 < digits; k++)
			out[used++] = (unsigned char)(bits >> (16 - 8 * k));
	}
	return (ssize_t)used;
}
