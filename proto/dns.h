/*
 * dns.h - hearth-network <-> hearth-dns, SEQPACKET on hearth-dns's fd 3.
 *
 * hearth-dns answers the sandboxes' DNS queries. It parses hostile bytes, so it is an unprivileged process
 * with a uid of its own in an empty root; root reads only these fixed structs of it, and trusts them
 * no further than the sandbox that they name. Sequence: DNS_START, which carries the bound UDP
 * socket; then DNS_SANDBOX whenever an address changes hands or profile; DNS_ADMIT -> DNS_ADMITTED before an answer
 * of profile allow leaves; DNS_DENIED at most once a second and address.
 */
#ifndef PROTO_DNS_H
#define PROTO_DNS_H
#include "proto/check.h"
#include "proto/network.h"

#define DNS_VERSION	  1
#define DNS_ADDRESSES_MAX 16   /* of one answer */
#define DNS_TTL_MIN	  30   /* seconds that an admitted address stays at least */
#define DNS_TTL_MAX	  3600 /* and at most */
#define DNS_ADMITTED_MAX  512  /* addresses of one sandbox at a time */

enum dns_type {
	/* to hearth-dns */
	DNS_START = 1, /* fd 0: UDP socket bound to gateway:53 */
	DNS_SANDBOX = 2,
	DNS_ADMITTED = 3,
	/* from it */
	DNS_ADMIT = 32,
	DNS_DENIED = 33,
};

struct dns_start {
	struct message_header header;
	struct network_caps caps;
	uint32_t except_count, resolver_count, domain_count;
	uint32_t resolvers[NETWORK_RESOLVERS_MAX];
	struct network_cidr except[NETWORK_CIDRS_MAX];
	/* payload: domain_count names, each terminated by NUL */
};

struct dns_sandbox {
	struct message_header header;
	uint32_t address;    /* host byte order */
	uint32_t profile;    /* enum network_profile; NETWORK_NONE: queries are dropped */
	uint64_t generation; /* of its use; what is known of an earlier one is forgotten */
};

struct dns_admit {
	struct message_header header; /* with id */
	uint32_t address;
	uint32_t ttl; /* seconds, DNS_TTL_MIN..DNS_TTL_MAX */
	uint64_t generation;
	uint32_t count; /* 1..DNS_ADDRESSES_MAX */
	uint32_t destinations[DNS_ADDRESSES_MAX];
	uint32_t reserved;
};

struct dns_admitted {
	struct message_header header; /* id of the DNS_ADMIT */
	uint32_t error;		      /* errno: the answer must not leave; 0: it may */
	uint32_t reserved;
};

struct dns_denied {
	struct message_header header;
	uint32_t address;
	uint32_t count; /* more, since the last */
	uint64_t generation;
};

extern const struct message_protocol dns_protocol;

void dns_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id);
#endif
