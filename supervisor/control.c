#include "supervisor/control.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "supervisor/client.h"
#include "supervisor/supervisor.h"

#define ACCEPTS_PER_TURN  16
#define ACCEPT_PAUSE_MS	  100 /* when even the reserve does not help */
#define OFFENCE_PERIOD_NS NS_PER_S
#define RESERVE_PATH	  "/dev/null"

struct control {
	struct supervisor *supervisor;
	int listener;
	int reserve_fd; /* given up to take a connection when there are no descriptors left */
	struct event *acceptable, *resume;
	struct list clients;
	uint32_t client_count;
	uint64_t reported_ns;
	uint64_t unreported;
};

void control_report_offence(
	struct control *control, const struct unix_socket_peer *peer, const char *why)
{
	uint64_t now_ns = clock_now_ns();
	char pid[12], uid[12], more[24];

	if (control->reported_ns != 0 && now_ns - control->reported_ns < OFFENCE_PERIOD_NS) {
		control->unreported++;
		return;
	}
	snprintf(pid, sizeof(pid), "%d", peer->pid);
	snprintf(uid, sizeof(uid), "%u", peer->uid);
	snprintf(more, sizeof(more), "%" PRIu64, control->unreported);
	log_event(LOG_LEVEL_WARNING, "client_closed", "pid", pid, "uid", uid, "why", why,
		"unreported", more, NULL);
	control->reported_ns = now_ns;
	control->unreported = 0;
}

static uint32_t count_of_uid(const struct control *control, uid_t uid)
{
	uint32_t count = 0;

	list_for_each(pos, &control->clients) count +=
		list_entry(pos, struct client, list)->peer.uid == uid;
	return count;
}

/* Why this peer is not let in, or NULL. */
static const char *refusal(const struct control *control, const struct unix_socket_peer *peer)
{
	const struct supervisor_config *config = &control->supervisor->config;

	if (permission_role(peer->uid, control->supervisor->host.user_uid) == ROLE_NONE)
		return "uid is neither root nor the instance's user";
	if (control->client_count >= config->connections_max)
		return "connections_max is reached";
	if (count_of_uid(control, peer->uid) >= config->connections_per_uid)
		return "connections_per_uid is reached";
	return NULL;
}

static void admit(struct control *control, int fd, const struct unix_socket_peer *peer)
{
	const char *why = refusal(control, peer);
	struct client *client;

	if (why) {
		control_report_offence(control, peer, why);
		fd_close(fd);
		return;
	}
	client = client_create(control->supervisor, fd, peer,
		permission_role(peer->uid, control->supervisor->host.user_uid));
	if (!client) {
		log_error("client: out of memory");
		return;
	}
	list_append(&control->clients, &client->list);
	control->client_count++;
}

/* No descriptor is left: use the reserve to tell one peer so, by closing; else leave off for a while. */
static void shed(struct control *control)
{
	struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};
	struct unix_socket_peer peer;
	int fd;

	fd_close(take_fd(&control->reserve_fd));
	fd = unix_socket_accept(control->listener, &peer, NULL);
	if (fd >= 0) {
		control_report_offence(control, &peer, "no file descriptor is left");
		fd_close(fd);
	}
	control->reserve_fd = open(RESERVE_PATH, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || control->reserve_fd < 0) {
		event_del(control->acceptable);
		event_add(control->resume, &pause);
	}
}

static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
	struct control *control = arg;
	struct unix_socket_peer peer;
	struct error err;
	int fd;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = unix_socket_accept(listener, &peer, &err);
		if (fd == -EAGAIN)
			return;
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
			shed(control);
			return;
		}
		if (fd >= 0)
			admit(control, fd, &peer);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	if (control->reserve_fd < 0)
		control->reserve_fd = open(RESERVE_PATH, O_RDONLY | O_CLOEXEC);
	event_add(control->acceptable, NULL);
}

int control_create(struct supervisor *supervisor, int listener, struct control **ret_control,
	struct error *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		fd_close(listener);
		return error_set(err, ENOMEM, "out of memory");
	}
	*ret_control = control;
	control->supervisor = supervisor;
	control->listener = listener;
	list_init(&control->clients);
	control->reserve_fd = open(RESERVE_PATH, O_RDONLY | O_CLOEXEC);
	if (control->reserve_fd < 0)
		return error_errno(err, "open " RESERVE_PATH);
	control->acceptable = event_new(
		supervisor->events, listener, EV_READ | EV_PERSIST, on_acceptable, control);
	control->resume = evtimer_new(supervisor->events, on_resume, control);
	if (!control->acceptable || !control->resume || event_add(control->acceptable, NULL) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

void control_stop(struct control *control)
{
	event_del(control->acceptable);
	event_del(control->resume);
	fd_close(take_fd(&control->listener));
}

void control_destroy(struct control *control)
{
	struct client *client;

	if (!control)
		return;
	while ((client = list_first(&control->clients, struct client, list)))
		client_destroy(client);
	if (control->acceptable)
		event_free(control->acceptable);
	if (control->resume)
		event_free(control->resume);
	fd_close(control->listener);
	fd_close(control->reserve_fd);
	free(control);
}

void control_forget(struct control *control, struct client *client)
{
	if (list_is_empty(&client->list))
		return;
	list_remove(&client->list);
	control->client_count--;
}
