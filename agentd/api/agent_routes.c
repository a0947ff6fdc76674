/* What the project's folder holds: agents (as such and as OpenAI's models), skills, memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/api/handlers.h"
#include "agentd/api/api.h"
#include "agentd/loop/service.h"
#include "agentd/project/project.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/error.h"

/* Read again first: what is answered is what stands in the files. */
static struct project *project_of(struct api_call *call)
{
	service_refresh(&call->server->service);
	return call->server->service.project;
}

static void fail(struct api_call *call, int r, const struct error *err)
{
	enum api_fault fault = API_INTERNAL;

	if (r == -ENOENT)
		fault = API_NOT_FOUND;
	else if (r == -EEXIST)
		fault = API_CONFLICT;
	else if (r == -EINVAL || r == -EILSEQ)
		fault = API_INVALID_REQUEST;
	else if (r == -EFBIG)
		fault = API_TOO_LARGE;
	else if (r == -EACCES || r == -EROFS || r == -EPERM)
		fault = API_DENIED;
	api_fail(call, fault, NULL, 0, "%s", err->text);
}

static void answer(struct api_call *call, int r, const struct error *err)
{
	if (r < 0)
		fail(call, r, err);
	else
		api_reply(call, json_object());
}

static json_t *describe_model(const struct project_agent *agent)
{
	return json_pack("{s:s,s:s,s:i,s:s}", "id", agent->name, "object", "model", "created", 0,
		"owned_by", agent->team[0] ? agent->team : "hearth");
}

void agent_routes_models(struct api_call *call)
{
	struct project *project = project_of(call);
	json_t *list = json_array();

	for (size_t i = 0; i < project_agent_count(project); i++)
		json_array_append_new(list, describe_model(project_agent_at(project, i)));
	api_reply(call, json_pack("{s:s,s:o}", "object", "list", "data", list));
}

/* NULL: the call is answered. */
static const struct project_agent *find(struct api_call *call, const char *name)
{
	const struct project_agent *agent = project_agent_find(project_of(call), name);

	if (!agent)
		api_fail(call, API_AGENT_NOT_FOUND, NULL, 0,
			"there is no agent %.64s: GET /v1/agents lists those that are", name);
	return agent;
}

void agent_routes_model(struct api_call *call)
{
	const struct project_agent *agent = find(call, api_text(call, "id"));

	if (agent)
		api_reply(call, describe_model(agent));
}

void agent_routes_list(struct api_call *call)
{
	struct project *project = project_of(call);
	json_t *list = json_array();

	for (size_t i = 0; i < project_agent_count(project); i++)
		json_array_append(list, project_agent_at(project, i)->json);
	api_reply(call, list);
}

void agent_routes_get(struct api_call *call)
{
	const struct project_agent *agent = find(call, api_text(call, "name"));

	if (agent)
		api_reply(call, json_deep_copy(agent->json));
}

void agent_routes_create(struct api_call *call)
{
	struct error err;

	answer(call, project_agent_create(project_of(call), call->params, &err), &err);
}

void agent_routes_patch(struct api_call *call)
{
	json_auto_t *changes = json_copy(call->params);
	struct error err;

	if (!find(call, api_text(call, "name")))
		return;
	json_object_del(changes, "name");
	answer(call, project_agent_patch(project_of(call), api_text(call, "name"), changes, &err),
		&err);
}

void agent_routes_delete(struct api_call *call)
{
	struct error err;

	if (!find(call, api_text(call, "name")))
		return;
	answer(call, project_agent_delete(project_of(call), api_text(call, "name"), &err), &err);
}

static json_t *list_words(const char *const *words)
{
	json_t *list = json_array();

	for (; *words; words++)
		json_array_append_new(list, json_string(*words));
	return list;
}

void agent_routes_skills(struct api_call *call)
{
	struct project *project = project_of(call);
	json_t *list = json_array();

	for (size_t i = 0; i < project_skill_count(project); i++) {
		const struct project_skill *skill = project_skill_at(project, i);

		json_array_append_new(
			list, json_pack("{s:s,s:s,s:o,s:o}", "name", skill->name, "description",
				      skill->description, "tools", list_words(skill->tools), "tags",
				      list_words(skill->tags)));
	}
	api_reply(call, list);
}

void agent_routes_skill_content(struct api_call *call)
{
	auto_free char *text = NULL;
	struct error err;
	int r = project_skill_read(project_of(call), api_text(call, "name"), &text, &err);

	if (r < 0)
		fail(call, r, &err);
	else
		api_reply(call,
			json_pack("{s:s,s:s}", "name", api_text(call, "name"), "content", text));
}

void agent_routes_skill_create(struct api_call *call)
{
	struct error err;

	answer(call,
		project_skill_create(
			project_of(call), api_text(call, "name"), api_text(call, "content"), &err),
		&err);
}

void agent_routes_skill_delete(struct api_call *call)
{
	struct error err;

	answer(call, project_skill_delete(project_of(call), api_text(call, "name"), &err), &err);
}

/* Shared memory, or with a name that agent's. */
void agent_routes_memory_get(struct api_call *call)
{
	const char *name = api_text(call, "name");
	auto_free char *text = NULL;
	struct error err;
	int r;

	if (name && !find(call, name))
		return;
	r = project_memory_read(project_of(call), name, &text, &err);
	if (r < 0)
		fail(call, r, &err);
	else
		api_reply(call, json_pack("{s:s,s:b}", "content", text, "exists", text[0] != '\0'));
}

void agent_routes_memory_put(struct api_call *call)
{
	const char *name = api_text(call, "name");
	struct error err;

	if (name && !find(call, name))
		return;
	answer(call, project_memory_write(project_of(call), name, api_text(call, "content"), &err),
		&err);
}
