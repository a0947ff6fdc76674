#include "agentd/sandbox.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/call.h"
#include "agentd/owner.h"
#include "agentd/release.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "proto/receipt.h"

#define TOUCHES_PER_IDLE 3 /* while it works: so many in the idle time */

static struct list *bucket_of(struct server *server, uint64_t id)
{
	return &server->sandboxes[id % SERVER_BUCKETS];
}

struct sandbox *sandbox_find(struct server *server, uint64_t id)
{
	list_for_each(member, bucket_of(server, id))
	{
		struct sandbox *sandbox = list_entry(member, struct sandbox, in_server);

		if (sandbox->lease.handle.sandbox == id)
			return sandbox;
	}
	return NULL;
}

json_t *sandbox_handle(const struct control_handle *handle)
{
	char epoch[24];

	snprintf(epoch, sizeof(epoch), "%" PRIu64, handle->epoch);
	return json_pack("{s:I,s:s}", "id", (json_int_t)handle->sandbox, "epoch", epoch);
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* Of what sandbox_create() has made, also half of it. No callback runs from here. */
static void destroy(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	if (!list_is_empty(&sandbox->in_server)) {
		sandbox->owner->lease_count--;
		sandbox->server->lease_count--;
	}
	list_remove(&sandbox->in_server);
	list_remove(&sandbox->of_owner);
	free_event(sandbox->readable);
	free_event(sandbox->writable);
	free_event(sandbox->touch_timer);
	free_event(sandbox->hangup_timer);
	guest_client_destroy(sandbox->guest);
	release_destroy(sandbox->release);
	free(sandbox);
}

static void cleanup_sandbox(struct sandbox **sandbox)
{
	destroy(*sandbox);
}
#define auto_sandbox __attribute__((cleanup(cleanup_sandbox)))

void sandbox_update(struct sandbox *sandbox)
{
	if (sandbox->slow_calls > 0 || sandbox->is_hung_up) {
		event_del(sandbox->readable);
		event_del(sandbox->writable);
		return;
	}
	event_add(sandbox->readable, NULL);
	if (guest_client_wants_write(sandbox->guest))
		event_add(sandbox->writable, NULL);
	else
		event_del(sandbox->writable);
}

static void on_channel(evutil_socket_t fd, short events, void *arg)
{
	const struct timeval wait = {.tv_sec = SANDBOX_HANGUP_MS / 1000};
	struct sandbox *sandbox = arg;
	struct error err;

	(void)fd;
	(void)events;
	if (guest_client_process(sandbox->guest, &err) < 0) {
		sandbox->is_hung_up = true;
		event_add(sandbox->hangup_timer, &wait);
	}
	sandbox_update(sandbox);
}

/* The supervisor has not said why: then it still holds the lease, and the guest is to blame. */
static void on_hangup_timeout(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	sandbox_release(arg, true, NULL);
}

static void on_touched(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	(void)arg; /* a refusal means that LEASE_ENDED is under way, which says more */
	(void)answer;
	(void)is_last;
	fd_close(fd);
}

void sandbox_touch(struct sandbox *sandbox)
{
	struct control_lease touch = {.handle = sandbox->lease.handle};
	uint64_t now_ms = clock_now_ms();

	if (sandbox->lease.idle_ms == 0 || sandbox->is_hung_up || !sandbox->server->control)
		return;
	if (now_ms - sandbox->touched_ms < sandbox->lease.idle_ms / (2 * TOUCHES_PER_IDLE))
		return;
	if (control_client_send(sandbox->server->control, CONTROL_TOUCH, &touch, sizeof(touch),
		    on_touched, NULL, NULL) == 0)
		sandbox->touched_ms = now_ms;
}

static void on_touch_timer(evutil_socket_t fd, short events, void *arg)
{
	struct sandbox *sandbox = arg;

	(void)fd;
	(void)events;
	if (!list_is_empty(&sandbox->calls) || sandbox->is_kept)
		sandbox_touch(sandbox);
}

static int start_touching(struct sandbox *sandbox)
{
	uint64_t every_ms = sandbox->lease.idle_ms / TOUCHES_PER_IDLE + 1;
	const struct timeval every = {.tv_sec = (time_t)(every_ms / 1000),
		.tv_usec = (suseconds_t)(every_ms % 1000 * 1000)};

	if (sandbox->lease.idle_ms == 0)
		return 0;
	sandbox->touched_ms = clock_now_ms();
	sandbox->touch_timer =
		event_new(sandbox->server->base, -1, EV_PERSIST, on_touch_timer, sandbox);
	return sandbox->touch_timer ? event_add(sandbox->touch_timer, &every) : -1;
}

static int make_events(struct sandbox *sandbox)
{
	struct event_base *base = sandbox->server->base;
	int fd = guest_client_fd(sandbox->guest);

	sandbox->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_channel, sandbox);
	sandbox->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_channel, sandbox);
	sandbox->hangup_timer = event_new(base, -1, 0, on_hangup_timeout, sandbox);
	if (!sandbox->readable || !sandbox->writable || !sandbox->hangup_timer)
		return -1;
	return event_add(sandbox->readable, NULL);
}

int sandbox_create(struct owner *owner, const struct control_leased *lease, int channel,
	struct release *release, struct sandbox **ret_sandbox, struct error *err)
{
	auto_close int fd = channel;
	auto_sandbox struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
	int r;

	if (!sandbox)
		return error_set(err, ENOMEM, "out of memory");
	list_init(&sandbox->in_server);
	list_init(&sandbox->of_owner);
	list_init(&sandbox->calls);
	sandbox->server = owner->server;
	sandbox->owner = owner;
	sandbox->lease = *lease;
	r = guest_client_create(fd, &sandbox->guest, err);
	if (r < 0)
		return r;
	take_fd(&fd);
	if (make_events(sandbox) < 0 || start_touching(sandbox) < 0)
		return error_set(err, ENOMEM, "out of memory");
	list_append(bucket_of(owner->server, lease->handle.sandbox), &sandbox->in_server);
	list_append(&owner->sandboxes, &sandbox->of_owner);
	owner->lease_count++;
	owner->server->lease_count++;
	sandbox->release = release;
	*ret_sandbox = take_ptr(&sandbox);
	return 0;
}

static json_t *describe_end(const struct sandbox *sandbox, const struct sandbox_end *end)
{
	const struct limit_values values = limit_values_of(&sandbox->lease);
	json_t *data = sandbox_handle(&sandbox->lease.handle);

	json_object_set_new(data, "reason", json_string(end->reason));
	json_object_set_new(data, "limits_hit", receipt_limits(end->limits_hit));
	json_object_set_new(data, "limits", receipt_limit_texts(end->limits_hit, &values));
	json_object_set_new(data, "limit", json_integer((json_int_t)end->limit));
	return data;
}

void sandbox_end(struct sandbox *sandbox, const struct sandbox_end *end, bool is_told)
{
	struct owner *owner = sandbox->owner;
	struct call *call;
	json_t *data = describe_end(sandbox, end);
	char text[128 + LIMIT_TEXT_MAX];

	snprintf(text, sizeof(text), "sandbox %" PRIu64 " has ended: %s",
		sandbox->lease.handle.sandbox, end->text ? end->text : end->reason);
	list_remove(&sandbox->of_owner);
	sandbox->is_hung_up = true; /* nothing is watched or sent any more */
	guest_client_lose(sandbox->guest, end->limits_hit, text);
	while ((call = list_first(&sandbox->calls, struct call, of_sandbox)))
		call_fail_data(call, FAULT_SANDBOX_ENDED, json_deep_copy(data), text);
	if (is_told && owner->ops->on_ended)
		owner->ops->on_ended(owner, sandbox, data, text);
	else
		json_decref(data);
	destroy(sandbox);
}

void sandbox_release(struct sandbox *sandbox, bool is_told, struct call *answer)
{
	const struct sandbox_end end = {.reason = sandbox->is_hung_up
							  ? "guest_broken"
							  : control_reason_name(LEASE_RELEASED)};
	struct control_leased lease = sandbox->lease;
	struct owner *owner = is_told ? sandbox->owner : NULL;
	struct release *release = take_ptr(&sandbox->release);

	sandbox_end(sandbox, &end, is_told);
	release_start(release, &lease, owner, answer);
}

void sandbox_on_lease_ended(void *arg, const struct control_lease_ended *ended)
{
	struct sandbox_end end = {.reason = control_reason_name(ended->reason),
		.limits_hit = ended->limits_hit,
		.limit = ended->limit};
	struct sandbox *sandbox = sandbox_find(arg, ended->handle.sandbox);
	struct limit_values values;
	char id[24], text[LIMIT_TEXT_MAX];

	if (!sandbox || sandbox->lease.handle.epoch != ended->handle.epoch)
		return; /* released by us at the same time */
	values = limit_values_of(&sandbox->lease);
	end.text = limit_lease_end_text(ended, &values, text);
	snprintf(id, sizeof(id), "%" PRIu64, ended->handle.sandbox);
	log_event_from(LOG_LEVEL_INFO, ended->handle.sandbox, "sandbox_ended", "sandbox", id,
		"reason", end.reason, "why", end.text, NULL);
	release_await_receipt(take_ptr(&sandbox->release), &sandbox->lease, sandbox->owner);
	sandbox_end(sandbox, &end, true);
}

void sandbox_on_lease_frozen(void *arg, const struct control_lease_frozen *frozen)
{
	struct sandbox *sandbox = sandbox_find(arg, frozen->handle.sandbox);
	json_t *params;

	if (!sandbox || sandbox->lease.handle.epoch != frozen->handle.epoch)
		return;
	params = sandbox_handle(&frozen->handle);
	json_object_set_new(params, "idle_ms", json_integer((json_int_t)frozen->idle_ms));
	json_object_set_new(params, "ends_ms", json_integer((json_int_t)frozen->ends_ms));
	if (sandbox->owner->ops->on_frozen)
		sandbox->owner->ops->on_frozen(sandbox->owner, params);
	else
		json_decref(params);
}

static void on_shell_found(void *arg, const struct guest_reply *reply)
{
	struct sandbox *sandbox = arg;

	sandbox->has_bash = reply->end == GUEST_END_DONE;
}

void sandbox_ask_shell(struct sandbox *sandbox)
{
	const struct guest_file_options stat = {
		.type = GUEST_STAT, .flags = GUEST_FILE_FOLLOW, .path = "/bin/bash"};
	const struct guest_callbacks callbacks = {.on_reply = on_shell_found, .arg = sandbox};

	if (sandbox->is_shell_asked)
		return;
	sandbox->is_shell_asked = true;
	guest_client_file(sandbox->guest, &stat, &callbacks, NULL, NULL);
}
