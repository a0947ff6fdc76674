#include "agentd/project/loose_yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"

#define BLANKS	  " \t"
#define KEY_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* Where a value begins that is neither in quotes nor a list, a block, a reference or nothing. NULL: none such. */
static const char *find_plain(const char *line, const char *end)
{
	size_t key = strspn(line, KEY_BYTES);
	const char *value = line + key + 1;

	if (key == 0 || value >= end || line[key] != ':' || !strchr(BLANKS, *value))
		return NULL;
	value += strspn(value, BLANKS);
	return value < end && !strchr("\"'[]{}|>&*!#,?-\r\n", *value) ? value : NULL;
}

/* Up to a comment or the line's end, without blanks there. */
static const char *find_end(const char *value, const char *end)
{
	for (const char *at = value; at < end; at++)
		if (*at == '#' && strchr(BLANKS, at[-1]))
			end = at;
	while (end > value && strchr(BLANKS "\r\n", end[-1]))
		end--;
	return end;
}

static bool is_refused(const char *value, const char *end)
{
	if (strchr("@`%", *value) || end[-1] == ':')
		return true;
	for (const char *at = value; at + 1 < end; at++)
		if (*at == ':' && strchr(BLANKS, at[1]))
			return true;
	return false;
}

static char *put(char *to, const char *from, const char *end)
{
	memcpy(to, from, (size_t)(end - from));
	return to + (end - from);
}

static char *put_quoted(char *to, const char *from, const char *end)
{
	*to++ = '\'';
	for (; from < end; from++) {
		if (*from == '\'')
			*to++ = '\'';
		*to++ = *from;
	}
	*to++ = '\'';
	return to;
}

/* Deep or long ones are as good as YAML: front_matter.c says what is wrong with them. */
static bool is_yaml(const char *text, size_t size)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool is = true, is_over = false; /* the stream, or what is looked at of it */
	int depth = 0;

	if (!yaml_parser_initialize(&parser))
		return true;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	for (int parts = 0; is && !is_over && parts < FRONT_MATTER_PARTS_MAX; parts++) {
		is = yaml_parser_parse(&parser, &event);
		if (!is)
			break;
		depth += event.type == YAML_SEQUENCE_START_EVENT ||
			 event.type == YAML_MAPPING_START_EVENT;
		depth -= event.type == YAML_SEQUENCE_END_EVENT ||
			 event.type == YAML_MAPPING_END_EVENT;
		is_over = event.type == YAML_STREAM_END_EVENT || depth > FRONT_MATTER_DEPTH_MAX;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return is;
}

/* Lines as they are, but for quotes. A value with its key has four bytes and gets two; each ' in it stands twice. */
static char *mend(const char *text, size_t size)
{
	const char *end = text + size, *next;
	char *mended = malloc(2 * size + size / 2 + 1), *to = mended;

	for (const char *line = text; mended && line < end; line = next) {
		const char *value, *value_end;

		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next + 1 : end;
		value = find_plain(line, next);
		value_end = value ? find_end(value, next) : NULL;
		if (value && is_refused(value, value_end)) {
			to = put(to, line, value);
			to = put_quoted(to, value, value_end);
			to = put(to, value_end, next);
		} else {
			to = put(to, line, next);
		}
	}
	if (mended)
		*to = '\0';
	return mended;
}

static void tell(const struct front_matter_span *span, const char *file, const char *mended,
	struct problems *problems)
{
	const char *line = span->yaml;

	for (unsigned number = span->first_line; *mended; number++) {
		size_t length = strcspn(line, "\n"), mended_length = strcspn(mended, "\n");

		if (length != mended_length)
			problems_add(problems, PROJECT_WARNING, file, number,
				"put the value in quotes: other programs refuse it",
				"front matter: a value that YAML wants in quotes has none");
		line += length + 1;
		mended += mended_length + (mended[mended_length] == '\n');
	}
}

int loose_yaml_mend(const struct front_matter_span *span, const char *file,
	struct problems *problems, char **ret_text)
{
	auto_free char *mended = NULL;

	*ret_text = NULL;
	if (is_yaml(span->yaml, span->size))
		return 0;
	mended = mend(span->yaml, span->size);
	if (!mended)
		return -ENOMEM;
	if (!is_yaml(mended, strlen(mended)))
		return 0;
	tell(span, file, mended, problems);
	*ret_text = take_ptr(&mended);
	return 0;
}
