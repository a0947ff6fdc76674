#include "supervisor/client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "pool/pool.h"
#include "proto/channel.h"
#include "supervisor/binding.h"
#include "supervisor/control.h"
#include "supervisor/lease.h"
#include "supervisor/network.h"
#include "supervisor/pool_host.h"
#include "supervisor/request.h"
#include "supervisor/supervisor.h"

/*
 * Take one packet and answer it. 0; -EAGAIN: none there (expected); -ENOTCONN: the peer has left
 * (expected); other -errno: an offence, with the reason in *err.
 */
static int receive(struct client *client, struct error *err)
{
	union request request;
	uint64_t arrived_ns = clock_now_ns();
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t n;
	int r;

	n = channel_receive(client->fd, &request, sizeof(request), fds, &count);
	if (n == 0 || n == -ECONNRESET)
		return -ENOTCONN;
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return error_set(err, (int)-n, "packet: %s", error_name((int)-n));
	channel_close_fds(fds, count);
	r = check_message(
		&control_protocol, MESSAGE_TO_SERVER, &request, (size_t)n, count, &rule, err);
	if (r < 0)
		return r;
	request_handle(client, &request, arrived_ns);
	return 0;
}

/* One packet a turn: the others come in between, and none is read in vain after an answer. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	struct error err;
	int r;

	(void)fd;
	(void)what;
	if (client->lost < 0)
		r = error_set(&err, -client->lost, "its answers cannot be sent: %s",
			error_name(-client->lost));
	else
		r = receive(client, &err);
	if (r == 0 || r == -EAGAIN)
		return;
	/* Whoever left before reading the answer is not worth a line. */
	if (r != -ENOTCONN && r != -EPIPE && r != -ECONNRESET)
		control_report_offence(client->supervisor->control, &client->peer, err.text);
	client_destroy(client);
}

struct client *client_create(
	struct supervisor *supervisor, int fd, const struct unix_socket_peer *peer, enum role role)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		fd_close(fd);
		return NULL;
	}
	client->supervisor = supervisor;
	client->fd = fd;
	client->peer = *peer;
	client->role = role;
	list_init(&client->list);
	list_init(&client->leases);
	list_init(&client->receipts);
	list_init(&client->bindings);
	client->readable =
		event_new(supervisor->events, fd, EV_READ | EV_PERSIST, on_readable, client);
	if (outbox_init(&client->outbox, supervisor->events, fd, supervisor->config.queue_bytes) <
			0 ||
		!client->readable || event_add(client->readable, NULL) < 0) {
		client_destroy(client);
		return NULL;
	}
	return client;
}

void client_destroy(struct client *client)
{
	struct supervisor *supervisor;

	if (!client)
		return;
	supervisor = client->supervisor;
	for (uint32_t i = 0; i < supervisor->config.pool_count; i++) {
		pool_lessee_gone(supervisor->pools[i]->pool, clock_now_ms(), client);
		pool_host_changed(supervisor->pools[i]);
	}
	lease_forget_client(client);
	binding_forget_client(client);
	if (supervisor->network)
		network_forget_client(supervisor->network, client);
	control_forget(supervisor->control, client);
	if (client->readable)
		event_free(client->readable);
	outbox_finish(&client->outbox);
	fd_close(client->fd);
	free(client);
}

void client_send(struct client *client, const void *message, size_t size)
{
	client_send_fd(client, message, size, -1);
}

void client_done(struct client *client, uint32_t request_id)
{
	struct control_done m;

	control_header(&m.header, CONTROL_DONE, sizeof(m), request_id);
	client_send(client, &m, sizeof(m));
}

void client_send_fd(struct client *client, const void *message, size_t size, int fd)
{
	int r;

	if (client->lost < 0)
		return;
	r = outbox_send(&client->outbox, message, size, fd);
	if (r < 0) {
		client->lost = r;
		event_active(client->readable, EV_READ, 0);
	}
}
