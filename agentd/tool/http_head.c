#include "agentd/tool/http_head.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The end of the line at `at`, behind its \n; NULL when it does not end here. */
static const char *line_end(const char *at, const char *end)
{
	const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

	return newline ? newline + 1 : NULL;
}

static bool is_empty_line(const char *at, const char *next)
{
	return next - at == 1 || (next - at == 2 && at[0] == '\r');
}

/* Behind the blank line that ends the block at `at`; NULL: it has no end. */
static const char *block_end(const char *at, const char *end)
{
	const char *next;

	for (; (next = line_end(at, end)); at = next)
		if (is_empty_line(at, next))
			return next;
	return NULL;
}

struct http_head http_head_find(const char *data, size_t size, size_t header_size)
{
	const char *end = data + (size < header_size ? size : header_size);
	struct http_head head = {.start = NULL, .end = data};
	const char *next;

	while (end - head.end >= 5 && memcmp(head.end, "HTTP/", 5) == 0 &&
		(next = block_end(head.end, end))) {
		head.start = line_end(head.end, next);
		head.end = next;
	}
	return head;
}

static bool parse_field(const char *at, const char *end, struct http_field *ret_field)
{
	const char *colon = memchr(at, ':', (size_t)(end - at));

	if (!colon || colon == at || is_blank(*at))
		return false; /* an old kind of continuation, or nothing that was ever a field */
	ret_field->name = at;
	ret_field->name_length = (size_t)(colon - at);
	at = colon + 1;
	while (at < end && is_blank(*at))
		at++;
	while (end > at && (is_blank(end[-1]) || end[-1] == '\n'))
		end--;
	ret_field->value = at;
	ret_field->value_length = (size_t)(end - at);
	return true;
}

bool http_head_next(const char **at, const char *end, struct http_field *ret_field)
{
	const char *next;

	while ((next = line_end(*at, end))) {
		const char *line = *at;

		*at = next;
		if (parse_field(line, next, ret_field))
			return true;
	}
	return false;
}

bool http_field_is(const struct http_field *field, const char *name)
{
	return field->name_length == strlen(name) &&
	       strncasecmp(field->name, name, field->name_length) == 0;
}

bool http_head_get(const struct http_head *head, const char *name, struct http_field *ret_field)
{
	const char *at = head->start;
	struct http_field field;

	while (at && http_head_next(&at, head->end, &field)) {
		if (!http_field_is(&field, name))
			continue;
		*ret_field = field;
		return true;
	}
	return false;
}
