/*
 * What a hostile guest answers to a tool: the first byte says which tool, then come packets, each behind
 * a byte of its kind and two of its length. Whatever comes, the run ends once, with a text.
 */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/channel.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (8u << 20)

/* Of the tools in a sandbox, which are the first ones of the table. */
static const char *const arguments[] = {
	"{\"path\":\"x\"}",
	"{\"path\":\"x\",\"content\":\"c\"}",
	"{\"path\":\"x\",\"old_text\":\"a\",\"new_text\":\"b\"}",
	"{\"command\":\"true\"}",
	"{\"pattern\":\"*\"}",
	"{\"pattern\":\"a\",\"path\":\"x\"}",
	"{\"path\":\"x\"}",
	"{\"url\":\"http://x\"}",
};

static unsigned done;

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	(void)arg;
	(void)data;
	if (stream == GUEST_DATA || size == 0)
		abort();
}

static void on_done(void *arg, const struct tool_result *result)
{
	(void)arg;
	if (!result->text || evbuffer_get_length(result->text) > TEXT_MAX)
		abort();
	done++;
}

/* OUTPUT of a stream, REPLY with fields from the input, or the bytes as they are. */
static void send_packet(int guest, uint8_t kind, uint32_t id, const uint8_t *data, size_t size)
{
	struct guest_output output = {.stream = kind >> 4};
	struct guest_reply reply = {.end = GUEST_END_DONE};

	switch (kind & 3) {
	case 0:
		channel_send(guest, data, size, NULL, 0, NULL, 0);
		break;
	case 1:
		guest_header(&output.header, GUEST_OUTPUT, (uint32_t)(sizeof(output) + size), id);
		channel_send(guest, &output, sizeof(output), data, size, NULL, 0);
		break;
	default:
		memcpy((char *)&reply + sizeof(reply.header), data,
			size < sizeof(reply) - sizeof(reply.header)
				? size
				: sizeof(reply) - sizeof(reply.header));
		reply.reserved = 0;
		guest_header(&reply.header, GUEST_REPLY, sizeof(reply), id);
		channel_send(guest, &reply, sizeof(reply), NULL, 0, NULL, 0);
	}
}

static void answer(struct guest_client *client, int guest, const uint8_t *data, size_t size)
{
	while (size >= 3) {
		size_t length = (size_t)data[1] << 8 | data[2];
		uint32_t id = 1 + (data[0] >> 2 & 3); /* a tool makes a request or two */
		uint8_t kind = data[0];

		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		send_packet(guest, kind, id, data, length);
		if (guest_client_process(client, NULL) < 0)
			break;
		data += length;
		size -= length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tool_callbacks callbacks = {.on_output = on_output, .on_done = on_done};
	struct tool_request request = {.cwd = "/workspace"};
	json_auto_t *json = NULL;
	struct tool_run *run;
	int ends[2];

	if (tool_table[ARRAY_SIZE(arguments) - 1]->place != TOOL_IN_SANDBOX ||
		tool_table[ARRAY_SIZE(arguments)]->place != TOOL_IN_AGENTD)
		abort();
	if (size == 0)
		return 0;
	request.tool = tool_table[data[0] % ARRAY_SIZE(arguments)];
	request.arguments = json = json_loads(arguments[data[0] % ARRAY_SIZE(arguments)], 0, NULL);
	if (channel_pair(ends, NULL) < 0 || guest_client_create(ends[0], &request.guest, NULL) < 0)
		abort();
	done = 0;
	if (!json || tool_start(&request, &callbacks, &run, NULL) < 0)
		abort();
	answer(request.guest, ends[1], data + 1, size - 1);
	fd_close(ends[1]);
	while (guest_client_process(request.guest, NULL) == 0)
		;
	guest_client_destroy(request.guest);
	if (done != 1)
		abort();
	return 0;
}
