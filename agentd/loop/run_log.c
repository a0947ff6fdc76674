/* What a run tells: text at once to those who follow, and events, which are kept. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>

#include "agentd/loop/run_private.h"
#include "agentd/loop/service.h"
#include "agentd/server.h"
#include "base/cleanup.h"

#define TEXT_EVENT_MAX 16384 /* bytes of text in one event */

/* News, not truth: what the store does not take is missing from a replay, and waited for no longer. */
static void on_stored(void *arg, int r, json_t *result, const struct error *err)
{
	struct run *run = arg;
	json_int_t seq = json_integer_value(json_object_get(result, "seq"));

	(void)err;
	run->stored_event = r < 0 ? run->asked_event : (uint64_t)seq;
	list_for_each_safe(member, next, &run->followers)
	{
		struct run_follower *follower = list_entry(member, struct run_follower, of_run);

		if (follower->on_stored)
			follower->on_stored(follower, run);
	}
	run_wrote(run, 0);
}

static void store_events(struct run *run)
{
	json_auto_t *rows = NULL;
	size_t skip = (size_t)(run->asked_event + 1 - run->first_event);

	if (run->asked_event + 1 == run->next_event)
		return;
	rows = json_array();
	for (size_t i = skip; i < json_array_size(run->events); i++)
		json_array_append(rows, json_array_get(run->events, i));
	run->asked_event = run->next_event - 1;
	run->writes++;
	if (store_event_append(run->service->store, run->id, rows, on_stored, run) < 0)
		run->writes--;
	while (json_array_size(run->events) > RUN_LOG_KEPT) {
		json_array_remove(run->events, 0);
		run->first_event++;
	}
}

static void add_event(struct run *run, const char *type, json_t *data)
{
	uint64_t seq = run->next_event;

	if (json_array_append_new(run->events, json_pack("{s:I,s:s,s:O}", "seq", (json_int_t)seq,
						       "type", type, "data", data)) < 0) {
		json_decref(data);
		return;
	}
	run->next_event++;
	list_for_each_safe(member, next, &run->followers)
	{
		struct run_follower *follower = list_entry(member, struct run_follower, of_run);

		if (follower->on_event)
			follower->on_event(follower, seq, type, data);
	}
	json_decref(data);
}

/* Text that waits becomes an event. */
static void settle_text(struct run *run)
{
	size_t size = evbuffer_get_length(run->text);
	const char *type = run->is_text_thinking ? "thinking" : "text";

	if (size == 0)
		return;
	add_event(run, type,
		json_pack("{s:s%}", "text", (const char *)evbuffer_pullup(run->text, -1), size));
	evbuffer_drain(run->text, size);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	run_log_flush(arg);
}

static void wake(struct run *run)
{
	const struct timeval wait = {.tv_usec = RUN_LOG_MS * 1000};

	if (!evtimer_pending(run->log_timer, NULL))
		evtimer_add(run->log_timer, &wait);
}

int run_log_init(struct run *run)
{
	list_init(&run->followers);
	run->first_event = run->next_event = 1;
	run->events = json_array();
	run->text = evbuffer_new();
	run->log_timer = evtimer_new(run->service->server->base, on_timer, run);
	return run->events && run->text && run->log_timer ? 0 : -1;
}

void run_log_finish(struct run *run)
{
	json_decref(run->events);
	if (run->text)
		evbuffer_free(run->text);
	if (run->log_timer)
		event_free(run->log_timer);
}

void run_log_text(struct run *run, bool is_thinking, const char *text, size_t size)
{
	if (run->is_text_thinking != is_thinking)
		settle_text(run);
	run->is_text_thinking = is_thinking;
	evbuffer_add(run->text, text, size);
	list_for_each_safe(member, next, &run->followers)
	{
		struct run_follower *follower = list_entry(member, struct run_follower, of_run);

		if (follower->on_text)
			follower->on_text(follower, is_thinking, text, size);
	}
	if (evbuffer_get_length(run->text) >= TEXT_EVENT_MAX)
		settle_text(run);
	wake(run);
}

void run_log(struct run *run, const char *type, json_t *data)
{
	settle_text(run);
	if (data)
		add_event(run, type, data);
	wake(run);
}

void run_log_flush(struct run *run)
{
	settle_text(run);
	store_events(run);
	evtimer_del(run->log_timer);
}

void run_follow(struct run *run, struct run_follower *follower)
{
	list_append(&run->followers, &follower->of_run);
}

void run_unfollow(struct run_follower *follower)
{
	list_remove(&follower->of_run);
}

uint64_t run_first_event(const struct run *run)
{
	return run->first_event;
}

const json_t *run_events(const struct run *run)
{
	return run->events;
}

uint64_t run_stored_event(const struct run *run)
{
	return run->stored_event;
}
