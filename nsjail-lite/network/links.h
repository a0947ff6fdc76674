/*
 * links.h - the slots' network namespaces and the veth between each and the host, by rtnetlink.
 *
 *   host:  hth<7 digits of the instance><slot><generation>: route ADDRESS/32, neighbour ADDRESS permanent
 *   slot:  lo up; eth0 ADDRESS/32, default route by the gateway, neighbour gateway permanent
 *
 * A slot's namespace belongs to the initial user namespace, so that root inside cannot change any of it;
 * its ids may ping and bind every port; IPv6 is off but on lo. Both ends have the MTU of the host's default route, and a
 * token bucket each when there is a cap. No bridge, no ARP between sandboxes, and no link is ever deleted
 * singly: a link goes when its namespace does.
 */
#ifndef NSJAIL_LITE_NETWORK_LINKS_H
#define NSJAIL_LITE_NETWORK_LINKS_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/network/network_link.h"

struct error;
struct links;

#define LINKS_BATCH 32 /* slots made with one exchange per step */

struct links_counts {
	uint32_t connections;		     /* that it began, tracked now */
	uint64_t sent_bytes, received_bytes; /* by the sandbox, since the slot was last cleaned */
};

/*
 * Put the gateway's address on lo, turn on forwarding (noted in a file under /run, by network namespace, so that the last
 * instance to leave restores what was). config must outlive it. 0 or -errno; on failure nothing is left.
 */
int links_open(const struct network_start *config, struct links **ret_links, struct error *err);
/* Undo links_open(). Namespaces stay as long as others hold them. Accepts NULL. */
void links_close(struct links *links);
/* What links_close() does, for a killed process of that instance. 0 also when there is nothing. */
int links_recover(const char *instance, struct error *err);

/*
 * The slot's namespace, made when missing: then with it those of up to LINKS_BATCH - 1 slots after it. The
 * fd is borrowed. -errno: nothing was made of this slot.
 */
int links_slot(struct links *links, uint32_t slot, int *ret_netns_fd, struct error *err);

/* Name of the host's end; it need not exist yet. One that is made anew, after links_clean(), has another. */
void links_name(const struct links *links, uint32_t slot, char name[16]);

/* Forget the connections that the host tracks for the slot's address, either way. */
int links_forget_connections(struct links *links, uint32_t slot, struct error *err);

/*
 * The sandbox in it is dead: end what sockets are left in the namespace (TIME_WAIT), forget connections,
 * neighbours but the permanent, learnt routes and TCP metrics. *ret_is_new: it could not be cleaned, so it is
 * gone and the next links_slot() makes another. -errno: connections are still tracked, nothing has changed.
 */
int links_clean(struct links *links, uint32_t slot, bool *ret_is_new, struct error *err);

int links_count(
	struct links *links, uint32_t slot, struct links_counts *ret_counts, struct error *err);
#endif
