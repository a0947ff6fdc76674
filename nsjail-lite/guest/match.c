#include "nsjail-lite/guest/match.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/*
 * The character at *p, which advances over it: its bytes of UTF-8 as one number, so that characters
 * keep their order. A byte where that is asked for, or where there is no UTF-8.
 */
static uint32_t take_character(const char **p, const char *end, unsigned flags)
{
	size_t size = flags & MATCH_BYTES ? 1 : text_utf8_sequence(*p, (size_t)(end - *p));
	uint32_t c = 0;

	for (const char *after = *p + (size ? size : 1); *p < after; (*p)++)
		c = c << 8 | (unsigned char)**p;
	return c;
}

/* Likewise, or the one that a backslash there protects. */
static uint32_t take_protected(const char **p, const char *end, unsigned flags)
{
	if (**p == '\\' && *p + 1 < end)
		(*p)++;
	return take_character(p, end, flags);
}

/* Length of the [:name:] at p, or 0. One that does not exist has no members. */
static size_t match_named(const char *p, const char *end, uint32_t c, bool *ret_matches)
{
	static const struct {
		const char *name;
		int (*has)(int c);
	} rows[] = {{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
		{"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
		{"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit}};
	const char *name = p + 2, *close;

	close = end - p > 2 && p[1] == ':' ? memchr(name, ']', (size_t)(end - name)) : NULL;
	if (*p != '[' || !close || close == name || close[-1] != ':')
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (c < 0x80 && strlen(rows[i].name) == (size_t)(close - 1 - name) &&
			strncmp(rows[i].name, name, strlen(rows[i].name)) == 0)
			*ret_matches |= rows[i].has((int)c) != 0;
	return (size_t)(close + 1 - p);
}

/* Length of the bracket expression at p, or 0 when its end is missing: then '[' is itself. */
static size_t match_class(
	const char *p, const char *end, uint32_t c, unsigned flags, bool *ret_matches)
{
	const char *start = p++;
	bool is_negated = p < end && (*p == '!' || *p == '^');
	bool matches = false;

	if (is_negated)
		p++;
	for (bool is_first = true; p < end && (*p != ']' || is_first); is_first = false) {
		size_t named = match_named(p, end, c, &matches);
		uint32_t low, high;

		if (named > 0) {
			p += named;
			continue;
		}
		low = high = take_protected(&p, end, flags);
		if (p + 1 < end && *p == '-' && p[1] != ']') {
			p++;
			high = take_protected(&p, end, flags);
		}
		if (low <= c && c <= high)
			matches = true;
	}
	if (p >= end)
		return 0;
	*ret_matches = matches != is_negated;
	return (size_t)(p + 1 - start);
}

/* Pattern bytes that match the character c: the length of one element; 0: it does not match. */
static size_t match_one(const char *p, const char *end, uint32_t c, unsigned flags)
{
	const char *after = p;
	bool matches;
	size_t n;

	if (*p == '?')
		return 1;
	if (*p == '[') {
		n = match_class(p, end, c, flags, &matches);
		if (n > 0)
			return matches ? n : 0;
		return c == '[';
	}
	return take_protected(&after, end, flags) == c ? (size_t)(after - p) : 0;
}

static bool begins_with_dot(const char *p, const char *end)
{
	return p < end && *p != '?' && *p != '[' && take_protected(&p, end, 0) == '.';
}

/*
 * The usual walk with one mark: only the last `*` has to be tried again, since whatever an earlier
 * one took less or more, the last one can make good.
 */
static bool match_segment(
	const char *p, const char *p_end, const char *s, const char *s_end, unsigned flags)
{
	const char *star = NULL, *retry = NULL;

	if (s < s_end && *s == '.' && !(flags & MATCH_HIDDEN) && !begins_with_dot(p, p_end))
		return false;
	while (s < s_end) {
		uint32_t c;
		size_t n;

		if (p < p_end && *p == '*') {
			star = ++p;
			retry = s;
			continue;
		}
		c = take_character(&s, s_end, flags);
		n = p < p_end ? match_one(p, p_end, c, flags) : 0;
		if (n > 0) {
			p += n;
			continue;
		}
		if (!star)
			return false;
		take_character(&retry, s_end, flags);
		p = star;
		s = retry;
	}
	while (p < p_end && *p == '*')
		p++;
	return p == p_end;
}

bool match_name(const char *pattern, const char *name, unsigned flags)
{
	return match_segment(pattern, pattern + strlen(pattern), name, name + strlen(name), flags);
}

/* Where the segment at p is followed by another one; NULL: it is the last. */
static const char *next_segment(const char *end)
{
	return *end == '/' ? end + 1 : NULL;
}

static bool has_hidden(const char *path)
{
	return path[0] == '.' || strstr(path, "/.");
}

/* As match_segment(), of whole segments: `**` is the star, and again only the last one matters. */
bool match_path(const char *pattern, const char *path, unsigned flags)
{
	const char *p = pattern, *s = path, *star = NULL, *retry = NULL;

	while (s) {
		const char *s_end = strchrnul(s, '/');
		const char *p_end = p ? strchrnul(p, '/') : NULL;

		if (p && p_end - p == 2 && p[0] == '*' && p[1] == '*') {
			p = next_segment(p_end);
			if (!p)
				return flags & MATCH_HIDDEN || !has_hidden(s);
			star = p;
			retry = s;
			continue;
		}
		if (p && match_segment(p, p_end, s, s_end, flags)) {
			p = next_segment(p_end);
			s = next_segment(s_end);
			continue;
		}
		if (!star || (*retry == '.' && !(flags & MATCH_HIDDEN)))
			return false;
		retry = next_segment(strchrnul(retry, '/'));
		s = retry;
		p = star;
	}
	return !p;
}

/*
 * Skip what protects the byte at p: a backslash with its byte, a bracket expression. *is_unclosed: one
 * had no end, so that none behind it is looked for again and again.
 */
static const char *skip_element(const char *p, bool *is_unclosed)
{
	bool matches;
	size_t n;

	if (*p == '\\' && p[1])
		return p + 2;
	if (*p == '[' && !*is_unclosed) {
		n = match_class(p, p + strlen(p), 0, MATCH_BYTES, &matches);
		if (n > 0)
			return p + n;
		*is_unclosed = true;
	}
	return p + 1;
}

/* The first group that has a comma and an end: the braces of others mean themselves. */
static bool find_group(const char *pattern, const char **ret_open, const char **ret_close)
{
	struct {
		const char *p;
		bool has_comma;
	} open[MATCH_PATTERN_MAX];
	const char *first = NULL;
	bool is_unclosed = false;
	size_t depth = 0;

	for (const char *p = pattern; *p; p = skip_element(p, &is_unclosed)) {
		if (*p == '{') {
			open[depth].p = p;
			open[depth++].has_comma = false;
		} else if (*p == ',' && depth > 0) {
			open[depth - 1].has_comma = true;
		} else if (*p == '}' && depth > 0 && open[--depth].has_comma &&
			   (!first || open[depth].p < first)) {
			first = *ret_open = open[depth].p;
			*ret_close = p;
		}
	}
	return first;
}

static int add(struct match_patterns *patterns, char *pattern)
{
	if (!pattern)
		return -ENOMEM;
	if (patterns->count == MATCH_PATTERNS_MAX) {
		free(pattern);
		return -E2BIG;
	}
	patterns->list[patterns->count++] = pattern;
	return 0;
}

static char *join(const char *pattern, const char *open, const char *alternative, int length,
	const char *close)
{
	char *joined;

	if (asprintf(&joined, "%.*s%.*s%s", (int)(open - pattern), pattern, length, alternative,
		    close + 1) < 0)
		return NULL;
	return joined;
}

/* Put one pattern for each alternative of the group behind the others. */
static int split_group(
	struct match_patterns *patterns, const char *pattern, const char *open, const char *close)
{
	const char *alternative = open + 1;
	bool is_unclosed = false;
	unsigned depth = 0;
	int r = 0;

	for (const char *p = open + 1; r == 0 && p <= close; p = skip_element(p, &is_unclosed)) {
		if (depth == 0 && (*p == ',' || p == close)) {
			r = add(patterns,
				join(pattern, open, alternative, (int)(p - alternative), close));
			alternative = p + 1;
		} else if (*p == '{') {
			depth++;
		} else if (*p == '}') {
			depth--;
		}
	}
	return r;
}

int match_expand(const char *pattern, struct match_patterns *ret_patterns)
{
	struct match_patterns patterns = {.count = 0};
	int r;

	if (strlen(pattern) > MATCH_PATTERN_MAX)
		return -E2BIG;
	r = add(&patterns, strdup(pattern));
	for (size_t i = 0; r == 0 && i < patterns.count;) {
		const char *open, *close;
		char *whole = patterns.list[i];

		if (!find_group(whole, &open, &close)) {
			i++;
			continue;
		}
		patterns.list[i] = patterns.list[--patterns.count];
		r = split_group(&patterns, whole, open, close);
		free(whole);
	}
	if (r < 0)
		match_free(&patterns);
	else
		*ret_patterns = patterns;
	return r;
}

/* Without the segments that are empty or a dot. NULL: some path may match it; else why none does. */
static const char *normalise(char *pattern)
{
	char *to = pattern, *end;
	bool is_unclosed = false;

	if (*pattern == '/')
		return "begins with /: write it relative to path";
	if (*pattern == '!')
		return "begins with !, which excludes nothing here; \\! stands for itself";
	for (char *p = pattern; p; p = *end ? end + 1 : NULL) {
		size_t size;

		end = strchrnul(p, '/');
		size = (size_t)(end - p);
		if (size == 2 && memcmp(p, "..", 2) == 0)
			return "leads outside by ..: name that folder as path";
		if (!*end && (size == 0 || (size == 1 && *p == '.')))
			return "names a folder, only files are found: write folder/**";
		if (size == 0 || (size == 1 && *p == '.'))
			continue;
		memmove(to, p, size + 1);
		to += size + 1;
	}
	for (const char *p = pattern; *p; p = skip_element(p, &is_unclosed))
		if (strchr("{,}", *p))
			return "several are written {a,b}; \\, \\{ \\} stand for themselves";
	return NULL;
}

int match_parse(const char *pattern, struct match_patterns *ret_patterns, const char **ret_why)
{
	int r = match_expand(pattern, ret_patterns);

	if (r < 0) {
		*ret_why = r == -E2BIG ? "too long, or too many alternatives" : strerror(-r);
		return r;
	}
	for (size_t i = 0; i < ret_patterns->count; i++) {
		*ret_why = normalise(ret_patterns->list[i]);
		if (*ret_why) {
			match_free(ret_patterns);
			return -EINVAL;
		}
	}
	return 0;
}

void match_free(struct match_patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		free(patterns->list[i]);
	patterns->count = 0;
}
