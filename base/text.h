/*
 * text.h - strings in fixed buffers, names, UTF-8.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H
#include <stdbool.h>
#include <stddef.h>

/* Copy with its terminator. 0, or -ENAMETOOLONG (and *to is then empty) when it does not fit. */
int text_copy(char *to, size_t size, const char *from);

/* True when field, an array of size bytes from a peer, holds a terminator. */
bool text_is_terminated(const char *field, size_t size);

/*
 * A name that may stand in a path, a cgroup, a message: 1..max_length of [a-z0-9._-], starting with
 * a letter or digit.
 */
bool text_is_name(const char *text, size_t max_length);

/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, at most U+10FFFF. */
bool text_is_utf8(const char *text, size_t length);

/* Bytes (1..4) of the UTF-8 sequence at text, of which left >= 1 are there; 0 when it is malformed. */
size_t text_utf8_sequence(const char *text, size_t left);

/*
 * The length of the next character of text, of which left >= 1 bytes are there; a byte that is no UTF-8 is one.
 * *ret_is_shown: it may be printed as it stands. Controls (C0, DEL, C1) and what turns the direction of writing may not.
 */
size_t text_next(const char *text, size_t left, bool *ret_is_shown);

/* Edit distance, for "did you mean". Strings over 63 bytes compare as far apart. */
unsigned text_distance(const char *a, const char *b);
#endif
