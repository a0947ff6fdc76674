/*
 * network_link.h - the supervisor <-> hearth-network, SEQPACKET on hearth-network's fd 3.
 *
 * hearth-network is the process that has the host's end of all networks: the slots' namespaces with a
 * routed veth each, the table of rules, the process that answers DNS. In effect it has
 * CAP_NET_ADMIN and CAP_SYS_ADMIN and nothing else (privileges.c). Both ends are ours; the rules are checked all the same. Sequence:
 *
 *   START -> STARTED, or FAILED and exit. Then, in any order and many at a time:
 *   SLOT -> SLOT_READY with the namespace, made when missing, a batch of slots at a time;
 *   PROFILE -> PROFILE_SET: from now on the slot's address has that profile; what its connections were
 *     allowed before is forgotten when it changes;
 *   FLUSH -> FLUSHED, after the sandbox is proven dead: nothing of it is left in the slot, which keeps
 *     its profile; a namespace that cannot be cleaned is replaced: is_new, and SLOT gives it;
 *   INSPECT -> STATE.
 *   A request that fails is answered FAILED with its id. Requests are served in order.
 *
 * At the end of the link it removes the gateway's address and what it changed of the host's forwarding, and, as
 * soon as the last slot's namespace has gone, the table; then it exits. So builders and sandboxes end before it,
 * and nobody keeps a namespace's fd. When they do not, the table stays. network_recover() does the same after
 * a kill, and removes the table also when links are still there after some seconds: then all is dead already.
 */
#ifndef NSJAIL_LITE_NETWORK_NETWORK_LINK_H
#define NSJAIL_LITE_NETWORK_NETWORK_LINK_H
#include "nsjail-lite/jail.h"
#include "proto/check.h"
#include "proto/network.h"

#define NETWORK_VERSION	     1
#define NETWORK_PACKET_MAX   65536u
#define NETWORK_TEXT_MAX     200
#define NETWORK_INSTANCE_MAX 16
/* How long it waits at its end for the kernel to take down what a thousand sandboxes had. */
#define NETWORK_LINKS_END_MS 10000
/* Names of the host's ends: prefix, digits of the instance, 3 of the slot, 2 of its generation; 15 characters. */
#define NETWORK_LINK_PREFIX	 "hth"
#define NETWORK_LINK_DIGITS	 7
#define NETWORK_LINK_PREFIX_SIZE (sizeof(NETWORK_LINK_PREFIX) + NETWORK_LINK_DIGITS)

enum network_type {
	/* to hearth-network */
	NETWORK_START = 1,
	NETWORK_SLOT = 2,
	NETWORK_PROFILE = 3,
	NETWORK_FLUSH = 4,
	NETWORK_INSPECT = 5,
	/* from it */
	NETWORK_STARTED = 32,
	NETWORK_SLOT_READY = 33, /* fd 0: the network namespace */
	NETWORK_PROFILE_SET = 34,
	NETWORK_FLUSHED = 35,
	NETWORK_STATE = 36,
	NETWORK_FAILED = 37,
};

struct network_start {
	struct message_header header;
	char instance[NETWORK_INSTANCE_MAX]; /* its id: ten hex digits, or nsjail-PID */
	uint32_t first_uid;		     /* of slot 0's range */
	uint32_t slot_count;		     /* 1..JAIL_SLOTS_MAX */
	struct network_cidr addresses;	     /* of all sandboxes: see network_slot_address() */
	uint32_t gateway; /* the host's address that sandboxes see: DNS is there */
	uint32_t dns_uid; /* uid and gid of the process that answers DNS */
	struct network_caps caps;
	uint32_t except_count, allow_count, resolver_count, domain_count;
	/* private, but reached by default, and by names of allow */
	struct network_cidr except[NETWORK_CIDRS_MAX];
	struct network_cidr allow[NETWORK_CIDRS_MAX];
	uint32_t resolvers[NETWORK_RESOLVERS_MAX];
	uint32_t reserved;
	/* payload: domain_count names "pypi.org" or "*.npmjs.org", each terminated by NUL */
};

struct network_slot { /* SLOT, FLUSH, INSPECT */
	struct message_header header;
	uint32_t slot;
	uint32_t reserved;
};

struct network_set_profile {
	struct message_header header;
	uint32_t slot;
	uint32_t profile; /* enum network_profile */
	uint32_t
		is_fresh; /* 1: nothing has run in it since its last SLOT or FLUSH: it has no connection */
	uint32_t reserved;
};

struct network_done { /* STARTED, SLOT_READY, PROFILE_SET, FLUSHED */
	struct message_header header;
	uint32_t slot;
	uint32_t is_new; /* FLUSHED: 1: the slot needs SLOT again */
};

struct network_state {
	struct message_header header;
	uint32_t slot;
	uint32_t profile;     /* enum network_profile; 0: the slot was never made */
	uint32_t connections; /* tracked now */
	uint32_t reserved;
	uint64_t sent_bytes, received_bytes; /* by the sandbox, since the last FLUSH */
	uint64_t denied_packets;	     /* likewise */
	uint64_t denied_names;		     /* likewise */
};

struct network_failed {
	struct message_header header;
	uint32_t error; /* errno */
	uint32_t reserved;
	char text[NETWORK_TEXT_MAX];
};

extern const struct message_protocol network_protocol;

void network_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id);

/* What all links of the instance begin with: its last characters, which also differ between two nsjail-PID. */
void network_link_prefix(const char *instance, char ret_prefix[NETWORK_LINK_PREFIX_SIZE]);

/* Uid ranges are unique on the host, so are the addresses made of them. */
static inline uint32_t network_slot_address(const struct network_start *config, uint32_t slot)
{
	return config->addresses.address + config->first_uid / JAIL_UIDS + slot;
}
#endif
