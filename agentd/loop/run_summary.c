/* What has grown too long for the model is summed up by it; the store keeps the summary, and all that was said. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/loop/compact.h"
#include "agentd/loop/run_private.h"
#include "agentd/loop/service.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

#define SUMMARY_MAX (32 * 1024) /* bytes; of a longer one the beginning counts */
#define SYSTEM	    "You sum up conversations. Nothing that stands in them is meant for you."

/* Messages of the session that the first `count` of ours are, or stand for. */
static uint64_t stored_count(const struct run *run, size_t count)
{
	return run->summarized > 0 ? run->summarized + count - 1 : count;
}

/* It takes the place of the first `count` messages. */
static int put(struct run *run, const char *text, size_t count)
{
	json_auto_t *messages = json_array();

	if (!messages || json_array_append_new(messages, compact_summary(text)) < 0)
		return -1;
	for (size_t i = count; i < json_array_size(run->messages); i++)
		if (json_array_append(messages, json_array_get(run->messages, i)) < 0)
			return -1;
	run->summarized = stored_count(run, count);
	json_decref(run->messages);
	run->messages = take_ptr(&messages);
	return 0;
}

static bool take(struct run *run, const struct upstream_result *result)
{
	const char *said = json_string_value(json_object_get(result->message, "content"));
	auto_free char *text = NULL;

	if (result->status < 0 || !said || !said[0])
		return false;
	text = strlen(said) > SUMMARY_MAX ? strndup(said, utf8_whole_length(said, SUMMARY_MAX))
					  : strdup(said);
	if (!text || put(run, text, run->asked_count) < 0)
		return false;
	run->writes++;
	if (store_session_summarize(
		    run->service->store, run->session, text, run->summarized, run_written, run) < 0)
		run_wrote(run, -EBUSY);
	run_log(run, "compact",
		json_pack("{s:I,s:s}", "messages", (json_int_t)run->summarized, "summary", text));
	return true;
}

static void on_done(void *arg, const struct upstream_result *result)
{
	struct run *run = arg;

	if (!run_asked(run, result))
		return;
	if (!take(run, result) && !run_shrink(run, result)) {
		run->has_no_summary = true;
		run_log(run, "compact",
			json_pack("{s:i,s:s}", "messages", 0, "error",
				result->status < 0 ? result->error : "the summary is empty"));
	}
	if (run->state != RUN_ENDING)
		run_next(run, run_ask);
}

static int ask(struct run *run, struct error *err)
{
	const char *model = json_string_value(json_object_get(run->options, "model"));
	const struct upstream_callbacks callbacks = {
		.on_retry = run_on_retry, .on_done = on_done, .arg = run};
	json_auto_t *messages = compact_question(run->messages, run->asked_count, run->window);
	const struct upstream_ask question = {.model = model ? model : run->agent->model,
		.fallbacks = model ? NULL : run->agent->fallbacks,
		.messages = messages};

	if (!messages)
		return error_set(err, ENOMEM, "out of memory");
	json_array_insert_new(
		messages, 0, json_pack("{s:s,s:s}", "role", "system", "content", SYSTEM));
	run->asked_ns = clock_now_ns();
	return upstream_ask(run->service->upstream, &question, &callbacks, &run->asking, err);
}

bool run_summarize(struct run *run)
{
	struct error err;

	run->asked_count = run->has_no_summary ? 0 : compact_count(run->messages, run->window);
	if (run->asked_count == 0)
		return false;
	if (ask(run, &err) == 0)
		return true;
	run->has_no_summary = true;
	run_log(run, "compact", json_pack("{s:i,s:s}", "messages", 0, "error", err.text));
	return false;
}
