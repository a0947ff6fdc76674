#include "agentd/loop/bench.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "agentd/acquire.h"
#include "agentd/loop/service.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

static struct bench *bench_of(struct owner *owner)
{
	return list_entry(owner, struct bench, owner);
}

/* What works in it learns it by itself: its replies are LOST. */
static void on_ended(struct owner *owner, struct sandbox *sandbox, json_t *data, const char *text)
{
	struct bench *bench = bench_of(owner);

	(void)sandbox;
	json_decref(data);
	bench->sandbox = NULL;
	snprintf(bench->ended, sizeof(bench->ended), "%s", text);
	if (!bench->is_waiting)
		bench->on_ready(bench->arg, 0, 0, NULL);
}

static const struct owner_ops owner_ops = {.on_ended = on_ended};

static void answer(struct bench *bench, int r, const struct error *err)
{
	bench->is_waiting = false;
	bench->tries = 0;
	bench->on_ready(bench->arg, r, bench->retry_ms, err);
}

static void try_later(struct bench *bench, const struct control_refused *refused)
{
	bool may_pass = refused->refusal == REFUSED_EMPTY || refused->refusal == REFUSED_TIMEOUT ||
			(refused->refusal == REFUSED_LIMIT && refused->retry_ms > 0);
	struct error err;
	struct timeval wait;

	bench->retry_ms = refused->retry_ms ? refused->retry_ms : BENCH_RETRY_MS;
	if (!may_pass || ++bench->tries >= BENCH_TRIES) {
		int r = error_set(&err, may_pass ? EBUSY : EIO, "no sandbox: %s",
			refused->text[0] ? refused->text : control_refusal_name(refused->refusal));

		answer(bench, r, &err);
		return;
	}
	wait = (struct timeval){.tv_sec = bench->retry_ms / 1000,
		.tv_usec = (suseconds_t)(bench->retry_ms % 1000 * 1000)};
	event_add(bench->timer, &wait);
}

static void on_acquired(void *arg, struct sandbox *sandbox, const struct control_refused *refused,
	const struct error *err)
{
	struct bench *bench = arg;

	if (sandbox) {
		bench->sandbox = sandbox;
		sandbox->is_kept = true;
		sandbox_update(sandbox);
		answer(bench, 0, NULL);
	} else if (refused) {
		try_later(bench, refused);
	} else if (err->code != ECANCELED) { /* then the bench itself has gone */
		answer(bench, -err->code, err);
	}
}

static int ask(struct bench *bench, struct error *err)
{
	struct control_acquire request = {.on_empty = ON_EMPTY_BUILD};
	const struct service *service = bench->service;

	if (text_copy(request.template_name, sizeof(request.template_name),
		    service->template_name) < 0 ||
		(bench->workspace && text_copy(request.workspace, sizeof(request.workspace),
					     bench->workspace) < 0))
		return error_set(err, ENAMETOOLONG, "a name is too long");
	return acquire_start(&bench->owner, &request, on_acquired, bench, err);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct bench *bench = arg;
	struct error err;
	int r = ask(bench, &err);

	(void)fd;
	(void)events;
	if (r < 0)
		answer(bench, r, &err);
}

int bench_init(struct bench *bench, struct service *service, const char *workspace,
	bench_ready_fn on_ready, void *arg)
{
	memset(bench, 0, sizeof(*bench));
	owner_init(&bench->owner, service->server, &owner_ops, &service->self, 1);
	bench->service = service;
	bench->workspace = workspace;
	bench->on_ready = on_ready;
	bench->arg = arg;
	bench->timer = event_new(service->server->base, -1, 0, on_timer, bench);
	return bench->timer ? 0 : -ENOMEM;
}

void bench_finish(struct bench *bench)
{
	if (!bench->service)
		return;
	owner_finish(&bench->owner);
	bench->sandbox = NULL;
	if (bench->timer)
		event_free(take_ptr(&bench->timer));
	bench->service = NULL;
}

int bench_need(struct bench *bench, struct error *err)
{
	int r;

	if (bench->sandbox && !bench->sandbox->is_hung_up)
		return 1;
	if (bench->is_waiting)
		return 0;
	/* One that hung up and whose end is not told yet: without it the acquire would be one too many. */
	if (bench->sandbox)
		sandbox_release(take_ptr(&bench->sandbox), false, NULL);
	r = ask(bench, err);
	if (r < 0)
		return r;
	bench->is_waiting = true;
	return 0;
}
