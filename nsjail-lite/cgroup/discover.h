/*
 * discover.h - where this host keeps which cgroup hierarchy, from the text of a mountinfo file.
 */
#ifndef NSJAIL_LITE_CGROUP_DISCOVER_H
#define NSJAIL_LITE_CGROUP_DISCOVER_H
#include "nsjail-lite/cgroup/cgroup.h"

struct cgroup_mounts {
	char v2[256];			     /* mount point; empty: none */
	char v1[CGROUP_V1_HIERARCHIES][256]; /* likewise per controller, and of the freezer */
};

/* First mount of each kind wins. Escapes (\040) are undone. -ENODEV when there is none of any kind. */
int cgroup_discover(const char *mountinfo, struct cgroup_mounts *ret_mounts, struct error *err);

const char *cgroup_controller_name(enum cgroup_controller controller);
#endif
