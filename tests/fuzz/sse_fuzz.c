/*
 * Any bytes as Server-Sent Events: the first one says in pieces of which size they come. However they are cut, the
 * events are the same; none holds a line end but those that join its lines.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/upstream/sse.h"
#include "tests/fuzz/fuzz.h"

static int on_event(void *arg, const char *data, size_t size)
{
	if (data[size] != '\0' || memchr(data, '\r', size))
		abort();
	/* With its terminator, so that events are told apart. */
	if (evbuffer_add(arg, data, size + 1) < 0)
		abort();
	return 0;
}

static struct evbuffer *events_of(const char *data, size_t size, size_t piece)
{
	struct evbuffer *events = evbuffer_new();
	struct sse sse;

	if (!events || sse_init(&sse, on_event, events) < 0)
		abort();
	for (size_t at = 0; at < size; at += piece)
		if (sse_feed(&sse, data + at, size - at < piece ? size - at : piece) < 0)
			abort();
	if (sse_end(&sse) < 0)
		abort();
	sse_finish(&sse);
	return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evbuffer *whole, *pieces;
	size_t length;

	if (size < 2)
		return 0;
	whole = events_of((const char *)data + 1, size - 1, size);
	pieces = events_of((const char *)data + 1, size - 1, data[0] % 16 + 1u);
	length = evbuffer_get_length(whole);
	if (length > size || length != evbuffer_get_length(pieces))
		abort();
	if (length > 0 &&
		memcmp(evbuffer_pullup(whole, -1), evbuffer_pullup(pieces, -1), length) != 0)
		abort();
	evbuffer_free(whole);
	evbuffer_free(pieces);
	return 0;
}
