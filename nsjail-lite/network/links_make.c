/*
 * Slots are made many at a time: each namespace is made and set up from inside, its eth0 and the host's
 * end of it included, with one exchange; then one more on the host's side for all ends together.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "nsjail-lite/kernel.h"
#include "nsjail-lite/network/links_private.h"

#define LOOPBACK_INDEX	1
#define CREATE		(NLM_F_CREATE | NLM_F_EXCL)
#define REPLACE		(NLM_F_CREATE | NLM_F_REPLACE)
#define MAC_BYTES	6
#define IPV6_MTU_MIN	1280	/* below, a link has no IPv6 at all */
#define BURST_BYTES_MIN 131072u /* two packets of the largest size that a veth passes on whole */
#define BURSTS_PER_S	50
#define QUEUES_PER_S	10 /* what waits longer than 100 ms is dropped */

/* Locally administered: of the address, so that the ends of two links never have the same. */
static void put_mac(struct nlmsghdr *message, uint16_t attribute, bool is_host, uint32_t address)
{
	const uint8_t mac[MAC_BYTES] = {is_host ? 0x02 : 0x06, 'h', (uint8_t)(address >> 24),
		(uint8_t)(address >> 16), (uint8_t)(address >> 8), (uint8_t)address};

	mnl_attr_put(message, attribute, sizeof(mac), mac);
}

/* One queue: the default is one for each possible CPU. */
static void put_end(struct nlmsghdr *message, const struct links *links, const char *name,
	bool is_host, uint32_t address)
{
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put_u32(message, IFLA_MTU, links->mtu);
	mnl_attr_put_u32(message, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
	put_mac(message, IFLA_ADDRESS, is_host, address);
}

/* The host's end has its index from the kernel; eth0's is chosen, so that what follows need not ask. */
static void add_veth(struct netlink_batch *batch, const struct links *links, uint32_t slot)
{
	struct ifinfomsg *info =
		netlink_add(batch, "veth pair", RTM_NEWLINK, CREATE, sizeof(struct ifinfomsg));
	struct nlmsghdr *message = batch->last;
	struct nlattr *link_info, *data, *peer;
	char name[16];

	info->ifi_index = LINKS_INSIDE_INDEX;
	links_name(links, slot, name);
	put_end(message, links, LINKS_INSIDE, false, network_slot_address(links->config, slot));
	link_info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	memset(mnl_nlmsg_get_payload_tail(message), 0, sizeof(struct ifinfomsg));
	message->nlmsg_len += (uint32_t)sizeof(struct ifinfomsg); /* a multiple of 4 */
	put_end(message, links, name, true, network_slot_address(links->config, slot));
	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)links->host_netns_fd);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, link_info);
}

static void add_up(struct netlink_batch *batch, int index)
{
	struct ifinfomsg *info =
		netlink_add(batch, "link up", RTM_NEWLINK, 0, sizeof(struct ifinfomsg));

	info->ifi_index = index;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
}

static void add_address(struct netlink_batch *batch, int index, uint32_t address)
{
	struct ifaddrmsg *info =
		netlink_add(batch, "address", RTM_NEWADDR, CREATE, sizeof(struct ifaddrmsg));

	info->ifa_family = AF_INET;
	info->ifa_prefixlen = 32;
	info->ifa_index = (uint32_t)index;
	mnl_attr_put_u32(batch->last, IFA_LOCAL, htonl(address));
	mnl_attr_put_u32(batch->last, IFA_ADDRESS, htonl(address));
}

/*
 * To `to` (0: everywhere) straight by the link, or by via (not 0). One that is there is replaced: it leads to the
 * slot's namespace before this one, which has not quite gone.
 */
static void add_route(struct netlink_batch *batch, bool is_new, int index, uint32_t to,
	uint32_t via, uint32_t source)
{
	struct rtmsg *info = netlink_add(batch, is_new ? "route" : "forget a route",
		is_new ? RTM_NEWROUTE : RTM_DELROUTE, is_new ? REPLACE : 0, sizeof(struct rtmsg));

	info->rtm_family = AF_INET;
	info->rtm_dst_len = to ? 32 : 0;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = RTPROT_STATIC;
	info->rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	info->rtm_type = RTN_UNICAST;
	if (to)
		mnl_attr_put_u32(batch->last, RTA_DST, htonl(to));
	if (via)
		mnl_attr_put_u32(batch->last, RTA_GATEWAY, htonl(via));
	mnl_attr_put_u32(batch->last, RTA_PREFSRC, htonl(source));
	mnl_attr_put_u32(batch->last, RTA_OIF, (uint32_t)index);
}

void links_add_inside_routes(struct links *links, uint32_t slot, bool is_new)
{
	uint32_t address = network_slot_address(links->config, slot),
		 gateway = links->config->gateway;

	add_route(&links->batch, is_new, LINKS_INSIDE_INDEX, gateway, 0, address);
	add_route(&links->batch, is_new, LINKS_INSIDE_INDEX, 0, gateway, address);
}

/* For ever: such entries do not count for the kernel's limit, which all namespaces share. */
static void add_neighbour(
	struct netlink_batch *batch, int index, uint32_t address, bool is_host, uint32_t mac_of)
{
	struct ndmsg *info =
		netlink_add(batch, "neighbour", RTM_NEWNEIGH, REPLACE, sizeof(struct ndmsg));

	info->ndm_family = AF_INET;
	info->ndm_ifindex = index;
	info->ndm_state = NUD_PERMANENT;
	mnl_attr_put_u32(batch->last, NDA_DST, htonl(address));
	put_mac(batch->last, NDA_LLADDR, is_host, mac_of);
}

static uint32_t at_most_u32(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void put_token_bucket(struct nlmsghdr *message, uint64_t bytes_per_second)
{
	struct tc_tbf_qopt options = {.rate.linklayer = TC_LINKLAYER_ETHERNET};
	uint32_t burst = at_most_u32(bytes_per_second / BURSTS_PER_S);
	struct nlattr *nest;

	burst = burst > BURST_BYTES_MIN ? burst : BURST_BYTES_MIN;
	options.rate.rate = at_most_u32(bytes_per_second);
	options.limit = at_most_u32(bytes_per_second / QUEUES_PER_S + burst);
	mnl_attr_put_strz(message, TCA_KIND, "tbf");
	nest = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put(message, TCA_TBF_PARMS, sizeof(options), &options);
	mnl_attr_put_u32(message, TCA_TBF_BURST, burst);
	mnl_attr_put_u64(message, TCA_TBF_RATE64, bytes_per_second);
	mnl_attr_nest_end(message, nest);
}

/*
 * What leaves by the link is held to the cap; without one nothing waits. Said in any case and last: a link that was up
 * before its other end drops all until the kernel's worker has seen that end, or its queue is set.
 */
static void add_queue(struct netlink_batch *batch, int index, uint64_t bytes_per_second)
{
	struct tcmsg *info = netlink_add(batch,
		bytes_per_second ? "token bucket (sch_tbf of the kernel)" : "queue", RTM_NEWQDISC,
		REPLACE, sizeof(struct tcmsg));

	info->tcm_ifindex = index;
	info->tcm_parent = TC_H_ROOT;
	if (bytes_per_second)
		put_token_bucket(batch->last, bytes_per_second);
	else
		mnl_attr_put_strz(batch->last, TCA_KIND, "noqueue");
}

/*
 * IPv6: no address of its own for the host's end. IPv4: what this link may do does not depend on the host's
 * defaults. In a message before the one that sets it up, since then the addresses would be there.
 */
static void add_settings(struct netlink_batch *batch, const struct links *links, int index)
{
	static const struct {
		uint16_t option;
		uint32_t value;
	} settings[] = {
		{IPV4_DEVCONF_FORWARDING, 1},
		{IPV4_DEVCONF_RP_FILTER, 1},
		{IPV4_DEVCONF_PROXY_ARP, 0},
		{IPV4_DEVCONF_ACCEPT_REDIRECTS, 0},
		{IPV4_DEVCONF_SEND_REDIRECTS, 0},
		{IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE, 0},
		{IPV4_DEVCONF_ACCEPT_LOCAL, 0},
		{IPV4_DEVCONF_ROUTE_LOCALNET, 0},
	};
	struct ifinfomsg *info =
		netlink_add(batch, "link settings", RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	struct nlmsghdr *message = batch->last;
	struct nlattr *families, *family, *nest;

	info->ifi_index = index;
	families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(message, AF_INET);
	nest = mnl_attr_nest_start(message, IFLA_INET_CONF);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		mnl_attr_put_u32(message, settings[i].option, settings[i].value);
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, family);
	if (links->has_ipv6 && links->mtu >= IPV6_MTU_MIN) {
		family = mnl_attr_nest_start(message, AF_INET6);
		mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		mnl_attr_nest_end(message, family);
	}
	mnl_attr_nest_end(message, families);
}

static int set_up_inside(struct links *links, uint32_t slot, int fd, struct error *err)
{
	uint32_t address = network_slot_address(links->config, slot);
	struct netlink_batch *batch = &links->batch;

	netlink_clear(batch);
	add_up(batch, LOOPBACK_INDEX);
	add_veth(batch, links, slot);
	add_address(batch, LINKS_INSIDE_INDEX, address);
	add_up(batch, LINKS_INSIDE_INDEX);
	links_add_inside_routes(links, slot, true);
	add_neighbour(batch, LINKS_INSIDE_INDEX, links->config->gateway, true, address);
	return netlink_exchange(fd, batch, NULL, NULL, err);
}

/*
 * A /proc of its own for each batch: in the host's, the names below sys/net are looked for among those of all
 * namespaces, which takes as long as making one once there are a thousand.
 */
static int open_proc(struct error *err)
{
	auto_close int fs = kernel_fsopen("proc");
	int fd;

	if (fs < 0 || kernel_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "new /proc");
	fd = kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? error_errno(err, "mount /proc") : fd;
}

/* In a new namespace, before it has a link: ping and every port for the slot's ids; IPv6 on lo only. */
static int write_sysctls(const struct links *links, int proc_fd, uint32_t slot, struct error *err)
{
	uint32_t uid_base = links->config->first_uid + slot * JAIL_UIDS;
	char range[64];
	int r;

	snprintf(range, sizeof(range), "%u %u", uid_base, uid_base + JAIL_UIDS - 1);
	r = file_write_at(proc_fd, "sys/net/ipv4/ping_group_range", range, err);
	if (r == 0)
		r = file_write_at(proc_fd, "sys/net/ipv4/ip_unprivileged_port_start", "0", err);
	if (r == 0 && links->has_ipv6)
		r = file_write_at(proc_fd, "sys/net/ipv6/conf/default/disable_ipv6", "1", err);
	return r;
}

/* In the new namespace. *ret_route_fd stays of it. */
static int fill_namespace(struct links *links, int proc_fd, uint32_t slot, int *ret_netns_fd,
	int *ret_route_fd, struct error *err)
{
	auto_close int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	auto_close int route_fd = -1;
	int r;

	if (fd < 0)
		return error_errno(err, "open network namespace");
	r = write_sysctls(links, proc_fd, slot, err);
	if (r < 0)
		return r;
	route_fd = netlink_open(NETLINK_ROUTE, err);
	if (route_fd < 0)
		return route_fd;
	r = set_up_inside(links, slot, route_fd, err);
	if (r < 0)
		return r;
	*ret_netns_fd = take_fd(&fd);
	*ret_route_fd = take_fd(&route_fd);
	return 0;
}

static int set_up_outside(struct links *links, uint32_t first, uint32_t count, struct error *err)
{
	struct netlink_batch *batch = &links->batch;
	uint32_t gateway = links->config->gateway;
	char name[16];

	netlink_clear(batch);
	for (uint32_t slot = first; slot < first + count; slot++) {
		uint32_t address = network_slot_address(links->config, slot);
		int index;

		links_name(links, slot, name);
		index = (int)if_nametoindex(name);
		if (index == 0)
			return error_errno(err, "link %s", name);
		add_settings(batch, links, index);
		add_up(batch, index);
		add_route(batch, true, index, address, 0, gateway);
		add_neighbour(batch, index, address, false, address);
		if (links->config->caps.bytes_per_second)
			add_queue(batch, index, links->config->caps.bytes_per_second);
		links->slots[slot].index = index;
	}
	return netlink_exchange(links->route_fd, batch, NULL, NULL, err);
}

/* Now that the other ends are up. */
static int set_queues_inside(
	struct links *links, const int *route_fds, uint32_t count, struct error *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		netlink_clear(&links->batch);
		add_queue(&links->batch, LINKS_INSIDE_INDEX, links->config->caps.bytes_per_second);
		r = netlink_exchange(route_fds[i], &links->batch, NULL, NULL, err);
	}
	return r;
}

int links_make(struct links *links, uint32_t first, uint32_t count, struct error *err)
{
	auto_close int proc_fd = open_proc(err);
	int route_fds[LINKS_BATCH]; /* in the namespaces */
	int r = proc_fd < 0 ? proc_fd : 0;
	uint32_t n = 0;

	for (; r == 0 && n < count; n += r == 0) {
		struct link_slot *slot = &links->slots[first + n];

		slot->clean = (struct link_traffic){0};
		if (unshare(CLONE_NEWNET) < 0) {
			r = error_errno(err, "new network namespace");
			break;
		}
		r = fill_namespace(links, proc_fd, first + n, &slot->netns_fd, &route_fds[n], err);
		links_leave(links);
	}
	if (r == 0)
		r = set_up_outside(links, first, count, err);
	if (r == 0)
		r = set_queues_inside(links, route_fds, count, err);
	for (uint32_t i = 0; i < n; i++)
		fd_close(route_fds[i]);
	/* A link goes with its namespace, and its route and neighbour with it. */
	for (uint32_t slot = first; r < 0 && slot < first + count; slot++)
		links_drop(links, slot);
	return r;
}
