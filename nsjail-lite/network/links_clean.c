/*
 * What a dead sandbox leaves in its slot's namespace: connections that TCP still has to end, neighbours,
 * learnt routes, TCP metrics; packets that wait in a token bucket.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp_metrics.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "nsjail-lite/network/links_private.h"

#define PROTOCOLS_FILE "/proc/thread-self/net/protocols"
#define SOCKSTAT_FILE  "/proc/thread-self/net/sockstat"

static int on_family(void *arg, const struct nlmsghdr *message)
{
	uint16_t *family = arg;
	const struct nlattr *found =
		netlink_find(message, sizeof(struct genlmsghdr), CTRL_ATTR_FAMILY_ID);

	if (found)
		*family = mnl_attr_get_u16(found);
	return 0;
}

int links_find_tcp_metrics(struct links *links, struct error *err)
{
	auto_close int fd = netlink_open(NETLINK_GENERIC, err);
	struct genlmsghdr *request;

	if (fd < 0)
		return fd;
	netlink_clear(&links->batch);
	request = netlink_add(
		&links->batch, "TCP metrics", GENL_ID_CTRL, 0, sizeof(struct genlmsghdr));
	request->cmd = CTRL_CMD_GETFAMILY;
	request->version = 1;
	mnl_attr_put_strz(links->batch.last, CTRL_ATTR_FAMILY_NAME, TCP_METRICS_GENL_NAME);
	return netlink_exchange(fd, &links->batch, on_family, &links->tcp_metrics, err);
}

/* Sockets of every kind that the current namespace has, connections in TIME_WAIT included. */
static int count_sockets(unsigned *ret_count, struct error *err)
{
	char text[16384], *save = NULL, *line;
	unsigned count = 0, sockets;
	ssize_t n = file_read_at(AT_FDCWD, PROTOCOLS_FILE, text, sizeof(text), err);

	if (n < 0)
		return (int)n;
	/* "PROTOCOL SIZE SOCKETS ..." below a line of titles. */
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%*s %*u %u", &sockets) == 1)
			count += sockets;
	n = file_read_at(AT_FDCWD, SOCKSTAT_FILE, text, sizeof(text), err);
	if (n < 0)
		return (int)n;
	line = strstr(text, "\nTCP:");
	if (!line || sscanf(line, "\nTCP: inuse %*u orphan %*u tw %u", &sockets) != 1)
		return error_set(err, EBADMSG, SOCKSTAT_FILE ": no TIME_WAIT");
	*ret_count = count + sockets;
	return 0;
}

static int on_socket(void *arg, const struct nlmsghdr *message)
{
	struct netlink_batch *deletions = arg;
	const struct inet_diag_msg *found = mnl_nlmsg_get_payload(message);
	struct inet_diag_req_v2 *request;

	if (deletions->count == NETLINK_MESSAGES_MAX)
		return 0;
	request = netlink_add(deletions, "end a connection", SOCK_DESTROY, 0, sizeof(*request));
	request->sdiag_family = found->idiag_family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->id = found->id;
	return 0;
}

static int end_connections(struct links *links, uint8_t family, struct error *err)
{
	auto_close int fd = netlink_open(NETLINK_SOCK_DIAG, err);
	struct inet_diag_req_v2 *request;

	if (fd < 0)
		return fd;
	netlink_clear(&links->batch);
	request = netlink_add(
		&links->batch, "sockets", SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_states = UINT32_MAX;
	return netlink_purge(fd, &links->batch, on_socket, &links->deletions, err);
}

static int clean_sockets(struct links *links, struct error *err)
{
	unsigned count;
	int r = count_sockets(&count, err);

	if (r < 0 || count == 0)
		return r;
	r = end_connections(links, AF_INET, err);
	if (r == 0 && links->has_ipv6)
		r = end_connections(links, AF_INET6, err);
	if (r == 0)
		r = count_sockets(&count, err);
	if (r == 0 && count > 0)
		r = error_set(err, EBUSY, "%u sockets are left", count);
	return r;
}

static int on_neighbour(void *arg, const struct nlmsghdr *message)
{
	struct netlink_batch *deletions = arg;
	const struct ndmsg *found = mnl_nlmsg_get_payload(message);
	struct ndmsg *request;

	if ((found->ndm_state & NUD_PERMANENT) || deletions->count == NETLINK_MESSAGES_MAX)
		return 0;
	request = netlink_add(deletions, "forget a neighbour", RTM_DELNEIGH, 0, sizeof(*request));
	request->ndm_family = found->ndm_family;
	request->ndm_ifindex = found->ndm_ifindex;
	netlink_copy(deletions, netlink_find(message, sizeof(*found), NDA_DST));
	return 0;
}

static int clean_neighbours(struct links *links, int fd, struct error *err)
{
	netlink_clear(&links->batch);
	netlink_add(&links->batch, "neighbours", RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg));
	return netlink_purge(fd, &links->batch, on_neighbour, &links->deletions, err);
}

static int clean_tcp_metrics(struct links *links, struct error *err)
{
	auto_close int fd = netlink_open(NETLINK_GENERIC, err);
	struct genlmsghdr *request;

	if (fd < 0)
		return fd;
	netlink_clear(&links->batch);
	request =
		netlink_add(&links->batch, "TCP metrics", links->tcp_metrics, 0, sizeof(*request));
	request->cmd = TCP_METRICS_CMD_DEL; /* all, since it names none */
	request->version = TCP_METRICS_GENL_VERSION;
	return netlink_exchange(fd, &links->batch, NULL, NULL, err);
}

static int on_queue(void *arg, const struct nlmsghdr *message)
{
	uint32_t *waiting = arg;
	const struct nlattr *found = netlink_find(message, sizeof(struct tcmsg), TCA_STATS2);
	struct gnet_stats_queue queue;

	found = netlink_find_nested(found, TCA_STATS_QUEUE);
	if (!found || mnl_attr_get_payload_len(found) < sizeof(queue))
		return 0;
	memcpy(&queue, mnl_attr_get_payload(found), sizeof(queue));
	*waiting = queue.qlen;
	return 0;
}

/* Without a cap no packet ever waits. */
static int check_queue(struct links *links, int fd, int index, struct error *err)
{
	uint32_t waiting = UINT32_MAX; /* in case of no answer */
	struct tcmsg *request;
	int r;

	if (links->config->caps.bytes_per_second == 0)
		return 0;
	netlink_clear(&links->batch);
	/* Without ECHO the answer goes to those only who listen to all such news. */
	request = netlink_add(
		&links->batch, "token bucket", RTM_GETQDISC, NLM_F_ECHO, sizeof(*request));
	request->tcm_ifindex = index;
	request->tcm_parent = TC_H_ROOT;
	r = netlink_exchange(fd, &links->batch, on_queue, &waiting, err);
	if (r == 0 && waiting > 0)
		r = error_set(err, EBUSY, "%u packets wait", waiting);
	return r;
}

/* What the kernel has learnt of routes, redirects and path MTUs, goes with them: so they are made anew. */
static int clean_routes(struct links *links, int fd, uint32_t slot, struct error *err)
{
	netlink_clear(&links->batch);
	links_add_inside_routes(links, slot, false);
	links_add_inside_routes(links, slot, true);
	return netlink_exchange(fd, &links->batch, NULL, NULL, err);
}

static int clean(struct links *links, uint32_t slot, struct error *err)
{
	auto_close int fd = -1;
	int r = clean_sockets(links, err);

	if (r < 0)
		return r;
	fd = netlink_open(NETLINK_ROUTE, err);
	if (fd < 0)
		return fd;
	r = check_queue(links, fd, LINKS_INSIDE_INDEX, err);
	if (r == 0)
		r = clean_neighbours(links, fd, err);
	if (r == 0)
		r = clean_routes(links, fd, slot, err);
	return r < 0 ? r : clean_tcp_metrics(links, err);
}

int links_clean_inside(struct links *links, uint32_t slot, struct error *err)
{
	const struct link_slot *s = &links->slots[slot];
	int r = check_queue(links, links->route_fd, s->index, err);

	if (r < 0)
		return r;
	if (setns(s->netns_fd, CLONE_NEWNET) < 0)
		return error_errno(err, "enter network namespace");
	r = clean(links, slot, err);
	links_leave(links);
	return r;
}
