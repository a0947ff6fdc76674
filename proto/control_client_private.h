/*
 * control_client_private.h - shared by control_client.c (life, event loop) and control_call.c (the
 * waiting call). Nobody else includes it but their tests.
 */
#ifndef PROTO_CONTROL_CLIENT_PRIVATE_H
#define PROTO_CONTROL_CLIENT_PRIVATE_H
#include <stdbool.h>

#include "base/error.h"
#include "proto/control_client.h"

/* A request without its last answer. It has the slot id % CONTROL_PENDING_MAX. */
struct pending {
	uint32_t id; /* 0: free slot */
	uint16_t type;
	uint16_t size;
	uint16_t answers; /* that are still to come, rows apart */
	bool is_unsent;
	control_answer_fn on_answer;
	void *arg;
	union {
		struct control_acquire acquire;
		struct control_lease lease;
		struct control_query query;
		struct control_net net;
		struct control_pool_set pool_set;
		struct control_workspace workspace;
	} request; /* while it waits to be sent */
};

struct control_client {
	int socket;
	bool is_blocking;
	bool is_lost;
	struct error lost; /* why */
	uint32_t last_id;
	uint32_t timeout_ms;  /* SO_RCVTIMEO as it is set now */
	uint32_t retry_ms;    /* of the last refusal of a call */
	uint64_t answered_ns; /* last answer: a connection in use is looked at before it sleeps */
	control_ended_fn on_ended;
	void *ended_arg;
	control_receipt_fn on_receipt;
	void *receipt_arg;
	control_frozen_fn on_frozen;
	void *frozen_arg;
	uint32_t pending_count;
	uint32_t first_unsent, unsent_count; /* ring in unsent[] */
	uint16_t unsent[CONTROL_PENDING_MAX];
	struct pending pending[CONTROL_PENDING_MAX];
};

/* The connection is of no more use: the peer learns it at once, our own calls fail from now on. */
void control_client_give_up(struct control_client *client, int code, const char *why);
/* Why it was given up, as a failure. */
int control_client_lost(const struct control_client *client, struct error *err);

/* No system call when it is so already. */
int control_client_set_blocking(struct control_client *client, bool on, struct error *err);

/*
 * Fill the header and see that the message passes where the supervisor looks, or it would hang up.
 * 0 or -EINVAL.
 */
int control_client_prepare(
	uint16_t type, void *request, uint32_t size, uint32_t id, struct error *err);
/* 0; -EAGAIN; -EPIPE; other -errno. */
int control_client_send_packet(
	struct control_client *client, const void *request, uint32_t size, struct error *err);
/* Whether a request may get an answer of this type. */
bool control_client_fits(uint16_t request, uint16_t answer);

/*
 * One packet, into CONTROL_PACKET_MAX bytes. 1: an answer is in packet, with its fd or -1; 0: something
 * else, dealt with; -EAGAIN: none there; other -errno: the connection is of no more use.
 */
int control_client_receive(
	struct control_client *client, void *packet, int *ret_fd, struct error *err);
#endif
