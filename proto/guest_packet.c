#include <errno.h>
#include <stdlib.h>

#include "proto/channel.h"
#include "proto/guest_client_private.h"

struct guest_packet *guest_packet_new(size_t size)
{
	struct guest_packet *packet = calloc(1, sizeof(*packet) + size);

	if (!packet)
		return NULL;
	list_init(&packet->queue);
	list_init(&packet->of_request);
	packet->size = (uint32_t)size;
	return packet;
}

void guest_packet_free(struct guest_packet *packet)
{
	if (packet->request)
		packet->request->client->queued_bytes -= guest_packet_cost(packet->size);
	list_remove(&packet->queue);
	list_remove(&packet->of_request);
	free(packet);
}

int guest_packet_check(const struct guest_packet *packet, struct error *err)
{
	const struct message_rule *rule;
	int r = check_message(
		&guest_protocol, MESSAGE_TO_SERVER, packet->bytes, packet->size, 0, &rule, err);

	if (r == 0)
		return 0;
	r = r == -EMSGSIZE ? -E2BIG : -EINVAL;
	if (err)
		err->code = -r;
	return r;
}

void guest_packet_enqueue(struct guest_request *request, struct guest_packet *packet)
{
	struct guest_client *client = request->client;

	packet->request = request;
	list_append(&client->queue, &packet->queue);
	list_append(&request->packets, &packet->of_request);
	client->queued_bytes += guest_packet_cost(packet->size);
}

int guest_packet_flush(struct guest_client *client)
{
	struct guest_packet *packet;

	while ((packet = list_first(&client->queue, struct guest_packet, queue))) {
		int r = -EPIPE;

		if (!client->is_broken)
			r = channel_send(
				client->channel, packet->bytes, packet->size, NULL, 0, NULL, 0);
		if (r == -EAGAIN)
			break;
		if (r < 0)
			client->is_broken = true; /* the rest of the queue is of no use either */
		packet->request->is_sent = true;
		guest_packet_free(packet);
	}
	if (client->queued_bytes > GUEST_CLIENT_QUEUE_MAX / 2)
		client->was_full = true;
	return client->is_broken ? -EPIPE : 0;
}
