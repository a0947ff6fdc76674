#include "agentd/client.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>

#include "agentd/call.h"
#include "agentd/method.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"

static struct evbuffer *output_of(const struct client *client)
{
	return bufferevent_get_output(client->stream);
}

/* Its calls' sandboxes learn it too. */
static void set_slow(struct client *client, bool is_slow)
{
	client->is_slow = is_slow;
	if (is_slow)
		bufferevent_disable(client->stream, EV_READ);
	else if (!client->is_closing)
		bufferevent_enable(client->stream, EV_READ);
	list_for_each(member, &client->calls)
	{
		struct sandbox *sandbox = list_entry(member, struct call, of_client)->sandbox;

		if (!sandbox)
			continue;
		if (is_slow)
			sandbox->slow_calls++;
		else
			sandbox->slow_calls--;
		sandbox_update(sandbox);
	}
}

/* Later, from the loop: whoever calls may still hold the client. */
static void read_on(struct client *client)
{
	bufferevent_trigger(
		client->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

static void fail(struct client *client)
{
	bufferevent_trigger_event(client->stream, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
}

void client_send(struct client *client, char *line, size_t size)
{
	if (!line || evbuffer_add(output_of(client), line, size) < 0)
		fail(client);
	free(line);
	if (!client->is_slow && evbuffer_get_length(output_of(client)) > CLIENT_OUTPUT_HIGH)
		set_slow(client, true);
}

size_t client_unread(const struct client *client)
{
	return evbuffer_get_length(output_of(client));
}

int client_notify(struct client *client, const char *method, json_t *params)
{
	char *line = NULL;
	size_t size = 0;
	int r;

	if (!params)
		return 0;
	r = rpc_encode_notification(method, params, &line, &size);
	if (r == -EMSGSIZE)
		return r;
	client_send(client, line, size);
	return 0;
}

static void refuse(struct client *client, json_t *id, enum rpc_code code, const char *text)
{
	char *line = NULL;
	size_t size = 0;

	rpc_encode_error(id, code, text, NULL, &line, &size);
	client_send(client, line, size);
}

static void on_message(struct client *client, const struct rpc_message *message, size_t line_bytes)
{
	switch (message->kind) {
	case RPC_REQUEST:
	case RPC_NOTIFICATION:
		method_dispatch(client, message->id, message->method, message->params, line_bytes);
		return;
	case RPC_RESPONSE:
		refuse(client, NULL, RPC_INVALID_REQUEST, "nothing was asked of you");
		return;
	case RPC_INVALID:
		refuse(client, message->id, message->code, message->text);
		return;
	}
}

/* Up to CLIENT_MESSAGES_PER_TURN messages. True: there may be more in what has been read. */
static bool serve(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	unsigned served = 0;

	while (served < CLIENT_MESSAGES_PER_TURN) {
		size_t size = evbuffer_get_contiguous_space(input);
		const char *data = (const char *)evbuffer_pullup(input, (ev_ssize_t)size);
		struct rpc_message message = {0};
		size_t left = size;
		int r;

		if (size == 0 || client->is_slow || client->is_closing)
			return false;
		r = rpc_decode(&client->decoder, &data, &left, &message);
		evbuffer_drain(input, size - left);
		client->line_bytes += size - left;
		if (r < 0) {
			fail(client);
			return false;
		}
		if (r > 0) {
			on_message(client, &message, client->line_bytes);
			client->line_bytes = 0;
			rpc_message_finish(&message);
			served++;
		}
	}
	return true;
}

static void on_readable(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;

	(void)stream;
	if (serve(client))
		read_on(client);
}

static void tell_drained(struct client *client)
{
	list_for_each_safe(member, next, &client->calls)
	{
		struct call *call = list_entry(member, struct call, of_client);

		if (call->on_drained)
			call->on_drained(call);
	}
}

/* The output is down to the low mark. */
static void on_written(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;

	if (client->is_closing) {
		if (evbuffer_get_length(bufferevent_get_output(stream)) == 0)
			client_destroy(client);
		return;
	}
	if (client->is_slow) {
		set_slow(client, false);
		tell_drained(client);
		read_on(client);
	}
}

static void on_event(struct bufferevent *stream, short events, void *arg)
{
	struct client *client = arg;

	(void)stream;
	if (client->is_closing || !(events & BEV_EVENT_EOF)) {
		client_destroy(client);
		return;
	}
	while (serve(client))
		;
	client_close(client);
}

static struct client *client_of(struct owner *owner)
{
	return list_entry(owner, struct client, owner);
}

static void on_ended(struct owner *owner, struct sandbox *sandbox, json_t *data, const char *text)
{
	(void)sandbox;
	(void)text;
	client_notify(client_of(owner), "sandbox.ended", data);
}

static void on_frozen(struct owner *owner, json_t *data)
{
	client_notify(client_of(owner), "sandbox.frozen", data);
}

static void on_receipt(struct owner *owner, json_t *data)
{
	client_notify(client_of(owner), "sandbox.receipt", data);
}

static const struct owner_ops owner_ops = {
	.on_ended = on_ended, .on_frozen = on_frozen, .on_receipt = on_receipt};

int client_create(struct server *server, int fd, const struct unix_socket_peer *peer)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client)
		client->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->stream) {
		fd_close(fd);
		free(client);
		return -ENOMEM;
	}
	client->server = server;
	owner_init(&client->owner, server, &owner_ops, peer, CLIENT_LEASES_MAX);
	rpc_decoder_init(&client->decoder);
	list_init(&client->calls);
	list_append(&server->clients, &client->in_server);
	server->client_count++;
	bufferevent_setcb(client->stream, on_readable, on_written, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, CLIENT_INPUT_MAX);
	bufferevent_setwatermark(client->stream, EV_WRITE, CLIENT_OUTPUT_LOW, 0);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	return 0;
}

/* What it owns goes, also what waits for an answer. */
static void disown(struct client *client)
{
	struct call *call;

	client->is_closing = true;
	if (client->is_slow)
		set_slow(client, false);
	owner_finish(&client->owner);
	while ((call = list_first(&client->calls, struct call, of_client)))
		call_abandon(call);
}

void client_close(struct client *client)
{
	const struct timeval linger = {.tv_sec = CLIENT_LINGER_S};

	disown(client);
	bufferevent_disable(client->stream, EV_READ);
	bufferevent_setwatermark(client->stream, EV_WRITE, 0, 0);
	bufferevent_set_timeouts(client->stream, NULL, &linger);
	if (evbuffer_get_length(output_of(client)) == 0)
		client_destroy(client);
}

void client_destroy(struct client *client)
{
	struct server *server = client->server;

	disown(client);
	bufferevent_free(client->stream);
	rpc_decoder_finish(&client->decoder);
	list_remove(&client->in_server);
	server->client_count--;
	free(client);
	server_on_client_gone(server);
}

struct call *client_find_call(const struct client *client, const json_t *id)
{
	list_for_each(member, &client->calls)
	{
		struct call *call = list_entry(member, struct call, of_client);

		if (json_equal(call->id, id))
			return call;
	}
	return NULL;
}
