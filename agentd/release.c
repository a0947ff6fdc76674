#include "agentd/release.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agentd/call.h"
#include "agentd/owner.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "proto/receipt.h"

struct release {
	struct list in_server;
	struct server *server;
	struct control_handle handle;
	struct limit_values limits;
	struct owner *owner; /* who gets the receipt; NULL: nobody */
	struct call *answer; /* who waits for the supervisor's answer; NULL: nobody */
	struct event *timer; /* for how long */
	struct control_receipt receipt;
	bool has_receipt;
	bool is_sent, is_answered;
};

struct release *release_create(struct server *server)
{
	struct release *release = calloc(1, sizeof(*release));

	if (!release)
		return NULL;
	release->server = server;
	list_init(&release->in_server);
	return release;
}

void release_destroy(struct release *release)
{
	if (!release)
		return;
	list_remove(&release->in_server);
	if (release->timer)
		event_free(release->timer);
	free(release);
}

static json_t *describe_receipt(const struct release *release)
{
	return receipt_of_lease(&release->receipt, &release->limits);
}

static void tell_owner(const struct release *release)
{
	json_t *params = sandbox_handle(&release->handle);
	json_auto_t *receipt = describe_receipt(release);

	json_object_update(params, receipt);
	if (release->owner->ops->on_receipt)
		release->owner->ops->on_receipt(release->owner, params);
	else
		json_decref(params);
}

static void answer_call(struct release *release)
{
	struct call *answer = take_ptr(&release->answer);

	if (!answer)
		return;
	call_result(answer, release->has_receipt
				    ? json_pack("{s:o}", "receipt", describe_receipt(release))
				    : json_object());
}

static void finish(struct release *release)
{
	answer_call(release);
	release_destroy(release);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct release *release = arg;

	(void)fd;
	(void)events;
	answer_call(release);
	if (!release->owner)
		release_destroy(release);
}

/* The answer waits for the receipt, but not for ever. */
static void start_waiting(struct release *release)
{
	const struct timeval wait = {.tv_sec = RELEASE_RECEIPT_MS / 1000};

	release->timer = event_new(release->server->base, -1, 0, on_timer, release);
	if (!release->timer || event_add(release->timer, &wait) < 0)
		answer_call(release);
}

/* Ends it as soon as nothing more is waited for. */
static void look(struct release *release)
{
	if (!release->is_answered)
		return;
	if (release->has_receipt || !release->server->control)
		finish(release);
	else if (!release->answer && !release->owner)
		release_destroy(release);
}

static void on_answer(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	struct release *release = arg;

	(void)answer; /* refused as stale: the lease's own end came first; it is gone either way */
	(void)is_last;
	fd_close(fd);
	release->is_answered = true;
	if (release->answer && !release->has_receipt && release->server->control)
		start_waiting(release);
	look(release);
}

void release_on_receipt(void *arg, const struct control_receipt *receipt)
{
	struct server *server = arg;

	list_for_each(member, &server->releases)
	{
		struct release *release = list_entry(member, struct release, in_server);

		if (release->handle.sandbox != receipt->handle.sandbox ||
			release->handle.epoch != receipt->handle.epoch)
			continue;
		release->receipt = *receipt;
		release->has_receipt = true;
		if (release->owner)
			tell_owner(release);
		look(release);
		return;
	}
}

void release_flush(struct server *server)
{
	list_for_each(member, &server->releases)
	{
		struct release *release = list_entry(member, struct release, in_server);
		struct control_lease message = {.handle = release->handle};

		if (release->is_sent)
			continue;
		if (control_client_send(server->control, CONTROL_RELEASE, &message, sizeof(message),
			    on_answer, release, NULL) < 0)
			return; /* an answer makes room; a lost connection ends them all */
		release->is_sent = true;
	}
}

static void enlist(struct release *release, const struct control_leased *lease, struct owner *owner)
{
	release->handle = lease->handle;
	release->limits = limit_values_of(lease);
	release->owner = owner;
	list_append(&release->server->releases, &release->in_server);
}

void release_start(struct release *release, const struct control_leased *lease, struct owner *owner,
	struct call *answer)
{
	struct server *server = release->server;

	enlist(release, lease, owner);
	release->answer = answer;
	if (server->control)
		release_flush(server);
	else
		finish(release); /* its connection has gone, and the lease with it */
}

void release_await_receipt(
	struct release *release, const struct control_leased *lease, struct owner *owner)
{
	enlist(release, lease, owner);
	release->is_sent = true;
	release->is_answered = true;
}

void release_forget_owner(struct server *server, const struct owner *owner)
{
	list_for_each_safe(member, next, &server->releases)
	{
		struct release *release = list_entry(member, struct release, in_server);

		if (release->owner != owner)
			continue;
		release->owner = NULL;
		look(release);
	}
}

void release_finish_all(struct server *server)
{
	struct release *release;

	while ((release = list_first(&server->releases, struct release, in_server)))
		finish(release);
}
