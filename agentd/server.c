#include "agentd/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "agentd/agent.h"
#include "agentd/client.h"
#include "agentd/method.h"
#include "agentd/release.h"
#include "agentd/sandbox.h"
#include "agentd/workspace.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/unix_socket.h"

#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_S	 1 /* after a failure that would only repeat itself */

static void refuse_client(struct server *server, int fd)
{
	auto_free char *line = NULL;
	size_t size = 0;

	if (server->refused_clients++ == 0)
		log_warning("too many clients (%d): the next ones are refused", SERVER_CLIENTS_MAX);
	if (rpc_encode_error(NULL, RPC_EXHAUSTED, "too many clients: try again later",
		    json_pack("{s:s}", "type", "busy"), &line, &size) < 0)
		return;
	/* Into an empty socket buffer: whatever does not fit, is not worth waiting for. */
	if (send(fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("refused a client that had gone");
}

static void pause_accept(struct server *server, const struct error *err)
{
	const struct timeval pause = {.tv_sec = ACCEPT_PAUSE_S};

	log_error("%s: no new clients for %d s", err->text, ACCEPT_PAUSE_S);
	event_del(server->accept_event);
	event_add(server->accept_timer, &pause);
}

static void on_accept(evutil_socket_t listener, short events, void *arg)
{
	struct server *server = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct unix_socket_peer peer;
		struct error err;
		int fd = unix_socket_accept(listener, &peer, &err);

		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			pause_accept(server, &err);
			return;
		}
		if (server->client_count >= SERVER_CLIENTS_MAX) {
			refuse_client(server, fd);
			fd_close(fd);
			continue;
		}
		server->refused_clients = 0;
		if (client_create(server, fd, &peer) < 0)
			log_error("a new client: out of memory");
	}
}

static void on_accept_timer(evutil_socket_t fd, short events, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)events;
	event_add(server->accept_event, NULL);
}

static void on_control(evutil_socket_t fd, short events, void *arg)
{
	struct server *server = arg;
	struct error err;

	(void)fd;
	(void)events;
	if (control_client_process(server->control, &err) < 0) {
		log_error("the supervisor is lost: %s: ending", err.text);
		server_stop(server, "supervisor_lost", 1);
		return;
	}
	release_flush(server);
}

static void on_stop_timer(evutil_socket_t fd, short events, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)events;
	log_info("somebody is still connected: ending all the same");
	event_base_loopbreak(server->base);
}

int server_ask(struct server *server, uint16_t type, void *request, uint32_t size,
	control_answer_fn on_answer, void *arg, struct error *err)
{
	int r;

	if (!server->control)
		return error_set(err, EPIPE, "agentd stops");
	if (server->asked_count >= CONTROL_PENDING_MAX - SERVER_RELEASES_KEPT)
		return error_set(err, EBUSY, "%u requests wait for the supervisor: try again",
			server->asked_count);
	r = control_client_send(server->control, type, request, size, on_answer, arg, err);
	if (r == 0)
		server->asked_count++;
	return r;
}

void server_answered(struct server *server)
{
	server->asked_count--;
}

static void end_sandboxes(struct server *server, const char *reason)
{
	const struct sandbox_end end = {.reason = reason};
	struct sandbox *sandbox;

	for (size_t i = 0; i < SERVER_BUCKETS; i++)
		while ((sandbox = list_first(&server->sandboxes[i], struct sandbox, in_server)))
			sandbox_end(sandbox, &end, true);
}

/* Its leases end with it. What waits for it, is answered. */
static void drop_control(struct server *server)
{
	struct control_client *control = take_ptr(&server->control);

	event_del(server->control_event);
	control_client_destroy(control);
	release_finish_all(server);
	workspace_finish_all(server);
}

void server_stop(struct server *server, const char *reason, int exit_code)
{
	const struct timeval wait = {
		.tv_sec = SERVER_STOP_MS / 1000, .tv_usec = SERVER_STOP_MS % 1000 * 1000};

	if (server->is_stopping)
		return;
	server->is_stopping = true;
	server->exit_code = exit_code;
	event_del(server->accept_event);
	event_del(server->accept_timer);
	event_add(server->stop_timer, &wait);
	agent_stop(server); /* before its sandboxes end, which its runs would take for a failure */
	end_sandboxes(server, reason);
	drop_control(server);
	list_for_each_safe(member, next, &server->clients)
		client_close(list_entry(member, struct client, in_server));
	metrics_http_stop(&server->metrics_http);
	server_on_client_gone(server);
}

void server_on_client_gone(struct server *server)
{
	if (server->is_stopping && server->client_count == 0 &&
		!metrics_http_is_busy(&server->metrics_http) && !agent_is_busy(server))
		event_base_loopbreak(server->base);
}

/* The soft limit is low for the sake of select(2), which nobody uses here. Leases get what is left. */
static unsigned find_lease_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
		limit.rlim_cur <= SERVER_CLIENTS_MAX + SERVER_SPARE_FDS)
		return 0;
	return (unsigned)limit.rlim_cur - SERVER_CLIENTS_MAX - SERVER_SPARE_FDS;
}

static int make_events(struct server *server)
{
	struct event_base *base = server->base;
	int control = control_client_fd(server->control);

	server->control_event = event_new(base, control, EV_READ | EV_PERSIST, on_control, server);
	server->accept_event =
		event_new(base, server->listener, EV_READ | EV_PERSIST, on_accept, server);
	server->accept_timer = event_new(base, -1, 0, on_accept_timer, server);
	server->stop_timer = event_new(base, -1, 0, on_stop_timer, server);
	if (!server->control_event || !server->accept_event || !server->accept_timer ||
		!server->stop_timer)
		return -ENOMEM;
	if (event_add(server->control_event, NULL) < 0 || event_add(server->accept_event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int listen_for_metrics(
	struct server *server, const struct server_listeners *listeners, struct error *err)
{
	int r = metrics_http_init(&server->metrics_http, server, err);

	for (size_t i = 0; i < METRICS_LISTENERS_MAX; i++) {
		int fd = listeners->metrics[i];

		if (r == 0 && fd >= 0)
			r = metrics_http_listen(&server->metrics_http, fd, err);
		else
			fd_close(fd);
	}
	return r;
}

int server_init(struct server *server, struct event_base *base,
	const struct server_listeners *listeners, struct control_client *control, struct error *err)
{
	int r;

	memset(server, 0, sizeof(*server));
	server->base = base;
	server->listener = listeners->agentd;
	server->api_listeners[0] = server->api_listeners[1] = -1;
	server->control = control;
	list_init(&server->clients);
	list_init(&server->releases);
	list_init(&server->workspaces);
	for (size_t i = 0; i < SERVER_BUCKETS; i++)
		list_init(&server->sandboxes[i]);
	r = listen_for_metrics(server, listeners, err);
	if (r < 0)
		return r;
	server->lease_max = find_lease_max();
	if (server->lease_max == 0)
		return error_set(err, EMFILE, "RLIMIT_NOFILE is below %d: raise it",
			SERVER_CLIENTS_MAX + SERVER_SPARE_FDS + 1);
	control_client_on_ended(control, sandbox_on_lease_ended, server);
	control_client_on_frozen(control, sandbox_on_lease_frozen, server);
	control_client_on_receipt(control, release_on_receipt, server);
	server->warned = json_object();
	r = method_load(server, err);
	if (r < 0)
		return r;
	if (make_events(server) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void server_finish(struct server *server)
{
	list_for_each_safe(member, next, &server->clients)
		client_destroy(list_entry(member, struct client, in_server));
	if (server->control)
		control_client_destroy(take_ptr(&server->control));
	workspace_finish_all(server);
	agent_finish(server);
	metrics_http_finish(&server->metrics_http); /* its requests have their answers */
	free_event(server->control_event);
	free_event(server->accept_event);
	free_event(server->accept_timer);
	free_event(server->stop_timer);
	json_decref(server->warned);
	method_unload(server);
	fd_close(server->listener);
}
