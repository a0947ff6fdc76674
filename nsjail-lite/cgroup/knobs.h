/*
 * knobs.h - the files of one cgroup. For cgroup.c only; everybody else takes cgroup.h.
 *
 * base_fd is the instance's base in some hierarchy, name a cgroup below it, knob a file of that.
 */
#ifndef NSJAIL_LITE_CGROUP_KNOBS_H
#define NSJAIL_LITE_CGROUP_KNOBS_H
#include <sys/types.h>

#include "nsjail-lite/cgroup/cgroup.h"

int knobs_write(
	int base_fd, const char *name, const char *knob, const char *value, struct error *err);
ssize_t knobs_read(int base_fd, const char *name, const char *knob, char *buffer, size_t size);
/* The fd, or -1 and errno. */
int knobs_open(int base_fd, const char *name, const char *knob, int flags);

/* IO has a directory only where it is limited: no other sandbox has to pay for it. */
bool knobs_use(const struct jail_limits *limits, enum cgroup_controller c);

int knobs_limit(const struct cgroup_base *base, const char *name, const struct jail_limits *limits,
	struct error *err);

/* What the guest learns of its limits: the events_fds of the cgroup. */
int knobs_open_events(const struct cgroup_base *base, struct cgroup *cgroup, struct error *err);
#endif
