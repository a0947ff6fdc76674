/*
 * guest_client_private.h - shared by guest_client.c (life, what arrives), guest_request.c (what is
 * asked) and guest_packet.c (what waits to be sent). Nobody else includes it but their tests.
 */
#ifndef PROTO_GUEST_CLIENT_PRIVATE_H
#define PROTO_GUEST_CLIENT_PRIVATE_H
#include "base/error.h"
#include "base/list.h"
#include "proto/guest_client.h"
#include "proto/guest_table.h"

/* One packet that waits to be sent. Goes with its request. */
struct guest_packet {
	struct list queue;	/* in client->queue, in the order of sending */
	struct list of_request; /* in request->packets */
	struct guest_request *request;
	int fds[GUEST_EXEC_FDS_MAX]; /* its own, that go with it */
	size_t fd_count;
	uint32_t size;
	_Alignas(uint64_t) char bytes[];
};

struct guest_request {
	struct guest_table_entry entry;
	struct list list;    /* in client->requests, oldest first */
	struct list writers; /* in client->writers while it takes INPUT */
	struct list packets; /* struct guest_packet.of_request: not yet sent */
	struct guest_client *client;
	struct guest_callbacks callbacks;
	uint16_t type;
	bool is_sent; /* the guest has been told of it, so that it may answer */
	bool is_cancelled;
	bool takes_input;
	bool had_end;	   /* the INPUT marked is_end has been queued */
	uint32_t credit;   /* INPUT bytes that the guest allows */
	uint32_t streams;  /* set of 1 << enum guest_stream that it may answer on */
	uint64_t may_come; /* bytes of OUTPUT still allowed */
};

struct guest_client {
	int channel;
	bool is_broken; /* sending fails; what the guest sent before is still to be read */
	bool was_full;	/* writers wait for room in the queue */
	bool is_lost;
	struct error lost; /* why */
	struct guest_table table;
	struct list requests;
	struct list writers;
	struct list queue;
	size_t queued_bytes;
	_Alignas(uint64_t) char packet[sizeof(struct guest_output) + GUEST_CHUNK_MAX];
};

/* Zeroed, of no request yet. NULL: out of memory. */
struct guest_packet *guest_packet_new(size_t size);
/* Also out of the queue. */
void guest_packet_free(struct guest_packet *packet);
/* What this side sends must pass where the guest looks, or it would give us up. -EINVAL, -E2BIG. */
int guest_packet_check(const struct guest_packet *packet, struct error *err);
/* Copies of the fds that the options pass. 0, -EINVAL for one that must not leave the host, or another -errno. */
int guest_packet_add_stdio(
	struct guest_packet *packet, const struct guest_exec_options *options, struct error *err);
void guest_packet_enqueue(struct guest_request *request, struct guest_packet *packet);
/* Send what waits, as far as the channel takes it. 0, or -EPIPE when it takes no more for ever. */
int guest_packet_flush(struct guest_client *client);

static inline size_t guest_packet_cost(uint32_t size)
{
	return sizeof(struct guest_packet) + size;
}

/* Out of all lists, with what waits to be sent; no callback. */
void guest_request_free(struct guest_request *request);
#endif
