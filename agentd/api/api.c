#include "agentd/api/api.h"

#include <stdarg.h>
#include <stdio.h>

#include "agentd/api/front.h"

#define BUSY_MS 1000

const char *api_text(const struct api_call *call, const char *name)
{
	return json_string_value(json_object_get(call->params, name));
}

int64_t api_number(const struct api_call *call, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(call->params, name);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool api_is_asked(struct api_call *call, int r)
{
	if (r < 0)
		api_fail(call, API_RATE_LIMITED, NULL, BUSY_MS, "too much is under way: try again");
	return r == 0;
}

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
