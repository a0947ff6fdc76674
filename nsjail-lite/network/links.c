#include "nsjail-lite/network/links.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "nsjail-lite/network/conntrack.h"
#include "nsjail-lite/network/forwarding.h"
#include "nsjail-lite/network/gateway.h"
#include "nsjail-lite/network/links_private.h"

#define SLOT_DIGITS	  3 /* of a name, base 32 */
#define GENERATION_DIGITS 2

/* Each slot holds an fd. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_sockets(struct links *links, struct error *err)
{
	links->host_netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (links->host_netns_fd < 0)
		return error_errno(err, "open network namespace");
	links->route_fd = netlink_open(NETLINK_ROUTE, err);
	if (links->route_fd < 0)
		return links->route_fd;
	links->conntrack_fd = netlink_open(NETLINK_NETFILTER, err);
	return links->conntrack_fd < 0 ? links->conntrack_fd : 0;
}

static struct links *links_new(const struct network_start *config)
{
	struct links *links =
		calloc(1, sizeof(*links) + config->slot_count * sizeof(links->slots[0]));
	unsigned generation;

	if (!links)
		return NULL;
	links->config = config;
	links->host_netns_fd = links->route_fd = links->conntrack_fd = -1;
	links->has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	/* Whatever it is: links of a process that was killed before us may still be there. */
	generation = (unsigned)(clock_now_ns() / NS_PER_US);
	for (uint32_t i = 0; i < config->slot_count; i++)
		links->slots[i] = (struct link_slot){.netns_fd = -1, .generation = generation};
	return links;
}

static void links_free(struct links *links)
{
	for (uint32_t i = 0; i < links->config->slot_count; i++)
		fd_close(links->slots[i].netns_fd);
	fd_close(links->conntrack_fd);
	fd_close(links->route_fd);
	fd_close(links->host_netns_fd);
	free(links);
}

int links_open(const struct network_start *config, struct links **ret_links, struct error *err)
{
	struct links *links = links_new(config);
	int r;

	if (!links)
		return error_set(err, ENOMEM, "links: out of memory");
	raise_fd_limit();
	r = open_sockets(links, err);
	if (r == 0)
		r = links_find_tcp_metrics(links, err);
	if (r == 0)
		r = gateway_mtu(&links->mtu, err);
	if (r == 0)
		r = gateway_add(config->instance, config->gateway, err);
	if (r == 0) {
		r = forwarding_take(config->instance, err);
		if (r < 0)
			gateway_remove(config->instance, NULL);
	}
	if (r < 0) {
		links_free(links);
		return error_prefix(err, r, "links");
	}
	*ret_links = links;
	return 0;
}

void links_close(struct links *links)
{
	if (!links)
		return;
	links_recover(links->config->instance, NULL);
	links_free(links);
}

int links_recover(const char *instance, struct error *err)
{
	int r = forwarding_give(instance, err);
	int removed = gateway_remove(instance, r < 0 ? NULL : err);

	return r < 0 ? r : removed;
}

void links_leave(const struct links *links)
{
	if (setns(links->host_netns_fd, CLONE_NEWNET) < 0)
		_exit(EXIT_FAILURE);
}

void links_drop(struct links *links, uint32_t slot)
{
	struct link_slot *s = &links->slots[slot];

	fd_close(take_fd(&s->netns_fd));
	s->index = 0;
	s->generation++;
}

static void put_digits(char *to, unsigned digits, unsigned value)
{
	static const char digit[] = "0123456789abcdefghijklmnopqrstuv";

	for (unsigned i = digits; i-- > 0; value /= 32)
		to[i] = digit[value % 32];
	to[digits] = '\0';
}

void links_name(const struct links *links, uint32_t slot, char name[16])
{
	network_link_prefix(links->config->instance, name);
	put_digits(name + strlen(name), SLOT_DIGITS, slot);
	put_digits(name + strlen(name), GENERATION_DIGITS, links->slots[slot].generation);
}

/* How many from this slot on are to be made together. */
static uint32_t batch_count(const struct links *links, uint32_t first)
{
	uint32_t n = 1;

	while (n < LINKS_BATCH && first + n < links->config->slot_count &&
		links->slots[first + n].netns_fd < 0)
		n++;
	return n;
}

int links_slot(struct links *links, uint32_t slot, int *ret_netns_fd, struct error *err)
{
	int r = 0;

	if (slot >= links->config->slot_count)
		return error_set(err, EINVAL, "slot %u: there is none", slot);
	if (links->slots[slot].netns_fd < 0) {
		r = links_make(links, slot, batch_count(links, slot), err);
		/* It may be only the others, or a name that is still taken. */
		if (r < 0)
			r = links_make(links, slot, 1, err);
	}
	if (r < 0)
		return error_prefix(err, r, "slot %u", slot);
	*ret_netns_fd = links->slots[slot].netns_fd;
	return 0;
}

static int on_stats(void *arg, const struct nlmsghdr *message)
{
	struct link_traffic *traffic = arg;
	const struct nlattr *found =
		netlink_find(message, sizeof(struct if_stats_msg), IFLA_STATS_LINK_64);
	struct rtnl_link_stats64 stats = {0};

	if (!found)
		return 0;
	/* An older kernel's has fewer fields, a newer one's has more. */
	memcpy(&stats, mnl_attr_get_payload(found),
		mnl_attr_get_payload_len(found) < sizeof(stats) ? mnl_attr_get_payload_len(found)
								: sizeof(stats));
	*traffic = (struct link_traffic){.received_bytes = stats.rx_bytes,
		.sent_bytes = stats.tx_bytes,
		.packets = stats.rx_packets + stats.tx_packets};
	return 0;
}

int links_traffic(
	struct links *links, uint32_t slot, struct link_traffic *ret_traffic, struct error *err)
{
	struct if_stats_msg *request;

	netlink_clear(&links->batch);
	request = netlink_add(
		&links->batch, "link statistics", RTM_GETSTATS, 0, sizeof(struct if_stats_msg));
	request->ifindex = (uint32_t)links->slots[slot].index;
	request->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
	return netlink_exchange(links->route_fd, &links->batch, on_stats, ret_traffic, err);
}

static bool is_made(const struct links *links, uint32_t slot)
{
	return slot < links->config->slot_count && links->slots[slot].netns_fd >= 0;
}

int links_forget_connections(struct links *links, uint32_t slot, struct error *err)
{
	return conntrack_forget(links->conntrack_fd, network_slot_address(links->config, slot),
		&links->batch, &links->deletions, err);
}

int links_clean(struct links *links, uint32_t slot, bool *ret_is_new, struct error *err)
{
	struct link_traffic now = {0};
	bool is_clean, is_used;
	int r = 0;

	if (!is_made(links, slot)) {
		*ret_is_new = true;
		return 0;
	}
	is_clean = links_traffic(links, slot, &now, NULL) == 0 &&
		   links_clean_inside(links, slot, NULL) == 0;
	/* Of a link that has carried nothing, nothing is tracked. By now no socket can send more. */
	is_used = !is_clean || now.packets != links->slots[slot].clean.packets;
	if (is_used)
		r = links_forget_connections(links, slot, err);
	if (r < 0)
		return error_prefix(err, r, "slot %u", slot);
	if (is_clean && is_used)
		is_clean = links_traffic(links, slot, &links->slots[slot].clean, NULL) == 0;
	if (!is_clean)
		links_drop(links, slot);
	*ret_is_new = !is_clean;
	return 0;
}

int links_count(
	struct links *links, uint32_t slot, struct links_counts *ret_counts, struct error *err)
{
	struct links_counts counts = {0};
	struct link_traffic now = {0};
	int r;

	if (!is_made(links, slot)) {
		*ret_counts = counts;
		return 0;
	}
	r = links_traffic(links, slot, &now, err);
	if (r == 0)
		r = conntrack_count(links->conntrack_fd, network_slot_address(links->config, slot),
			&links->batch, &counts.connections, err);
	if (r < 0)
		return error_prefix(err, r, "slot %u", slot);
	counts.sent_bytes = now.received_bytes - links->slots[slot].clean.received_bytes;
	counts.received_bytes = now.sent_bytes - links->slots[slot].clean.sent_bytes;
	*ret_counts = counts;
	return 0;
}
