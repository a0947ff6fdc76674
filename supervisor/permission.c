#include "supervisor/permission.h"

#include "base/cleanup.h"
#include "proto/control.h"

#define BIT(role) (1u << (role))
#define BOTH	  (BIT(ROLE_USER) | BIT(ROLE_ROOT))

static const struct {
	uint16_t type;
	unsigned roles;
} table[] = {
	{CONTROL_ACQUIRE, BOTH},
	{CONTROL_RELEASE, BOTH},
	{CONTROL_TOUCH, BOTH},
	{CONTROL_LIST, BOTH},
	{CONTROL_POOLS, BOTH},
	/* of which leases, lease_request.c judges */
	{CONTROL_KILL, BOTH},
	{CONTROL_NET, BOTH},
	{CONTROL_INSPECT, BOTH},
	{CONTROL_STATS, BOTH},
	{CONTROL_POOL_SET, BIT(ROLE_ROOT)},
	{CONTROL_WORKSPACE_REMOVE, BOTH},
};

enum role permission_role(uid_t uid, uid_t user_uid)
{
	if (uid == 0)
		return ROLE_ROOT;
	return uid == user_uid ? ROLE_USER : ROLE_NONE;
}

bool permission_allows(enum role role, uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].type == type)
			return table[i].roles & BIT(role);
	return false;
}

bool permission_allows_profile(
	enum role role, enum network_profile profile, enum network_profile pool_profile)
{
	return role == ROLE_ROOT || profile != NETWORK_OPEN || pool_profile == NETWORK_OPEN;
}
