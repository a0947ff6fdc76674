/*
 * confine.h - leave the host: from here on the process has an empty root and no privilege.
 */
#ifndef DNS_CONFINE_H
#define DNS_CONFINE_H
#include <sys/types.h>

struct error;

/*
 * For good, as root: a mount namespace with nothing but an empty directory that nobody can write; uid and gid,
 * no group, no capability, no_new_privs; bounds on descriptors, memory and processes (it may not fork). The
 * network stays. 0 or -errno.
 */
int confine(uid_t uid, struct error *err);
#endif
