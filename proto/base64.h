/*
 * base64.h - RFC 4648 section 4, for bytes that are no text and have to go through JSON.
 */
#ifndef PROTO_BASE64_H
#define PROTO_BASE64_H
#include <stddef.h>
#include <sys/types.h>

/* Terminated, on the heap, the caller's to free. NULL: out of memory. */
char *base64_encode(const void *data, size_t length);

/*
 * Decode in place of a buffer of the same length at least: returns the bytes written to `to`, or
 * -EINVAL. Strict: padding is required, nothing else may stand between.
 */
ssize_t base64_decode(const char *text, size_t length, void *to);
#endif
