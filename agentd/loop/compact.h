/*
 * compact.h - a conversation that has grown too long for a model: the output of old tools goes first, then a summary
 * stands for the oldest turns; where none is to be had they are left out; then the longest texts lose their middle. A call is never split from its results. Pure.
 */
#ifndef AGENTD_LOOP_COMPACT_H
#define AGENTD_LOOP_COMPACT_H
#include <jansson.h>
#include <stddef.h>

#define COMPACT_BYTES	  (400 * 1024) /* of text: about 100,000 tokens */
#define COMPACT_BYTES_MIN (16 * 1024)  /* of a model that says itself that less fits */
#define COMPACT_KEPT	  8	       /* messages at the end that stay, if not whole */

/* Bytes of text in them. */
size_t compact_measure(const json_t *messages);
/*
 * The messages, at most about max_bytes of text when that can be had: contents of old tool results are replaced by a
 * note, then the oldest turns left out (a note says so), a call always together with its results; the first message of the user stays.
 * Then of the longest results the beginning and the end are kept, and where max_bytes is less than COMPACT_BYTES, which is a
 * guess, of what was said and of arguments too.
 * A new array of shared or new messages; NULL: out of memory.
 */
json_t *compact_messages(const json_t *messages, size_t max_bytes);

/*
 * For how many of the oldest messages a summary is to stand, so that about half of max_bytes is in use. 0: they fit without
 * it, or nothing would be gained.
 */
size_t compact_count(const json_t *messages, size_t max_bytes);
/* What a model is asked to sum up the first count messages with, max_bytes of them at most. NULL: out of memory. */
json_t *compact_question(const json_t *messages, size_t count, size_t max_bytes);
/* The message that stands for what was summed up. NULL: out of memory. */
json_t *compact_summary(const char *text);
#endif
