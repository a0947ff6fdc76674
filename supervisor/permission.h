/*
 * permission.h - who may ask what on control.sock: one table, role by message; and the ceiling of profiles.
 */
#ifndef SUPERVISOR_PERMISSION_H
#define SUPERVISOR_PERMISSION_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/network.h"

enum role {
	ROLE_NONE, /* is not even let in */
	ROLE_USER, /* the instance's user: agentd, and command-line programs that dropped to it */
	ROLE_ROOT,
};

enum role permission_role(uid_t uid, uid_t user_uid);

/* Whether that role may send that message. Unknown messages: no. */
bool permission_allows(enum role role, uint16_t type);

/* Whether that role may have the profile in a pool whose own is pool_profile. */
bool permission_allows_profile(
	enum role role, enum network_profile profile, enum network_profile pool_profile);
#define PERMISSION_PROFILE_DENIED "network profile open is for root, or for pools that have it"
#endif
