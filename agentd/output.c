#include "agentd/output.h"

#include <stdbool.h>
#include <string.h>

#include "agentd/call.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "proto/base64.h"

static const char *stream_name(enum guest_stream stream)
{
	return stream == GUEST_STDERR ? "stderr" : "stdout";
}

/* What has a NUL is no text either, and would be six bytes for each as JSON. */
static bool is_text(const char *data, size_t size)
{
	return text_is_utf8(data, size) && !memchr(data, '\0', size);
}

static void notify(struct call *call, enum guest_stream stream, const char *data, size_t size)
{
	json_t *params = json_pack("{s:O,s:s}", "request", call->id, "stream", stream_name(stream));

	if (is_text(data, size)) {
		json_object_set_new(params, "data", json_stringn_nocheck(data, size));
	} else {
		auto_free char *text = base64_encode(data, size);

		json_object_set_new(params, "data_base64", text ? json_string(text) : NULL);
	}
	call_notify(call, "sandbox.output", params);
}

void output_send(struct output *output, struct call *call, enum guest_stream stream,
	const void *data, uint32_t size)
{
	struct output_carry *carry = stream == GUEST_STDERR ? &output->err : &output->out;
	char joined[UTF8_SEQUENCE_MAX + GUEST_CHUNK_MAX];
	size_t length = carry->size + size;
	size_t whole;

	if (!call->id || !call->client)
		return; /* a notification has no name for its output; a client that has gone, no ears */
	memcpy(joined, carry->bytes, carry->size);
	memcpy(joined + carry->size, data, size);
	whole = utf8_whole_length(joined, length);
	if (!is_text(joined, whole))
		whole = length; /* no text: nothing to keep together */
	carry->size = length - whole;
	memcpy(carry->bytes, joined + whole, carry->size);
	if (whole > 0)
		notify(call, stream, joined, whole);
}

static void flush(struct output_carry *carry, struct call *call, enum guest_stream stream)
{
	if (carry->size > 0 && call->id && call->client)
		notify(call, stream, carry->bytes, carry->size);
	carry->size = 0;
}

void output_finish(struct output *output, struct call *call)
{
	flush(&output->out, call, GUEST_STDOUT);
	flush(&output->err, call, GUEST_STDERR);
}
