/*
 * ignore.h - what .gitignore files say about a path (gitignore(5)): nested, negated, anchored.
 *
 * One struct ignore for each directory that has such a file, each pointing at the one above it.
 */
#ifndef NSJAIL_LITE_GUEST_IGNORE_H
#define NSJAIL_LITE_GUEST_IGNORE_H
#include <stdbool.h>
#include <stddef.h>

#define IGNORE_FILE_MAX	 (256u << 10) /* a longer one is not read */
#define IGNORE_RULES_MAX 10000u

struct ignore_rule {
	const char *pattern;
	bool is_negated, is_anchored, is_directory_only;
};

struct ignore {
	const struct ignore *above;
	size_t prefix; /* bytes of a path that lead to its directory, slash included */
	char *text;
	struct ignore_rule *rules;
	size_t count;
};

/* The .gitignore in a directory, over the one above; above itself when there is none to read. */
const struct ignore *ignore_load(int directory, size_t prefix, const struct ignore *above);

/* Parse text, which becomes the object's. NULL: out of memory. */
struct ignore *ignore_parse(char *text, size_t prefix, const struct ignore *above);

/* Free those below `above`. */
void ignore_free(const struct ignore *ignore, const struct ignore *above);

/* Is the path, of which no parent is ignored, to be left out? */
bool ignore_matches(const struct ignore *ignore, const char *path, bool is_directory);
#endif
