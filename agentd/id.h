/*
 * id.h - names that nobody guesses and no two things share: of sessions, runs, replies, keys.
 */
#ifndef AGENTD_ID_H
#define AGENTD_ID_H
#include <stddef.h>

#define ID_RANDOM_SIZE 33 /* 32 hexadecimal digits and a terminator */

/* "PREFIX-" and 128 random bits; size: room for that, strlen(prefix) + 1 + ID_RANDOM_SIZE. */
void id_make(const char *prefix, char *to, size_t size);
#endif
