#include "nsjail-lite/guest/outbox.h"

#include <errno.h>
#include <sys/epoll.h>

#include "nsjail-lite/guest/request.h"
#include "nsjail-lite/guest/stream.h"
#include "proto/channel.h"

static void set_blocked(struct guest *guest, bool is_blocked)
{
	if (guest->is_blocked == is_blocked)
		return;
	guest->is_blocked = is_blocked;
	source_watch(&guest->channel, guest->epoll, is_blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
	stream_watch_all(guest);
}

/* False: the channel is full. */
static bool send_packet(
	struct guest *guest, const void *head, size_t head_size, const void *body, size_t body_size)
{
	int r = channel_send(guest->channel.fd, head, head_size, body, body_size, NULL, 0);

	if (r == 0)
		return true;
	/* ENOBUFS, ENOMEM: the kernel is short of memory for the moment; as good as full. */
	if (r != -EAGAIN && r != -ENOBUFS && r != -ENOMEM)
		guest_exit(guest);
	set_blocked(guest, true);
	return false;
}

void outbox_send_chunk(struct guest *guest, uint32_t id, enum guest_stream stream, uint32_t size)
{
	struct guest_output head = {.stream = stream};

	guest_header(&head.header, GUEST_OUTPUT, (uint32_t)sizeof(head) + size, id);
	if (send_packet(guest, &head, sizeof(head), guest->chunk, size))
		return;
	guest->held = head;
	guest->held_size = size;
}

static bool flush_held(struct guest *guest)
{
	if (guest->held_size == 0)
		return true;
	if (!send_packet(guest, &guest->held, sizeof(guest->held), guest->chunk, guest->held_size))
		return false;
	guest->held_size = 0;
	return true;
}

static bool flush_request(struct guest *guest, struct request *request)
{
	uint32_t bytes = input_credit_due(&request->input);

	if (bytes > 0) {
		struct guest_credit credit = {.bytes = bytes};

		guest_header(
			&credit.header, GUEST_CREDIT, sizeof(credit), request->reply.header.id);
		if (!send_packet(guest, &credit, sizeof(credit), NULL, 0))
			return false;
		input_credit_sent(&request->input, bytes);
	}
	if (request->state == REQUEST_REPLYING) {
		if (!send_packet(guest, &request->reply, sizeof(request->reply), NULL, 0))
			return false;
		request_destroy(guest, request);
	}
	return true;
}

void outbox_flush(struct guest *guest)
{
	struct request *request;

	if (!flush_held(guest))
		return;
	while ((request = list_first(&guest->pending, struct request, member))) {
		if (!flush_request(guest, request))
			return;
		if (request->state != REQUEST_REPLYING)
			list_remove(&request->member);
	}
	set_blocked(guest, false);
}
