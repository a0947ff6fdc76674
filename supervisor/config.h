/*
 * config.h - what hearth.conf may say: one instance, one or more pools. See hearth.conf(5).
 */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/jail.h"
#include "proto/control.h"
#include "proto/network.h"
#include "supervisor/egress.h"

struct error;

#define BUILDERS_MAX	   8
#define BUILDS_PER_BUILDER 2 /* one being built, one at the door: no round trip between them */
#define POOL_MEMORY_LEAST  (UINT64_C(4) << 20) /* limit of a sandbox: less runs nothing */
#define POOL_CPU_LEAST	   10 /* thousandths: the kernel takes no quota below 1 ms of 100 ms */
#define POOL_INODES_LEAST  64 /* as of nsjail-lite: a build alone takes eight */

/* [pool "NAME"] */
struct pool_section {
	char name[CONTROL_NAME_MAX];
	char image[CONTROL_NAME_MAX];
	char net[CONTROL_NAME_MAX];
	enum network_profile profile; /* of that name */
	char hostname[JAIL_HOSTNAME_MAX];
	uint32_t min, max, target_max;
	uint32_t build_concurrency;
	uint32_t waiters_max;
	enum control_on_empty on_empty;
	uint64_t wait_ms, lease_ms, idle_ms, frozen_ms, ttl_ms; /* but wait, 0 is none */
	struct jail_limits limits;
	uint32_t
		unenforced; /* enum limit_hit, a set: of these, what this host cannot do; by host_open() */
};

/* Whether there are networks besides each sandbox's own loopback. AUTO: if some pool's net is not none. */
enum network_enabled { NETWORK_ENABLED_AUTO, NETWORK_ENABLED_YES, NETWORK_ENABLED_NO };

/* [network] and [egress] */
struct network_config {
	enum network_enabled enabled;
	bool is_on; /* of that, what is decided */
	char addresses_text[EGRESS_ADDRESS_MAX];
	struct network_cidr addresses;
	struct network_caps caps;
	char except_text[1600], allow_text[10000], resolvers_text[64];
	struct egress egress; /* no resolvers: the host's */
};

/* [workspaces] */
struct workspaces_config {
	char directory[JAIL_PATH_MAX]; /* empty: there are none */
	uint64_t limit_bytes;	       /* of each; 0: none */
};

/* [instance], and the pools in the file's order */
struct supervisor_config {
	char store[JAIL_PATH_MAX];
	char user[CONTROL_NAME_MAX];
	uint32_t builders;
	uint32_t connections_max, connections_per_uid;
	uint32_t leases_per_connection, waiters_per_connection;
	uint64_t queue_bytes;
	uint64_t memory_budget; /* 0: by host_open(); left 0, there is none */
	uint32_t overcommit;	/* in thousandths */
	bool strict;
	struct network_config network;
	struct workspaces_config workspaces;
	uint32_t pool_count;
	struct pool_section pools[JAIL_TEMPLATES_MAX];
};

/*
 * Read and judge a configuration file. 0 or -errno with "FILE:LINE: what is wrong" or "FILE: ..."
 * in err.
 */
int supervisor_config_load(
	const char *path, struct supervisor_config *ret_config, struct error *err);

/* Sandboxes of all pools together: how many slots the instance needs. */
uint32_t supervisor_config_slots(const struct supervisor_config *config);
#endif
