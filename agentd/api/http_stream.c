#include "agentd/api/http_stream.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdlib.h>

#include "agentd/api/http_call.h"
#include "base/cleanup.h"

#define DUMP_FLAGS JSON_COMPACT /* one line, as a frame's data has to be */

void http_stream_start(struct api_call *api_call)
{
	struct http_call *call = (struct http_call *)api_call;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);

	evhttp_add_header(headers, "Cache-Control", "no-cache");
	evhttp_add_header(
		headers, "X-Accel-Buffering", "no"); /* some proxies would hold frames back */
	http_call_start(call, "text/event-stream", HTTP_STREAMING);
	/* HEAD has all that it wants, and its handler hears of it once it has gone on. */
	if (call->is_head && call->timer)
		event_active(call->timer, EV_TIMEOUT, 0);
}

/* NULL: out of memory. */
static struct evbuffer *make_frame(uint64_t id, const char *name, const char *data)
{
	struct evbuffer *frame = data ? evbuffer_new() : NULL;

	if (!frame)
		return NULL;
	if ((id && evbuffer_add_printf(frame, "id: %" PRIu64 "\n", id) < 0) ||
		(name && evbuffer_add_printf(frame, "event: %s\n", name) < 0) ||
		evbuffer_add_printf(frame, "data: %s\n\n", data) < 0) {
		evbuffer_free(frame);
		return NULL;
	}
	return frame;
}

void http_stream_send(struct api_call *api_call, uint64_t id, const char *name, json_t *frame)
{
	struct http_call *call = (struct http_call *)api_call;

	if (call->connection) {
		auto_free char *data = frame ? json_dumps(frame, DUMP_FLAGS) : NULL;

		http_call_send(call, make_frame(id, name, data));
	}
	json_decref(frame);
}

bool http_stream_is_full(const struct api_call *api_call)
{
	const struct http_call *call = (const struct http_call *)api_call;

	return call->is_full;
}

void http_stream_end(struct api_call *api_call, const char *last)
{
	struct http_call *call = (struct http_call *)api_call;

	if (last && call->connection)
		http_call_send(call, make_frame(0, NULL, last));
	http_call_end(call);
}

void http_stream_fail(struct http_call *call, json_t *error)
{
	http_stream_send(&call->call, 0, call->shape == API_SHAPE_REST ? "error" : NULL, error);
	http_call_end(call);
}
