/*
 * A regular expression, a glob pattern and a path, cut at NULs: translated, expanded, matched. What the
 * translation makes is shorter than its buffer; a path whose every character is protected matches itself. No pattern that is parsed begins with a slash.
 */
#include <errno.h>
#include <regex.h>

#include "base/cleanup.h"
#include "nsjail-lite/guest/match.h"
#include "nsjail-lite/guest/regex.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

static void check_regex(const char *pattern, const char *line)
{
	char ere[4 * REGEX_PATTERN_MAX];
	const char *why = NULL;
	regex_t regex;
	int r;

	if (strlen(pattern) > REGEX_PATTERN_MAX)
		return;
	memset(ere, 'x', sizeof(ere));
	r = regex_translate(pattern, ere, sizeof(ere), &why);
	if (r < 0 && (r != -EINVAL || !why))
		abort();
	if (r < 0)
		return;
	if (!memchr(ere, '\0', sizeof(ere)))
		abort();
	/* The C library of this test, which is not the guest's, takes hours for long and nested ones. */
	if (strlen(pattern) > 32 || strpbrk(pattern, "{(") || strlen(line) > 64 ||
		regcomp(&regex, ere, REG_EXTENDED | REG_NOSUB) != 0)
		return;
	regexec(&regex, line, 0, NULL, 0);
	regfree(&regex);
}

static void check_itself(const char *path)
{
	auto_free char *pattern = malloc(2 * strlen(path) + 1);
	char *to = pattern;

	if (!pattern)
		abort();
	for (const char *p = path; *p; p++) {
		if (*p != '/' && (*p & 0xc0) != 0x80)
			*to++ = '\\';
		*to++ = *p;
	}
	*to = '\0';
	if (!match_path(pattern, path, MATCH_HIDDEN) || !match_path("**", path, MATCH_HIDDEN))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *regex = fuzz_next_text(&data, &size);
	auto_free char *pattern = fuzz_next_text(&data, &size);
	auto_free char *path = fuzz_next_text(&data, &size);
	struct match_patterns patterns;
	const char *why;

	check_regex(regex, path);
	check_itself(path);
	if (match_expand(pattern, &patterns) < 0)
		return 0;
	if (patterns.count == 0 || patterns.count > MATCH_PATTERNS_MAX)
		abort();
	for (size_t i = 0; i < patterns.count; i++) {
		match_path(patterns.list[i], path, 0);
		match_name(patterns.list[i], path, MATCH_HIDDEN);
	}
	match_free(&patterns);
	if (match_parse(pattern, &patterns, &why) < 0)
		return 0;
	for (size_t i = 0; i < patterns.count; i++)
		if (patterns.list[i][0] == '/' || patterns.list[i][0] == '\0')
			abort();
	match_free(&patterns);
	return 0;
}
