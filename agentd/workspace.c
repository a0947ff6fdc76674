#include "agentd/workspace.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "agentd/server.h"
#include "agentd/store/store.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "proto/control.h"

struct removal {
	struct list in_server;
	struct server *server;
	struct event *timer;
	unsigned tries;
	char name[CONTROL_BIND_MAX];
};

static void destroy(struct removal *removal)
{
	if (!removal)
		return;
	list_remove(&removal->in_server);
	removal->server->workspace_count--;
	if (removal->timer)
		event_free(removal->timer);
	free(removal);
}

static void give_up(struct removal *removal, const char *why)
{
	log_warning("workspace %s stays until agentd starts again, its session has gone: %s",
		removal->name, why);
	destroy(removal);
}

static void end(struct removal *removal)
{
	struct store *store = removal->server->service.store;

	/* Where that fails it is removed once more: it is not there then. */
	if (store)
		store_removal_done(store, removal->name, NULL, NULL);
	destroy(removal);
}

static void try_later(struct removal *removal, const char *why)
{
	const unsigned wait_ms = WORKSPACE_RETRY_MS << (removal->tries - 1);
	const struct timeval wait = {
		.tv_sec = wait_ms / 1000, .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};

	if (removal->tries >= WORKSPACE_TRIES || event_add(removal->timer, &wait) < 0)
		give_up(removal, why);
}

static void on_answer(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	const struct control_refused *refused = (const void *)answer;
	struct removal *removal = arg;

	(void)is_last; /* it has one */
	fd_close(fd);
	server_answered(removal->server);
	if (answer->type != CONTROL_REFUSED)
		end(removal);
	else if (refused->retry_ms > 0)
		try_later(removal, refused->text);
	else
		give_up(removal, refused->text);
}

static void ask(struct removal *removal)
{
	struct control_workspace request = {0};
	struct error err;
	int r;

	removal->tries++;
	text_copy(request.workspace, sizeof(request.workspace), removal->name);
	r = server_ask(removal->server, CONTROL_WORKSPACE_REMOVE, &request, sizeof(request),
		on_answer, removal, &err);
	if (r == -EBUSY)
		try_later(removal, err.text);
	else if (r < 0)
		give_up(removal, err.text);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	ask(arg);
}

static struct removal *create(struct server *server, const char *name)
{
	auto_free struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal || server->workspace_count >= WORKSPACES_MAX ||
		text_copy(removal->name, sizeof(removal->name), name) < 0)
		return NULL;
	removal->timer = event_new(server->base, -1, 0, on_timer, removal);
	if (!removal->timer)
		return NULL;
	removal->server = server;
	server->workspace_count++;
	list_append(&server->workspaces, &removal->in_server);
	return take_ptr(&removal);
}

void workspace_remove(struct server *server, const char *name)
{
	struct removal *removal = create(server, name);

	if (removal)
		ask(removal);
	else
		log_warning("workspace %s stays until agentd starts again, its session has gone: "
			    "too many are being removed",
			name);
}

static void on_removals(void *arg, int r, json_t *result, const struct error *err)
{
	size_t i;
	json_t *row;

	if (r < 0)
		log_warning("workspaces of sessions that have gone: %s", err->text);
	json_array_foreach(json_object_get(result, "removals"), i, row)
	{
		workspace_remove(arg, json_string_value(json_object_get(row, "workspace")));
	}
}

int workspace_remove_left(struct server *server)
{
	return store_removal_list(server->service.store, on_removals, server);
}

void workspace_finish_all(struct server *server)
{
	struct removal *removal;

	while ((removal = list_first(&server->workspaces, struct removal, in_server)))
		give_up(removal, "agentd stops");
}
