/*
 * upstream_driver.c - asks models as it is told on stdin and prints each callback as a line of JSON; for
 * upstream_server.py, which is the server at the other end.
 *
 * Input: {"options": {providers, key_directories, tries, ...}, "asks": [{model, fallbacks, messages, tools,
 * reasoning, options, is_quiet (texts are counted only), cancel_on, stop_on (the name of a callback)}]}.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/upstream/upstream.h"
#include "base/cleanup.h"
#include "base/error.h"

#define LIST_MAX   16
#define ASKS_MAX   64
#define PATIENCE_S 60

struct world;

struct asked {
	struct world *world;
	const json_t *ask;
	struct upstream_request *request;
	int index;
	unsigned done, texts;
	size_t text_bytes;
};

struct world {
	struct event_base *base;
	struct upstream *upstream;
	struct asked asked[ASKS_MAX];
	size_t count, left;
};

static const char *text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static uint32_t number_of(const json_t *object, const char *member)
{
	return (uint32_t)json_integer_value(json_object_get(object, member));
}

/* An array of strings, NULL-terminated; NULL when it is absent. */
static const char *const *strings_of(
	const json_t *object, const char *member, const char *list[static LIST_MAX])
{
	const json_t *array = json_object_get(object, member);
	size_t index, count = 0;
	json_t *word;

	json_array_foreach(array, index, word)
	{
		if (count < LIST_MAX - 1)
			list[count++] = json_string_value(word);
	}
	list[count] = NULL;
	return array ? list : NULL;
}

static void print(json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);

	puts(text ? text : "{\"event\":\"unprintable\"}");
	fflush(stdout);
	free(text);
	json_decref(line);
}

/* Each callback ends here: what the test wants done from within it. */
static void after(struct asked *asked, const char *callback)
{
	const char *cancel_on = text_of(asked->ask, "cancel_on");
	const char *stop_on = text_of(asked->ask, "stop_on");

	if (asked->done > 1)
		abort();
	if (cancel_on && strcmp(cancel_on, callback) == 0)
		upstream_cancel(asked->request);
	if (stop_on && strcmp(stop_on, callback) == 0)
		event_base_loopbreak(asked->world->base);
}

static void on_text(void *arg, const char *text, size_t size)
{
	struct asked *asked = arg;

	asked->texts++;
	asked->text_bytes += size;
	if (!json_is_true(json_object_get(asked->ask, "is_quiet")))
		print(json_pack("{s:i, s:s, s:s%}", "ask", asked->index, "event", "text", "text",
			text, size));
	after(asked, "text");
}

static void on_thinking(void *arg, const char *text, size_t size)
{
	struct asked *asked = arg;

	print(json_pack(
		"{s:i, s:s, s:s%}", "ask", asked->index, "event", "thinking", "text", text, size));
	after(asked, "thinking");
}

static void on_tool_call(void *arg, const char *id, const char *name)
{
	struct asked *asked = arg;

	print(json_pack("{s:i, s:s, s:s, s:s}", "ask", asked->index, "event", "tool_call", "id", id,
		"name", name));
	after(asked, "tool_call");
}

static void on_retry(void *arg, const char *model, const char *why, uint32_t wait_ms)
{
	struct asked *asked = arg;

	print(json_pack("{s:i, s:s, s:s, s:s, s:I}", "ask", asked->index, "event", "retry", "model",
		model, "why", why, "wait_ms", (json_int_t)wait_ms));
	after(asked, "retry");
}

static void on_done(void *arg, const struct upstream_result *result)
{
	static const char *const finishes[] = {"stop", "length", "tools", "filtered"};
	struct asked *asked = arg;
	json_t *line = json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:O?, s:s, s:i, s:b}", "ask",
		asked->index, "event", "done", "status",
		result->status ? error_name(-result->status) : "", "error", result->error,
		"retry_after_ms", (json_int_t)result->retry_after_ms, "finish",
		finishes[result->finish], "message", result->message, "model", result->model,
		"tries", (int)result->tries, "is_scripted", result->is_scripted);

	json_object_set_new(line, "usage",
		json_pack("[I, I]", (json_int_t)result->usage.prompt_tokens,
			(json_int_t)result->usage.completion_tokens));
	json_object_set_new(line, "texts", json_integer(asked->texts));
	json_object_set_new(line, "text_bytes", json_integer((json_int_t)asked->text_bytes));
	print(line);
	asked->done++;
	asked->request = NULL;
	if (--asked->world->left == 0)
		event_base_loopbreak(asked->world->base);
	after(asked, "done");
}

static int create(struct world *world, const json_t *options, struct error *err)
{
	const json_t *list = json_object_get(options, "providers");
	struct upstream_provider providers[LIST_MAX] = {0};
	const char *directories[LIST_MAX];
	struct upstream_options to = {
		.providers = providers,
		.key_directories = strings_of(options, "key_directories", directories),
		.tries = number_of(options, "tries"),
		.first_wait_ms = number_of(options, "first_wait_ms"),
		.last_wait_ms = number_of(options, "last_wait_ms"),
		.connect_timeout_ms = number_of(options, "connect_timeout_ms"),
		.stall_timeout_ms = number_of(options, "stall_timeout_ms"),
	};
	size_t index;
	json_t *from;

	json_array_foreach(list, index, from)
	{
		if (index < LIST_MAX)
			providers[to.provider_count++] = (struct upstream_provider){
				.name = text_of(from, "name"),
				.dialect = number_of(from, "dialect"),
				.base_url = text_of(from, "base_url"),
				.socket_path = text_of(from, "socket_path"),
				.key = text_of(from, "key"),
				.concurrency = number_of(from, "concurrency"),
				.is_scripted = json_is_true(json_object_get(from, "is_scripted")),
			};
	}
	return upstream_create(world->base, &to, &world->upstream, err);
}

static void ask(struct world *world, const json_t *from)
{
	static const struct upstream_callbacks callbacks = {
		.on_text = on_text,
		.on_thinking = on_thinking,
		.on_tool_call = on_tool_call,
		.on_retry = on_retry,
		.on_done = on_done,
	};
	struct asked *asked = &world->asked[world->count];
	struct upstream_callbacks own = callbacks;
	const char *fallbacks[LIST_MAX];
	const struct upstream_ask to = {
		.model = text_of(from, "model"),
		.fallbacks = strings_of(from, "fallbacks", fallbacks),
		.messages = json_object_get(from, "messages"),
		.tools = json_object_get(from, "tools"),
		.reasoning = text_of(from, "reasoning"),
		.options = json_object_get(from, "options"),
	};
	struct error err;
	int r;

	*asked = (struct asked){.world = world, .ask = from, .index = (int)world->count};
	world->count++;
	own.arg = asked;
	r = upstream_ask(world->upstream, &to, &own, &asked->request, &err);
	if (r < 0) {
		print(json_pack("{s:i, s:s, s:s, s:s}", "ask", asked->index, "event", "refused",
			"status", error_name(-r), "error", err.text));
		return;
	}
	world->left++;
	after(asked, "start");
}

int main(void)
{
	const struct timeval patience = {PATIENCE_S, 0};
	struct world *world = calloc(1, sizeof(*world));
	json_t *input = json_loadf(stdin, 0, NULL), *from;
	struct error err;
	size_t index;

	if (!world || !input)
		return 1;
	world->base = event_base_new();
	if (create(world, json_object_get(input, "options"), &err) < 0) {
		print(json_pack("{s:s, s:s, s:s}", "event", "not_created", "status",
			error_name(err.code), "error", err.text));
	} else {
		json_array_foreach(json_object_get(input, "asks"), index, from)
		{
			if (index < ASKS_MAX)
				ask(world, from);
		}
		event_base_loopexit(world->base, &patience);
		if (world->left > 0)
			event_base_dispatch(world->base);
		upstream_destroy(world->upstream);
		print(json_pack("{s:s, s:I}", "event", "end", "left", (json_int_t)world->left));
	}
	event_base_free(world->base);
	json_decref(input);
	free(world);
	return 0;
}
