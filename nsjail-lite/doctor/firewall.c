/*
 * Does a firewall of the host's own drop what sandboxes send to the Internet? A packet has to pass every chain
 * that sees forwarded packets, so what Hearth's own table accepts may still be dropped by another.
 *
 * Looked for: chains of another table that drop what they do not accept, by policy or by a rule without a
 * condition, when no rule of that table names Hearth's links.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/doctor/wire.h"
#include "nsjail-lite/network/network_link.h"

#define OWN_TABLE    "hearth-"
#define CHAINS_MAX   32
#define NAME_MAX_NFT 64
#define FORWARD	     "/proc/sys/net/ipv4/ip_forward"
#define LEGACY	     "/proc/net/ip_tables_names"

struct chain {
	uint8_t family;
	char table[NAME_MAX_NFT], name[NAME_MAX_NFT];
	bool drops;	/* what nothing accepted */
	bool is_opened; /* a rule of its table names our links */
};

struct chains {
	unsigned count;
	struct chain list[CHAINS_MAX];
};

static void copy_text(char to[NAME_MAX_NFT], const struct nlattr *attribute)
{
	size_t size = attribute ? wire_size(attribute) : 0;

	snprintf(to, NAME_MAX_NFT, "%.*s", (int)size,
		size ? (const char *)wire_data(attribute) : "");
}

static uint32_t number(const struct nlattr *attribute, uint32_t absent)
{
	uint32_t value;

	if (!attribute || wire_size(attribute) < sizeof(value))
		return absent;
	memcpy(&value, wire_data(attribute), sizeof(value));
	return ntohl(value);
}

static uint8_t family_of(const struct nlmsghdr *message)
{
	return ((const struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family;
}

static const struct nlattr *nft_attribute(const struct nlmsghdr *message, uint16_t type)
{
	return wire_attribute(message, sizeof(struct nfgenmsg), type);
}

static void on_chain(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *hook = nft_attribute(message, NFTA_CHAIN_HOOK), *hook_number = NULL;
	uint8_t family = family_of(message);
	struct chains *chains = arg;
	struct chain *chain;

	if (hook)
		hook_number = wire_find(wire_data(hook), wire_size(hook), NFTA_HOOK_HOOKNUM);
	if (number(hook_number, UINT32_MAX) != NF_INET_FORWARD || chains->count == CHAINS_MAX ||
		(family != NFPROTO_INET && family != NFPROTO_IPV4))
		return;
	chain = &chains->list[chains->count];
	chain->family = family;
	copy_text(chain->table, nft_attribute(message, NFTA_CHAIN_TABLE));
	copy_text(chain->name, nft_attribute(message, NFTA_CHAIN_NAME));
	chain->drops = number(nft_attribute(message, NFTA_CHAIN_POLICY), NF_ACCEPT) == NF_DROP;
	if (strncmp(chain->table, OWN_TABLE, strlen(OWN_TABLE)) != 0)
		chains->count++;
}

/* An `immediate` of the verdict drop. */
static bool is_drop(const struct nlattr *data)
{
	const struct nlattr *at = wire_find(wire_data(data), wire_size(data), NFTA_IMMEDIATE_DATA);

	if (at)
		at = wire_find(wire_data(at), wire_size(at), NFTA_DATA_VERDICT);
	if (at)
		at = wire_find(wire_data(at), wire_size(at), NFTA_VERDICT_CODE);
	return number(at, NF_ACCEPT) == NF_DROP;
}

/* Counted and logged perhaps, but without a condition. */
static bool drops_everything(const struct nlattr *expressions)
{
	const char *place = wire_data(expressions);
	size_t left = wire_size(expressions);
	bool drops = false;

	while (left >= WIRE_HEAD) {
		const struct nlattr *element = (const void *)place, *data;
		char name[NAME_MAX_NFT];
		size_t step;

		copy_text(name, wire_find(wire_data(element), wire_size(element), NFTA_EXPR_NAME));
		data = wire_find(wire_data(element), wire_size(element), NFTA_EXPR_DATA);
		if (strcmp(name, "reject") == 0 ||
			(strcmp(name, "immediate") == 0 && data && is_drop(data)))
			drops = true;
		else if (strcmp(name, "counter") != 0 && strcmp(name, "log") != 0)
			return false;
		step = NLMSG_ALIGN(element->nla_len);
		if (step < WIRE_HEAD || step > left)
			break;
		place += step;
		left -= step;
	}
	return drops;
}

static void on_rule(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *expressions = nft_attribute(message, NFTA_RULE_EXPRESSIONS);
	char table[NAME_MAX_NFT], name[NAME_MAX_NFT];
	struct chains *chains = arg;
	bool is_ours;

	if (!expressions)
		return;
	copy_text(table, nft_attribute(message, NFTA_RULE_TABLE));
	copy_text(name, nft_attribute(message, NFTA_RULE_CHAIN));
	is_ours = memmem(wire_data(expressions), wire_size(expressions), NETWORK_LINK_PREFIX,
		strlen(NETWORK_LINK_PREFIX));
	for (unsigned i = 0; i < chains->count; i++) {
		struct chain *chain = &chains->list[i];

		if (chain->family != family_of(message) || strcmp(chain->table, table) != 0)
			continue;
		chain->is_opened |= is_ours;
		if (strcmp(chain->name, name) == 0)
			chain->drops |= drops_everything(expressions);
	}
}

static int dump(struct wire *wire, uint16_t message,
	void (*visit)(void *arg, const struct nlmsghdr *message), struct chains *chains,
	struct error *err)
{
	wire_begin(wire, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), NLM_F_DUMP,
		sizeof(struct nfgenmsg));
	return wire_talk(wire, visit, chains, err);
}

/* iptables keeps its chains in a table of this name, and its own command is what people know. */
static bool is_of_iptables(const struct chain *chain)
{
	return chain->family == NFPROTO_IPV4 && strcmp(chain->table, "filter") == 0 &&
	       strcmp(chain->name, "FORWARD") == 0;
}

static int blame(struct check_attempt *attempt, const struct chain *chain, struct error *err)
{
	const char *family = chain->family == NFPROTO_INET ? "inet" : "ip";
	char *fix = attempt->result->fix;
	size_t size = sizeof(attempt->result->fix);

	if (is_of_iptables(chain))
		snprintf(fix, size,
			"iptables -I FORWARD -i hth+ -j ACCEPT; iptables -I FORWARD -o hth+ -j "
			"ACCEPT (with Docker: DOCKER-USER instead of FORWARD)");
	else
		snprintf(fix, size,
			"nft insert rule %s %.40s %.40s iifname \"hth*\" accept; nft insert rule "
			"%s %.40s %.40s oifname \"hth*\" accept",
			family, chain->table, chain->name, family, chain->table, chain->name);
	return check_bad(err,
		"chain %s %.40s %.40s of the host's firewall drops what sandboxes send", family,
		chain->table, chain->name);
}

/* Its rules are read by a command of its own only. */
static int look_for_legacy(struct check_attempt *attempt, struct error *err)
{
	char names[256];

	if (file_read_at(AT_FDCWD, LEGACY, names, sizeof(names), NULL) < 0 ||
		!strstr(names, "filter"))
		return 0;
	snprintf(attempt->result->fix, sizeof(attempt->result->fix),
		"where iptables-legacy -S FORWARD says DROP: iptables-legacy -I FORWARD -i hth+ -j "
		"ACCEPT; iptables-legacy -I FORWARD -o hth+ -j ACCEPT");
	return check_bad(err, "there are rules of iptables-legacy, which are not read here");
}

int try_forwarding(struct check_attempt *attempt, struct error *err)
{
	auto_close int fd = open(FORWARD, O_WRONLY | O_CLOEXEC);
	struct chains chains = {.count = 0};
	struct wire wire;
	int r;

	if (fd < 0)
		return error_errno(err, "%s", FORWARD);
	r = wire_open(&wire, NETLINK_NETFILTER, err);
	if (r == 0)
		r = dump(&wire, NFT_MSG_GETCHAIN, on_chain, &chains, err);
	if (r == 0)
		r = dump(&wire, NFT_MSG_GETRULE, on_rule, &chains, err);
	if (r < 0)
		return error_prefix(err, r, "read the host's firewall");
	for (unsigned i = 0; i < chains.count; i++)
		if (chains.list[i].drops && !chains.list[i].is_opened)
			return blame(attempt, &chains.list[i], err);
	return look_for_legacy(attempt, err);
}
