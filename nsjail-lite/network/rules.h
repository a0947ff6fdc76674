/*
 * rules.h - the instance's one nftables table: who may send what where.
 *
 * Table inet hearth-<instance>, set up once through libnftables; what changes with a sandbox is an
 * element of a map or set, sent raw. Every packet from a link of the instance is looked up by interface
 * and source address in the map of profiles, before any routing, and dropped when it is not there: its source
 * is forged. What its profile refuses is answered by ICMP. To a sandbox come only answers. IPv6 is dropped.
 */
#ifndef NSJAIL_LITE_NETWORK_RULES_H
#define NSJAIL_LITE_NETWORK_RULES_H
#include <stdint.h>

#include "nsjail-lite/network/network_link.h"

struct error;
struct rules;

/* Set the table up; one of the same name is replaced. config must outlive it. */
int rules_open(const struct network_start *config, struct rules **ret_rules, struct error *err);
/* Delete the table. Accepts NULL. */
void rules_close(struct rules *rules);
/* Delete the table of a killed process. 0 also when there is none. */
int rules_recover(const char *instance, struct error *err);

/*
 * From now on packets from this link with this source address (host byte order), and only these, are of that
 * profile. What an earlier profile allow admitted is forgotten.
 */
int rules_set_profile(struct rules *rules, const char *link, uint32_t address,
	enum network_profile profile, struct error *err);

/* The address, of profile allow, may send to these for ttl seconds. All in one exchange. */
int rules_admit(struct rules *rules, uint32_t address, const uint32_t *destinations, uint32_t count,
	uint32_t ttl, struct error *err);

/* Forget what was admitted to the address and counted of it; the profile stays. */
int rules_forget(struct rules *rules, uint32_t address, struct error *err);

/* Packets of the address that were dropped, since rules_forget(). */
int rules_denied(struct rules *rules, uint32_t address, uint64_t *ret_packets, struct error *err);
#endif
