/* Any bytes as response headers, and any count of them: blocks and fields lie within what was given. */
#include "agentd/tool/http_head.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void check_field(const struct http_field *field, const char *start, const char *end)
{
	const char *value_end = field->value + field->value_length;

	if (field->name < start || field->name_length == 0 ||
		field->name + field->name_length >= field->value || value_end > end ||
		memchr(field->name, '\n', (size_t)(value_end - field->name)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t header_size = size > 0 ? data[0] * 8u : 0;
	char *copy = malloc(size + 1); /* of its own, so that a step behind it is seen */
	struct http_head head;
	struct http_field field;

	if (!copy)
		abort();
	if (size > 0)
		memcpy(copy, data + 1, --size);
	head = http_head_find(copy, size, header_size);
	if (head.end < copy || head.end > copy + size || head.end > copy + header_size ||
		(head.start && (head.start <= copy || head.start > head.end)) ||
		(!head.start && head.end != copy))
		abort();
	for (const char *at = head.start; at && http_head_next(&at, head.end, &field);)
		check_field(&field, head.start, head.end);
	if (http_head_get(&head, "Location", &field) && field.name_length != 8)
		abort();
	free(copy);
	return 0;
}
