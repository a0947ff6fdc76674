/*
 * What sandboxes with a network need: each tried in a network namespace of its own, which goes with the child.
 * The host's firewall alone is looked at where it is.
 */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/veth.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/doctor/wire.h"

#define TABLE	  "hearth-doctor"
#define CHAIN	  "forward"
#define MAKE	  (NLM_F_CREATE | NLM_F_EXCL)
#define LOOPBACK  1 /* its index in every network namespace */
#define TBF_RATE  1000000
#define TBF_BURST 65536

/* A network of our own and a netlink socket in it. */
static int open_alone(struct wire *wire, int protocol, struct error *err)
{
	if (unshare(CLONE_NEWNET) < 0)
		return error_errno(err, "network namespace");
	return wire_open(wire, protocol, err);
}

static void begin_nft(struct wire *wire, uint16_t message, uint16_t flags)
{
	struct nfgenmsg *nf = wire_begin(
		wire, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags, sizeof(*nf));

	nf->nfgen_family = NFPROTO_INET;
}

/* Changes come between these two: all of them are made, or none is. */
static void begin_batch(struct wire *wire, uint16_t message)
{
	struct nfgenmsg *nf = wire_begin(wire, message, 0, sizeof(*nf));

	nf->res_id = htons(NFNL_SUBSYS_NFTABLES);
}

/* A table and a chain that sees forwarded packets. flags: of the second. */
static void put_table(struct wire *wire, uint16_t flags)
{
	struct nlattr *hook;

	begin_nft(wire, NFT_MSG_NEWTABLE, MAKE);
	wire_put_text(wire, NFTA_TABLE_NAME, TABLE);
	begin_nft(wire, NFT_MSG_NEWCHAIN, MAKE | flags);
	wire_put_text(wire, NFTA_CHAIN_TABLE, TABLE);
	wire_put_text(wire, NFTA_CHAIN_NAME, CHAIN);
	wire_put_text(wire, NFTA_CHAIN_TYPE, "filter");
	hook = wire_nest(wire, NFTA_CHAIN_HOOK);
	wire_put_be32(wire, NFTA_HOOK_HOOKNUM, NF_INET_FORWARD);
	wire_put_be32(wire, NFTA_HOOK_PRIORITY, 0);
	wire_nest_end(wire, hook);
}

int try_nftables(struct check_attempt *attempt, struct error *err)
{
	struct wire wire;
	int r = open_alone(&wire, NETLINK_NETFILTER, err);

	(void)attempt;
	if (r < 0)
		return r;
	begin_batch(&wire, NFNL_MSG_BATCH_BEGIN);
	put_table(&wire, NLM_F_ACK);
	begin_batch(&wire, NFNL_MSG_BATCH_END);
	r = wire_talk(&wire, NULL, NULL, err);
	return r < 0 ? error_prefix(err, r, "a table of rules") : 0;
}

/* The expressions `ct state` and `ct count`. */
static void put_ct_rule(struct wire *wire)
{
	struct nlattr *list, *element, *data;

	begin_nft(wire, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
	wire_put_text(wire, NFTA_RULE_TABLE, TABLE);
	wire_put_text(wire, NFTA_RULE_CHAIN, CHAIN);
	list = wire_nest(wire, NFTA_RULE_EXPRESSIONS);
	element = wire_nest(wire, NFTA_LIST_ELEM);
	wire_put_text(wire, NFTA_EXPR_NAME, "ct");
	data = wire_nest(wire, NFTA_EXPR_DATA);
	wire_put_be32(wire, NFTA_CT_DREG, NFT_REG_1);
	wire_put_be32(wire, NFTA_CT_KEY, NFT_CT_STATE);
	wire_nest_end(wire, data);
	wire_nest_end(wire, element);
	element = wire_nest(wire, NFTA_LIST_ELEM);
	wire_put_text(wire, NFTA_EXPR_NAME, "connlimit");
	data = wire_nest(wire, NFTA_EXPR_DATA);
	wire_put_be32(wire, NFTA_CONNLIMIT_COUNT, 1);
	wire_nest_end(wire, data);
	wire_nest_end(wire, element);
	wire_nest_end(wire, list);
}

int try_connection_tracking(struct check_attempt *attempt, struct error *err)
{
	struct wire wire;
	struct nfgenmsg *nf;
	int r = open_alone(&wire, NETLINK_NETFILTER, err);

	(void)attempt;
	if (r < 0)
		return r;
	begin_batch(&wire, NFNL_MSG_BATCH_BEGIN);
	put_table(&wire, 0);
	put_ct_rule(&wire);
	begin_batch(&wire, NFNL_MSG_BATCH_END);
	r = wire_talk(&wire, NULL, NULL, err);
	if (r < 0)
		return error_prefix(err, r, "a rule that counts connections");
	nf = wire_begin(
		&wire, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_DUMP, sizeof(*nf));
	nf->nfgen_family = AF_INET;
	r = wire_talk(&wire, NULL, NULL, err);
	return r < 0 ? error_prefix(err, r, "the list of connections") : 0;
}

int try_veth(struct check_attempt *attempt, struct error *err)
{
	static const struct ifinfomsg nothing;
	struct nlattr *info, *data, *peer;
	struct wire wire;
	int r = open_alone(&wire, NETLINK_ROUTE, err);

	(void)attempt;
	if (r < 0)
		return r;
	wire_begin(&wire, RTM_NEWLINK, MAKE | NLM_F_ACK, sizeof(struct ifinfomsg));
	wire_put_text(&wire, IFLA_IFNAME, "hth0");
	info = wire_nest(&wire, IFLA_LINKINFO);
	wire_put_text(&wire, IFLA_INFO_KIND, "veth");
	data = wire_nest(&wire, IFLA_INFO_DATA);
	peer = wire_nest(&wire, VETH_INFO_PEER);
	wire_put_header(&wire, &nothing, sizeof(nothing));
	wire_put_text(&wire, IFLA_IFNAME, "eth0");
	wire_nest_end(&wire, peer);
	wire_nest_end(&wire, data);
	wire_nest_end(&wire, info);
	r = wire_talk(&wire, NULL, NULL, err);
	return r < 0 ? error_prefix(err, r, "a pair of links") : 0;
}

int try_bandwidth(struct check_attempt *attempt, struct error *err)
{
	const struct tc_tbf_qopt shape = {.rate.rate = TBF_RATE, .limit = TBF_BURST};
	const uint32_t burst = TBF_BURST;
	struct nlattr *options;
	struct wire wire;
	struct tcmsg *tc;
	int r = open_alone(&wire, NETLINK_ROUTE, err);

	(void)attempt;
	if (r < 0)
		return r;
	tc = wire_begin(&wire, RTM_NEWQDISC, MAKE | NLM_F_ACK, sizeof(*tc));
	tc->tcm_ifindex = LOOPBACK;
	tc->tcm_parent = TC_H_ROOT;
	wire_put_text(&wire, TCA_KIND, "tbf");
	options = wire_nest(&wire, TCA_OPTIONS);
	wire_put(&wire, TCA_TBF_PARMS, &shape, sizeof(shape));
	wire_put(&wire, TCA_TBF_BURST, &burst, sizeof(burst));
	wire_nest_end(&wire, options);
	r = wire_talk(&wire, NULL, NULL, err);
	return r < 0 ? error_prefix(err, r, "a token bucket") : 0;
}

/* End a socket of ours by its address, as what a dead sandbox left is ended. */
int try_socket_end(struct check_attempt *attempt, struct error *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	struct inet_diag_req_v2 *request;
	auto_close int fd = -1;
	struct wire wire;
	int r = open_alone(&wire, NETLINK_SOCK_DIAG, err);

	(void)attempt;
	if (r < 0)
		return r;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return error_errno(err, "a socket");
	request = wire_begin(&wire, SOCK_DESTROY, NLM_F_ACK, sizeof(*request));
	request->sdiag_family = AF_INET;
	request->sdiag_protocol = IPPROTO_TCP;
	request->id.idiag_sport = address.sin_port;
	request->id.idiag_cookie[0] = request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	r = wire_talk(&wire, NULL, NULL, err);
	return r < 0 ? error_prefix(err, r, "end a socket") : 0;
}
