#include "agentd/project/front_matter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "agentd/project/loose_yaml.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

/* libyaml's event in hand, and where it stands. */
struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
	unsigned depth, parts;
	unsigned first_line;
	const char *file;
	struct problems *problems;
	struct error *err;
};

/* Length of the line at text without its end; *ret_next is where the next begins. */
static size_t line_length(const char *text, const char **ret_next)
{
	size_t length = strcspn(text, "\n");

	*ret_next = text + length + (text[length] == '\n');
	while (length > 0 && strchr(" \t\r", text[length - 1]))
		length--;
	return length;
}

static bool is_fence(const char *text, const char **ret_next)
{
	return line_length(text, ret_next) == 3 && strncmp(text, "---", 3) == 0;
}

int front_matter_find(const char *text, struct front_matter_span *ret_span)
{
	struct front_matter_span span = {.first_line = 2, .body = text};
	const char *next, *line;

	if (!is_fence(text, &next)) {
		*ret_span = span;
		return 0;
	}
	span.yaml = next;
	for (line = next; *line; line = next) {
		if (!is_fence(line, &next))
			continue;
		span.size = (size_t)(line - span.yaml);
		while (*next && line_length(next, &line) == 0)
			next = line;
		span.body = next;
		*ret_span = span;
		return 1;
	}
	return -EINVAL;
}

static int refuse(struct reader *reader, unsigned line, const char *fix, const char *text)
{
	problems_add(reader->problems, PROJECT_ERROR, reader->file, reader->first_line + line, fix,
		"front matter: %s", text);
	return error_set(
		reader->err, EINVAL, "%s:%u: %s", reader->file, reader->first_line + line, text);
}

static unsigned event_line(const struct reader *reader)
{
	return (unsigned)reader->event.start_mark.line;
}

static int refuse_event(struct reader *reader, const char *fix, const char *text)
{
	return refuse(reader, event_line(reader), fix, text);
}

static void drop_event(struct reader *reader)
{
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	reader->has_event = false;
}

static const char *anchor_of(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return (const char *)event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return (const char *)event->data.sequence_start.anchor;
	if (event->type == YAML_MAPPING_START_EVENT)
		return (const char *)event->data.mapping_start.anchor;
	return NULL;
}

static const char *tag_of(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return (const char *)event->data.scalar.tag;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return (const char *)event->data.sequence_start.tag;
	if (event->type == YAML_MAPPING_START_EVENT)
		return (const char *)event->data.mapping_start.tag;
	return NULL;
}

static bool is_type(const struct reader *reader, yaml_event_type_t type)
{
	return reader->event.type == type;
}

static bool is_start(const struct reader *reader)
{
	return is_type(reader, YAML_SEQUENCE_START_EVENT) ||
	       is_type(reader, YAML_MAPPING_START_EVENT);
}

static bool is_end(const struct reader *reader)
{
	return is_type(reader, YAML_SEQUENCE_END_EVENT) || is_type(reader, YAML_MAPPING_END_EVENT);
}

static int explain(struct reader *reader)
{
	const char *why = reader->parser.problem;

	if (reader->parser.error == YAML_MEMORY_ERROR)
		return error_set(reader->err, ENOMEM, "%s: out of memory", reader->file);
	return refuse(reader, (unsigned)reader->parser.problem_mark.line,
		"check the indentation, and put a value that holds ': ' or ' #' in quotes",
		why ? why : "is no YAML");
}

/* The next event, of those that are allowed. */
static int advance(struct reader *reader)
{
	drop_event(reader);
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return explain(reader);
	reader->has_event = true;
	if (is_type(reader, YAML_ALIAS_EVENT) || anchor_of(&reader->event))
		return refuse_event(reader,
			"write the value out; put a value that begins with & or * in quotes",
			"anchors and aliases are not read");
	if (tag_of(&reader->event))
		return refuse_event(
			reader, "put a value that begins with ! in quotes", "tags are not read");
	if (is_start(reader) && ++reader->depth > FRONT_MATTER_DEPTH_MAX)
		return refuse_event(reader, "keep it flat", "is nested too deeply");
	if (is_end(reader))
		reader->depth--;
	if (++reader->parts > FRONT_MATTER_PARTS_MAX)
		return refuse_event(reader, "move text into the body", "has too many parts");
	return 0;
}

static const char *scalar(const struct reader *reader)
{
	return (const char *)reader->event.data.scalar.value;
}

/* No value: `tools:`, `tools: ~`, `tools: null`. */
static bool is_null(const struct reader *reader)
{
	return is_type(reader, YAML_SCALAR_EVENT) && reader->event.data.scalar.plain_implicit &&
	       reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (strcmp(scalar(reader), "") == 0 || strcmp(scalar(reader), "~") == 0 ||
		       strcmp(scalar(reader), "null") == 0);
}

/* \0 in double quotes is a NUL. */
static bool has_nul(const struct reader *reader)
{
	return strlen(scalar(reader)) != reader->event.data.scalar.length;
}

static int read_text(struct reader *reader, char **to)
{
	if (is_null(reader))
		return 0;
	if (!is_type(reader, YAML_SCALAR_EVENT) || has_nul(reader))
		return refuse_event(reader, "write a text", "the value must be a text");
	*to = strdup(scalar(reader));
	return *to ? 0 : error_set(reader->err, ENOMEM, "%s: out of memory", reader->file);
}

static int add_item(
	struct reader *reader, char **list, size_t *count, const char *text, size_t length)
{
	if (length == 0)
		return 0;
	if (*count == FRONT_MATTER_LIST_MAX)
		return refuse_event(reader, "remove some", "the list is too long");
	list[*count] = strndup(text, length);
	if (!list[*count])
		return error_set(reader->err, ENOMEM, "%s: out of memory", reader->file);
	++*count;
	return 0;
}

/* `read, bash` without brackets is a list too, as other agents write it. */
static int add_words(struct reader *reader, char **list, size_t *count)
{
	int r = 0;

	for (const char *at = scalar(reader); r == 0 && *at;) {
		size_t length = strcspn(at, ",");
		const char *next = at + length + (at[length] == ',');

		for (; length > 0 && strchr(" \t\n", *at); at++)
			length--;
		while (length > 0 && strchr(" \t\n", at[length - 1]))
			length--;
		r = add_item(reader, list, count, at, length);
		at = next;
	}
	return r;
}

static int read_list(struct reader *reader, char ***to)
{
	size_t count = 0;
	int r = 0;

	*to = calloc(FRONT_MATTER_LIST_MAX + 1, sizeof(**to));
	if (!*to)
		return error_set(reader->err, ENOMEM, "%s: out of memory", reader->file);
	if (is_null(reader))
		return 0;
	if (is_type(reader, YAML_SCALAR_EVENT) && !has_nul(reader))
		return add_words(reader, *to, &count);
	if (!is_type(reader, YAML_SEQUENCE_START_EVENT))
		return refuse_event(reader, "write [a, b]", "the value must be a list");
	while (r == 0) {
		r = advance(reader);
		if (r < 0 || is_type(reader, YAML_SEQUENCE_END_EVENT))
			return r;
		if (!is_type(reader, YAML_SCALAR_EVENT) || has_nul(reader))
			return refuse_event(reader, "write [a, b]", "a list holds texts only");
		r = add_item(reader, *to, &count, scalar(reader), strlen(scalar(reader)));
	}
	return r;
}

static int skip_value(struct reader *reader)
{
	unsigned depth = reader->depth - is_start(reader);
	int r = 0;

	while (r == 0 && reader->depth > depth)
		r = advance(reader);
	return r;
}

enum kind { NAME, DESCRIPTION, TOOLS, TAGS, OTHERS };

/* Keys that other programs define are known, too, so that they are not taken for typing errors. */
static const struct {
	const char *key;
	enum kind kind;
} keys[] = {
	{"name", NAME},
	{"description", DESCRIPTION},
	{"tools", TOOLS},
	{"allowed-tools", TOOLS},
	{"tags", TAGS},
	{"author", OTHERS},
	{"compatibility", OTHERS},
	{"license", OTHERS},
	{"metadata", OTHERS},
	{"version", OTHERS},
};

static enum kind classify(struct reader *reader)
{
	const char *key = scalar(reader), *nearest = NULL;
	char fix[64] = "nothing reads it";
	unsigned best = 3;

	/* Of thousands, only those that are told have their neighbours looked for. */
	bool is_told = problems_has_room(reader->problems, PROJECT_WARNING);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		unsigned distance;

		if (strcmp(key, keys[i].key) == 0)
			return keys[i].kind;
		distance = is_told ? text_distance(key, keys[i].key) : best;
		if (distance < best) {
			best = distance;
			nearest = keys[i].key;
		}
	}
	if (nearest)
		snprintf(fix, sizeof(fix), "did you mean '%s'?", nearest);
	problems_add(reader->problems, PROJECT_WARNING, reader->file,
		reader->first_line + event_line(reader), fix, "front matter: unknown key '%.64s'",
		key);
	return OTHERS;
}

static int read_member(struct reader *reader, struct front_matter *matter)
{
	enum kind kind;
	bool is_given[] = {[NAME] = matter->name,
		[DESCRIPTION] = matter->description,
		[TOOLS] = matter->tools,
		[TAGS] = matter->tags,
		[OTHERS] = false};
	int r;

	if (!is_type(reader, YAML_SCALAR_EVENT))
		return refuse_event(reader, "write `key: value`", "a key must be a text");
	kind = classify(reader);
	if (is_given[kind])
		return refuse_event(reader, "keep one of them", "a key stands twice");
	r = advance(reader);
	if (r < 0)
		return r;
	switch (kind) {
	case NAME:
		return read_text(reader, &matter->name);
	case DESCRIPTION:
		return read_text(reader, &matter->description);
	case TOOLS:
		return read_list(reader, &matter->tools);
	case TAGS:
		return read_list(reader, &matter->tags);
	case OTHERS:
		return skip_value(reader);
	}
	return 0;
}

static int read_mapping(struct reader *reader, struct front_matter *matter)
{
	int r = 0;

	if (is_null(reader))
		return 0;
	if (!is_type(reader, YAML_MAPPING_START_EVENT))
		return refuse_event(reader, "write `key: value` lines", "is no mapping");
	while (r == 0) {
		r = advance(reader);
		if (r < 0 || is_type(reader, YAML_MAPPING_END_EVENT))
			return r;
		r = read_member(reader, matter);
	}
	return r;
}

static int read_stream(struct reader *reader, struct front_matter *matter)
{
	int r = advance(reader); /* the stream's start */

	if (r == 0)
		r = advance(reader);
	if (r < 0 || is_type(reader, YAML_STREAM_END_EVENT))
		return r;
	r = advance(reader); /* behind the document's start */
	if (r == 0)
		r = read_mapping(reader, matter);
	if (r == 0)
		r = advance(reader); /* the document's end */
	if (r == 0)
		r = advance(reader);
	if (r == 0 && !is_type(reader, YAML_STREAM_END_EVENT))
		r = refuse_event(reader, "remove the line '...'", "holds more than one document");
	return r;
}

int front_matter_parse(const struct front_matter_span *span, const char *file,
	struct problems *problems, struct front_matter *ret_matter, struct error *err)
{
	struct reader reader = {
		.first_line = span->first_line, .file = file, .problems = problems, .err = err};
	struct front_matter matter = {.name = NULL};
	auto_free char *mended = NULL;
	int r;

	if (span->size > FRONT_MATTER_MAX)
		return refuse(&reader, 0, "move text into the body", "is longer than 64 KiB");
	if (loose_yaml_mend(span, file, problems, &mended) < 0 ||
		!yaml_parser_initialize(&reader.parser))
		return error_set(err, ENOMEM, "%s: out of memory", file);
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser,
		(const unsigned char *)(mended ? mended : span->yaml),
		mended ? strlen(mended) : span->size);
	r = read_stream(&reader, &matter);
	drop_event(&reader);
	yaml_parser_delete(&reader.parser);
	if (r < 0)
		front_matter_finish(&matter);
	else
		*ret_matter = matter;
	return r;
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void front_matter_finish(struct front_matter *matter)
{
	free(matter->name);
	free(matter->description);
	free_list(matter->tools);
	free_list(matter->tags);
	memset(matter, 0, sizeof(*matter));
}
