/*
 * conntrack.h - the connections that the current network namespace tracks for an address, by ctnetlink.
 *
 * Those that it began and those that began with it as their destination. fd: a socket of NETLINK_NETFILTER.
 * Addresses are in host byte order.
 */
#ifndef NSJAIL_LITE_NETWORK_CONNTRACK_H
#define NSJAIL_LITE_NETWORK_CONNTRACK_H
#include <stdint.h>

struct error;
struct netlink_batch;

/* Both batches are used up. */
int conntrack_forget(int fd, uint32_t address, struct netlink_batch *batch,
	struct netlink_batch *deletions, struct error *err);
int conntrack_count(int fd, uint32_t address, struct netlink_batch *batch, uint32_t *ret_count,
	struct error *err);
#endif
