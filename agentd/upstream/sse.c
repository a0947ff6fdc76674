#include "agentd/upstream/sse.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "base/cleanup.h"

#define BOM	 "\xef\xbb\xbf"
#define BOM_SIZE 3

int sse_init(struct sse *sse, sse_event_fn on_event, void *arg)
{
	*sse = (struct sse){.on_event = on_event, .arg = arg};
	sse->line = evbuffer_new();
	sse->data = evbuffer_new();
	return sse->line && sse->data ? 0 : -ENOMEM;
}

void sse_finish(struct sse *sse)
{
	if (sse->line)
		evbuffer_free(sse->line);
	if (sse->data)
		evbuffer_free(sse->data);
	*sse = (struct sse){0};
}

static int add(struct evbuffer *to, const char *data, size_t size)
{
	if (size > SSE_EVENT_MAX - evbuffer_get_length(to))
		return -EFBIG;
	return evbuffer_add(to, data, size) < 0 ? -ENOMEM : 0;
}

static int dispatch(struct sse *sse)
{
	size_t size = evbuffer_get_length(sse->data);
	const char *data;
	int r;

	if (!sse->has_data)
		return 0;
	sse->has_data = false;
	if (evbuffer_add(sse->data, "", 1) < 0)
		return -ENOMEM;
	data = (const char *)evbuffer_pullup(sse->data, -1);
	if (!data)
		return -ENOMEM;
	r = sse->on_event(sse->arg, data, size);
	evbuffer_drain(sse->data, size + 1);
	return r;
}

/* A whole line, without its end. Without a colon it is a field with an empty value. */
static int take_line(struct sse *sse, const char *line, size_t size)
{
	static const char field[] = "data";
	const size_t length = sizeof(field) - 1;
	int r = 0;

	if (size == 0)
		return dispatch(sse);
	if (size < length || memcmp(line, field, length) != 0 ||
		(size > length && line[length] != ':'))
		return 0;
	line += length;
	size -= length;
	if (size > 0) {
		line++;
		size--;
	}
	if (size > 0 && *line == ' ') {
		line++;
		size--;
	}
	if (sse->has_data)
		r = add(sse->data, "\n", 1);
	sse->has_data = true;
	return r < 0 ? r : add(sse->data, line, size);
}

/* The line of which this is the rest ends here. */
static int end_line(struct sse *sse, const char *data, size_t size)
{
	size_t held = evbuffer_get_length(sse->line);
	int r;

	if (held == 0)
		return take_line(sse, data, size);
	r = add(sse->line, data, size);
	if (r < 0)
		return r;
	data = (const char *)evbuffer_pullup(sse->line, -1);
	if (!data)
		return -ENOMEM;
	r = take_line(sse, data, held + size);
	evbuffer_drain(sse->line, held + size);
	return r;
}

/* Where the line that begins at data ends; NULL: not in here. */
static const char *find_end(const char *data, size_t size)
{
	const char *lf = memchr(data, '\n', size);
	const char *cr = memchr(data, '\r', lf ? (size_t)(lf - data) : size);

	return cr ? cr : lf;
}

/* Bytes of the mark at the beginning are skipped; when it turns out to be none, they were text. */
static int skip_bom(struct sse *sse, const char **data, size_t *size)
{
	while (!sse->is_begun && *size > 0) {
		if (sse->bom_bytes == BOM_SIZE || **data != BOM[sse->bom_bytes]) {
			sse->is_begun = true;
			return sse->bom_bytes == BOM_SIZE ? 0 : add(sse->line, BOM, sse->bom_bytes);
		}
		sse->bom_bytes++;
		(*data)++;
		(*size)--;
	}
	return 0;
}

int sse_feed(struct sse *sse, const char *data, size_t size)
{
	int r = skip_bom(sse, &data, &size);

	while (r == 0 && size > 0) {
		const char *end;
		size_t length;

		if (sse->is_after_cr && *data == '\n') {
			data++;
			size--;
		}
		sse->is_after_cr = false;
		if (size == 0)
			break;
		end = find_end(data, size);
		if (!end)
			return add(sse->line, data, size);
		length = (size_t)(end - data);
		sse->is_after_cr = *end == '\r';
		r = end_line(sse, data, length);
		data += length + 1;
		size -= length + 1;
	}
	return r;
}

int sse_end(struct sse *sse)
{
	return dispatch(sse);
}
