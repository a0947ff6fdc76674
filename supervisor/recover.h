/*
 * recover.h - remove what a run of this instance has left on the host: its processes, cgroups, networks, uid
 * ranges.
 *
 * At the start it undoes a run that was killed, at the end the present one. It touches nothing that
 * does not have the instance's id in its name, may be repeated, and may itself be killed anywhere.
 */
#ifndef SUPERVISOR_RECOVER_H
#define SUPERVISOR_RECOVER_H
#include <stdbool.h>

struct error;

struct recovery {
	bool is_found;	  /* there was something to end */
	unsigned orphans; /* sandboxes in which something still ran */
};

/* had_network: or it is not known. ret_recovery may be NULL. 0 or -errno. */
int recover(const char *instance_id, bool had_network, struct recovery *ret_recovery,
	struct error *err);
#endif
