/*
 * utf8.h - bytes from a sandbox on their way into JSON, which holds UTF-8 only.
 *
 * What a command writes comes in chunks that split characters and need not be text at all.
 */
#ifndef AGENTD_UTF8_H
#define AGENTD_UTF8_H
#include <jansson.h>
#include <stddef.h>

#define UTF8_SEQUENCE_MAX 4

/* Length without the last character's bytes when more bytes could complete it: 0..3 less than length. */
size_t utf8_whole_length(const char *data, size_t length);

/*
 * A JSON string of bytes that may be anything: each byte that is not part of UTF-8 text, and each NUL,
 * becomes U+FFFD. NULL: out of memory.
 */
json_t *utf8_to_json(const char *data, size_t length);
#endif
