/*
 * loose_json.h - JSON of servers that cut text between bytes: what is no UTF-8 comes through the parser all the same.
 *
 * Some servers cut a model's text into deltas in the middle of a character, so that neither delta is JSON. Bytes
 * that are no UTF-8 then stand, during parsing, as the characters U+10FF80..U+10FFFF (private use) and
 * are bytes again afterwards; whoever joins the deltas mends what is left. Escapes of half a surrogate pair become U+FFFD.
 */
#ifndef AGENTD_UPSTREAM_LOOSE_JSON_H
#define AGENTD_UPSTREAM_LOOSE_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define LOOSE_JSON_MAX (1024u * 1024) /* bytes of text that are mended; longer ones must be right */

/* Strings may hold NUL. *ret_is_loose: they may hold stand-ins for bytes. NULL: not JSON even so, or out of memory. */
json_t *loose_json_parse(const char *data, size_t size, bool *ret_is_loose);

/* text with bytes for their stand-ins, in memory of the caller; *ret_size is at most size. NULL: out of memory. */
char *loose_json_bytes(const char *text, size_t size, size_t *ret_size);
#endif
