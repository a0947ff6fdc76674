#include "cli/bench_client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/unix_socket.h"
#include "proto/instance.h"

#define ANSWER_S 30 /* for one answer */

static bool is_news(uint16_t type)
{
	return type == CONTROL_LEASE_ENDED || type == CONTROL_RECEIPT ||
	       type == CONTROL_LEASE_FROZEN;
}

int bench_client_connect(
	struct bench_client *client, const char *directory, unsigned held_max, struct error *err)
{
	const struct timeval answer = {.tv_sec = ANSWER_S};
	auto_close int dirfd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dirfd < 0)
		return error_errno(err, "instance %s", directory);
	client->held = calloc(held_max, sizeof(*client->held));
	if (!client->held)
		return error_set(err, ENOMEM, "no memory for %u leases", held_max);
	client->held_max = held_max;
	client->socket = unix_socket_connect(dirfd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);
	if (client->socket < 0)
		return client->socket;
	r = fd_set_nonblocking(client->socket, false);
	if (r < 0 ||
		setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof(answer)) < 0)
		return error_set(err, EIO, "instance %s: its socket cannot wait", directory);
	return 0;
}

void bench_client_finish(struct bench_client *client)
{
	while (client->held_count > 0)
		fd_close(client->held[--client->held_count].channel);
	fd_close(take_fd(&client->socket));
	free(take_ptr(&client->held));
}

void bench_client_discard_news(const struct bench_client *client)
{
	char packet[CONTROL_PACKET_MAX];

	while (recv(client->socket, packet, sizeof(packet), MSG_DONTWAIT) > 0)
		;
}

int bench_client_send(struct bench_client *client, uint16_t type, void *request, uint32_t size,
	uint64_t *ret_sent_ns, struct error *err)
{
	int r;

	control_header(request, type, size, ++client->last_id);
	*ret_sent_ns = clock_now_ns();
	r = channel_send(client->socket, request, size, NULL, 0, NULL, 0);
	return r < 0 ? error_set(err, -r, "send to the supervisor: %s", strerror(-r)) : 0;
}

/* One packet, news too. */
static int receive(
	struct bench_client *client, bool is_near, struct bench_answer *answer, struct error *err)
{
	const struct message_rule *rule;
	ssize_t n;
	int r;

	n = (is_near ? channel_receive_near : channel_receive)(client->socket, answer->packet,
		sizeof(answer->packet), answer->fds, &answer->fd_count);
	answer->elapsed_ns = clock_now_ns() - answer->sent_ns;
	if (n == -EAGAIN)
		return error_set(err, ETIMEDOUT, "the supervisor does not answer");
	if (n <= 0)
		return error_set(err, n ? (int)-n : EPIPE, "the supervisor is gone");
	r = check_message(&control_protocol, MESSAGE_TO_CLIENT, answer->packet, (size_t)n,
		answer->fd_count, &rule, err);
	if (r < 0) {
		channel_close_fds(answer->fds, answer->fd_count);
		return error_prefix(err, r, "supervisor");
	}
	return 0;
}

static const struct message_header *header_of(const struct bench_answer *answer)
{
	return (const void *)answer->packet;
}

int bench_client_receive(
	struct bench_client *client, bool is_near, struct bench_answer *answer, struct error *err)
{
	int r;

	do
		r = receive(client, is_near, answer, err);
	while (r == 0 && is_news(header_of(answer)->type));
	return r;
}

int bench_client_take(struct bench_client *client, struct bench_answer *answer, struct error *err)
{
	const struct control_leased *leased = (const void *)answer->packet;
	const struct control_refused *refused = (const void *)answer->packet;

	if (leased->header.type == CONTROL_REFUSED) {
		error_set(err, refused->refusal == REFUSED_LIMIT ? EDQUOT : EAGAIN, "%s",
			refused->text);
		return (int)refused->refusal;
	}
	if (leased->header.type != CONTROL_LEASED || client->held_count == client->held_max) {
		channel_close_fds(answer->fds, answer->fd_count);
		return error_set(err, EPROTO, "the supervisor broke the protocol: message %u",
			leased->header.type);
	}
	client->held[client->held_count].handle = leased->handle;
	client->held[client->held_count++].channel = answer->fds[0];
	return 0;
}

int bench_client_acquire(struct bench_client *client, struct control_acquire *request,
	struct bench_answer *answer, struct error *err)
{
	int r = bench_client_send(
		client, CONTROL_ACQUIRE, request, sizeof(*request), &answer->sent_ns, err);

	if (r == 0)
		r = bench_client_receive(client, true, answer, err);
	return r == 0 ? bench_client_take(client, answer, err) : r;
}

static bool is_receipt_of(const struct bench_answer *answer, const struct control_handle *handle)
{
	const struct control_receipt *receipt = (const void *)answer->packet;

	return receipt->header.type == CONTROL_RECEIPT &&
	       receipt->handle.sandbox == handle->sandbox;
}

int bench_client_release(struct bench_client *client, bool until_dead, struct error *err)
{
	struct bench_held *held = &client->held[--client->held_count];
	struct control_lease request = {.handle = held->handle};
	bool is_released = false, is_over = !until_dead;
	struct bench_answer answer;
	int r;

	fd_close(take_fd(&held->channel));
	r = bench_client_send(
		client, CONTROL_RELEASE, &request, sizeof(request), &answer.sent_ns, err);
	while (r == 0 && !(is_released && is_over)) {
		r = receive(client, true, &answer, err);
		if (r < 0)
			break;
		is_over = is_over || is_receipt_of(&answer, &request.handle);
		is_released = is_released || !is_news(header_of(&answer)->type);
	}
	return r;
}

int bench_client_release_all(struct bench_client *client, struct error *err)
{
	int r = 0;

	while (client->held_count > 0 && r == 0)
		r = bench_client_release(client, false, err);
	return r;
}
