/* The calls of a run of an earlier life: which are done, which are not, and which nobody knows of. */
#include <errno.h>
#include <string.h>

#include "agentd/loop/run_private.h"
#include "agentd/tool/tool.h"
#include "base/error.h"

#define UNKNOWN                                                                                    \
	"Error: the outcome of this call is unknown: the agent's host was interrupted while it "   \
	"ran. Look what it has done before you do it again."

/* The last reply among the messages: the results of its calls may stand behind it. */
static const json_t *last_calls(const struct run *run)
{
	for (size_t i = json_array_size(run->messages); i-- > 0;) {
		const json_t *calls =
			json_object_get(json_array_get(run->messages, i), "tool_calls");

		if (calls)
			return calls;
	}
	return NULL;
}

static bool is_state(const json_t *row, const char *state)
{
	const char *own = json_string_value(json_object_get(row, "state"));

	return own && strcmp(own, state) == 0;
}

static const char *answered_by(const json_t *messages, size_t at)
{
	return json_string_value(json_object_get(json_array_get(messages, at), "tool_call_id"));
}

/*
 * What has been answered stands among the messages already: it is taken out and comes back with the others, in order.
 * Of two calls with one id, which models do write, the first has the first result.
 */
static json_t *take_result(struct run *run, const char *id)
{
	size_t at = json_array_size(run->messages);

	while (at > 0 && answered_by(run->messages, at - 1))
		at--;
	for (; at < json_array_size(run->messages); at++) {
		json_t *message = json_array_get(run->messages, at);

		if (strcmp(answered_by(run->messages, at), id) != 0)
			continue;
		json_incref(message);
		json_array_remove(run->messages, at);
		return message;
	}
	return NULL;
}

/* They were committed together. */
static bool fits(const json_t *tool_calls, const json_t *rows)
{
	size_t i;
	json_t *item;

	json_array_foreach((json_t *)tool_calls, i, item)
	{
		const json_t *function = json_object_get(item, "function");

		if (!json_is_string(json_object_get(item, "id")) ||
			!json_is_string(json_object_get(function, "name")) ||
			!json_is_string(json_object_get(function, "arguments")))
			return false;
	}
	return json_array_size(tool_calls) == json_array_size(rows);
}

static bool restore_results(struct run *run, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row)
	{
		struct run_call *call = &run->calls[i];

		if (!is_state(row, "done"))
			continue;
		call->result = take_result(run, call->id);
		call->state = RUN_CALL_DONE;
		if (!call->result)
			return false;
	}
	return true;
}

int run_calls_restore(struct run *run, const json_t *rows, struct error *err)
{
	const json_t *tool_calls = last_calls(run);
	size_t i;
	json_t *row;

	if (!fits(tool_calls, rows))
		return error_set(err, EINVAL, "its calls do not fit its session's messages");
	if (run_calls_take(run, tool_calls) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (!restore_results(run, rows))
		return error_set(err, EINVAL, "its results do not fit its session's messages");
	run->state = RUN_TOOLS; /* unless what follows cannot be stored */
	json_array_foreach((json_t *)rows, i, row)
	{
		struct run_call *call = &run->calls[i];

		if (!is_state(row, "running"))
			continue;
		call->is_recorded = true;
		if (!call->tool || !call->tool->is_reader)
			run_call_finish(call, json_string(UNKNOWN), true);
	}
	return 0;
}
