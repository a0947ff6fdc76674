#include "agentd/acquire.h"

#include <errno.h>
#include <stdlib.h>

#include "agentd/owner.h"
#include "agentd/release.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "proto/limit_text.h"

struct acquire {
	struct list of_owner;
	struct server *server;
	struct owner *owner; /* NULL: it has gone */
	struct release *release;
	acquire_done_fn done;
	void *arg;
};

static void destroy(struct acquire *acquire)
{
	if (!acquire)
		return;
	list_remove(&acquire->of_owner);
	release_destroy(acquire->release);
	free(acquire);
}

static void cleanup_acquire(struct acquire **acquire)
{
	destroy(*acquire);
}
#define auto_acquire __attribute__((cleanup(cleanup_acquire)))

/* Once for each template: what it asks for is not in this host's power. */
static void warn_unenforced(struct server *server, const struct control_leased *lease)
{
	char names[LIMIT_TEXT_MAX];

	if (lease->unenforced == 0 || json_object_get(server->warned, lease->template_name))
		return;
	json_object_set_new(server->warned, lease->template_name, json_true());
	log_event(LOG_LEVEL_WARNING, "limits_unenforced", "template", lease->template_name,
		"limits", limit_names(lease->unenforced, names), NULL);
}

/* The lease is ours: the owner's sandbox. */
static struct sandbox *take_lease(
	struct acquire *acquire, const struct control_leased *lease, int channel, struct error *err)
{
	struct release *release = take_ptr(&acquire->release);
	struct sandbox *sandbox;

	if (sandbox_create(acquire->owner, lease, channel, release, &sandbox, err) < 0) {
		release_start(release, lease, NULL, NULL);
		return NULL;
	}
	warn_unenforced(acquire->server, lease);
	return sandbox;
}

/* A refusal too is not for anybody any more, and least for what has gone with the owner. */
static void give_back(struct acquire *acquire, const struct message_header *answer, int channel)
{
	struct error err;

	fd_close(channel);
	if (answer->type == CONTROL_LEASED)
		release_start(take_ptr(&acquire->release), (const void *)answer, NULL, NULL);
	error_set(&err, ECANCELED, "whoever asked has gone");
	acquire->done(acquire->arg, NULL, NULL, &err);
}

static void on_answer(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	auto_acquire struct acquire *acquire = arg;
	struct sandbox *sandbox = NULL;
	struct error err;

	(void)is_last;
	server_answered(acquire->server);
	acquire->server->lease_count--; /* it counted as one; a sandbox counts for itself */
	if (!acquire->owner) {
		give_back(acquire, answer, fd);
		return;
	}
	acquire->owner->lease_count--;
	if (answer->type != CONTROL_LEASED) {
		acquire->done(acquire->arg, NULL, (const void *)answer, NULL);
		return;
	}
	sandbox = take_lease(acquire, (const void *)answer, fd, &err);
	acquire->done(acquire->arg, sandbox, NULL, sandbox ? NULL : &err);
}

static int check_caps(const struct owner *owner, struct error *err)
{
	const struct server *server = owner->server;

	if (owner->lease_count >= owner->lease_max)
		return error_set(err, EDQUOT, "%u sandboxes are leased here already: release some",
			owner->lease_max);
	if (server->lease_count >= server->lease_max)
		return error_set(err, EDQUOT,
			"agentd leases %u sandboxes, all that its RLIMIT_NOFILE allows",
			server->lease_max);
	return 0;
}

int acquire_start(struct owner *owner, struct control_acquire *request, acquire_done_fn done,
	void *arg, struct error *err)
{
	auto_acquire struct acquire *acquire = NULL;
	struct server *server = owner->server;
	int r = check_caps(owner, err);

	if (r < 0)
		return r;
	acquire = calloc(1, sizeof(*acquire));
	if (!acquire)
		return error_set(err, ENOMEM, "out of memory");
	list_init(&acquire->of_owner);
	acquire->server = server;
	acquire->owner = owner;
	acquire->done = done;
	acquire->arg = arg;
	acquire->release = release_create(server);
	if (!acquire->release)
		return error_set(err, ENOMEM, "out of memory");
	r = server_ask(server, CONTROL_ACQUIRE, request, sizeof(*request), on_answer, acquire, err);
	if (r < 0)
		return r;
	server->lease_count++;
	owner->lease_count++;
	list_append(&owner->acquires, &acquire->of_owner);
	take_ptr(&acquire);
	return 0;
}

void acquire_forget_owner(struct owner *owner)
{
	struct acquire *acquire;

	while ((acquire = list_first(&owner->acquires, struct acquire, of_owner))) {
		list_remove(&acquire->of_owner);
		acquire->owner = NULL;
		owner->lease_count--;
	}
}
