#include "agentd/api/api.h"

#include <stdarg.h>
#include <stdio.h>

#include "agentd/api/front.h"

void api_header(struct api_call *call, const char *name, const char *value)
{
	call->front->header(call, name, value);
}

void api_reply(struct api_call *call, json_t *result)
{
	if (!result) {
		api_fail(call, API_INTERNAL, NULL, 0, "out of memory");
		return;
	}
	call->front->reply(call, result);
}

void api_fail(struct api_call *call, enum api_fault fault, const char *param, uint32_t retry_ms,
	const char *format, ...)
{
	char text[API_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	call->front->fail(call, fault, param, retry_ms, text);
}

void api_stream_start(struct api_call *call)
{
	call->front->stream_start(call);
}

void api_stream_send(struct api_call *call, uint64_t id, const char *name, json_t *frame)
{
	call->front->stream_send(call, id, name, frame);
}

bool api_stream_is_full(const struct api_call *call)
{
	return call->front->stream_is_full(call);
}

void api_stream_end(struct api_call *call, const char *last)
{
	call->front->stream_end(call, last);
}

void api_keep_alive(struct api_call *call)
{
	call->front->keep_alive(call);
}
