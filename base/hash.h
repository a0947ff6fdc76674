/*
 * hash.h - FNV-1a (isthe.com/chongo/tech/comp/fnv) for names and changes; not against those who look for two of one hash.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Of more bytes behind those of hash. */
static inline uint64_t hash_more(uint64_t hash, const void *bytes, size_t size)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}
#endif
