#include "nsjail-lite/guest/match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The byte at p, or the one that a backslash there protects; *p advances over it. */
static unsigned char take_byte(const char **p, const char *end)
{
	if (**p == '\\' && *p + 1 < end)
		(*p)++;
	return (unsigned char)*(*p)++;
}

/* Length of the bracket expression at p, or 0 when its end is missing: then '[' is itself. */
static size_t match_class(const char *p, const char *end, unsigned char c, bool *ret_matches)
{
	const char *start = p++;
	bool is_negated = p < end && (*p == '!' || *p == '^');
	bool matches = false;

	if (is_negated)
		p++;
	for (bool is_first = true; p < end && (*p != ']' || is_first); is_first = false) {
		unsigned char low = take_byte(&p, end), high = low;

		if (p + 1 < end && *p == '-' && p[1] != ']') {
			p++;
			high = take_byte(&p, end);
		}
		if (low <= c && c <= high)
			matches = true;
	}
	if (p >= end)
		return 0;
	*ret_matches = matches != is_negated;
	return (size_t)(p + 1 - start);
}

/* Pattern bytes that match the byte c: the length of one element; 0: it does not match. */
static size_t match_one(const char *p, const char *end, unsigned char c)
{
	const char *after = p;
	bool matches;
	size_t n;

	if (*p == '?')
		return 1;
	if (*p == '[') {
		n = match_class(p, end, c, &matches);
		if (n > 0)
			return matches ? n : 0;
		return c == '[';
	}
	return take_byte(&after, end) == c ? (size_t)(after - p) : 0;
}

static bool begins_with_dot(const char *p, const char *end)
{
	return p < end && *p != '?' && *p != '[' && take_byte(&p, end) == '.';
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
		size_t n;

		if (p < p_end && *p == '*') {
			star = ++p;
			retry = s;
			continue;
		}
		n = p < p_end ? match_one(p, p_end, (unsigned char)*s) : 0;
		if (n > 0) {
			bool is_any = *p == '?';

			p += n;
			s++;
			while (is_any && s < s_end && (*s & 0xc0) == 0x80)
				s++; /* a whole character of UTF-8 */
			continue;
		}
		if (!star)
			return false;
		p = star;
		s = ++retry;
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

/* Skip what protects the byte at p: a backslash with its byte, a bracket expression. */
static const char *skip_element(const char *p)
{
	bool matches;
	size_t n;

	if (*p == '\\' && p[1])
		return p + 2;
	if (*p == '[') {
		n = match_class(p, p + strlen(p), 0, &matches);
		if (n > 0)
			return p + n;
	}
	return p + 1;
}

/* The end of the group that opens at p, if it has a comma: else its braces mean themselves. */
static const char *find_group_end(const char *p)
{
	unsigned depth = 0;
	bool has_comma = false;

	for (; *p; p = skip_element(p)) {
		if (*p == '{')
			depth++;
		else if (*p == ',' && depth == 1)
			has_comma = true;
		else if (*p == '}' && --depth == 0)
			return has_comma ? p : NULL;
	}
	return NULL;
}

static bool find_group(const char *pattern, const char **ret_open, const char **ret_close)
{
	for (const char *p = pattern; *p; p = skip_element(p)) {
		if (*p != '{')
			continue;
		*ret_close = find_group_end(p);
		if (*ret_close) {
			*ret_open = p;
			return true;
		}
	}
	return false;
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
	unsigned depth = 0;
	int r = 0;

	for (const char *p = open + 1; r == 0 && p <= close; p = skip_element(p)) {
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

void match_free(struct match_patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		free(patterns->list[i]);
	patterns->count = 0;
}
