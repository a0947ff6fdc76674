/*
 * permission.h - who may ask what on control.sock: one table, role by message.
 */
#ifndef SUPERVISOR_PERMISSION_H
#define SUPERVISOR_PERMISSION_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum role {
	ROLE_NONE, /* is not even let in */
	ROLE_USER, /* the instance's user: agentd, and command-line programs that dropped to it */
	ROLE_ROOT,
};

enum role permission_role(uid_t uid, uid_t user_uid);

/* Whether that role may send that message. Unknown messages: no. */
bool permission_allows(enum role role, uint16_t type);
#endif
