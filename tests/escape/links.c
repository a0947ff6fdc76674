/*
 * E16 changes of the network: links, addresses, routes, neighbours, rules, queues, by netlink and ioctl;
 *     the netlink families of netfilter, xfrm and others
 *
 * The controls work in a network namespace of their own.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define LOOPBACK 1 /* its index in every network namespace */

struct request {
	struct nlmsghdr header;
	char body[512];
};

static struct rtattr *append(
	struct request *request, unsigned short type, const void *data, size_t size)
{
	struct rtattr *a = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), data, size);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
	return a;
}

static void begin(struct request *request, int type, int flags, const void *body, size_t size)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = (unsigned short)type;
	request->header.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
	request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	memcpy(NLMSG_DATA(&request->header), body, size);
}

/* Send, and the kernel's verdict. */
static int ask(int protocol, struct request *request)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	union {
		struct nlmsghdr header;
		char space[1024];
	} answer;
	const struct nlmsgerr *verdict;

	if (fd < 0)
		return -errno;
	if (send(fd, request, request->header.nlmsg_len, 0) < 0 ||
		recv(fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer.header))
		return -errno;
	close(fd);
	if (answer.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	verdict = NLMSG_DATA(&answer.header);
	return verdict->error;
}

/* A new link of the kind p->text. */
static int try_new_link(const struct probe *p)
{
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	struct request request;
	struct rtattr *info;
	uint32_t parent = LOOPBACK;

	begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof(link));
	append(&request, IFLA_IFNAME, "hth0", 5);
	if (p->number)
		append(&request, IFLA_LINK, &parent, sizeof(parent));
	info = append(&request, IFLA_LINKINFO, NULL, 0);
	append(&request, IFLA_INFO_KIND, p->text, strlen(p->text) + 1);
	info->rta_len = (unsigned short)((char *)&request + NLMSG_ALIGN(request.header.nlmsg_len) -
					 (char *)info);
	return ask(NETLINK_ROUTE, &request);
}

static int try_change_link(const struct probe *p)
{
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC,
		.ifi_index = LOOPBACK,
		.ifi_change = IFF_UP,
		.ifi_flags = p->number ? IFF_UP : 0};
	struct request request;

	begin(&request, p->other ? RTM_DELLINK : RTM_NEWLINK, 0, &link, sizeof(link));
	return ask(NETLINK_ROUTE, &request);
}

static int try_address(const struct probe *p)
{
	struct ifaddrmsg address = {
		.ifa_family = (unsigned char)p->number, .ifa_prefixlen = 32, .ifa_index = LOOPBACK};
	static const unsigned char ip[16] = {10, 0, 0, 77};
	struct request request;

	begin(&request, RTM_NEWADDR, NLM_F_CREATE, &address, sizeof(address));
	append(&request, IFA_LOCAL, ip, p->number == AF_INET ? 4 : 16);
	append(&request, IFA_ADDRESS, ip, p->number == AF_INET ? 4 : 16);
	return ask(NETLINK_ROUTE, &request);
}

static int try_route(const struct probe *p)
{
	struct rtmsg route = {.rtm_family = AF_INET,
		.rtm_dst_len = 32,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_type = RTN_BLACKHOLE};
	static const unsigned char ip[4] = {10, 9, 9, 9};
	struct request request;

	(void)p;
	begin(&request, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof(route));
	append(&request, RTA_DST, ip, sizeof(ip));
	return ask(NETLINK_ROUTE, &request);
}

static int try_queue(const struct probe *p)
{
	struct tcmsg queue = {.tcm_ifindex = LOOPBACK,
		.tcm_parent = p->number ? TC_H_CLSACT : TC_H_ROOT,
		.tcm_handle = p->number ? TC_H_MAKE(TC_H_CLSACT, 0) : 0x10000};
	struct request request;

	begin(&request, RTM_NEWQDISC, NLM_F_CREATE, &queue, sizeof(queue));
	append(&request, TCA_KIND, p->text, strlen(p->text) + 1);
	return ask(NETLINK_ROUTE, &request);
}

static int try_neighbour(const struct probe *p)
{
	struct ndmsg neighbour = {
		.ndm_family = AF_INET, .ndm_ifindex = LOOPBACK, .ndm_state = NUD_PERMANENT};
	static const unsigned char ip[4] = {127, 0, 0, 9}, mac[6] = {2};
	struct request request;

	(void)p;
	begin(&request, RTM_NEWNEIGH, NLM_F_CREATE, &neighbour, sizeof(neighbour));
	append(&request, NDA_DST, ip, sizeof(ip));
	append(&request, NDA_LLADDR, mac, sizeof(mac));
	return ask(NETLINK_ROUTE, &request);
}

static int try_rule(const struct probe *p)
{
	struct rtmsg rule = {.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_type = RTN_UNICAST};
	struct request request;

	(void)p;
	begin(&request, RTM_NEWRULE, NLM_F_CREATE, &rule, sizeof(rule));
	return ask(NETLINK_ROUTE, &request);
}

static int try_interface_ioctl(const struct probe *p)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	request.ifr_flags = IFF_UP;
	if (p->number == SIOCSIFMTU)
		request.ifr_mtu = 9000;
	if (p->number == SIOCSIFADDR)
		memcpy(&request.ifr_addr,
			&(struct sockaddr_in){
				.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000042)},
			sizeof(struct sockaddr_in));
	return fd < 0 ? -errno : probe_result(ioctl(fd, (unsigned long)p->number, &request));
}

/* clang-format off */
#define LINK(kind, parent) {.id = "E16", .name = "new link: " kind, .attempt = try_new_link, \
	.text = kind, .number = parent, .refused = {EPERM}, \
	/* EOPNOTSUPP: a kernel without it; EINVAL: it wants more, which is asked after the right */ \
	.control = {WORKED, EOPNOTSUPP, EINVAL}}
#define CHANGE(title, function, ...) {.id = "E16", .name = title, .attempt = function, \
	.refused = {EPERM}, .control = {WORKED}, __VA_ARGS__}
#define NETLINK(title, protocol, ...) {.id = "E16", .name = "netlink: " title, \
	.call = {SYS_socket, AF_NETLINK, SOCK_RAW, protocol}, .refused = {EAFNOSUPPORT}, \
	.control = {__VA_ARGS__}}

static const struct probe rows[] = {
	LINK("veth", 0), LINK("bridge", 0), LINK("dummy", 0), LINK("vxlan", 0), LINK("geneve", 0),
	LINK("macvlan", 1), LINK("ipvlan", 1), LINK("wireguard", 0), LINK("ifb", 0), LINK("vlan", 1),
	LINK("gre", 0), LINK("ipip", 0), LINK("sit", 0), LINK("bond", 0),
	CHANGE("loopback down", try_change_link, .number = 0),
	/* The loopback cannot be removed: EOPNOTSUPP. */
	{.id = "E16", .name = "loopback removed", .attempt = try_change_link, .other = 1,
		.refused = {EPERM}, .control = {EOPNOTSUPP}},
	CHANGE("new address", try_address, .number = AF_INET),
	{.id = "E16", .name = "new address of version 6", .attempt = try_address,
		.number = AF_INET6, .refused = {EPERM}, .control = {WORKED, EOPNOTSUPP, EACCES}},
	CHANGE("new route", try_route, .number = 0),
	CHANGE("new neighbour", try_neighbour, .number = 0),
	{.id = "E16", .name = "new rule", .attempt = try_rule, .refused = {EPERM},
		.control = {WORKED, EOPNOTSUPP}},
	{.id = "E16", .name = "queue clsact", .attempt = try_queue, .number = 1, .text = "clsact",
		.refused = {EPERM}, .control = {WORKED, ENOENT, EOPNOTSUPP}},
	{.id = "E16", .name = "queue pfifo", .attempt = try_queue, .text = "pfifo", .refused = {EPERM},
		.control = {WORKED, ENOENT, EOPNOTSUPP}},
	CHANGE("ioctl: flags", try_interface_ioctl, .number = SIOCSIFFLAGS),
	CHANGE("ioctl: mtu", try_interface_ioctl, .number = SIOCSIFMTU),
	CHANGE("ioctl: address", try_interface_ioctl, .number = SIOCSIFADDR),
	NETLINK("netfilter", NETLINK_NETFILTER, WORKED, EPROTONOSUPPORT),
	NETLINK("xfrm", NETLINK_XFRM, WORKED, EPROTONOSUPPORT),
	NETLINK("generic", NETLINK_GENERIC, WORKED),
	NETLINK("audit", NETLINK_AUDIT, WORKED, EPROTONOSUPPORT),
	NETLINK("connector", NETLINK_CONNECTOR, WORKED, EPROTONOSUPPORT),
	NETLINK("events of the kernel", NETLINK_KOBJECT_UEVENT, WORKED),
	NETLINK("socket diagnosis", NETLINK_SOCK_DIAG, WORKED, EPROTONOSUPPORT),
	NETLINK("crypto", NETLINK_CRYPTO, WORKED, EPROTONOSUPPORT),
	NETLINK("fib look-up", NETLINK_FIB_LOOKUP, WORKED, EPROTONOSUPPORT),
	NETLINK("iscsi", NETLINK_ISCSI, WORKED, EPROTONOSUPPORT),
	NETLINK("rdma", NETLINK_RDMA, WORKED, EPROTONOSUPPORT),
};
/* clang-format on */

const struct probe_family probe_links = PROBE_FAMILY(rows);
