/*
 * network.h - the state of hearth-network: see main.c.
 */
#ifndef NSJAIL_LITE_NETWORK_NETWORK_H
#define NSJAIL_LITE_NETWORK_NETWORK_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/network/network_link.h"
#include "nsjail-lite/program.h"
#include "proto/dns.h"

struct error;
struct links;
struct rules;

#define DNS_STARTS_MAX 6     /* the first, and five more ... */
#define DNS_STARTS_MS  60000 /* ... within this, then hearth-network gives up */
#define DNS_SEND_MS    1000  /* that its link may be full */

struct dns_child {
	int socket_fd; /* UDP, gateway:53; outlives every hearth-dns */
	struct program program;
	bool is_broken; /* gone, deaf, or it said what it must not: the loop starts another */
	uint64_t started_ms[DNS_STARTS_MAX]; /* a ring; 0: never */
	unsigned next;
};

struct slot_state {
	uint32_t profile;    /* enum network_profile; 0: the slot was never made */
	uint64_t generation; /* of its use, as hearth-dns knows it */
	uint64_t denied_names;
};

struct network {
	int link_fd;
	const struct network_start *config; /* the packet: names are behind it */
	struct links *links;
	struct rules *rules;
	struct dns_child dns;
	struct slot_state *slots; /* config->slot_count */
	uint64_t last_generation;
};

/* Bind the socket, for which the gateway's address need not be there yet. */
int dns_child_open(struct network *n, struct error *err);
/* Start hearth-dns, or a new one in place of a broken one, and tell it everything. */
int dns_child_start(struct network *n, struct error *err);
/* A new use of the slot's address begins, of the slot's profile. */
void dns_child_set(struct network *n, uint32_t slot);
/* Serve one packet of it. */
void dns_child_receive(struct network *n);
void dns_child_close(struct network *n);

/* Serve one request other than START, and answer it. 0, or -errno: the link is broken. */
int request_serve(struct network *n, const struct message_header *m, struct error *err);
int request_answer_failed(
	struct network *n, uint32_t id, const struct error *failure, struct error *err);
int request_answer_done(struct network *n, const struct network_done *done, uint16_t type,
	uint32_t id, int fd, struct error *err);

/* Keep what is needed for networks; what starts and ends hearth-dns only in reserve. */
int privileges_drop(struct error *err);
/* SIGKILL to a process of another uid. */
void privileges_kill(int pidfd);
#endif
