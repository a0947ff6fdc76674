/*
 * compact.h - a conversation that has grown too long for a model: the output of old tools goes first.
 */
#ifndef AGENTD_LOOP_COMPACT_H
#define AGENTD_LOOP_COMPACT_H
#include <jansson.h>
#include <stddef.h>

#define COMPACT_BYTES (400 * 1024) /* of text: about 100,000 tokens */
#define COMPACT_KEPT  8		   /* messages at the end that stay as they are */

/*
 * The messages, at most about max_bytes of text when that can be had: contents of old tool results are replaced by a
 * note, then the oldest turns left out (a note says so), a call always together with its results; the first message of the user stays.
 * A new array of shared or new messages; NULL: out of memory.
 */
json_t *compact_messages(const json_t *messages, size_t max_bytes);
#endif
