/*
 * egress.h - address ranges, names and resolvers, as hearth.conf and the host's own tables write them.
 *
 * Text in, numbers out: no system call. IPv4 only, because IPv6 is off in sandboxes.
 */
#ifndef SUPERVISOR_EGRESS_H
#define SUPERVISOR_EGRESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/network.h"

struct error;

#define EGRESS_NAME_MAX	   253 /* of a domain */
#define EGRESS_ADDRESS_MAX 20  /* "255.255.255.255/32", with terminator */

/* [egress], judged */
struct egress {
	uint32_t except_count, allow_count, resolver_count, domain_count, domain_bytes;
	struct network_cidr except[NETWORK_CIDRS_MAX];
	struct network_cidr allow[NETWORK_CIDRS_MAX];
	uint32_t resolvers[NETWORK_RESOLVERS_MAX];
	char domains[NETWORK_DOMAINS_BYTES]; /* in lower case, each terminated */
};

/* "10.0.0.0/8", or one address. 0; -EINVAL with what is wrong, the text in front. */
int egress_parse_cidr(const char *text, struct network_cidr *ret_cidr, struct error *err);
const char *egress_format_cidr(
	const struct network_cidr *cidr, char buffer[static EGRESS_ADDRESS_MAX]);

/*
 * Words, between blanks or commas. excepts: ranges; allow: ranges, names such as pypi.org and *.npmjs.org;
 * resolvers: addresses. 0; -EINVAL with the first word that is wrong, or too many.
 */
int egress_parse(const char *except, const char *allow, const char *resolvers,
	struct egress *ret_egress, struct error *err);

/* The first IPv4 nameservers of a text as of resolv.conf(5), where none is known yet. */
void egress_find_resolvers(struct egress *egress, const char *resolv_conf);

/*
 * Whether a route of the host leads somewhere into the range, by a text as of /proc/net/route: neither default
 * routes nor Hearth's own to its slots count. *ret_cidr and link: the first that does.
 */
bool egress_find_route(const char *routes, const struct network_cidr *range,
	struct network_cidr *ret_cidr, char link[static 16]);
#endif
