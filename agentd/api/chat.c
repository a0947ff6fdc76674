#include "agentd/api/chat.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/api/api.h"
#include "agentd/api/chat_private.h"
#include "agentd/loop/service.h"
#include "agentd/project/project.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/error.h"

/* Of a request's members, what goes on to the model as it is. */
static const char *const passed_on[] = {"temperature", "max_tokens", "top_p", "stop", "seed",
	"presence_penalty", "frequency_penalty", "parallel_tool_calls"};

void chat_destroy(struct chat *chat)
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

static void fail(struct chat *chat, enum api_fault fault, const char *param, const char *text)
{
	api_fail(chat->call, fault, param, fault == API_RATE_LIMITED ? 1000 : 0, "%s", text);
	chat_destroy(chat);
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

static void fail_busy(struct chat *chat)
{
	fail(chat, API_CONFLICT, "sessionId",
		"a run of this session is under way: follow it, cancel it or wait");
}

static void start(
	struct chat *chat, const json_t *history, uint64_t summarized, const json_t *messages)
{
	json_auto_t *options = make_options(chat);
	const struct run_request request = {.agent = chat->agent,
		.session = chat->session,
		.cwd = text_of(chat->session_row, "cwd"),
		.is_new_session = chat->is_new_session,
		.history = history,
		.summarized = summarized,
		.messages = messages,
		.options = options};
	struct error err;
	int r;

	if (run_of_session(chat->service, chat->session)) {
		fail_busy(chat);
		return;
	}
	if (chat_check(messages, &err) < 0) {
		fail(chat, API_INVALID_REQUEST, "messages", err.text);
		return;
	}
	r = run_start(chat->service, &request, &chat->run, &err);
	if (r < 0) {
		fail(chat, fault_of_start(r), NULL, err.text);
		return;
	}
	chat_reply_begin(chat);
}

static void on_history(void *arg, int r, json_t *result, const struct error *err)
{
	struct chat *chat = arg;
	uint64_t summarized = 0;
	json_auto_t *history = NULL;
	json_auto_t *fresh = NULL;

	if (r < 0) {
		fail(chat, API_INTERNAL, NULL, err->text);
		return;
	}
	/* Of an earlier life, and not taken up yet. Later it is one whose end could not be stored. */
	if (chat->service->resuming > 0 && text_of(result, "running")) {
		fail_busy(chat);
		return;
	}
	history = service_history(result, &summarized);
	fresh = json_array_size(history) > 0 ? chat_new_messages(chat->messages)
					     : json_incref(chat->messages);
	if (json_array_size(fresh) == 0)
		fail(chat, API_INVALID_REQUEST, "messages",
			"messages: the last one must be the user's, to go on with this session");
	else
		start(chat, history, summarized, fresh);
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
	if (agent && agent->model[0]) {
		chat->agent = project_agent_ref(agent);
		return true;
	}
	if (agent)
		snprintf(text, sizeof(text),
			"agent %.64s has no model: give it \"model\": \"provider/model\" in "
			"agents.json",
			name);
	else
		snprintf(text, sizeof(text),
			"there is no agent %.64s: GET /v1/models lists those that are",
			name ? name : "without a name");
	fail(chat, agent ? API_INVALID_REQUEST : API_AGENT_NOT_FOUND, "agent", text);
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
	if (store_history(chat->service->store, chat->session, on_history, chat) < 0)
		fail(chat, API_RATE_LIMITED, NULL, "too much is under way: try again");
}

static void look_up(struct chat *chat)
{
	if (store_session_get(chat->service->store, chat->session, on_session, chat) < 0)
		fail(chat, API_RATE_LIMITED, NULL, "too much is under way: try again");
}

/* -EINVAL: *bad_member is the one that does not fit. */
static int parse(struct chat *chat, const char **bad_member, struct error *err)
{
	static const char *const own[] = {"tools", "functions"};
	const json_t *params = chat->call->params;
	const char *session = text_of(params, "sessionId");

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		*bad_member = own[i];
		if (json_array_size(json_object_get(params, own[i])) > 0)
			return error_set(err, EINVAL,
				"%s: this agent's own tools run on the server; leave them out",
				own[i]);
	}
	*bad_member = "messages";
	chat->is_stream = json_is_true(json_object_get(params, "stream"));
	chat->is_new_session = !session || !session[0] || strcmp(session, "new") == 0;
	if (chat->is_new_session)
		id_make("ses", chat->session, sizeof(chat->session));
	else
		snprintf(chat->session, sizeof(chat->session), "%s", session);
	return chat_parse(json_object_get(params, "messages"), &chat->messages, &chat->system, err);
}

void chat_complete(struct api_call *call)
{
	struct chat *chat = calloc(1, sizeof(*chat));
	const char *bad_member;
	struct error err;

	if (chat)
		chat->call = call;
	if (!chat || chat_reply_init(chat) < 0) {
		free(chat);
		api_fail(call, API_INTERNAL, NULL, 0, "out of memory");
		return;
	}
	call->work = chat;
	chat->service = &call->server->service;
	chat->created = time(NULL);
	id_make("chatcmpl", chat->id, sizeof(chat->id));
	service_refresh(chat->service);
	if (parse(chat, &bad_member, &err) < 0)
		fail(chat, API_INVALID_REQUEST, bad_member, err.text);
	else if (!chat->is_new_session)
		look_up(chat);
	else if (find_agent(chat))
		start(chat, NULL, 0, chat->messages);
}
