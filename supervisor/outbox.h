/*
 * outbox.h - packets on their way out of a non-blocking SEQPACKET socket, in order, up to a cap.
 *
 * Sends at once where the socket takes it, else keeps the packet (and its fd) and sends it when the
 * socket is writable. Used for clients and for builders' links.
 */
#ifndef SUPERVISOR_OUTBOX_H
#define SUPERVISOR_OUTBOX_H
#include <event2/event.h>
#include <stddef.h>

#include "base/list.h"

struct outbox {
	int socket; /* borrowed */
	size_t bytes, bytes_max;
	struct list packets;
	struct event *writable;
};

/* 0 or -ENOMEM. The socket is borrowed until outbox_finish(). */
int outbox_init(struct outbox *outbox, struct event_base *events, int socket, size_t bytes_max);
/* Drops what was not sent. Accepts one that is zeroed or whose init failed. */
void outbox_finish(struct outbox *outbox);

/*
 * Send size bytes and, when it is not -1, fd, which stays the caller's. 0: sent or kept; -ENOBUFS:
 * more than bytes_max would wait; -ENOMEM, -EMFILE: cannot be kept; -EPIPE and others: the peer has gone.
 */
int outbox_send(struct outbox *outbox, const void *packet, size_t size, int fd);
#endif
