#include "nsjail-lite/network/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/cleanup.h"
#include "nsjail-lite/network/netlink.h"

#define MESSAGE(type) ((NFNL_SUBSYS_CTNETLINK << 8) | (type))
/* Of the bits of CTA_FILTER_ORIG_FLAGS, which no header of the kernel has: the tuple's two addresses. */
#define FILTER_SOURCE	   1u
#define FILTER_DESTINATION 2u

static void add(struct netlink_batch *batch, const char *what, uint16_t type, uint16_t flags)
{
	struct nfgenmsg *header =
		netlink_add(batch, what, MESSAGE(type), flags, sizeof(struct nfgenmsg));

	header->nfgen_family = AF_INET;
	header->version = NFNETLINK_V0;
}

/*
 * Of the address only, for the kernel to sort out: a dump does from 5.8 on, which is older than what sandboxes need
 * anyway.
 */
static void put_filter(struct nlmsghdr *message, uint32_t address, uint32_t filter)
{
	struct nlattr *tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG), *nest;

	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put_u32(
		message, filter == FILTER_SOURCE ? CTA_IP_V4_SRC : CTA_IP_V4_DST, htonl(address));
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, tuple);
	nest = mnl_attr_nest_start(message, CTA_FILTER);
	mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, filter);
	mnl_attr_nest_end(message, nest);
}

/* What a dump tells of is deleted by a socket of its own. */
struct purge {
	int fd;
	struct netlink_batch *deletions;
	struct error *err;
};

static int send_deletions(struct purge *purge)
{
	int r = netlink_exchange(purge->fd, purge->deletions, NULL, NULL, purge->err);

	netlink_clear(purge->deletions);
	return r;
}

static int on_connection(void *arg, const struct nlmsghdr *message)
{
	static const uint16_t identity[] = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};
	struct purge *purge = arg;
	int r = 0;

	if (purge->deletions->count == NETLINK_MESSAGES_MAX)
		r = send_deletions(purge);
	add(purge->deletions, "forget a connection", IPCTNL_MSG_CT_DELETE, 0);
	for (size_t i = 0; i < ARRAY_SIZE(identity); i++)
		netlink_copy(purge->deletions,
			netlink_find(message, sizeof(struct nfgenmsg), identity[i]));
	return r;
}

/*
 * One pass: a sandbox that goes on to begin others does not make it longer, and these are what it may do now. It walks
 * the whole table: milliseconds.
 */
static int forget_of(int fd, struct purge *purge, uint32_t address, uint32_t filter,
	struct netlink_batch *dump, struct error *err)
{
	int r;

	netlink_clear(dump);
	add(dump, "connections", IPCTNL_MSG_CT_GET, NLM_F_DUMP);
	put_filter(dump->last, address, filter);
	r = netlink_exchange(fd, dump, on_connection, purge, err);
	return r < 0 ? r : send_deletions(purge);
}

/* One by one, for kernels before 6.8. */
static int forget_each(int fd, uint32_t address, struct netlink_batch *batch,
	struct netlink_batch *deletions, struct error *err)
{
	auto_close int deletions_fd = netlink_open(NETLINK_NETFILTER, err);
	struct purge p = {.fd = deletions_fd, .deletions = deletions, .err = err};
	int r;

	if (deletions_fd < 0)
		return deletions_fd;
	netlink_clear(deletions);
	deletions->ignored = ENOENT; /* gone already */
	r = forget_of(fd, &p, address, FILTER_SOURCE, batch, err);
	return r < 0 ? r : forget_of(fd, &p, address, FILTER_DESTINATION, batch, err);
}

int conntrack_forget(int fd, uint32_t address, struct netlink_batch *batch,
	struct netlink_batch *deletions, struct error *err)
{
	static const uint32_t filters[] = {FILTER_SOURCE, FILTER_DESTINATION};
	int r;

	netlink_clear(batch);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		add(batch, "forget connections", IPCTNL_MSG_CT_DELETE, 0);
		put_filter(batch->last, address, filters[i]);
	}
	r = netlink_exchange(fd, batch, NULL, NULL, err);
	if (r != -EINVAL) /* where deletions have no filter: half a tuple is none */
		return r;
	return forget_each(fd, address, batch, deletions, err);
}

static int on_count(void *arg, const struct nlmsghdr *message)
{
	uint32_t *count = arg;

	(void)message;
	++*count;
	return 0;
}

int conntrack_count(int fd, uint32_t address, struct netlink_batch *batch, uint32_t *ret_count,
	struct error *err)
{
	uint32_t count = 0;
	int r;

	netlink_clear(batch);
	add(batch, "connections", IPCTNL_MSG_CT_GET, NLM_F_DUMP);
	put_filter(batch->last, address, FILTER_SOURCE);
	r = netlink_exchange(fd, batch, on_count, &count, err);
	if (r == 0)
		*ret_count = count;
	return r;
}
