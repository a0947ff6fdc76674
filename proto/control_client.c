#include "proto/control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "proto/channel.h"
#include "proto/control_client_private.h"
#include "proto/instance.h"

#define PACKETS_PER_TURN 256

/* The reason, and what to do about it. */
static int connect_failed(int code, const char *directory, struct error *err)
{
	switch (code) {
	case ENOENT:
	case ECONNREFUSED:
		return error_set(err, code,
			"no supervisor answers at %s/" INSTANCE_CONTROL_SOCKET
			": start one with: hearth up --dir %s --image NAME --pool N",
			directory, directory);
	case EACCES:
		return error_set(err, code,
			"%s/" INSTANCE_CONTROL_SOCKET
			": permission denied: it serves root and the user hearth",
			directory);
	case EAGAIN:
		return error_set(err, code,
			"%s/" INSTANCE_CONTROL_SOCKET ": too many wait to be let in: try again",
			directory);
	default:
		return error_set(
			err, code, "%s/" INSTANCE_CONTROL_SOCKET ": %s", directory, strerror(code));
	}
}

int control_client_connect(
	const char *directory, struct control_client **ret_client, struct error *err)
{
	auto_close int socket = -1;
	auto_close int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = directory_fd < 0 ? -errno : 0;

	if (r == 0) {
		socket = unix_socket_connect(
			directory_fd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);
		r = socket < 0 ? socket : 0;
	}
	if (r < 0)
		return connect_failed(-r, directory, err);
	r = control_client_adopt(socket, ret_client, err);
	if (r == 0)
		take_fd(&socket);
	return r;
}

int control_client_adopt(int socket, struct control_client **ret_client, struct error *err)
{
	auto_free struct control_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return error_set(err, ENOMEM, "control client: out of memory");
	r = fd_set_nonblocking(socket, true);
	if (r < 0)
		return error_set(err, -r, "control client: not a socket");
	client->socket = socket;
	*ret_client = take_ptr(&client);
	return 0;
}

void control_client_give_up(struct control_client *client, int code, const char *why)
{
	client->is_lost = true;
	error_set(&client->lost, code, "%s", why);
	shutdown(client->socket, SHUT_RDWR);
}

int control_client_lost(const struct control_client *client, struct error *err)
{
	return error_set(err, client->lost.code, "%s", client->lost.text);
}

/* The slot is free before the callback runs, so that it may send again. */
static void answer(struct control_client *client, struct pending *pending,
	const struct message_header *message, int fd, bool is_last)
{
	control_answer_fn on_answer = pending->on_answer;
	void *arg = pending->arg;

	if (is_last) {
		pending->id = 0;
		client->pending_count--;
	}
	on_answer(arg, message, fd, is_last);
}

void control_client_destroy(struct control_client *client)
{
	struct control_refused refused = {.refusal = REFUSED_STOPPING};

	if (!client)
		return;
	if (!client->is_lost)
		control_client_give_up(client, EPIPE, "the connection was closed");
	text_copy(refused.text, sizeof(refused.text), "the connection to the supervisor has ended");
	for (size_t i = 0; i < CONTROL_PENDING_MAX; i++) {
		struct pending *pending = &client->pending[i];

		if (!pending->id)
			continue;
		control_header(&refused.header, CONTROL_REFUSED, sizeof(refused), pending->id);
		answer(client, pending, &refused.header, -1, true);
	}
	fd_close(client->socket);
	free(client);
}

void control_client_on_ended(struct control_client *client, control_ended_fn on_ended, void *arg)
{
	client->on_ended = on_ended;
	client->ended_arg = arg;
}

void control_client_on_receipt(
	struct control_client *client, control_receipt_fn on_receipt, void *arg)
{
	client->on_receipt = on_receipt;
	client->receipt_arg = arg;
}

void control_client_on_frozen(struct control_client *client, control_frozen_fn on_frozen, void *arg)
{
	client->on_frozen = on_frozen;
	client->frozen_arg = arg;
}

int control_client_fd(const struct control_client *client)
{
	return client->socket;
}

int control_client_prepare(
	uint16_t type, void *request, uint32_t size, uint32_t id, struct error *err)
{
	const struct message_rule *rule;
	int r;

	control_header(request, type, size, id);
	r = check_message(&control_protocol, MESSAGE_TO_SERVER, request, size, 0, &rule, err);
	if (r < 0 && err)
		err->code = EINVAL;
	return r < 0 ? -EINVAL : 0;
}

int control_client_set_blocking(struct control_client *client, bool on, struct error *err)
{
	int r;

	if (client->is_blocking == on)
		return 0;
	r = fd_set_nonblocking(client->socket, !on);
	if (r < 0)
		return error_set(err, -r, "control socket: %s", strerror(-r));
	client->is_blocking = on;
	return 0;
}

int control_client_send_packet(
	struct control_client *client, const void *request, uint32_t size, struct error *err)
{
	int r = channel_send(client->socket, request, size, NULL, 0, NULL, 0);

	if (r == -EPIPE)
		return error_set(err, EPIPE, "the supervisor has closed the connection");
	return r < 0 ? error_set(err, -r, "control socket: %s", strerror(-r)) : 0;
}

/*
 * Requests that found the socket full. While there are any, the supervisor has others of ours to
 * read, and its answers to those make the owner call process().
 */
static void send_unsent(struct control_client *client)
{
	while (client->unsent_count > 0) {
		struct pending *pending = &client->pending[client->unsent[client->first_unsent]];

		if (channel_send(
			    client->socket, &pending->request, pending->size, NULL, 0, NULL, 0) < 0)
			return; /* full again; or the peer has gone, which receiving will tell */
		pending->is_unsent = false;
		client->first_unsent = (client->first_unsent + 1) % CONTROL_PENDING_MAX;
		client->unsent_count--;
	}
}

/* A free slot and an id that leads to it. There is one. */
static struct pending *next_slot(struct control_client *client)
{
	struct pending *pending;

	do {
		client->last_id++;
		pending = &client->pending[client->last_id % CONTROL_PENDING_MAX];
	} while (client->last_id == 0 || pending->id != 0);
	return pending;
}

static uint16_t answers_to(uint16_t type, const void *request)
{
	const struct control_acquire *acquire = request;

	return type == CONTROL_ACQUIRE && acquire->count > 1 ? (uint16_t)acquire->count : 1;
}

int control_client_send(struct control_client *client, uint16_t type, void *request, uint32_t size,
	control_answer_fn on_answer, void *arg, struct error *err)
{
	struct pending *pending;
	int r;

	if (client->is_lost)
		return control_client_lost(client, err);
	if (client->pending_count == CONTROL_PENDING_MAX)
		return error_set(err, EBUSY, "%d requests have no answer yet", CONTROL_PENDING_MAX);
	r = control_client_set_blocking(client, false, err);
	if (r < 0)
		return r;
	pending = next_slot(client);
	r = control_client_prepare(type, request, size, client->last_id, err);
	if (r < 0)
		return r;
	r = client->unsent_count > 0 ? -EAGAIN
				     : control_client_send_packet(client, request, size, err);
	if (r < 0 && r != -EAGAIN)
		return r;

	*pending = (struct pending){.id = client->last_id,
		.type = type,
		.size = (uint16_t)size,
		.answers = answers_to(type, request),
		.is_unsent = r == -EAGAIN,
		.on_answer = on_answer,
		.arg = arg};
	client->pending_count++;
	if (pending->is_unsent) {
		uint32_t last = client->first_unsent + client->unsent_count++;

		memcpy(&pending->request, request, size);
		client->unsent[last % CONTROL_PENDING_MAX] = (uint16_t)(pending - client->pending);
	}
	return 0;
}

static bool is_row(uint16_t type)
{
	return type == CONTROL_SANDBOX_ROW || type == CONTROL_POOL_ROW || type == CONTROL_STAT_ROW;
}

bool control_client_fits(uint16_t request, uint16_t answer)
{
	switch (answer) {
	case CONTROL_REFUSED:
		return true;
	case CONTROL_LEASED:
		return request == CONTROL_ACQUIRE;
	case CONTROL_SANDBOX_ROW:
		return request == CONTROL_LIST;
	case CONTROL_POOL_ROW:
		return request == CONTROL_POOLS;
	case CONTROL_STAT_ROW:
		return request == CONTROL_STATS;
	case CONTROL_SANDBOX_DETAILS:
		return request == CONTROL_INSPECT;
	default: /* DONE */
		return request != CONTROL_ACQUIRE && request != CONTROL_INSPECT;
	}
}

/* What comes unasked. False: it is an answer. */
static bool take_news(struct control_client *client, uint16_t type, const void *packet)
{
	if (type == CONTROL_LEASE_ENDED && client->on_ended)
		client->on_ended(client->ended_arg, packet);
	if (type == CONTROL_RECEIPT && client->on_receipt)
		client->on_receipt(client->receipt_arg, packet);
	if (type == CONTROL_LEASE_FROZEN && client->on_frozen)
		client->on_frozen(client->frozen_arg, packet);
	return type == CONTROL_LEASE_ENDED || type == CONTROL_RECEIPT ||
	       type == CONTROL_LEASE_FROZEN;
}

int control_client_receive(
	struct control_client *client, void *packet, int *ret_fd, struct error *err)
{
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	bool is_near;
	ssize_t n;
	int r;

	is_near = client->is_blocking && clock_now_ns() - client->answered_ns < CHANNEL_BUSY_NS;
	n = (is_near ? channel_receive_near : channel_receive)(
		client->socket, packet, CONTROL_PACKET_MAX, fds, &fd_count);
	client->answered_ns = clock_now_ns();
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n == 0)
		return error_set(err, EPIPE, "the supervisor has closed the connection");
	if (n < 0)
		return error_set(err, (int)-n, "control socket: %s", strerror((int)-n));
	r = check_message(
		&control_protocol, MESSAGE_TO_CLIENT, packet, (size_t)n, fd_count, &rule, err);
	if (r < 0) {
		channel_close_fds(fds, fd_count);
		return error_prefix(err, r, "the supervisor broke the protocol");
	}
	if (take_news(client, rule->type, packet))
		return 0;
	*ret_fd = fd_count > 0 ? fds[0] : -1;
	return 1;
}

static int dispatch(
	struct control_client *client, const struct message_header *h, int fd, struct error *err)
{
	struct pending *pending = &client->pending[h->id % CONTROL_PENDING_MAX];

	if (pending->id != h->id || pending->is_unsent ||
		!control_client_fits(pending->type, h->type)) {
		fd_close(fd);
		return error_set(err, EPROTO,
			"the supervisor broke the protocol: nothing asked for message %u, id %u",
			h->type, h->id);
	}
	if (!is_row(h->type))
		pending->answers--;
	answer(client, pending, h, fd, pending->answers == 0);
	return 0;
}

int control_client_process(struct control_client *client, struct error *err)
{
	_Alignas(uint64_t) char packet[CONTROL_PACKET_MAX];
	struct error why;
	int r = control_client_set_blocking(client, false, err);

	if (r < 0)
		return r;
	send_unsent(client);
	for (int i = 0; i < PACKETS_PER_TURN && r >= 0 && !client->is_lost; i++) {
		int fd;

		r = control_client_receive(client, packet, &fd, &why);
		if (r > 0)
			r = dispatch(client, (const void *)packet, fd, &why);
	}
	if (r < 0 && r != -EAGAIN)
		control_client_give_up(client, why.code, why.text);
	else if (!client->is_lost)
		send_unsent(client);
	return client->is_lost ? control_client_lost(client, err) : 0;
}
