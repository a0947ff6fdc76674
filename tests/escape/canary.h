/*
 * canary.h - a directory of the host that no sandbox may touch, beside a copy of an image that names it.
 *
 * Everything lies in one new directory of /dev/shm, open to all: only the sandbox's walls guard it.
 */
#ifndef TESTS_ESCAPE_CANARY_H
#define TESTS_ESCAPE_CANARY_H
#include <stdint.h>

#define CANARY_TEXT "of the host: a needle"
#define CANARY_FILE "null" /* a file in each directory of the canary, with that text */

struct canary {
	char base[64];	 /* the new directory: canary/, image/, source/ */
	char host[80];	 /* base/canary, with directories and files of the names that tests use */
	char image[80];	 /* base/image: a copy of tiny */
	char source[80]; /* base/source: to be bound */
	uint64_t digest; /* of the canary as it was made */
};

/* Each asserts that it worked. */
void canary_make(struct canary *canary);
void canary_remove(const struct canary *canary);
/* Nothing was made, removed, written, renamed, or given another mode or owner. */
void canary_assert_untouched(const struct canary *canary);
/* Of a tree: names, kinds, owners, sizes, times of change, contents. */
uint64_t canary_digest(const char *directory);
#endif
