/*
 * canary.h - a directory of the host that no sandbox may touch, beside a copy of an image that names it.
 *
 * Everything lies in one new directory of /dev/shm, open to all: only the sandbox's walls guard it.
 */
#ifndef TESTS_ESCAPE_CANARY_H
#define TESTS_ESCAPE_CANARY_H
#include <stdint.h>

#define CANARY_TEXT "of the host: a needle"

struct canary {
	char base[48];	 /* the new directory: canary/, image/, source/ */
	char host[64];	 /* the canary, with directories and files of the names that tests use */
	char image[64];	 /* a copy of the image */
	char source[64]; /* empty: to be bound */
	uint64_t digest; /* of the canary as it was made */
};

/* Each asserts that it worked. */
void canary_make(struct canary *canary, const char *image);
void canary_remove(const struct canary *canary);
/* What a failed case has left. */
void canary_remove_all(void);
/* Nothing was made, removed, written, renamed, or given another mode or owner. */
void canary_assert_untouched(const struct canary *canary);
/* Of a tree: names, kinds, owners, times of change, contents. */
uint64_t canary_digest(const char *directory);

/* Run a command on the host and assert that it worked. */
void canary_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
