/*
 * The calls of one reply of the model: taken, begun one after the other or together, answered, closed.
 */
#include <errno.h>
#include <stdlib.h>

#include "agentd/loop/run_private.h"
#include "agentd/sandbox.h"
#include "base/error.h"

static bool is_parallel(const struct run *run)
{
	return json_is_true(json_object_get(run->options, "parallel_tool_calls"));
}

/* A channel may hang up before it is told why: then wait for that. */
static bool is_end_told(const struct run *run)
{
	return !run->bench.sandbox || !run->bench.sandbox->is_hung_up;
}

static void answer_lost(struct run *run)
{
	for (unsigned i = 0; i < run->call_count; i++) {
		struct run_call *call = &run->calls[i];

		if (call->state == RUN_CALL_RUNNING && !call->work)
			run_call_refuse(call,
				"Error: %s. What this call did is unknown. The next call gets "
				"another sandbox, with the files of /workspace.",
				run->bench.ended[0] ? run->bench.ended : "the sandbox is lost");
	}
}

static bool needs_sandbox(const struct run_call *call)
{
	return call->tool->place == TOOL_IN_SANDBOX;
}

/* Then agentd ends, as soon as it is told, and the run waits for its next start. */
static bool is_supervisor_lost(int r)
{
	return r == -EPIPE || r == -ECONNRESET;
}

/* True: one is there, or coming. */
static bool take_sandbox(struct run *run, bool *ret_is_there)
{
	struct error err;
	int r = bench_need(&run->bench, &err);

	*ret_is_there = r == 1;
	if (r >= 0)
		return true;
	if (is_supervisor_lost(r))
		return false;
	run->end.retry_ms = BENCH_RETRY_MS;
	run_finish(run, r == -EDQUOT || r == -EBUSY ? RUN_POOL : RUN_INTERNAL, "error", "%s",
		err.text);
	return false;
}

/* Begin what may begin now. Returns how many calls are not done. */
static unsigned advance(struct run *run)
{
	unsigned open = 0;

	for (unsigned i = 0; i < run->call_count && run->state == RUN_TOOLS; i++) {
		struct run_call *call = &run->calls[i];
		bool is_there = true;

		if (call->state == RUN_CALL_DONE)
			continue;
		open++;
		if (call->state == RUN_CALL_WAITING) {
			if (run->is_cancelled) {
				run_call_refuse(call, "Error: cancelled before it began");
			} else if (run_call_check(call)) {
				if (needs_sandbox(call) && !take_sandbox(run, &is_there))
					return open;
				if (is_there)
					run_call_begin(call);
			}
		}
		if (call->state == RUN_CALL_DONE)
			open--;
		else if (!is_parallel(run))
			break;
	}
	return open;
}

static void answer_model(struct run *run)
{
	for (unsigned i = 0; i < run->call_count; i++)
		json_array_append(run->messages, run->calls[i].result);
	run_calls_free(run);
	run_ask(run);
}

void run_calls_go(struct run *run)
{
	if (run->state != RUN_TOOLS)
		return;
	if (is_end_told(run))
		answer_lost(run);
	if (advance(run) == 0 && run->state == RUN_TOOLS)
		answer_model(run);
}

void run_calls_expect(struct run *run, const char *name)
{
	const struct tool *tool = tool_find(name);
	struct error ignored;

	if (run->state == RUN_ASKING && !run->is_cancelled && tool &&
		tool->place == TOOL_IN_SANDBOX && project_agent_may_call(run->agent, name))
		bench_need(&run->bench, &ignored);
}

void run_on_bench(void *arg, int r, unsigned retry_ms, const struct error *err)
{
	struct run *run = arg;

	if (run->state == RUN_ASKING && run->bench.sandbox) {
		sandbox_ask_shell(run->bench.sandbox); /* as long as nobody waits for it */
		sandbox_update(run->bench.sandbox);
	}
	if (run->state != RUN_TOOLS || is_supervisor_lost(r))
		return;
	if (r < 0) {
		run->end.retry_ms = retry_ms;
		run_finish(run, r == -EBUSY ? RUN_POOL : RUN_INTERNAL, "error", "%s", err->text);
		return;
	}
	run_calls_go(run);
}

/* A call's strings are borrowed from the message, which run->messages holds. */
int run_calls_take(struct run *run, const json_t *tool_calls)
{
	size_t i;
	json_t *item;

	run->calls = calloc(json_array_size(tool_calls), sizeof(*run->calls));
	if (!run->calls)
		return -ENOMEM;
	run->call_count = (unsigned)json_array_size(tool_calls);
	json_array_foreach((json_t *)tool_calls, i, item)
	{
		const json_t *function = json_object_get(item, "function");
		struct run_call *call = &run->calls[i];

		call->run = run;
		call->position = (unsigned)i;
		call->id = json_string_value(json_object_get(item, "id"));
		call->name = json_string_value(json_object_get(function, "name"));
		call->text = json_string_value(json_object_get(function, "arguments"));
		call->tool = tool_find(call->name);
	}
	return 0;
}

/* What runs ends soon; what has not begun is refused when its turn comes. */
void run_calls_cancel(struct run *run)
{
	for (unsigned i = 0; i < run->call_count; i++)
		if (run->calls[i].work)
			tool_cancel(run->calls[i].work);
	if (run->bench.sandbox)
		sandbox_update(run->bench.sandbox);
	if (run->state == RUN_TOOLS && run->bench.is_waiting)
		run_finish(run, RUN_CANCELLED, "cancelled", "cancelled");
}

bool run_calls_close(struct run *run)
{
	for (unsigned i = 0; i < run->call_count; i++) {
		struct run_call *call = &run->calls[i];

		if (call->work) {
			tool_cancel(call->work);
			return false;
		}
		if (call->state != RUN_CALL_DONE)
			run_call_refuse(call, RUN_CALL_UNENDED);
	}
	return true;
}

void run_calls_free(struct run *run)
{
	for (unsigned i = 0; i < run->call_count; i++) {
		json_decref(run->calls[i].arguments);
		json_decref(run->calls[i].result);
		json_decref(run->calls[i].receipt);
	}
	free(run->calls);
	run->calls = NULL;
	run->call_count = 0;
}
