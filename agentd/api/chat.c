#include "agentd/api/chat.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agentd/api/api.h"
#include "agentd/api/api_fault.h"
#include "agentd/loop/run.h"
#include "agentd/loop/service.h"
#include "agentd/project/project.h"
#include "agentd/server.h"
#include "agentd/store/store.h"
#include "base/cleanup.h"
#include "base/error.h"

#define ID_SIZE	    48
#define SILENCE_MS  1000 /* before a stream's headers go, when there is nothing to say yet */
#define OPTIONS_MAX 8

/* Of a request's members, what goes on to the model as it is. */
static const char *const passed_on[] = {"temperature", "max_tokens", "top_p", "stop", "seed",
	"presence_penalty", "frequency_penalty"};

/* A request from its arguments to its end. */
struct chat {
	struct run_follower follower;
	struct api_call *call;
	struct service *service;
	struct run *run; /* NULL: not yet */
	const struct project_agent *agent;
	char session[STORE_ID_MAX + 1];
	bool is_new_session;
	json_t *session_row, *messages;
	char *system;
	char id[ID_SIZE];
	time_t created;
	bool is_stream, is_started, is_text_begun, has_text_before;
	struct event *timer;
};

static void destroy(struct chat *chat)
{
	if (chat->timer)
		event_free(chat->timer);
	run_unfollow(&chat->follower);
	project_agent_unref(chat->agent);
	json_decref(chat->session_row);
	json_decref(chat->messages);
	free(chat->system);
	free(chat);
}

static const char *text_of(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(row, name));
}

static void make_id(char id[static ID_SIZE], const char *prefix)
{
	unsigned char bytes[16];
	int used = snprintf(id, ID_SIZE, "%s-", prefix);

	while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		; /* interrupted */
	for (size_t i = 0; i < sizeof(bytes); i++)
		used += snprintf(id + used, (size_t)(ID_SIZE - used), "%02x", bytes[i]);
}

/* --- what goes to the client --- */

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

	if (chat->is_started)
		end_stream(chat, run, end);
	else if (end->failure != RUN_FINE)
		api_fail(chat->call, fault_of(end->failure), NULL, end->retry_ms, "%s", end->error);
	else if (chat->is_stream)
		end_stream(chat, run, end);
	else
		reply(chat, run, end);
	destroy(chat);
}

/* Nobody reads any more; the run goes on. */
static void on_gone(struct api_call *call)
{
	struct chat *chat = call->work;

	if (chat->is_started)
		api_stream_end(call, NULL);
	else
		api_fail(call, API_STOPPING, NULL, 0, "the client has gone");
	destroy(chat);
}

/* --- from the request to the run --- */

static void fail(struct chat *chat, enum api_fault fault, const char *param, const char *text)
{
	api_fail(chat->call, fault, param, fault == API_RATE_LIMITED ? 1000 : 0, "%s", text);
	destroy(chat);
}

static json_t *make_options(const struct chat *chat)
{
	const json_t *params = chat->call->params;
	json_t *options = json_object(), *model = json_object();
	json_t *limit = json_object_get(params, "max_completion_tokens");

	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
		json_t *value = json_object_get(params, passed_on[i]);

		if (value && !json_is_null(value))
			json_object_set(model, passed_on[i], value);
	}
	if (json_is_integer(limit))
		json_object_set(model, "max_tokens", limit);
	json_object_set_new(options, "model_options", model);
	if (chat->system)
		json_object_set_new(options, "system", json_string(chat->system));
	if (json_is_true(json_object_get(params, "parallel_tool_calls")))
		json_object_set_new(options, "parallel_tool_calls", json_true());
	return options;
}

static enum api_fault fault_of_start(int r)
{
	if (r == -ESHUTDOWN)
		return API_STOPPING;
	return r == -EBUSY ? API_RATE_LIMITED : API_INTERNAL;
}

static void start(struct chat *chat, const json_t *history, const json_t *messages)
{
	const struct timeval silence = {.tv_sec = SILENCE_MS / 1000};
	json_auto_t *options = make_options(chat);
	const struct run_request request = {.agent = chat->agent,
		.session = chat->session,
		.cwd = text_of(chat->session_row, "cwd"),
		.is_new_session = chat->is_new_session,
		.history = history,
		.messages = messages,
		.options = options};
	struct error err;
	int r;

	if (run_of_session(chat->service, chat->session)) {
		fail(chat, API_CONFLICT, "sessionId",
			"a run of this session is under way: follow it, cancel it or wait");
		return;
	}
	r = run_start(chat->service, &request, &chat->run, &err);
	if (r < 0) {
		fail(chat, fault_of_start(r), NULL, err.text);
		return;
	}
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
	chat->call->on_gone = on_gone;
	run_follow(chat->run, &chat->follower);
}

static void on_history(void *arg, int r, json_t *result, const struct error *err)
{
	struct chat *chat = arg;
	json_auto_t *history = json_array();
	json_auto_t *fresh = NULL;
	size_t i;
	json_t *row;

	if (r < 0) {
		fail(chat, API_INTERNAL, NULL, err->text);
		return;
	}
	json_array_foreach(json_object_get(result, "messages"), i, row)
	{
		json_array_append(history, json_object_get(row, "message"));
	}
	fresh = json_array_size(history) > 0 ? chat_new_messages(chat->messages)
					     : json_incref(chat->messages);
	if (json_array_size(fresh) == 0)
		fail(chat, API_INVALID_REQUEST, "messages",
			"messages: the last one must be the user's, to go on with this session");
	else
		start(chat, history, fresh);
}

/* body.agent, else the session's, else the one that model names. */
static bool find_agent(struct chat *chat)
{
	const char *name = text_of(chat->call->params, "agent");
	const struct project_agent *agent;
	char text[API_TEXT_MAX];

	if (!name)
		name = text_of(chat->session_row, "agent");
	if (!name)
		name = text_of(chat->call->params, "model");
	agent = name ? project_agent_find(chat->service->project, name) : NULL;
	if (agent) {
		chat->agent = project_agent_ref(agent);
		return true;
	}
	snprintf(text, sizeof(text), "there is no agent %.64s: GET /v1/models lists those that are",
		name ? name : "without a name");
	fail(chat, API_AGENT_NOT_FOUND, "agent", text);
	return false;
}

static void on_session(void *arg, int r, json_t *result, const struct error *err)
{
	struct chat *chat = arg;

	if (r < 0) {
		fail(chat, r == -ENOENT ? API_SESSION_NOT_FOUND : API_INTERNAL, "sessionId",
			r == -ENOENT ? "there is no such session" : err->text);
		return;
	}
	chat->session_row = json_incref(result);
	if (!find_agent(chat))
		return;
	if (store_message_list(chat->service->store, chat->session, 1, 0, on_history, chat) < 0)
		fail(chat, API_RATE_LIMITED, NULL, "too much is under way: try again");
}

static void look_up(struct chat *chat)
{
	if (store_session_get(chat->service->store, chat->session, on_session, chat) < 0)
		fail(chat, API_RATE_LIMITED, NULL, "too much is under way: try again");
}

static const char *has_fault(const struct chat *chat)
{
	const json_t *params = chat->call->params;

	if (json_array_size(json_object_get(params, "tools")) > 0)
		return "tools: this agent's own tools run on the server; leave them out";
	if (json_array_size(json_object_get(params, "functions")) > 0)
		return "functions: this agent's own tools run on the server; leave them out";
	return NULL;
}

static int parse(struct chat *chat, struct error *err)
{
	const json_t *params = chat->call->params;
	const char *session = text_of(params, "sessionId");
	const char *fault = has_fault(chat);

	if (fault)
		return error_set(err, EINVAL, "%s", fault);
	chat->is_stream = json_is_true(json_object_get(params, "stream"));
	chat->is_new_session = !session || !session[0] || strcmp(session, "new") == 0;
	if (chat->is_new_session)
		make_id(chat->session, "ses");
	else
		snprintf(chat->session, sizeof(chat->session), "%s", session);
	return chat_parse(json_object_get(params, "messages"), &chat->messages, &chat->system, err);
}

void chat_complete(struct api_call *call)
{
	struct chat *chat = calloc(1, sizeof(*chat));
	struct error err;

	if (chat)
		chat->timer = evtimer_new(call->server->base, on_silence, chat);
	if (!chat || !chat->timer) {
		free(chat);
		api_fail(call, API_INTERNAL, NULL, 0, "out of memory");
		return;
	}
	list_init(&chat->follower.of_run);
	chat->call = call;
	call->work = chat;
	chat->service = &call->server->service;
	chat->created = time(NULL);
	make_id(chat->id, "chatcmpl");
	project_refresh(chat->service->project, NULL);
	if (parse(chat, &err) < 0)
		fail(chat, API_INVALID_REQUEST, "messages", err.text);
	else if (!chat->is_new_session)
		look_up(chat);
	else if (find_agent(chat))
		start(chat, NULL, chat->messages);
}
