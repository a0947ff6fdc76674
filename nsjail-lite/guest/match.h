/*
 * match.h - glob patterns against paths, in time bounded by the product of their lengths.
 *
 * A path is segments between slashes. `*`, `?` and [..] (with ! or ^, ranges, backslash) stay within
 * a segment; a segment `**` stands for any number of them, at the end for at least one. Braces are
 * expanded beforehand; [:digit:] and its like are of ASCII. Pure.
 */
#ifndef NSJAIL_LITE_GUEST_MATCH_H
#define NSJAIL_LITE_GUEST_MATCH_H
#include <stdbool.h>
#include <stddef.h>

#define MATCH_PATTERN_MAX  4096u
#define MATCH_PATTERNS_MAX 256u /* that one pattern's braces may stand for */

enum match_flags {
	MATCH_HIDDEN = 1 << 0, /* wildcards match a dot at the beginning of a name */
	MATCH_BYTES = 1 << 1,  /* `?` and [..] stand for a byte, as in git; else for a character */
};

/* One segment, one name. */
bool match_name(const char *pattern, const char *name, unsigned flags);

bool match_path(const char *pattern, const char *path, unsigned flags);

struct match_patterns {
	char *list[MATCH_PATTERNS_MAX];
	size_t count;
};

/* All patterns that the braces of one stand for. 0, -E2BIG or -ENOMEM. */
int match_expand(const char *pattern, struct match_patterns *ret_patterns);

/*
 * Likewise, of a pattern that somebody wrote to find files: `//` and `/./` go. -EINVAL: no file can match
 * it. *ret_why says so of each error.
 */
int match_parse(const char *pattern, struct match_patterns *ret_patterns, const char **ret_why);
void match_free(struct match_patterns *patterns);
#endif
