/*
 * host_network.h - what an instance's networks take of this machine: which addresses, whose resolvers.
 */
#ifndef SUPERVISOR_HOST_NETWORK_H
#define SUPERVISOR_HOST_NETWORK_H
#include <stdint.h>

#include "nsjail-lite/network/network_link.h"

struct error;
struct program;
struct supervisor_config;

/*
 * Choose the addresses, and see that they are nobody else's. first_uid: of the slots' uid ranges, behind which
 * there is one more: its first id is hearth-dns's, its address the gateway's. Resolvers that the configuration
 * does not name are filled in. 0 or -errno.
 */
int host_network_open(const char *instance_id, struct supervisor_config *config, uint32_t first_uid,
	struct network_start *ret_start, struct error *err);

/* Start hearth-network and send START with that id. As network_process_start(). */
int host_network_start(const struct supervisor_config *config, struct network_start *start,
	uint32_t id, struct program *ret_process, struct error *err);
#endif
