/*
 * policy.h - what becomes of a question, and of the answer to it. Pure.
 *
 * A is asked of the host's resolvers. Private addresses are taken out of the answer (DNS rebinding) unless they
 * are excepted; when none is left there is no record.
 * PTR is asked for addresses that are not private, or are excepted; any other one does not exist.
 * Everything else, AAAA first of all, since IPv6 is off in sandboxes, has no record: NOERROR. apt looks for SRV
 * before A, glibc, musl and c-ares ask A and AAAA together, curl and browsers HTTPS: all take that for "there is
 * none" at once, where NOTIMP and REFUSED make them try again, wait, or give the name up.
 *
 * none     is not answered at all.
 * default  all names.
 * allow    the configured names; any other one is refused, whatever the type, so that no name carries anything
 *          out. What they resolve to is admitted by hearth-network before the answer leaves.
 * open     all names, and private addresses too.
 */
#ifndef DNS_POLICY_H
#define DNS_POLICY_H
#include <stdbool.h>
#include <stdint.h>

#include "dns/domains.h"
#include "proto/dns.h"

struct policy {
	uint32_t names_per_second; /* of each sandbox; 0: any number */
	uint32_t except_count;
	struct network_cidr except[NETWORK_CIDRS_MAX];
	struct domains domains;
};

enum policy_act {
	POLICY_DROP, /* no answer */
	POLICY_NO_RECORD,
	POLICY_NO_NAME,
	POLICY_REFUSE,
	POLICY_FAIL, /* SERVFAIL */
	POLICY_ASK_A,
	POLICY_ASK_PTR,
	POLICY_ANSWER,
	POLICY_ADMIT, /* then answer */
};

struct policy_verdict {
	enum policy_act act;
	const char *denied;  /* a constant: why this counts as denied; NULL: it does not */
	uint32_t reverse;    /* ASK_PTR: of this address */
	uint32_t answer_ttl; /* ANSWER, ADMIT: seconds */
	uint32_t admit_ttl; /* ADMIT: seconds, DNS_TTL_MIN..DNS_TTL_MAX, not less than answer_ttl */
	uint32_t count;	    /* ANSWER, ADMIT: 1..DNS_ADDRESSES_MAX, of addresses */
	uint32_t addresses[DNS_ADDRESSES_MAX];
};

/* start: checked. */
void policy_set(struct policy *policy, const struct dns_start *start);

/* As in a packet; name as message.h's. */
struct policy_verdict policy_question(const struct policy *policy, uint32_t profile, unsigned type,
	unsigned class, const char *name);

/*
 * What the profile, which may have changed since, makes of count addresses with a ttl in seconds. No more are
 * left than fit a packet of 512 bytes.
 */
struct policy_verdict policy_addresses(const struct policy *policy, uint32_t profile,
	const char *name, const uint32_t *addresses, uint32_t count, uint32_t ttl);
#endif
