#include "tests/unit/agent_tools_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "agentd/schema.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/channel.h"

struct world *world_create(void)
{
	struct world *w = calloc(1, sizeof(*w));
	int pair[2];

	assert_non_null(w);
	assert_int_equal(channel_pair(pair, NULL), 0);
	assert_int_equal(guest_client_create(pair[0], &w->client, NULL), 0);
	w->guest = pair[1];
	w->base = event_base_new();
	assert_non_null(w->base);
	w->request.guest = w->client;
	w->request.base = w->base;
	return w;
}

void world_destroy(struct world *w)
{
	guest_client_destroy(w->client);
	fd_close(w->guest);
	event_base_free(w->base);
	json_decref(w->arguments);
	free(w);
}

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct world *w = arg;

	(void)stream;
	(void)data;
	w->streamed += size;
}

static void on_done(void *arg, const struct tool_result *result)
{
	struct world *w = arg;
	size_t length = evbuffer_get_length(result->text);

	assert_true(length < sizeof(w->text));
	evbuffer_copyout(result->text, w->text, length);
	w->text[length] = '\0';
	w->is_error = result->is_error;
	w->reply = *result->reply;
	w->done++;
}

int world_try(struct world *w, const struct tool *tool, const char *arguments, struct error *err)
{
	const struct tool_callbacks callbacks = {
		.on_output = on_output, .on_done = on_done, .arg = w};
	json_auto_t *schema = json_loads(tool->parameters, JSON_REJECT_DUPLICATES, NULL);
	struct error why;
	int r;

	json_decref(w->arguments);
	w->arguments = json_loads(arguments, 0, NULL);
	assert_non_null(w->arguments);
	if (schema_check(schema, w->arguments, "arguments", &why) < 0)
		fail_msg("%s: %s", tool->name, why.text);
	w->request.tool = tool;
	w->request.arguments = w->arguments;
	w->done = 0;
	r = tool_start(&w->request, &callbacks, &w->run, err);
	assert_int_equal(w->done, 0); /* never from within */
	return r;
}

void world_start(struct world *w, const struct tool *tool, const char *arguments)
{
	struct error err;

	if (world_try(w, tool, arguments, &err) < 0)
		fail_msg("%s: %s", tool->name, err.text);
}

static size_t strings_at(const struct message_header *h)
{
	switch (h->type) {
	case GUEST_EXEC:
		return sizeof(struct guest_exec);
	case GUEST_READ:
		return sizeof(struct guest_file);
	default:
		return h->size;
	}
}

const struct message_header *world_receive(struct world *w)
{
	const struct message_header *h = (const void *)w->packet;
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count;
	ssize_t n = channel_receive(w->guest, w->packet, sizeof(w->packet), fds, &count);
	const char *at, *end;

	assert_true(n > 0);
	assert_int_equal(check_message(&guest_protocol, MESSAGE_TO_SERVER, w->packet, (size_t)n,
				 count, &rule, NULL),
		0);
	end = w->packet + n;
	at = w->packet + strings_at(h);
	for (w->string_count = 0; w->string_count < WORLD_STRINGS_MAX; w->string_count++) {
		w->strings[w->string_count] = tool_next_string(&at, end);
		if (!w->strings[w->string_count])
			break;
	}
	return h;
}

static uint32_t last_id(const struct world *w)
{
	return ((const struct message_header *)(const void *)w->packet)->id;
}

void world_output(struct world *w, enum guest_stream stream, const void *data, size_t size)
{
	struct guest_output m = {.stream = stream};

	while (size > 0) {
		size_t piece = size < GUEST_CHUNK_MAX ? size : GUEST_CHUNK_MAX;

		guest_header(&m.header, GUEST_OUTPUT, (uint32_t)(sizeof(m) + piece), last_id(w));
		assert_int_equal(channel_send(w->guest, &m, sizeof(m), data, piece, NULL, 0), 0);
		guest_client_process(w->client, NULL);
		data = (const char *)data + piece;
		size -= piece;
	}
}

void world_reply(struct world *w, struct guest_reply reply)
{
	guest_header(&reply.header, GUEST_REPLY, sizeof(reply), last_id(w));
	if (reply.end == 0)
		reply.end = GUEST_END_DONE;
	assert_int_equal(channel_send(w->guest, &reply, sizeof(reply), NULL, 0, NULL, 0), 0);
	guest_client_process(w->client, NULL);
}

void world_finish(struct world *w)
{
	while (w->done == 0)
		assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
}

void world_says(const struct world *w, bool is_error, const char *text)
{
	assert_int_equal(w->done, 1);
	assert_string_equal(w->text, text);
	assert_int_equal(w->is_error, is_error);
}

bool world_has(const struct world *w, const char *string, const char *next)
{
	for (size_t i = 0; i < w->string_count; i++)
		if (strcmp(w->strings[i], string) == 0 &&
			(!next ||
				(i + 1 < w->string_count && strcmp(w->strings[i + 1], next) == 0)))
			return true;
	return false;
}
