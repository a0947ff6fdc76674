/*
 * network.h - words about sandboxes' networks: the egress profiles by name, address ranges, caps.
 *
 * Whatever the profile: other sandboxes, and all of the host but its DNS forwarder, are out of reach.
 */
#ifndef PROTO_NETWORK_H
#define PROTO_NETWORK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum network_profile {
	NETWORK_NONE = 1, /* nothing, not even names */
	NETWORK_DEFAULT =
		2, /* the Internet; not private, link-local, metadata or multicast addresses, no mail ports */
	NETWORK_ALLOW =
		3, /* only the configured address ranges, and what configured names resolve to */
	NETWORK_OPEN = 4, /* whatever the host reaches */
};
#define NETWORK_PROFILE_NAMES "none, default, allow, open"

#define NETWORK_CIDRS_MAX     64
#define NETWORK_RESOLVERS_MAX 3
#define NETWORK_DOMAINS_MAX   256  /* names of the profile allow */
#define NETWORK_DOMAINS_BYTES 8192 /* of them, terminators included */

/* IPv4 addresses are in host byte order. */
struct network_cidr {
	uint32_t address; /* no bit beyond the prefix */
	uint32_t prefix;  /* 0..32 */
};

/* Of each sandbox; 0: none. */
struct network_caps {
	uint32_t connections;	   /* tracked at a time */
	uint32_t new_per_second;   /* connections; twice as many at once */
	uint32_t names_per_second; /* DNS queries; ten times as many at once */
	uint32_t reserved;
	uint64_t bytes_per_second; /* each way */
};

/* What default does not reach, and no name resolves to, unless it is excepted: addresses of special purpose (RFC 6890), multicast. */
#define NETWORK_PRIVATE_COUNT 15
extern const struct network_cidr network_private[NETWORK_PRIVATE_COUNT];

bool network_contains(const struct network_cidr *cidrs, size_t count, uint32_t address);

/* For check_fields of the messages that carry them: 0 or -EPROTO with "FIELD: why". */
int network_check_cidrs(
	const struct network_cidr *cidrs, uint32_t count, const char *field, struct error *err);
/* A payload of `count` names, each terminated and none empty. */
int network_check_domains(const void *payload, uint32_t length, uint32_t count, struct error *err);

/* 0: no such name. */
enum network_profile network_profile_find(const char *name);
const char *network_profile_name(uint32_t profile); /* "default"; "?" when unknown */
#endif
