/* Runs: how far they are, what they tell, from any event on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/api/api.h"
#include "agentd/api/handlers.h"
#include "agentd/loop/run.h"
#include "agentd/loop/service.h"
#include "agentd/server.h"
#include "agentd/store/store.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/number.h"

/*
 * A client that reads events: first those of the store, then those that the run still holds, then new ones. Each once it
 * is on disk: so its number is good for going on after a crash of ours too. No faster than it reads: what it has not
 * taken stays where it is.
 */
struct reading {
	struct run_follower follower;
	struct api_call *call;
	char id[STORE_ID_MAX + 1];
	uint64_t seen; /* the last event that it has been sent */
	bool is_asking, has_ended;
};

static struct service *service_of(const struct api_call *call)
{
	return &call->server->service;
}

static void fail(struct api_call *call, int r, const struct error *err)
{
	if (r == -ENOENT)
		api_fail(call, API_RUN_NOT_FOUND, "id", 0, "there is no such run");
	else
		api_fail(call, API_INTERNAL, NULL, 0, "%s", err ? err->text : "the store is busy");
}

static void on_row(void *arg, int r, json_t *result, const struct error *err)
{
	if (r < 0)
		fail(arg, r, err);
	else
		api_reply(arg, json_incref(result));
}

void run_routes_get(struct api_call *call)
{
	if (store_run_get(service_of(call)->store, api_text(call, "id"), on_row, call) < 0)
		api_fail(call, API_RATE_LIMITED, NULL, 1000, "too much is under way: try again");
}

static void on_not_running(void *arg, int r, json_t *result, const struct error *err)
{
	(void)result;
	if (r < 0)
		fail(arg, r, err);
	else
		api_fail(arg, API_CONFLICT, "id", 0, "this run has ended already");
}

void run_routes_cancel(struct api_call *call)
{
	struct run *run = run_find(service_of(call), api_text(call, "id"));

	if (!run) {
		api_is_asked(call, store_run_get(service_of(call)->store, api_text(call, "id"),
					   on_not_running, call));
		return;
	}
	run_cancel(run);
	api_reply(call, json_pack("{s:s,s:s}", "id", run_id(run), "status", "cancelling"));
}

static void finish(struct reading *reading)
{
	run_unfollow(&reading->follower);
	free(reading);
}

static void send_event(struct reading *reading, uint64_t seq, const char *type, const json_t *data)
{
	if (seq <= reading->seen)
		return;
	reading->seen = seq;
	api_stream_send(reading->call, seq, type,
		json_pack("{s:I,s:s,s:O}", "seq", (json_int_t)seq, "type", type, "data", data));
}

static void send_row(struct reading *reading, const json_t *row)
{
	send_event(reading, (uint64_t)json_integer_value(json_object_get(row, "seq")),
		json_string_value(json_object_get(row, "type")), json_object_get(row, "data"));
}

static void send_rows(struct reading *reading, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row)
	{
		if (api_stream_is_full(reading->call))
			return;
		send_row(reading, row);
	}
}

static bool holds_next(const struct reading *reading, const struct run *run)
{
	return reading->seen + 1 >= run_first_event(run);
}

/* What the run holds, as far as it is on disk. */
static void send_stored(struct reading *reading, const struct run *run)
{
	const json_t *events = run_events(run);

	while (reading->seen < run_stored_event(run) && holds_next(reading, run) &&
		!api_stream_is_full(reading->call)) {
		const json_t *row =
			json_array_get(events, (size_t)(reading->seen + 1 - run_first_event(run)));

		if (!row)
			return;
		send_row(reading, row);
	}
}

static void read_on(struct reading *reading);

static void on_stored(struct run_follower *follower, const struct run *run)
{
	struct reading *reading = list_entry(follower, struct reading, follower);

	send_stored(reading, run);
	if (holds_next(reading, run))
		return;
	run_unfollow(follower);
	read_on(reading);
}

static void on_end(struct run_follower *follower, const struct run *run, const struct run_end *end)
{
	struct reading *reading = list_entry(follower, struct reading, follower);

	(void)end;
	send_stored(reading, run);
	/* What it has no room for now, it gets from the store. */
	if (reading->seen < run_stored_event(run))
		return;
	api_stream_end(reading->call, NULL);
	finish(reading);
}

static void on_drained(struct api_call *call)
{
	struct reading *reading = call->work;

	if (reading->is_asking)
		return;
	run_unfollow(&reading->follower);
	read_on(reading);
}

static void on_gone(struct api_call *call)
{
	struct reading *reading = call->work;

	reading->has_ended = true;
	if (reading->is_asking)
		return;
	api_stream_end(call, NULL);
	finish(reading);
}

/* The store has no more: the run holds the rest, or has ended. */
static void skip_gap(struct reading *reading)
{
	const struct run *run = run_find(service_of(reading->call), reading->id);

	if (!run)
		reading->has_ended = true;
	else if (reading->seen + 1 < run_first_event(run))
		reading->seen = run_first_event(run) - 1;
}

static void on_events(void *arg, int r, json_t *result, const struct error *err)
{
	struct reading *reading = arg;
	const json_t *rows = json_object_get(result, "events");

	(void)err;
	reading->is_asking = false;
	if (r == 0 && !reading->has_ended)
		send_rows(reading, rows);
	if (r < 0)
		reading->has_ended = true;
	else if (json_array_size(rows) == 0)
		skip_gap(reading);
	read_on(reading);
}

/* What the run does not hold any more is in the store. */
static void read_on(struct reading *reading)
{
	struct service *service = service_of(reading->call);
	struct run *run = reading->has_ended ? NULL : run_find(service, reading->id);

	if (run && holds_next(reading, run)) {
		send_stored(reading, run);
		run_follow(run, &reading->follower);
		return;
	}
	if (!reading->has_ended && api_stream_is_full(reading->call))
		return; /* on_drained() goes on */
	reading->is_asking = !reading->has_ended && store_event_list(service->store, reading->id,
							    reading->seen, on_events, reading) == 0;
	if (reading->is_asking)
		return;
	api_stream_end(reading->call, NULL);
	finish(reading);
}

static void on_run(void *arg, int r, json_t *result, const struct error *err)
{
	struct reading *reading = arg;

	(void)result;
	reading->is_asking = false;
	if (r < 0) {
		fail(reading->call, r, err);
		finish(reading);
		return;
	}
	api_stream_start(reading->call);
	read_on(reading);
}

void run_routes_events(struct api_call *call)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	const json_t *cursor = json_object_get(call->params, "cursor");

	if (!reading) {
		api_fail(call, API_INTERNAL, NULL, 0, "out of memory");
		return;
	}
	list_init(&reading->follower.of_run);
	reading->follower.on_stored = on_stored;
	reading->follower.on_end = on_end;
	reading->call = call;
	reading->seen = (uint64_t)json_integer_value(cursor);
	snprintf(reading->id, sizeof(reading->id), "%s", api_text(call, "id"));
	call->work = reading;
	call->on_gone = on_gone;
	call->on_drained = on_drained;
	reading->is_asking = true;
	if (store_run_get(service_of(call)->store, reading->id, on_run, reading) == 0)
		return;
	api_fail(call, API_RATE_LIMITED, NULL, 1000, "too much is under way: try again");
	finish(reading);
}
