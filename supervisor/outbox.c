#include "supervisor/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/channel.h"

struct packet {
	struct list list;
	size_t size;
	int fd;
	char bytes[];
};

static int send_now(int socket, const void *bytes, size_t size, int fd)
{
	return channel_send(socket, bytes, size, NULL, 0, &fd, fd >= 0 ? 1 : 0);
}

static void packet_free(struct outbox *outbox, struct packet *packet)
{
	outbox->bytes -= packet->size;
	list_remove(&packet->list);
	fd_close(packet->fd);
	free(packet);
}

/*
 * The socket takes more. A lost peer is not dealt with here: its owner reads the hang-up from the
 * same socket; until then the rest is dropped.
 */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *outbox = arg;
	struct packet *packet;

	(void)fd;
	(void)what;
	while ((packet = list_first(&outbox->packets, struct packet, list))) {
		if (send_now(outbox->socket, packet->bytes, packet->size, packet->fd) == -EAGAIN)
			return;
		packet_free(outbox, packet);
	}
	event_del(outbox->writable);
}

int outbox_init(struct outbox *outbox, struct event_base *events, int socket, size_t bytes_max)
{
	*outbox = (struct outbox){.socket = socket, .bytes_max = bytes_max};
	list_init(&outbox->packets);
	outbox->writable = event_new(events, socket, EV_WRITE | EV_PERSIST, on_writable, outbox);
	return outbox->writable ? 0 : -ENOMEM;
}

void outbox_finish(struct outbox *outbox)
{
	struct packet *packet;

	if (!outbox->packets.next)
		return;
	while ((packet = list_first(&outbox->packets, struct packet, list)))
		packet_free(outbox, packet);
	if (outbox->writable)
		event_free(outbox->writable);
	outbox->writable = NULL;
}

static int keep(struct outbox *outbox, const void *bytes, size_t size, int fd)
{
	auto_free struct packet *packet = NULL;
	auto_close int copy = -1;

	if (outbox->bytes + size > outbox->bytes_max)
		return -ENOBUFS;
	packet = malloc(sizeof(*packet) + size);
	if (!packet)
		return -ENOMEM;
	if (fd >= 0) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return -errno;
	}
	if (list_is_empty(&outbox->packets) && event_add(outbox->writable, NULL) < 0)
		return -ENOMEM;
	packet->size = size;
	packet->fd = take_fd(&copy);
	memcpy(packet->bytes, bytes, size);
	list_append(&outbox->packets, &packet->list);
	outbox->bytes += size;
	take_ptr(&packet);
	return 0;
}

int outbox_send(struct outbox *outbox, const void *packet, size_t size, int fd)
{
	int r = -EAGAIN;

	if (list_is_empty(&outbox->packets))
		r = send_now(outbox->socket, packet, size, fd);
	return r == -EAGAIN ? keep(outbox, packet, size, fd) : r;
}
