/* Sessions: what was said, kept from one day to the next. */
#include <errno.h>

#include "agentd/api/api.h"
#include "agentd/api/handlers.h"
#include "agentd/loop/run.h"
#include "agentd/loop/service.h"
#include "agentd/server.h"
#include "agentd/store/store.h"
#include "agentd/workspace.h"
#include "base/error.h"

#define LIST_DEFAULT 100

static struct store *store_of(const struct api_call *call)
{
	return call->server->service.store;
}

static const char *text_of(const struct api_call *call, const char *name)
{
	return json_string_value(json_object_get(call->params, name));
}

static uint32_t number_of(const struct api_call *call, const char *name, uint32_t otherwise)
{
	const json_t *value = json_object_get(call->params, name);

	return value ? (uint32_t)json_integer_value(value) : otherwise;
}

static void on_answer(void *arg, int r, json_t *result, const struct error *err)
{
	struct api_call *call = arg;

	if (r == 0)
		api_reply(call, json_incref(result));
	else if (r == -ENOENT)
		api_fail(call, API_SESSION_NOT_FOUND, "id", 0, "there is no such session");
	else if (r == -EBUSY)
		api_fail(call, API_CONFLICT, "id", 0,
			"a run of this session is under way: cancel it first");
	else
		api_fail(call, API_INTERNAL, NULL, 0, "%s", err->text);
}

/* Of a store operation: it has been asked, or the call is answered. */
static void asked(struct api_call *call, int r)
{
	if (r < 0)
		api_fail(call, API_RATE_LIMITED, NULL, 1000, "too much is under way: try again");
}

void session_routes_list(struct api_call *call)
{
	asked(call, store_session_list(store_of(call), text_of(call, "agent"),
			    number_of(call, "limit", LIST_DEFAULT), number_of(call, "offset", 0),
			    on_answer, call));
}

void session_routes_get(struct api_call *call)
{
	asked(call, store_session_get(store_of(call), text_of(call, "id"), on_answer, call));
}

void session_routes_messages(struct api_call *call)
{
	asked(call,
		store_message_list(store_of(call), text_of(call, "id"), number_of(call, "from", 1),
			number_of(call, "limit", LIST_DEFAULT), on_answer, call));
}

void session_routes_patch(struct api_call *call)
{
	json_t *changes = json_pack("{s:s}", "title", text_of(call, "title"));

	asked(call, store_session_update(
			    store_of(call), text_of(call, "id"), changes, on_answer, call));
	json_decref(changes);
}

/* The answer does not wait for the workspace: its sandbox may not be dead yet. */
static void on_deleted(void *arg, int r, json_t *result, const struct error *err)
{
	struct api_call *call = arg;
	const char *workspace = json_string_value(json_object_get(result, "workspace"));

	if (r == 0 && workspace && workspace[0])
		workspace_remove(call->server, workspace);
	on_answer(call, r, result, err);
}

void session_routes_delete(struct api_call *call)
{
	if (run_of_session(&call->server->service, text_of(call, "id")))
		on_answer(call, -EBUSY, NULL, NULL);
	else
		asked(call, store_session_delete(
				    store_of(call), text_of(call, "id"), on_deleted, call));
}
