/* Is it alive, is it ready, what can be asked. */
#include "config.h"

#include "agentd/api/api.h"
#include "agentd/api/handlers.h"
#include "agentd/api/openapi.h"
#include "agentd/api/route.h"
#include "agentd/listing.h"
#include "agentd/loop/service.h"
#include "agentd/project/project.h"
#include "agentd/server.h"
#include "base/error.h"

void status_routes_health(struct api_call *call)
{
	const struct service *service = &call->server->service;
	const json_t *settings = project_settings(service->project);
	const char *name = json_string_value(json_object_get(settings, "project"));

	api_reply(call, json_pack("{s:s,s:s,s:s?,s:I,s:I}", "status", "ok", "version",
				PACKAGE_VERSION, "project", name, "agents",
				(json_int_t)project_agent_count(service->project), "runs",
				(json_int_t)service->run_count));
}

void status_routes_live(struct api_call *call)
{
	api_reply(call, json_pack("{s:s}", "status", "ok"));
}

/* Ready: a pool has a sandbox to give, or builds one. */
static void on_pools(void *arg, json_t *rows, uint64_t total, const struct control_refused *refused)
{
	struct api_call *call = arg;
	json_int_t ready = 0;
	size_t i;
	json_t *row;

	(void)total;
	json_array_foreach(rows, i, row)
	{
		ready += json_integer_value(json_object_get(row, "ready")) +
			 json_integer_value(json_object_get(row, "building"));
	}
	if (refused || ready == 0)
		api_fail(call, API_STOPPING, NULL, 1000, "%s",
			refused ? refused->text : "no pool has a sandbox ready");
	else
		api_reply(call, json_pack("{s:s}", "status", "ok"));
}

void status_routes_ready(struct api_call *call)
{
	struct error err;

	if (call->server->is_stopping)
		api_fail(call, API_STOPPING, NULL, 1000, "agentd stops");
	else if (listing_start(call->server, CONTROL_POOLS, NULL, on_pools, call, &err) < 0)
		api_fail(call, API_STOPPING, NULL, 1000, "%s", err.text);
}

void status_routes_openapi(struct api_call *call)
{
	struct error err;

	api_reply(call, openapi_make(&call->server->routes, PACKAGE_VERSION, &err));
}
