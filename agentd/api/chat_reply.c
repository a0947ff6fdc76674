/* What a chat's client is told: frames of a stream, or one answer at the end. */
#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "agentd/api/api.h"
#include "agentd/api/api_fault.h"
#include "agentd/api/chat_private.h"
#include "agentd/project/project.h"
#include "agentd/server.h"

#define SILENCE_MS 1000 /* before a stream's headers go, when there is nothing to say yet */

static json_t *make_frame(const struct chat *chat, json_t *choice)
{
	json_t *choices = json_array();

	if (choice) {
		json_object_set_new(choice, "index", json_integer(0));
		json_array_append_new(choices, choice);
	}
	return json_pack("{s:s,s:s,s:I,s:s,s:o}", "id", chat->id, "object", "chat.completion.chunk",
		"created", (json_int_t)chat->created, "model", chat->agent->name, "choices",
		choices);
}

/* delta is taken over; NULL: an empty one. */
static json_t *make_choice(json_t *delta, const char *finish)
{
	return json_pack(
		"{s:o,s:s?}", "delta", delta ? delta : json_object(), "finish_reason", finish);
}

static void send_frame(struct chat *chat, json_t *choice)
{
	api_stream_send(chat->call, 0, NULL, make_frame(chat, choice));
}

/* Says who will answer, and by what names it is found again. */
static void begin(struct chat *chat)
{
	json_t *frame;

	if (chat->is_started)
		return;
	chat->is_started = true;
	event_del(chat->timer);
	api_stream_start(chat->call);
	frame = make_frame(chat,
		make_choice(json_pack("{s:s,s:s}", "role", "assistant", "content", ""), NULL));
	json_object_set_new(frame, "sessionId", json_string(chat->session));
	json_object_set_new(frame, "runId", json_string(run_id(chat->run)));
	api_stream_send(chat->call, 0, NULL, frame);
}

static void on_silence(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	begin(arg);
}

static void on_text(struct run_follower *follower, bool is_thinking, const char *text, size_t size)
{
	struct chat *chat = list_entry(follower, struct chat, follower);
	json_t *piece = json_stringn(text, size);
	json_t *choice;

	begin(chat);
	if (is_thinking) {
		choice = make_choice(NULL, NULL);
		json_object_set_new(choice, "thinking", piece);
	} else {
		/* What an agent says between tools are paragraphs of one answer. */
		if (chat->has_text_before && !chat->is_text_begun)
			send_frame(chat, make_choice(json_pack("{s:s}", "content", "\n\n"), NULL));
		chat->is_text_begun = true;
		choice = make_choice(json_pack("{s:o}", "content", piece), NULL);
	}
	send_frame(chat, choice);
}

static void on_event(
	struct run_follower *follower, uint64_t seq, const char *type, const json_t *data)
{
	struct chat *chat = list_entry(follower, struct chat, follower);
	json_t *choice;

	(void)seq;
	if (strcmp(type, "turn") == 0) {
		chat->has_text_before |= chat->is_text_begun;
		chat->is_text_begun = false;
	}
	if (strcmp(type, "tool_call") != 0)
		return;
	begin(chat);
	choice = make_choice(NULL, NULL);
	json_object_set(choice, "tool_call", (json_t *)data);
	send_frame(chat, choice);
}

static enum api_fault fault_of(enum run_failure failure)
{
	switch (failure) {
	case RUN_BUSY:
		return API_RATE_LIMITED;
	case RUN_POOL:
		return API_POOL_EXHAUSTED;
	case RUN_UPSTREAM:
		return API_UPSTREAM;
	case RUN_CANCELLED:
		return API_CONFLICT;
	case RUN_STOPPING:
		return API_STOPPING;
	case RUN_FINE:
	case RUN_STORE:
	case RUN_INTERNAL:
		break;
	}
	return API_INTERNAL;
}

static bool wants_usage(const struct chat *chat)
{
	const json_t *options = json_object_get(chat->call->params, "stream_options");

	return json_is_true(json_object_get(options, "include_usage"));
}

static void add_ends(
	const struct chat *chat, json_t *to, const struct run *run, const struct run_end *end)
{
	json_object_set_new(to, "sessionId", json_string(chat->session));
	json_object_set_new(to, "runId", json_string(run_id(run)));
	if (run_is_scripted(run))
		json_object_set_new(to, "scripted", json_true());
	if (end->reason[0])
		json_object_set_new(to, "reason", json_string(end->reason));
}

static void end_stream(struct chat *chat, const struct run *run, const struct run_end *end)
{
	json_t *choice = make_choice(NULL, end->finish);
	json_t *frame;

	begin(chat);
	if (end->failure != RUN_FINE)
		json_object_set_new(choice, "error",
			json_pack("{s:s,s:s}", "message", end->error, "type",
				api_fault_type(fault_of(end->failure))));
	frame = make_frame(chat, choice);
	add_ends(chat, frame, run, end);
	api_stream_send(chat->call, 0, NULL, frame);
	if (wants_usage(chat)) {
		frame = make_frame(chat, NULL);
		json_object_set_new(frame, "usage", run_usage(run));
		add_ends(chat, frame, run, end);
		api_stream_send(chat->call, 0, NULL, frame);
	}
	api_stream_end(chat->call, "[DONE]");
}

static void reply(struct chat *chat, const struct run *run, const struct run_end *end)
{
	json_t *result = json_pack("{s:s,s:s,s:I,s:s,s:[{s:i,s:{s:s,s:s},s:s}],s:o}", "id",
		chat->id, "object", "chat.completion", "created", (json_int_t)chat->created,
		"model", chat->agent->name, "choices", "index", 0, "message", "role", "assistant",
		"content", run_text(run), "finish_reason", end->finish, "usage", run_usage(run));

	add_ends(chat, result, run, end);
	api_reply(chat->call, result);
}

static void on_end(struct run_follower *follower, const struct run *run, const struct run_end *end)
{
	struct chat *chat = list_entry(follower, struct chat, follower);

	/* OpenAI's clients would ask again: the session has the message by now, and agentd has tried again itself. */
	if (end->failure != RUN_FINE)
		api_header(chat->call, "x-should-retry", "false");
	if (chat->is_started)
		end_stream(chat, run, end);
	else if (end->failure != RUN_FINE)
		api_fail(chat->call, fault_of(end->failure), NULL, end->retry_ms, "%s", end->error);
	else if (chat->is_stream)
		end_stream(chat, run, end);
	else
		reply(chat, run, end);
	chat_destroy(chat);
}

/* Nobody reads any more; the run goes on. */
static void on_gone(struct api_call *call)
{
	struct chat *chat = call->work;

	if (chat->is_started)
		api_stream_end(call, NULL);
	else
		api_fail(call, API_STOPPING, NULL, 0, "the client has gone");
	chat_destroy(chat);
}

int chat_reply_init(struct chat *chat)
{
	list_init(&chat->follower.of_run);
	chat->timer = evtimer_new(chat->call->server->base, on_silence, chat);
	return chat->timer ? 0 : -ENOMEM;
}

void chat_reply_begin(struct chat *chat)
{
	const struct timeval silence = {.tv_sec = SILENCE_MS / 1000};

	api_header(chat->call, "x-session-id", chat->session);
	api_header(chat->call, "x-run-id", run_id(chat->run));
	if (chat->is_stream) {
		chat->follower.on_text = on_text;
		chat->follower.on_event = on_event;
		event_add(chat->timer, &silence);
	} else {
		api_keep_alive(chat->call);
	}
	chat->follower.on_end = on_end;
	run_follow(chat->run, &chat->follower);
	chat->call->on_gone = on_gone;
	if (chat->call->is_gone) /* while its session was looked up */
		on_gone(chat->call);
}
