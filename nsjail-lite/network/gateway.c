#include "nsjail-lite/network/gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define LOOPBACK_INDEX 1
#define LABEL_SIZE     16 /* of the kernel, with terminator */
#define LABEL_PREFIX   "lo:"
#define MTU_USUAL      1500

static void cleanup_socket(struct nl_sock **socket)
{
	nl_socket_free(*socket);
}

static void cleanup_cache(struct nl_cache **cache)
{
	nl_cache_free(*cache);
}

static void cleanup_addr(struct nl_addr **addr)
{
	nl_addr_put(*addr);
}

static void cleanup_rtnl_addr(struct rtnl_addr **addr)
{
	rtnl_addr_put(*addr);
}

#define auto_socket    __attribute__((cleanup(cleanup_socket)))
#define auto_cache     __attribute__((cleanup(cleanup_cache)))
#define auto_addr      __attribute__((cleanup(cleanup_addr)))
#define auto_rtnl_addr __attribute__((cleanup(cleanup_rtnl_addr)))

/* libnl's codes are not those of errno.h. */
static int failed(int code, const char *what, struct error *err)
{
	return error_set(err, EIO, "%s: %s", what, nl_geterror(code));
}

static int open_socket(struct nl_sock **ret_socket, struct error *err)
{
	struct nl_sock *socket = nl_socket_alloc();
	int r;

	if (!socket)
		return error_set(err, ENOMEM, "netlink: out of memory");
	r = nl_connect(socket, NETLINK_ROUTE);
	if (r < 0) {
		nl_socket_free(socket);
		return failed(r, "netlink", err);
	}
	*ret_socket = socket;
	return 0;
}

/* The last characters: these differ between any two. */
static void make_label(const char *instance, char label[LABEL_SIZE])
{
	size_t length = strlen(instance), room = LABEL_SIZE - sizeof(LABEL_PREFIX);

	snprintf(label, LABEL_SIZE, LABEL_PREFIX "%s",
		instance + (length > room ? length - room : 0));
}

int gateway_add(const char *instance, uint32_t address, struct error *err)
{
	auto_socket struct nl_sock *socket = NULL;
	uint32_t bytes = htonl(address);
	auto_addr struct nl_addr *local = nl_addr_build(AF_INET, &bytes, sizeof(bytes));
	auto_rtnl_addr struct rtnl_addr *addr = rtnl_addr_alloc();
	char label[LABEL_SIZE];
	int r = open_socket(&socket, err);

	if (r < 0)
		return r;
	if (!local || !addr)
		return error_set(err, ENOMEM, "gateway: out of memory");
	make_label(instance, label);
	rtnl_addr_set_ifindex(addr, LOOPBACK_INDEX);
	rtnl_addr_set_label(addr, label);
	/* Nothing but what goes to a sandbox shall have it for its source. */
	rtnl_addr_set_scope(addr, RT_SCOPE_LINK);
	rtnl_addr_set_local(addr, local);
	r = rtnl_addr_add(socket, addr, NLM_F_EXCL);
	if (r == -NLE_EXIST)
		return error_set(err, EEXIST,
			"the gateway's address %u.%u.%u.%u is on lo already, of another instance "
			"or of one "
			"that was killed: ip address show dev lo",
			address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
	return r < 0 ? failed(r, "gateway's address", err) : 0;
}

int gateway_remove(const char *instance, struct error *err)
{
	auto_socket struct nl_sock *socket = NULL;
	auto_cache struct nl_cache *cache = NULL;
	char label[LABEL_SIZE];
	int r = open_socket(&socket, err);

	if (r < 0)
		return r;
	r = rtnl_addr_alloc_cache(socket, &cache);
	if (r < 0)
		return failed(r, "addresses", err);
	make_label(instance, label);
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;
		const char *named = rtnl_addr_get_label(addr);

		if (!named || strcmp(named, label) != 0)
			continue;
		r = rtnl_addr_delete(socket, addr, 0);
		if (r < 0 && r != -NLE_NOADDR)
			return failed(r, "gateway's address", err);
	}
	return 0;
}

/* Index of the interface, or 0. Of several default routes the kernel takes that of the lowest priority. */
static int default_interface(struct nl_cache *routes)
{
	struct rtnl_route *best = NULL;

	for (struct nl_object *o = nl_cache_get_first(routes); o; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct nl_addr *to = rtnl_route_get_dst(route);

		if (rtnl_route_get_table(route) != RT_TABLE_MAIN ||
			rtnl_route_get_type(route) != RTN_UNICAST ||
			(to && nl_addr_get_prefixlen(to) > 0) ||
			rtnl_route_get_nnexthops(route) == 0)
			continue;
		if (!best || rtnl_route_get_priority(route) < rtnl_route_get_priority(best))
			best = route;
	}
	return best ? rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(best, 0)) : 0;
}

int gateway_mtu(uint32_t *ret_mtu, struct error *err)
{
	auto_socket struct nl_sock *socket = NULL;
	auto_cache struct nl_cache *routes = NULL;
	struct rtnl_link *link = NULL;
	int index, r = open_socket(&socket, err);

	if (r < 0)
		return r;
	r = rtnl_route_alloc_cache(socket, AF_INET, 0, &routes);
	if (r < 0)
		return failed(r, "routes", err);
	index = default_interface(routes);
	*ret_mtu = MTU_USUAL;
	if (index == 0)
		return 0;
	r = rtnl_link_get_kernel(socket, index, NULL, &link);
	if (r < 0)
		return failed(r, "interface of the default route", err);
	*ret_mtu = rtnl_link_get_mtu(link);
	rtnl_link_put(link);
	return 0;
}
