/* The sandboxes that runs work in, among all of the instance. */
#include <errno.h>

#include "agentd/api/api.h"
#include "agentd/api/handlers.h"
#include "agentd/listing.h"
#include "agentd/loop/service.h"
#include "agentd/owner.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/error.h"

static void on_listed(
	void *arg, json_t *rows, uint64_t total, const struct control_refused *refused)
{
	struct api_call *call = arg;

	if (refused)
		api_fail(call, API_STOPPING, NULL, refused->retry_ms, "%s", refused->text);
	else
		api_reply(call,
			json_pack("{s:O,s:I}", "sandboxes", rows, "total", (json_int_t)total));
}

void sandbox_routes_list(struct api_call *call)
{
	struct error err;

	if (listing_start(call->server, CONTROL_LIST, NULL, on_listed, call, &err) < 0)
		api_fail(call, API_STOPPING, NULL, 1000, "%s", err.text);
}

/* A key ends what runs lease, not what others lease over agentd.sock. */
static bool is_of_a_run(const struct api_call *call, const struct sandbox *sandbox)
{
	return sandbox && sandbox->owner->peer.pid == call->server->service.self.pid;
}

void sandbox_routes_delete(struct api_call *call)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(call->params, "id"));
	struct sandbox *sandbox = sandbox_find(call->server, id);

	if (!is_of_a_run(call, sandbox)) {
		api_fail(call, API_NOT_FOUND, "id", 0, "no run works in a sandbox of this id");
		return;
	}
	sandbox_release(sandbox, true, NULL);
	api_reply(call, json_object());
}

void sandbox_routes_clear_idle(struct api_call *call)
{
	json_int_t cleared = 0;

	for (size_t i = 0; i < SERVER_BUCKETS; i++) {
		list_for_each_safe(member, next, &call->server->sandboxes[i])
		{
			struct sandbox *sandbox = list_entry(member, struct sandbox, in_server);

			if (!is_of_a_run(call, sandbox) ||
				guest_client_in_flight(sandbox->guest) > 0)
				continue;
			sandbox_release(sandbox, true, NULL);
			cleared++;
		}
	}
	api_reply(call, json_pack("{s:I}", "cleared", cleared));
}
