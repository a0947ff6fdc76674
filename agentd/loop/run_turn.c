/* The model's half of a turn: ask, take the reply, decide what comes next. */
#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "agentd/loop/compact.h"
#include "agentd/loop/prompt.h"
#include "agentd/loop/run_private.h"
#include "agentd/loop/service.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

#define GO_ON                                                                                      \
	"Your last reply broke off because the connection was lost. Go on exactly where it "       \
	"ended, "                                                                                  \
	"without repeating anything."

static void on_text(void *arg, const char *text, size_t size)
{
	run_log_text(arg, false, text, size);
}

static void on_thinking(void *arg, const char *text, size_t size)
{
	run_log_text(arg, true, text, size);
}

static void on_tool_call(void *arg, const char *id, const char *name)
{
	run_calls_expect(arg, name);
	run_log(arg, "tool_call",
		json_pack("{s:s,s:s,s:s}", "id", id, "name", name, "state", "preparing"));
}

void run_on_retry(void *arg, const char *model, const char *why, uint32_t wait_ms)
{
	run_log(arg, "retry",
		json_pack("{s:s,s:s,s:i}", "model", model, "why", why, "wait_ms", (int)wait_ms));
}

/*
 * The reply of a turn goes on disk, with the calls that it asks for, what it cost, and, when it is the last one, how
 * the run ends (finish; NULL: it goes on).
 */
static int commit(struct run *run, const json_t *message, const json_t *calls, const char *finish)
{
	json_auto_t *outcome = json_pack("{s:I,s:I,s:s?}", "prompt_tokens",
		(json_int_t)run->unstored.prompt_tokens, "completion_tokens",
		(json_int_t)run->unstored.completion_tokens, "finish", finish);
	json_auto_t *rows = json_array();
	json_t *call;
	size_t i;

	json_array_foreach((json_t *)calls, i, call)
	{
		json_t *function = json_object_get(call, "function");

		json_array_append_new(
			rows, json_pack("{s:O,s:O,s:O}", "id", json_object_get(call, "id"), "name",
				      json_object_get(function, "name"), "arguments",
				      json_object_get(function, "arguments")));
	}
	run->turn++;
	run->writes++;
	run->unstored = (struct upstream_usage){0};
	if (store_turn_commit(run->service->store, run->id, run->turn, message, rows, outcome,
		    run_written, run) == 0)
		return 0;
	run_wrote(run, -EBUSY);
	return -EBUSY;
}

static const char *finish_of(enum upstream_finish finish)
{
	switch (finish) {
	case UPSTREAM_LENGTH:
		return "length";
	case UPSTREAM_FILTERED:
		return "content_filter";
	case UPSTREAM_STOP:
	case UPSTREAM_TOOLS:
		break;
	}
	return "stop";
}

static bool has_turns_left(struct run *run)
{
	uint32_t max = run->agent->max_turns;

	if (max == 0 || run->turn < max)
		return true;
	snprintf(run->reason, sizeof(run->reason), "maxTurns of agent %s, %u, is reached",
		run->agent->name, max);
	return false;
}

/* With the reply that is on disk. */
static void end(struct run *run, enum upstream_finish finish)
{
	if (finish == UPSTREAM_LENGTH)
		snprintf(run->reason, sizeof(run->reason),
			"the model's own limit of a reply is reached");
	run_finish(run, RUN_FINE, finish_of(finish), "%s", "");
}

void run_turn_restore(struct run *run, const char *finish)
{
	static const enum upstream_finish ends[] = {UPSTREAM_LENGTH, UPSTREAM_FILTERED};
	enum upstream_finish own = UPSTREAM_STOP;

	if (strcmp(finish, "cancelled") == 0) {
		run_finish(run, RUN_CANCELLED, "cancelled", "cancelled");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (strcmp(finish, finish_of(ends[i])) == 0)
			own = ends[i];
	end(run, own);
}

static void take_reply(struct run *run, const struct upstream_result *result)
{
	const json_t *calls = json_object_get(result->message, "tool_calls");
	bool is_last = json_array_size(calls) == 0;

	run->cuts = 0;
	json_array_append(run->messages, result->message);
	if (commit(run, result->message, calls, is_last ? finish_of(result->finish) : NULL) < 0)
		return;
	run_log(run, "turn",
		json_pack("{s:i,s:s,s:o}", "turn", (int)run->turn, "model", result->model, "usage",
			run_usage(run)));
	if (is_last) {
		end(run, result->finish);
		return;
	}
	run->state = RUN_TOOLS;
	if (run_calls_take(run, calls) < 0)
		run_finish(run, RUN_INTERNAL, "error", "out of memory");
	else
		run_next(run, run_calls_go);
}

/* What has been said stays said. */
static int keep_partial(struct run *run, const struct upstream_result *result, const char *finish)
{
	json_array_append(run->messages, result->message);
	return commit(run, result->message, NULL, finish);
}

/* The model is asked to go on from there. */
static bool go_on(struct run *run, const struct upstream_result *result)
{
	if (!result->message || ++run->cuts > RUN_CUTS_MAX)
		return false;
	if (keep_partial(run, result, NULL) < 0)
		return true;
	run_log(run, "cut", json_pack("{s:s}", "why", result->error));
	run_next(run, run_ask);
	return true;
}

static void count_turn(const struct run *run, const struct upstream_result *result)
{
	struct metrics *metrics = &run->service->server->metrics;
	const char *finish = "error";

	if (run->is_cancelled)
		finish = "cancelled";
	else if (result->status == 0)
		finish = result->finish == UPSTREAM_TOOLS ? "tools" : finish_of(result->finish);
	else if (result->message)
		finish = "cut";
	metrics_count_turn(metrics, run->agent->name, finish);
}

bool run_asked(struct run *run, const struct upstream_result *result)
{
	const struct upstream_usage *usage = &result->usage;

	run->asking = NULL;
	metrics_count_model(&run->service->server->metrics, clock_now_ns() - run->asked_ns,
		usage->prompt_tokens, usage->completion_tokens);
	run->usage.prompt_tokens += usage->prompt_tokens;
	run->usage.completion_tokens += usage->completion_tokens;
	run->unstored.prompt_tokens += usage->prompt_tokens;
	run->unstored.completion_tokens += usage->completion_tokens;
	run->is_scripted |= result->is_scripted;
	if (run->state == RUN_ENDING)
		run_next(run, run_conclude);
	else if (run->is_cancelled)
		run_finish(run, RUN_CANCELLED, "cancelled", "cancelled");
	return run->state != RUN_ENDING;
}

bool run_shrink(struct run *run, const struct upstream_result *result)
{
	json_auto_t *sent = NULL;
	size_t said;

	if (result->status != -EMSGSIZE || run->window <= COMPACT_BYTES_MIN)
		return false;
	sent = compact_messages(run->messages, run->window);
	said = compact_measure(sent);
	run->window = (said < run->window ? said : run->window) / 2;
	if (run->window < COMPACT_BYTES_MIN)
		run->window = COMPACT_BYTES_MIN;
	return true;
}

static void on_done(void *arg, const struct upstream_result *result)
{
	struct run *run = arg;

	count_turn(run, result);
	if (!run_asked(run, result)) {
		if (run->end.failure == RUN_CANCELLED && result->message)
			keep_partial(run, result, run->end.finish);
		return;
	}
	if (result->status == 0) {
		take_reply(run, result);
	} else if (run_shrink(run, result)) {
		run_next(run, run_ask);
	} else if (!go_on(run, result)) {
		run->end.retry_ms = result->retry_after_ms;
		run_finish(run, result->status == -EBUSY ? RUN_BUSY : RUN_UPSTREAM, "error", "%s",
			result->error);
	}
}

/* The system message, then the conversation as far as it fits. */
static json_t *write_messages(const struct run *run)
{
	auto_free char *prompt = prompt_write(run->service->project, run->agent,
		run->shell.cwd[0] ? run->shell.cwd : "/workspace",
		json_string_value(json_object_get(run->options, "system")));
	json_t *messages = json_array();
	json_auto_t *conversation = compact_messages(run->messages, run->window);

	if (!prompt || !messages || !conversation ||
		json_array_append_new(messages,
			json_pack("{s:s,s:s}", "role", "system", "content", prompt)) < 0 ||
		json_array_extend(messages, conversation) < 0) {
		json_decref(messages);
		return NULL;
	}
	if (run->cuts > 0)
		json_array_append_new(
			messages, json_pack("{s:s,s:s}", "role", "user", "content", GO_ON));
	return messages;
}

void run_ask(struct run *run)
{
	const char *model = json_string_value(json_object_get(run->options, "model"));
	json_auto_t *messages = NULL;
	const struct upstream_callbacks callbacks = {.on_text = on_text,
		.on_thinking = on_thinking,
		.on_tool_call = on_tool_call,
		.on_retry = run_on_retry,
		.on_done = on_done,
		.arg = run};
	struct upstream_ask ask = {.model = model ? model : run->agent->model,
		.fallbacks = model ? NULL : run->agent->fallbacks,
		.tools = run->tools,
		.reasoning = run->agent->reasoning,
		.options = json_object_get(run->options, "model_options")};
	struct error err;
	int r;

	if (run->state == RUN_ENDING)
		return;
	if (run->is_cancelled) {
		run_finish(run, RUN_CANCELLED, "cancelled", "cancelled");
		return;
	}
	if (!has_turns_left(run)) {
		run_finish(run, RUN_FINE, "length", "%s", "");
		return;
	}
	run->state = RUN_ASKING;
	if (run_summarize(run))
		return;
	messages = write_messages(run);
	if (!messages) {
		run_finish(run, RUN_INTERNAL, "error", "out of memory");
		return;
	}
	ask.messages = messages;
	run->asked_ns = clock_now_ns();
	r = upstream_ask(run->service->upstream, &ask, &callbacks, &run->asking, &err);
	if (r < 0)
		run_finish(run, r == -EBUSY ? RUN_BUSY : RUN_UPSTREAM, "error", "%s", err.text);
}
