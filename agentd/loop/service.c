#include "agentd/loop/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agentd/loop/compact.h"
#include "agentd/loop/run.h"
#include "agentd/project/project.h"
#include "agentd/server.h"
#include "agentd/store/store.h"
#include "agentd/tool/search.h"
#include "agentd/tool/tool.h"
#include "agentd/upstream/upstream.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

int service_init(struct service *service, struct server *server, struct error *err)
{
	json_error_t why;

	service->server = server;
	service->self =
		(struct unix_socket_peer){.pid = getpid(), .uid = geteuid(), .gid = getegid()};
	list_init(&service->runs);
	service->schemas = json_object();
	service->tools = json_object();
	for (size_t i = 0; i < tool_count; i++) {
		json_t *schema = json_loads(tool_table[i]->parameters, 0, &why);

		if (!schema ||
			json_object_set_new(service->schemas, tool_table[i]->name, schema) < 0)
			return error_set(
				err, EINVAL, "schema of %s: %s", tool_table[i]->name, why.text);
	}
	return 0;
}

const json_t *service_schema(const struct service *service, const struct tool *tool)
{
	return json_object_get(service->schemas, tool->name);
}

void service_refresh(struct service *service)
{
	struct error err;

	if (project_refresh(service->project, &err) == -EINVAL)
		log_warning("the project goes on as it was read before: %s", err.text);
}

json_t *service_history(const json_t *history, uint64_t *ret_summarized)
{
	const json_t *rows = json_object_get(history, "messages");
	const char *summary = json_string_value(json_object_get(history, "summary"));
	json_t *messages = json_array(), *row;
	size_t i;

	*ret_summarized = (uint64_t)json_integer_value(json_object_get(history, "summarized"));
	if (summary)
		json_array_append_new(messages, compact_summary(summary));
	json_array_foreach((json_t *)rows, i, row)
	{
		json_array_append(messages, json_object_get(row, "message"));
	}
	return messages;
}

static json_t *make_tools(const struct service *service, const bool *is_allowed)
{
	json_t *tools = json_array();

	for (size_t i = 0; i < tool_count; i++)
		if (is_allowed[i] &&
			json_array_append_new(tools,
				json_pack("{s:s,s:{s:s,s:s,s:O}}", "type", "function", "function",
					"name", tool_table[i]->name, "description",
					tool_table[i]->description, "parameters",
					service_schema(service, tool_table[i]))) < 0) {
			json_decref(tools);
			return NULL;
		}
	return tools;
}

json_t *service_tools(const struct service *service, const struct project_agent *agent)
{
	bool is_allowed[TOOLS_MAX] = {false};
	char key[TOOLS_MAX + 1] = "";
	json_t *tools;

	for (size_t i = 0; i < tool_count; i++) {
		is_allowed[i] = project_agent_may_call(agent, tool_table[i]->name);
		key[i] = is_allowed[i] ? '1' : '0';
	}
	if (!strchr(key, '1'))
		return NULL;
	tools = json_object_get(service->tools, key);
	if (tools)
		return json_incref(tools);
	tools = make_tools(service, is_allowed);
	if (json_object_size(service->tools) >= SERVICE_TOOLS_KEPT)
		json_object_clear(service->tools);
	json_object_set(service->tools, key, tools);
	return tools;
}

/* One run of an earlier life, from the store's row to its next step: session, messages, then it goes on. */
struct resumption {
	struct service *service;
	json_t *run, *session;
};

static json_int_t number_of(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

/* Models refuse a conversation in which one has no result. */
static void close_calls(struct resumption *resumption, const char *run)
{
	json_t *call;
	size_t i;

	json_array_foreach(json_object_get(resumption->run, "calls"), i, call)
	{
		json_auto_t *message = json_pack("{s:s,s:O,s:s}", "role", "tool", "tool_call_id",
			json_object_get(call, "id"), "content", RUN_CALL_UNENDED);

		if (strcmp(json_string_value(json_object_get(call, "state")), "done") != 0)
			store_call_finish(resumption->service->store, run,
				(uint32_t)number_of(call, "turn"),
				(uint32_t)number_of(call, "position"), message, NULL, NULL, NULL);
	}
}

static void give_up(struct resumption *resumption, const char *why)
{
	const char *id = json_string_value(json_object_get(resumption->run, "id"));
	json_auto_t *end = json_pack("{s:s,s:{s:s}}", "finish", "error", "error", "message", why);

	log_event(LOG_LEVEL_WARNING, "run_not_resumed", "run", id, "why", why, NULL);
	close_calls(resumption, id);
	store_run_end(resumption->service->store, id, "failed", end, NULL, NULL);
}

static void end_resumption(struct resumption *resumption)
{
	resumption->service->resuming--;
	json_decref(resumption->run);
	json_decref(resumption->session);
	free(resumption);
}

static const char *text_of(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(row, name));
}

static void on_history(void *arg, int r, json_t *result, const struct error *err)
{
	struct resumption *resumption = arg;
	struct service *service = resumption->service;
	uint64_t summarized = 0;
	json_auto_t *history = r < 0 ? NULL : service_history(result, &summarized);
	const char *name = text_of(resumption->run, "agent");
	struct error why;
	const struct run_request request = {.agent = project_agent_find(service->project, name),
		.session = text_of(resumption->run, "session"),
		.cwd = text_of(resumption->session, "cwd"),
		.history = history,
		.summarized = summarized,
		.options = json_object_get(resumption->run, "options")};

	if (service->is_stopping)
		log_debug("run %s stays for the next start", text_of(resumption->run, "id"));
	else if (r < 0)
		give_up(resumption, err->text);
	else if (!request.agent)
		give_up(resumption, "its agent is not in the project any more");
	else if (run_resume(service, &request, resumption->run, &why) < 0)
		give_up(resumption, why.text);
	else
		log_event(
			LOG_LEVEL_INFO, "run_resumed", "run", text_of(resumption->run, "id"), NULL);
	end_resumption(resumption);
}

static void on_session(void *arg, int r, json_t *result, const struct error *err)
{
	struct resumption *resumption = arg;
	struct service *service = resumption->service;

	if (r == 0) {
		resumption->session = json_incref(result);
		if (store_history(service->store, text_of(result, "id"), on_history, resumption) ==
			0)
			return;
	} else if (!service->is_stopping) {
		give_up(resumption, err->text);
	}
	end_resumption(resumption);
}

static void on_open_runs(void *arg, int r, json_t *result, const struct error *err)
{
	struct service *service = arg;
	size_t i;
	json_t *row;

	service->resuming--;
	if (r < 0) {
		log_error("runs of an earlier life: %s", err->text);
		return;
	}
	json_array_foreach(json_object_get(result, "runs"), i, row)
	{
		struct resumption *resumption = calloc(1, sizeof(*resumption));

		if (!resumption)
			return;
		service->resuming++;
		resumption->service = service;
		resumption->run = json_incref(row);
		if (store_session_get(
			    service->store, text_of(row, "session"), on_session, resumption) < 0)
			end_resumption(resumption);
	}
}

void service_resume(struct service *service)
{
	if (store_run_open_list(service->store, on_open_runs, service) == 0)
		service->resuming++;
}

void service_stop(struct service *service)
{
	if (!service->server)
		return;
	service->is_stopping = true;
	list_for_each(member, &service->runs)
	{
		run_abandon(run_entry(member));
	}
}

void service_finish(struct service *service)
{
	struct run *run;

	if (!service->server)
		return;
	service_stop(service);
	transfers_destroy(take_ptr(&service->transfers)); /* ends searches */
	tool_search_destroy(take_ptr(&service->search));
	upstream_destroy(take_ptr(&service->upstream));
	/* Whoever gets its last answers may ask it again: it refuses. */
	store_close(service->store);
	service->store = NULL;
	while ((run = run_first(service)))
		run_destroy(run);
	project_close(take_ptr(&service->project));
	json_decref(service->schemas);
	json_decref(service->tools);
	service->server = NULL;
}
