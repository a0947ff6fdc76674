/*
 * bench_client.h - one connection of hearth bench to control.sock: requests, answers, what it leases.
 *
 * A blocking socket and nothing between the clock and it: a sample pays for one send and one receive,
 * as the client library does them (the hint where it runs, channel_receive_near).
 */
#ifndef CLI_BENCH_CLIENT_H
#define CLI_BENCH_CLIENT_H
#include <stdbool.h>

#include "proto/channel.h"
#include "proto/control.h"

struct error;

struct bench_held {
	struct control_handle handle;
	int channel; /* -1: somebody else's now */
};

struct bench_client {
	int socket;
	uint32_t last_id;
	struct bench_held *held; /* held_max of them */
	unsigned held_count, held_max;
};

/* One checked packet from the supervisor, and when its request was sent and it came. */
struct bench_answer {
	_Alignas(uint64_t) unsigned char packet[CONTROL_PACKET_MAX];
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	uint64_t sent_ns, elapsed_ns;
};

/* Of a client that is all zero but for its socket, -1. 0 or -errno; finish it either way. */
int bench_client_connect(
	struct bench_client *client, const char *directory, unsigned held_max, struct error *err);
/* What it leases ends with its connection. */
void bench_client_finish(struct bench_client *client);

/* Receipts that have come are read now, or the next sample would pay for them. */
void bench_client_discard_news(const struct bench_client *client);

/* Fills the header and *ret_sent_ns. 0 or -errno. */
int bench_client_send(struct bench_client *client, uint16_t type, void *request, uint32_t size,
	uint64_t *ret_sent_ns, struct error *err);
/* The next answer, to whatever request; news is passed over. elapsed_ns counts from answer->sent_ns. 0 or -errno. */
int bench_client_receive(
	struct bench_client *client, bool is_near, struct bench_answer *answer, struct error *err);

/*
 * Judge the answer to an ACQUIRE. 0: what it leases is the last one of held. An enum control_refusal: its
 * text is in err. -errno: no answer that control.h allows.
 */
int bench_client_take(struct bench_client *client, struct bench_answer *answer, struct error *err);
/* Send, receive, take. */
int bench_client_acquire(struct bench_client *client, struct control_acquire *request,
	struct bench_answer *answer, struct error *err);

/* Release the last one of held; until_dead: and wait until its sandbox is proven dead. 0 or -errno. */
int bench_client_release(struct bench_client *client, bool until_dead, struct error *err);
int bench_client_release_all(struct bench_client *client, struct error *err);
#endif
