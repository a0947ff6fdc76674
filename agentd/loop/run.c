#include "agentd/loop/run.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/id.h"
#include "agentd/loop/compact.h"
#include "agentd/loop/run_private.h"
#include "agentd/loop/service.h"
#include "agentd/server.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#define TITLE_MAX 80 /* bytes that a session is named with by itself */

static void cleanup_run(struct run **run)
{
	run_destroy(*run);
}
#define auto_run __attribute__((cleanup(cleanup_run)))

static void on_step(evutil_socket_t fd, short events, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)events;
	if (!run->is_abandoned)
		run->on_step(run);
}

void run_next(struct run *run, void (*next)(struct run *run))
{
	if (run->is_abandoned)
		return;
	run->on_step = next;
	event_active(run->step, 0, 0);
}

void run_keep_cwd(struct run *run)
{
	json_auto_t *changes = NULL;

	if (strcmp(run->kept_cwd, run->shell.cwd) == 0)
		return;
	changes = json_pack("{s:s}", "cwd", run->shell.cwd);
	if (store_session_update(run->service->store, run->session, changes, NULL, NULL) == 0)
		text_copy(run->kept_cwd, sizeof(run->kept_cwd), run->shell.cwd);
}

static int read_memory(void *arg, char **ret_text, struct error *err)
{
	const struct run *run = arg;

	return project_memory_read(run->service->project, run->agent->name, ret_text, err);
}

static int write_memory(void *arg, const char *text, struct error *err)
{
	const struct run *run = arg;

	return project_memory_write(run->service->project, run->agent->name, text, err);
}

static int check_caps(
	const struct service *service, const struct project_agent *agent, struct error *err)
{
	unsigned own = 0;

	if (service->is_stopping)
		return error_set(err, ESHUTDOWN, "agentd ends: try again");
	if (service->run_count >= SERVICE_RUNS_MAX)
		return error_set(err, EBUSY, "%d runs are under way: try again", SERVICE_RUNS_MAX);
	list_for_each(member, &service->runs)
	{
		const struct run *run = list_entry(member, struct run, of_service);

		own += strcmp(run->agent->name, agent->name) == 0;
	}
	if (agent->max_concurrency > 0 && own >= agent->max_concurrency)
		return error_set(err, EBUSY, "agent %s works on %u requests, its maxConcurrency",
			agent->name, own);
	return 0;
}

static int create(struct service *service, const struct run_request *request, struct run **ret_run,
	struct error *err)
{
	auto_run struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return error_set(err, ENOMEM, "out of memory");
	list_init(&run->of_service);
	run->service = service;
	run->agent = project_agent_ref(request->agent);
	run->memory = (struct tool_memory){.read = read_memory, .write = write_memory, .arg = run};
	run->window = COMPACT_BYTES;
	run->summarized = request->summarized;
	run->messages = request->history ? json_copy((json_t *)request->history) : json_array();
	run->options = request->options ? json_deep_copy(request->options) : json_object();
	run->tools = service_tools(service, run->agent);
	run->step = event_new(service->server->base, -1, 0, on_step, run);
	if (request->cwd && text_copy(run->shell.cwd, sizeof(run->shell.cwd), request->cwd) < 0)
		return error_set(
			err, ENAMETOOLONG, "the session's directory: its name is too long");
	text_copy(run->kept_cwd, sizeof(run->kept_cwd), run->shell.cwd);
	if (!run->messages || !run->options || !run->step || run_log_init(run) < 0 ||
		text_copy(run->session, sizeof(run->session), request->session) < 0 ||
		bench_init(&run->bench, service, service->has_workspaces ? run->session : NULL,
			run_on_bench, run) < 0)
		return error_set(err, ENOMEM, "out of memory");
	run->end.finish = "stop";
	run->end.reason = run->reason;
	*ret_run = take_ptr(&run);
	return 0;
}

/* After the first line that the user said, until somebody gives it another title. */
static void name_session(json_t *session, const json_t *messages)
{
	size_t length, i;
	json_t *message;

	json_array_foreach((json_t *)messages, i, message)
	{
		const char *role = json_string_value(json_object_get(message, "role"));
		const char *text = json_string_value(json_object_get(message, "content"));

		if (!text || strcmp(role, "user") != 0)
			continue;
		text += strspn(text, " \t\r\n");
		length = strcspn(text, "\r\n");
		if (length > TITLE_MAX)
			length = utf8_whole_length(text, TITLE_MAX);
		json_object_set_new(session, "title", json_stringn(text, length));
		return;
	}
}

/* So that nothing is written about a run of which the beginning is not. */
static int record(struct run *run, const struct run_request *request, struct error *err)
{
	struct store *store = run->service->store;
	json_auto_t *session = json_pack("{s:s,s:s,s:s}", "id", run->session, "agent",
		run->agent->name, "workspace", run->service->has_workspaces ? run->session : "");
	json_auto_t *row = json_pack("{s:s,s:s,s:s,s:O}", "id", run->id, "session", run->session,
		"agent", run->agent->name, "options", run->options);
	int r = 0;

	name_session(session, request->messages);
	if (request->is_new_session)
		r = store_session_create(store, session, NULL, NULL);
	if (r == 0)
		r = store_run_begin(store, row, request->messages, run_written, run);
	if (r < 0)
		return error_set(err, -r, "the store takes no more: try again");
	run->writes++;
	return 0;
}

static void enlist(struct run *run)
{
	list_append(&run->service->runs, &run->of_service);
	run->service->run_count++;
}

int run_start(struct service *service, const struct run_request *request, struct run **ret_run,
	struct error *err)
{
	auto_run struct run *run = NULL;
	int r = check_caps(service, request->agent, err);

	if (r == 0)
		r = create(service, request, &run, err);
	if (r < 0)
		return r;
	id_make("run", run->id, sizeof(run->id));
	json_array_extend(run->messages, (json_t *)request->messages);
	r = record(run, request, err);
	if (r < 0)
		return r;
	enlist(run);
	run_log(run, "start",
		json_pack("{s:s,s:s}", "session", run->session, "agent", run->agent->name));
	run_next(run, run_ask);
	*ret_run = take_ptr(&run);
	return 0;
}

static json_int_t number_of(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

static bool is_reply(const json_t *message)
{
	const char *role = json_string_value(json_object_get(message, "role"));

	return role && strcmp(role, "assistant") == 0;
}

/* A reply that broke off has neither calls nor an end. */
static bool is_cut(const struct run *run)
{
	const json_t *last = json_array_get(run->messages, json_array_size(run->messages) - 1);

	return run->turn > 0 && is_reply(last);
}

static void go_on(struct run *run, const char *finish)
{
	if (finish) {
		run_turn_restore(run, finish);
	} else if (run->call_count > 0) {
		run_next(run, run->state == RUN_ENDING ? run_conclude : run_calls_go);
	} else {
		run->cuts = is_cut(run);
		run_next(run, run_ask);
	}
}

int run_resume(struct service *service, const struct run_request *request, const json_t *row,
	struct error *err)
{
	const json_t *calls = json_object_get(row, "calls");
	auto_run struct run *run = NULL;
	int r = create(service, request, &run, err);

	if (r < 0)
		return r;
	snprintf(run->id, sizeof(run->id), "%s", json_string_value(json_object_get(row, "id")));
	run->turn = (unsigned)number_of(row, "turn");
	run->usage.prompt_tokens = (uint64_t)number_of(row, "prompt_tokens");
	run->usage.completion_tokens = (uint64_t)number_of(row, "completion_tokens");
	run->next_event = run->first_event = (uint64_t)number_of(row, "last_event") + 1;
	run->asked_event = run->stored_event = run->next_event - 1;
	if (json_array_size(calls) > 0)
		r = run_calls_restore(run, calls, err);
	if (r < 0)
		return r;
	enlist(run);
	run_log(run, "resume", json_pack("{s:i}", "turn", (int)run->turn));
	go_on(run, json_string_value(json_object_get(row, "finish")));
	take_ptr(&run);
	return 0;
}

struct run *run_find(const struct service *service, const char *id)
{
	list_for_each(member, &service->runs)
	{
		struct run *run = list_entry(member, struct run, of_service);

		if (strcmp(run->id, id) == 0)
			return run;
	}
	return NULL;
}

struct run *run_entry(struct list *member)
{
	return list_entry(member, struct run, of_service);
}

struct run *run_first(const struct service *service)
{
	return list_first(&service->runs, struct run, of_service);
}

struct run *run_of_session(const struct service *service, const char *session)
{
	list_for_each(member, &service->runs)
	{
		struct run *run = list_entry(member, struct run, of_service);

		if (strcmp(run->session, session) == 0)
			return run;
	}
	return NULL;
}

const char *run_id(const struct run *run)
{
	return run->id;
}

/* A reply that broke off and was gone on with is several messages; a turn is one, and what is before the first is not ours. */
void run_keep_text(struct run *run)
{
	size_t at = json_array_size(run->messages);
	unsigned left = run->turn;

	while (at > 0 && !is_reply(json_array_get(run->messages, at - 1)))
		at--;
	for (; at > 0 && left > 0; at--, left--) {
		const json_t *message = json_array_get(run->messages, at - 1);
		const char *text = json_string_value(json_object_get(message, "content"));
		bool has_calls = json_object_get(message, "tool_calls");
		json_t *whole;

		if (!is_reply(message) || (run->text_said && has_calls))
			break;
		whole = json_sprintf("%s%s", text ? text : "", run_text(run));
		json_decref(run->text_said);
		run->text_said = whole;
	}
}

const char *run_text(const struct run *run)
{
	return run->text_said ? json_string_value(run->text_said) : "";
}

json_t *run_usage(const struct run *run)
{
	return json_pack("{s:I,s:I,s:I}", "prompt_tokens", (json_int_t)run->usage.prompt_tokens,
		"completion_tokens", (json_int_t)run->usage.completion_tokens, "total_tokens",
		(json_int_t)(run->usage.prompt_tokens + run->usage.completion_tokens));
}

bool run_is_scripted(const struct run *run)
{
	return run->is_scripted;
}
