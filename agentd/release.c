#include "agentd/release.h"

#include <stdbool.h>
#include <stdlib.h>

#include "agentd/call.h"
#include "agentd/server.h"
#include "base/cleanup.h"

struct release {
	struct list in_server;
	struct server *server;
	struct control_handle handle;
	struct call *answer;
	bool is_sent;
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
	free(release);
}

static void finish(struct release *release)
{
	if (release->answer)
		call_result(release->answer, json_object());
	list_remove(&release->in_server);
	free(release);
}

static void on_answer(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	(void)answer; /* refused as stale: the lease's own end came first; it is gone either way */
	(void)is_last;
	fd_close(fd);
	finish(arg);
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

void release_start(
	struct release *release, const struct control_handle *handle, struct call *answer)
{
	struct server *server = release->server;

	release->handle = *handle;
	release->answer = answer;
	list_append(&server->releases, &release->in_server);
	if (server->control)
		release_flush(server);
	else
		finish(release); /* its connection has gone, and the lease with it */
}

void release_finish_all(struct server *server)
{
	struct release *release;

	while ((release = list_first(&server->releases, struct release, in_server)))
		finish(release);
}
