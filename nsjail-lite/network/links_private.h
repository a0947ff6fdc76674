/*
 * links_private.h - what the files of links share: the state, and who enters a slot's namespace.
 */
#ifndef NSJAIL_LITE_NETWORK_LINKS_PRIVATE_H
#define NSJAIL_LITE_NETWORK_LINKS_PRIVATE_H
#include "nsjail-lite/network/links.h"
#include "nsjail-lite/network/netlink.h"

#define LINKS_INSIDE	   "eth0"
#define LINKS_INSIDE_INDEX 100 /* above those of tunnels that the kernel makes in a new namespace */

/* What the host's end has counted; received there is what the sandbox has sent. */
struct link_traffic {
	uint64_t received_bytes, sent_bytes, packets;
};

struct link_slot {
	int netns_fd;		   /* -1: not made */
	int index;		   /* of the host's end */
	unsigned generation;	   /* of its name: the end of the one before may still be there */
	struct link_traffic clean; /* when it was last cleaned */
};

struct links {
	const struct network_start *config;
	int host_netns_fd;
	int route_fd, conntrack_fd; /* netlink, on the host's side */
	uint16_t tcp_metrics;	    /* generic netlink's number of it */
	bool has_ipv6;
	uint32_t mtu;
	struct netlink_batch batch, deletions;
	struct link_slot slots[]; /* config->slot_count */
};

/* Back to the host's namespace. Does not return otherwise: nothing may go on in a wrong one. */
void links_leave(const struct links *links);

/* Slots first..first + count - 1, none of which is made. On failure none of them is. */
int links_make(struct links *links, uint32_t first, uint32_t count, struct error *err);

/* For the batch: the two routes of the slot's namespace, to add or to delete. */
void links_add_inside_routes(struct links *links, uint32_t slot, bool is_new);

/* Let go of the slot's namespace, if it has one. The next has links of other names. */
void links_drop(struct links *links, uint32_t slot);

/* The host's end, now. */
int links_traffic(
	struct links *links, uint32_t slot, struct link_traffic *ret_traffic, struct error *err);

/* 0: nothing of the dead sandbox is left in the slot's namespace, and no packet of it waits on the link. */
int links_clean_inside(struct links *links, uint32_t slot, struct error *err);
/* Generic netlink's number of TCP metrics. */
int links_find_tcp_metrics(struct links *links, struct error *err);
#endif
