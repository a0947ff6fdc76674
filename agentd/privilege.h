/*
 * privilege.h - from root to user hearth, for good.
 *
 * agentd reads what comes from sandboxes and models; it must hold nothing that is worth taking.
 */
#ifndef AGENTD_PRIVILEGE_H
#define AGENTD_PRIVILEGE_H
#include <sys/types.h>

struct error;

struct privilege_user {
	uid_t uid;
	gid_t gid;
};

/* The user by name and its group. 0 or -errno, with what to do in err. */
int privilege_find(const char *name, struct privilege_user *ret_user, struct error *err);

/*
 * Become the user when root, then in any case: no capability in any set, no way to gain one by exec
 * (PR_SET_NO_NEW_PRIVS), no core dump and no ptrace (PR_SET_DUMPABLE 0). Verified before it returns
 * 0; -errno otherwise, and the caller must exit.
 */
int privilege_drop(const struct privilege_user *user, struct error *err);
#endif
