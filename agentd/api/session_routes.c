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

void session_routes_list(struct api_call *call)
{
	api_is_asked(call, store_session_list(store_of(call), api_text(call, "agent"),
				   (uint32_t)api_number(call, "limit", LIST_DEFAULT),
				   (uint32_t)api_number(call, "offset", 0), on_answer, call));
}

void session_routes_get(struct api_call *call)
{
	api_is_asked(
		call, store_session_get(store_of(call), api_text(call, "id"), on_answer, call));
}

void session_routes_messages(struct api_call *call)
{
	api_is_asked(
		call, store_message_list(store_of(call), api_text(call, "id"),
			      (uint32_t)api_number(call, "from", 1),
			      (uint32_t)api_number(call, "limit", LIST_DEFAULT), on_answer, call));
}

void session_routes_patch(struct api_call *call)
{
	json_t *changes = json_pack("{s:s}", "title", api_text(call, "title"));

	api_is_asked(call, store_session_update(
				   store_of(call), api_text(call, "id"), changes, on_answer, call));
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
	if (run_of_session(&call->server->service, api_text(call, "id")))
		on_answer(call, -EBUSY, NULL, NULL);
	else
		api_is_asked(call, store_session_delete(
					   store_of(call), api_text(call, "id"), on_deleted, call));
}
