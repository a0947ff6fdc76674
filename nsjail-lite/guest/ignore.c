#include "nsjail-lite/guest/ignore.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "nsjail-lite/guest/match.h"
#include "nsjail-lite/guest/open.h"

#define RULES_STEP	32u
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* Blanks at the end do not count, unless protected. False: the last byte protects nothing, no path fits. */
static bool trim(char *line)
{
	size_t length = strlen(line);
	char *end = line;

	if (length > 0 && line[length - 1] == '\r')
		line[length - 1] = '\0';
	for (char *p = line; *p; p++) {
		bool is_protected = *p == '\\';

		if (is_protected && *++p == '\0')
			return false;
		if (is_protected || *p != ' ')
			end = p + 1;
	}
	*end = '\0';
	return true;
}

/* False: the line is no rule. */
static bool parse_rule(char *line, struct ignore_rule *rule)
{
	size_t length;

	*rule = (struct ignore_rule){0};
	if (*line == '#' || !trim(line))
		return false;
	if (*line == '!') {
		rule->is_negated = true;
		line++;
	}
	length = strlen(line);
	if (length > 0 && line[length - 1] == '/') {
		rule->is_directory_only = true;
		line[--length] = '\0';
	}
	rule->is_anchored = strchr(line, '/');
	if (*line == '/')
		line++;
	rule->pattern = line;
	return *line != '\0' && length <= MATCH_PATTERN_MAX;
}

static int add(struct ignore *ignore, const struct ignore_rule *rule)
{
	struct ignore_rule *grown;

	if (ignore->count % RULES_STEP == 0) {
		grown = realloc(ignore->rules, (ignore->count + RULES_STEP) * sizeof(*grown));
		if (!grown)
			return -1;
		ignore->rules = grown;
	}
	ignore->rules[ignore->count++] = *rule;
	return 0;
}

struct ignore *ignore_parse(char *text, size_t prefix, const struct ignore *above)
{
	struct ignore *ignore = calloc(1, sizeof(*ignore));
	struct ignore_rule rule;
	char *line;

	if (!ignore)
		return NULL;
	ignore->above = above;
	ignore->prefix = prefix;
	ignore->text = text;
	if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		text += strlen(BYTE_ORDER_MARK);
	while ((line = strsep(&text, "\n")) && ignore->count < IGNORE_RULES_MAX)
		if (parse_rule(line, &rule) && add(ignore, &rule) < 0)
			break;
	return ignore;
}

const struct ignore *ignore_load(int directory, size_t prefix, const struct ignore *above)
{
	auto_close int named = openat(directory, ".gitignore", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	auto_close int fd = open_regular(named, &st);
	struct ignore *ignore;
	char *text;
	ssize_t n;

	/* Whatever else has that name, a FIFO or a directory, says nothing. */
	if (fd < 0 || st.st_size > IGNORE_FILE_MAX)
		return above;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return above;
	n = fd_read_full(fd, text, (size_t)st.st_size);
	text[n < 0 ? 0 : n] = '\0';
	ignore = ignore_parse(text, prefix, above);
	if (ignore)
		return ignore;
	free(text);
	return above;
}

void ignore_free(const struct ignore *ignore, const struct ignore *above)
{
	while (ignore != above) {
		const struct ignore *next = ignore->above;

		free(ignore->text);
		free(ignore->rules);
		free((void *)ignore);
		ignore = next;
	}
}

static bool rule_matches(
	const struct ignore_rule *rule, const char *path, const char *name, bool is_directory)
{
	if (rule->is_directory_only && !is_directory)
		return false;
	if (rule->is_anchored)
		return match_path(rule->pattern, path, MATCH_HIDDEN | MATCH_BYTES);
	return match_name(rule->pattern, name, MATCH_HIDDEN | MATCH_BYTES);
}

bool ignore_matches(const struct ignore *ignore, const char *path, bool is_directory)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	/* The last rule of the nearest file decides. */
	for (; ignore; ignore = ignore->above)
		for (size_t i = ignore->count; i > 0; i--)
			if (rule_matches(&ignore->rules[i - 1], path + ignore->prefix, name,
				    is_directory))
				return !ignore->rules[i - 1].is_negated;
	return false;
}
