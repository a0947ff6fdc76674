/*
 * place.h - on which line of a JSON text a value stands: jansson tells it for syntax errors only.
 *
 * Side: agentd. The text is foreign but has been parsed; of one that is no JSON any line may be answered, and nothing
 * beyond its terminator is read.
 */
#ifndef AGENTD_PROJECT_PLACE_H
#define AGENTD_PROJECT_PLACE_H
#include <stddef.h>

struct place_step {
	const char *key; /* of an object; NULL: an array's index-th element */
	size_t index;
};

/*
 * The line (from 1) of the value that the steps lead to, for a member that of its key. Where they lead nowhere (a key
 * written with escapes): of the last that was found.
 */
unsigned place_line(const char *text, const struct place_step *steps, size_t count);
#endif
