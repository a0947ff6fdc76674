/*
 * config.h - what hearth.conf may say: one instance, one or more pools. See hearth.conf(5).
 */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/jail.h"
#include "proto/control.h"

struct error;

#define BUILDERS_MAX	   8
#define BUILDS_PER_BUILDER 2 /* one being built, one at the door: no round trip between them */

/* [pool "NAME"] */
struct pool_section {
	char name[CONTROL_NAME_MAX];
	char image[CONTROL_NAME_MAX];
	char net[CONTROL_NAME_MAX];
	char hostname[JAIL_HOSTNAME_MAX];
	uint32_t min, max;
	uint32_t build_concurrency;
	uint32_t waiters_max;
	enum control_on_empty on_empty;
	uint64_t wait_ms, lease_ms, idle_ms; /* lease, idle: 0 is none */
	struct jail_limits limits;
	uint32_t
		unenforced; /* enum limit_hit, a set: of these, what this host cannot do; by host_open() */
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
