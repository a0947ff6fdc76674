/*
 * http_head.h - response headers as `curl --include` writes them before a body: a block for each answer.
 *
 * Interim answers, those of a proxy and redirects come first, the last block is that of the body. All
 * of it is foreign: any bytes are taken, and nothing is read behind their end.
 */
#ifndef AGENTD_TOOL_HTTP_HEAD_H
#define AGENTD_TOOL_HTTP_HEAD_H
#include <stdbool.h>
#include <stddef.h>

struct http_head {
	const char *
		start; /* of the last block's fields, behind its status line; NULL: there is none */
	const char *end; /* behind its blank line: where the body begins */
};

struct http_field {
	const char *name, *value; /* not terminated; value without blanks around it */
	size_t name_length, value_length;
};

/* The last of the blocks that lie within header_size, which curl has counted. */
struct http_head http_head_find(const char *data, size_t size, size_t header_size);

/* The next field at or behind *at, which advances. What is no field is passed over. */
bool http_head_next(const char **at, const char *end, struct http_field *ret_field);

bool http_field_is(const struct http_field *field, const char *name);
/* The first of that name. */
bool http_head_get(const struct http_head *head, const char *name, struct http_field *ret_field);
#endif
