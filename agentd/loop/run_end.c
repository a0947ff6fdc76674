/* How a run ends: concluded, cancelled, or left to agentd's next life. */
#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agentd/loop/run_private.h"
#include "agentd/loop/service.h"
#include "base/error.h"
#include "base/log.h"

#define NOT_RECORDED "this run cannot be recorded (%s)"

/* Nobody finds it any more. */
static void delist(struct run *run)
{
	if (!list_is_empty(&run->of_service))
		run->service->run_count--;
	list_remove(&run->of_service);
}

void run_destroy(struct run *run)
{
	if (!run)
		return;
	delist(run);
	bench_finish(&run->bench); /* what works there is told that it is lost */
	run_calls_free(run);
	run_log_finish(run);
	if (run->step)
		event_free(run->step);
	project_agent_unref(run->agent);
	json_decref(run->messages);
	json_decref(run->text_said);
	json_decref(run->options);
	json_decref(run->tools);
	free(run);
}

/* It stands in the store as ended, or never will. */
static void tell_end(struct run *run)
{
	struct run_follower *follower;

	while ((follower = list_first(&run->followers, struct run_follower, of_run))) {
		run_unfollow(follower);
		if (follower->on_end)
			follower->on_end(follower, run, &run->end);
	}
}

static void on_ended(void *arg, int r, json_t *result, const struct error *err)
{
	struct run *run = arg;

	(void)result;
	if (r < 0)
		log_event(LOG_LEVEL_ERROR, "run_not_recorded", "run", run->id, "why", err->text,
			NULL);
	run->writes--;
	if (r < 0 && run->end.failure == RUN_FINE) {
		snprintf(run->error, sizeof(run->error), NOT_RECORDED, error_name(-r));
		run->end = (struct run_end){RUN_STORE, run->error, "error", "", 0};
	}
	tell_end(run);
	delist(run);
	run->is_told = true;
	if (run->writes == 0)
		run_destroy(run);
}

static const char *status_of(enum run_failure failure)
{
	switch (failure) {
	case RUN_FINE:
		return "completed";
	case RUN_CANCELLED:
		return "cancelled";
	case RUN_UPSTREAM:
	case RUN_BUSY:
	case RUN_POOL:
	case RUN_STORE:
	case RUN_STOPPING:
	case RUN_INTERNAL:
		break;
	}
	return "failed";
}

void run_conclude(struct run *run)
{
	json_auto_t *row = json_pack("{s:s}", "finish", run->end.finish);
	struct error err;

	bench_finish(&run->bench);
	if (run->is_concluded || run->asking || !run_calls_close(run))
		return;
	run->is_concluded = true;
	run_keep_text(run);
	run_log(run, "end",
		json_pack("{s:s,s:s,s:s,s:s,s:o}", "status", status_of(run->end.failure), "finish",
			run->end.finish, "error", run->end.error, "reason", run->end.reason,
			"usage", run_usage(run)));
	run_log_flush(run);
	if (run->end.error[0])
		json_object_set_new(row, "error", json_pack("{s:s}", "message", run->end.error));
	run_keep_cwd(run);
	run->writes++;
	if (store_run_end(run->service->store, run->id, status_of(run->end.failure), row, on_ended,
		    run) == 0)
		return;
	error_set(&err, EBUSY, "the store takes no more");
	on_ended(run, -EBUSY, NULL, &err);
}

void run_finish(
	struct run *run, enum run_failure failure, const char *finish, const char *format, ...)
{
	va_list arguments;

	if (run->state == RUN_ENDING)
		return;
	run->state = RUN_ENDING;
	va_start(arguments, format);
	vsnprintf(run->error, sizeof(run->error), format, arguments);
	va_end(arguments);
	run->end.failure = failure;
	run->end.error = run->error;
	run->end.finish = finish;
	run->end.reason = run->reason;
	if (run->asking)
		upstream_cancel(run->asking); /* its end is told later; it concludes then */
	run_next(run, run_conclude);
}

void run_wrote(struct run *run, int r)
{
	run->writes--;
	if (r < 0 && run->state != RUN_ENDING) {
		run_calls_cancel(run);
		run_finish(run, RUN_STORE, "error", NOT_RECORDED, error_name(-r));
	} else if (run->is_told && run->writes == 0) {
		run_destroy(run);
	}
}

void run_written(void *arg, int r, json_t *result, const struct error *err)
{
	(void)result;
	(void)err;
	run_wrote(arg, r);
}

void run_cancel(struct run *run)
{
	if (run->is_cancelled || run->state == RUN_ENDING)
		return;
	run->is_cancelled = true;
	if (run->asking)
		upstream_cancel(run->asking);
	else if (run->state == RUN_TOOLS)
		run_calls_cancel(run);
}

void run_abandon(struct run *run)
{
	run->state = RUN_ENDING;
	run->is_concluded = run->is_abandoned = true;
	run->end = (struct run_end){
		RUN_STOPPING, "agentd ends: the run goes on when it is back", "error", "", 1000};
	if (run->asking)
		upstream_cancel(run->asking);
	run_log_flush(run);
	tell_end(run);
	bench_finish(&run->bench);
}
