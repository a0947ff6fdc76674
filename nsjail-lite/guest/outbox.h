/*
 * outbox.h - packets to the client: what does not fit waits, and holds up what would make more.
 *
 * While the channel is full no stream is read, so at most one OUTPUT packet is held; a CREDIT or
 * REPLY waits in its request. The channel itself is always read.
 */
#ifndef NSJAIL_LITE_GUEST_OUTBOX_H
#define NSJAIL_LITE_GUEST_OUTBOX_H
#include "proto/guest.h"

struct guest;
struct request;

/* Send guest->chunk[0..size) as OUTPUT, now or as soon as the channel takes it. Only while not blocked. */
void outbox_send_chunk(struct guest *guest, uint32_t id, enum guest_stream stream, uint32_t size);

/* Send what waits, until the channel is full. */
void outbox_flush(struct guest *guest);

/* The channel has ended: so does the guest. */
_Noreturn void guest_exit(struct guest *guest);
#endif
