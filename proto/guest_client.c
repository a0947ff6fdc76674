#include "proto/guest_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "proto/channel.h"
#include "proto/guest_client_private.h"

#define PACKETS_PER_TURN 256

int guest_client_create(int channel, struct guest_client **ret_client, struct error *err)
{
	auto_free struct guest_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return error_set(err, ENOMEM, "guest client: out of memory");
	r = fd_set_nonblocking(channel, true);
	if (r < 0)
		return error_set(err, -r, "guest client: not a channel");
	client->channel = channel;
	list_init(&client->requests);
	list_init(&client->writers);
	list_init(&client->queue);
	*ret_client = take_ptr(&client);
	return 0;
}

void guest_client_destroy(struct guest_client *client)
{
	if (!client)
		return;
	guest_client_lose(client, 0, "the channel was closed");
	guest_table_finish(&client->table);
	fd_close(client->channel);
	free(client);
}

int guest_client_fd(const struct guest_client *client)
{
	return client->channel;
}

bool guest_client_wants_write(const struct guest_client *client)
{
	return !list_is_empty(&client->queue);
}

bool guest_client_is_lost(const struct guest_client *client)
{
	return client->is_lost;
}

unsigned guest_client_in_flight(const struct guest_client *client)
{
	return client->table.count;
}

static void reply(struct guest_request *request, const struct guest_reply *message)
{
	struct guest_callbacks callbacks = request->callbacks;

	guest_request_free(request);
	callbacks.on_reply(callbacks.arg, message);
}

/* A callback may call guest_client_lose() again: the first reason stands, and this loop goes on. */
static void lose(struct guest_client *client, int code, uint32_t limits_hit, const char *why)
{
	struct guest_request *request;

	if (client->is_lost)
		return;
	client->is_lost = true;
	error_set(&client->lost, code, "%s", why);
	while ((request = list_first(&client->requests, struct guest_request, list))) {
		struct guest_reply lost = {.end = GUEST_END_LOST, .limits_hit = limits_hit};

		guest_header(&lost.header, GUEST_REPLY, sizeof(lost), request->entry.id);
		snprintf(lost.text, sizeof(lost.text), "%s", why);
		reply(request, &lost);
	}
}

void guest_client_lose(struct guest_client *client, uint32_t limits_hit, const char *why)
{
	lose(client, EPIPE, limits_hit, why);
}

static int on_output(struct guest_request *request, const struct guest_output *m, struct error *err)
{
	uint32_t size = m->header.size - (uint32_t)sizeof(*m);

	if (!(request->streams & 1u << m->stream))
		return error_set(err, EPROTO, "OUTPUT: stream %u is not of its request", m->stream);
	if (size > request->may_come)
		return error_set(err, EPROTO, "OUTPUT: more than was asked for");
	request->may_come -= size;
	if (request->callbacks.on_output)
		request->callbacks.on_output(
			request->callbacks.arg, (enum guest_stream)m->stream, m + 1, size);
	return 0; /* the callback may have ended the request */
}

static int on_credit(struct guest_request *request, const struct guest_credit *m, struct error *err)
{
	if (!request->takes_input)
		return error_set(err, EPROTO, "CREDIT: its request takes no INPUT");
	if (m->bytes > UINT32_MAX - request->credit)
		return error_set(err, EPROTO, "CREDIT: too much in all");
	request->credit += m->bytes;
	if (!request->had_end && request->callbacks.on_credit)
		request->callbacks.on_credit(request->callbacks.arg);
	return 0;
}

/* A packet that has passed check_message(). */
static int dispatch(struct guest_client *client, const struct message_header *h, struct error *err)
{
	struct guest_table_entry *entry = guest_table_find(&client->table, h->id);
	struct guest_request *request;

	if (!entry)
		return error_set(err, EPROTO, "no request has id %u", h->id);
	request = list_entry(entry, struct guest_request, entry);
	if (!request->is_sent)
		return error_set(err, EPROTO, "an answer before its request");
	if (h->type == GUEST_OUTPUT)
		return on_output(request, (const void *)h, err);
	if (h->type == GUEST_CREDIT)
		return on_credit(request, (const void *)h, err);
	reply(request, (const void *)h);
	return 0;
}

/* One packet. 0; -EAGAIN: none there; else the reason to give the guest up. */
static int receive(struct guest_client *client, struct error *err)
{
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	ssize_t n;
	int r;

	n = channel_receive(
		client->channel, client->packet, sizeof(client->packet), fds, &fd_count);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n == 0)
		return error_set(err, EPIPE, "the sandbox has ended");
	if (n < 0) {
		r = error_set(err, (int)-n, "%s", error_name((int)-n));
	} else {
		channel_close_fds(fds, fd_count);
		r = check_message(&guest_protocol, MESSAGE_TO_CLIENT, client->packet, (size_t)n,
			fd_count, &rule, err);
	}
	if (r == 0)
		r = dispatch(client, (const void *)client->packet, err);
	if (r == 0)
		return 0;
	err->code = EPROTO;
	return error_prefix(err, -EPROTO, "the guest broke the protocol");
}

/* The queue was full and has room again. Each writer is told once, whatever the callbacks do. */
static void wake_writers(struct guest_client *client)
{
	struct guest_request *request;
	struct list batch;

	if (!client->was_full || client->queued_bytes > GUEST_CLIENT_QUEUE_MAX / 2)
		return;
	client->was_full = false;
	list_init(&batch);
	while ((request = list_first(&client->writers, struct guest_request, writers))) {
		list_remove(&request->writers);
		list_append(&batch, &request->writers);
	}
	while ((request = list_first(&batch, struct guest_request, writers))) {
		list_remove(&request->writers);
		list_append(&client->writers, &request->writers);
		if (request->credit > 0 && request->callbacks.on_credit)
			request->callbacks.on_credit(request->callbacks.arg);
	}
}

int guest_client_process(struct guest_client *client, struct error *err)
{
	struct error why;
	int r = 0;

	if (!client->is_lost)
		guest_packet_flush(client);
	for (int i = 0; i < PACKETS_PER_TURN && r == 0 && !client->is_lost; i++)
		r = receive(client, &why);
	if (r == -EAGAIN && client->is_broken)
		r = error_set(&why, EPIPE, "the sandbox reads no more");
	if (r < 0 && r != -EAGAIN)
		lose(client, why.code, 0, why.text);
	wake_writers(client);
	return client->is_lost ? error_set(err, client->lost.code, "%s", client->lost.text) : 0;
}
