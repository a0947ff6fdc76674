/*
 * rules_text.c - the table, in the words of nft(8).
 *
 * Everything is decided before routing, in the hook of conntrack's first sight of a packet: a refused packet makes
 * no entry there, and one that is there ("confirmed", even when nothing has answered yet) has been allowed. So it goes on
 * until whoever changes a profile makes conntrack forget the address.
 */
#include <stdio.h>
#include <stdlib.h>

#include "nsjail-lite/network/rules_private.h"

static const char *const chains[] = {
	[NETWORK_NONE] = "profile-none",
	[NETWORK_DEFAULT] = "profile-default",
	[NETWORK_ALLOW] = "profile-allow",
	[NETWORK_OPEN] = "profile-open",
};

void rules_table_name(const char *instance, char ret_table[RULES_TABLE_SIZE])
{
	snprintf(ret_table, RULES_TABLE_SIZE, "hearth-%s", instance);
}

const char *rules_chain(enum network_profile profile)
{
	return chains[profile];
}

static void put_address(FILE *f, uint32_t address)
{
	fprintf(f, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
		address & 255);
}

static void put_cidr(FILE *f, const struct network_cidr *cidr)
{
	put_address(f, cidr->address);
	fprintf(f, "/%u", cidr->prefix);
}

/* Ranges that lie in each other are allowed: people write the list. */
static void put_cidrs(FILE *f, const char *name, const struct network_cidr *cidrs, size_t count)
{
	fprintf(f, "set %s {\n type ipv4_addr; flags interval; auto-merge;\n", name);
	for (size_t i = 0; i < count; i++) {
		fputs(i == 0 ? " elements = { " : ", ", f);
		put_cidr(f, &cidrs[i]);
	}
	fputs(count > 0 ? " }\n}\n" : "}\n", f);
}

/*
 * No set can be filled up by what a sandbox sends: only sources that the map has are put into one by a packet,
 * and refusals count by link, which must be there already.
 */
static void put_sets(FILE *f, const struct network_start *config)
{
	fputs("map " RULES_PROFILES " {\n type ifname . ipv4_addr : verdict;\n}\n", f);
	fputs("set " RULES_DENIED " {\n type ifname; counter;\n}\n", f);
	fputs("set " RULES_ADMITTED " {\n type ipv4_addr . ipv4_addr; flags timeout;\n}\n", f);
	fprintf(f, "set " RULES_FRESH " {\n type ipv4_addr; flags dynamic; size %u;\n}\n",
		config->slot_count);
	fprintf(f, "set " RULES_FLOWS " {\n type ipv4_addr; flags dynamic; size %u;\n}\n",
		config->slot_count);
	put_cidrs(f, "private", network_private, NETWORK_PRIVATE_COUNT);
	put_cidrs(f, "except", config->except, config->except_count);
	put_cidrs(f, "allowed", config->allow, config->allow_count);
}

/*
 * What ends a packet's way. Refused: counted and answered, so that a program fails at once and does not wait for
 * minutes; TCP by a reset, since the kernel sends few errors of ICMP to one address (icmp_ratelimit). Lost: counted,
 * without a word, for what has forged its source or is more than the caps let through. To look the link up counts:
 * once for each packet.
 */
static void put_ends(FILE *f, const struct network_caps *caps)
{
	uint64_t burst = 2 * (uint64_t)caps->new_per_second;

	fputs("chain lose {\n iifname @" RULES_DENIED " drop\n drop\n}\n", f);
	fputs("chain refuse {\n meta l4proto tcp iifname @" RULES_DENIED
	      " reject with tcp reset\n meta l4proto != tcp iifname @" RULES_DENIED
	      " reject with icmpx type admin-prohibited\n drop\n}\n",
		f);
	fputs("chain admit {\n", f);
	if (caps->new_per_second)
		fprintf(f,
			" add @" RULES_FRESH
			" { ip saddr limit rate over %u/second burst %u packets } goto lose\n",
			caps->new_per_second, burst > UINT32_MAX ? UINT32_MAX : (uint32_t)burst);
	if (caps->connections)
		fprintf(f, " add @" RULES_FLOWS " { ip saddr ct count over %u } goto lose\n",
			caps->connections);
	fputs(" accept\n}\n", f);
}

/*
 * For all profiles. An error of ICMP has the state of the connection that it names, which may be anybody's: none goes
 * on. Not counted: what sends them is the kernel inside, when an answer comes late. fib: the host's own addresses,
 * whichever they are now, broadcast and multicast. The range of sandboxes is that of the other instances too.
 */
static void put_common(FILE *f, const struct network_start *config)
{
	fputs("chain common {\n"
	      " meta l4proto icmp ct state related drop\n"
	      " ct status confirmed accept\n"
	      " ct state invalid goto lose\n"
	      " meta l4proto != { tcp, udp, icmp } goto refuse\n"
	      " icmp type != echo-request goto refuse\n"
	      " ip daddr ",
		f);
	put_address(f, config->gateway);
	fputs(" udp dport 53 goto admit\n"
	      " fib daddr type != unicast goto refuse\n"
	      " ip daddr ",
		f);
	put_cidr(f, &config->addresses);
	fputs(" goto refuse\n}\n", f);
}

static void put_profiles(FILE *f)
{
	/* Other resolvers would answer what ours filters: refused even where an address is excepted. */
	static const char resolvers[] =
		" meta l4proto { tcp, udp } th dport { 53, 853 } goto refuse\n";

	fprintf(f,
		"chain %s {\n jump common\n%s"
		" tcp dport { 25, 465, 587 } goto refuse\n"
		" ip daddr @except goto admit\n"
		" ip daddr @private goto refuse\n"
		" goto admit\n}\n",
		rules_chain(NETWORK_DEFAULT), resolvers);
	fprintf(f,
		"chain %s {\n jump common\n%s"
		" ip daddr @allowed goto admit\n"
		" ip saddr . ip daddr @" RULES_ADMITTED " goto admit\n"
		" goto refuse\n}\n",
		rules_chain(NETWORK_ALLOW), resolvers);
	fprintf(f, "chain %s {\n jump common\n goto admit\n}\n", rules_chain(NETWORK_OPEN));
	fprintf(f, "chain %s {\n goto refuse\n}\n", rules_chain(NETWORK_NONE));
}

/*
 * Before conntrack puts fragments together (-400), which takes memory that all the host shares, and which those of a
 * datagram that the token bucket has cut short would fill.
 */
static void put_whole(FILE *f, const char *prefix)
{
	fprintf(f,
		"chain whole {\n type filter hook prerouting priority -450; policy accept;\n"
		" iifname \"%s*\" ip frag-off & 0x3fff != 0 goto lose\n}\n",
		prefix);
}

/*
 * What comes from elsewhere is not ours to judge, but the resolver is for sandboxes only, whom it knows by their
 * addresses. Options of IP are for source routes and the like: no program needs them. IPv6 is not in the map.
 */
static void put_hooks(FILE *f, const char *prefix, uint32_t gateway)
{
	fputs("chain from {\n type filter hook prerouting priority mangle; policy accept;\n"
	      " iifname lo accept\n",
		f);
	fprintf(f, " iifname != \"%s*\" ip daddr ", prefix);
	put_address(f, gateway);
	fputs(" drop\n", f);
	fprintf(f,
		" iifname != \"%s*\" accept\n"
		" ip hdrlength > 5 goto lose\n"
		" iifname . ip saddr vmap @" RULES_PROFILES "\n"
		" goto lose\n}\n",
		prefix);
	fprintf(f,
		"chain to {\n"
		" oifname != \"%s*\" accept\n"
		" ct state established,related accept\n"
		" drop\n}\n",
		prefix);
	fputs("chain forwarded {\n type filter hook forward priority filter; policy accept;\n"
	      " jump to\n}\n"
	      "chain sent {\n type filter hook output priority filter; policy accept;\n"
	      " jump to\n}\n",
		f);
	fprintf(f,
		"chain masked {\n type nat hook postrouting priority srcnat; policy accept;\n"
		" iifname \"%s*\" masquerade\n}\n",
		prefix);
}

/* Adding first, so that there is something to delete. */
static void put_remove(FILE *f, const char *table)
{
	fprintf(f, "table inet %s\ndelete table inet %s\n", table, table);
}

char *rules_text(const struct network_start *config)
{
	char table[RULES_TABLE_SIZE], prefix[NETWORK_LINK_PREFIX_SIZE], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	rules_table_name(config->instance, table);
	network_link_prefix(config->instance, prefix);
	put_remove(f, table);
	fprintf(f, "table inet %s {\n", table);
	put_sets(f, config);
	put_ends(f, &config->caps);
	put_common(f, config);
	put_profiles(f);
	put_whole(f, prefix);
	put_hooks(f, prefix, config->gateway);
	fputs("}\n", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

char *rules_text_remove(const char *instance)
{
	char table[RULES_TABLE_SIZE], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	rules_table_name(instance, table);
	put_remove(f, table);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
