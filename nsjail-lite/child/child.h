/*
 * child.h - from clone to guest: a checklist that only applies what the builder prepared.
 *
 * Runs as PID 1 of the new pid namespace, as initial root until it joins the slot's user namespace.
 * No heap, no log; failure is reported by pipe and ends the process. The fd table is the builder's
 * until the very last step, so whatever it opens before must be closed again here; after a death
 * half-way the builder sweeps.
 */
#ifndef NSJAIL_LITE_CHILD_CHILD_H
#define NSJAIL_LITE_CHILD_CHILD_H
#include <linux/filter.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/guest/guest.h"
#include "nsjail-lite/jail.h"

/* Fixed numbers in the builder's table; only these and 0..2 survive into the guest's own. */
#define CHILD_CHANNEL_FD 3 /* the guest's end of the channel */
#define CHILD_REPORT_FD	 4 /* where the child reports; it closes it when it is ready */
#define CHILD_MEMORY_FD	 5 /* struct guest_events; closed where the kernel has no such file */
#define CHILD_PIDS_FD	 6
#define CHILD_OOM_FD	 7
#define CHILD_LAST_FD	 CHILD_OOM_FD

/* What to cover in /proc and with what: found once by the builder, the same for every child. */
struct proc_covers {
	/* where the builder's tree has a null device and an empty directory; "": see struct child_plan */
	const char *null_path, *empty_path;
	unsigned count;
	struct proc_cover {
		char name[20];
		enum { COVER_FILE, COVER_DIRECTORY, COVER_READ_ONLY } kind;
	} cover[40];
};

struct child_bind {
	int mount_fd;
	const char *destination; /* absolute, inside */
};

struct child_plan {
	const struct cgroup *cgroup;
	int netns_fd, userns_fd;
	uint32_t uid_base;
	int root_fd, dev_fd, shm_fd; /* detached mounts, ready to be moved */
	int layer_fds[2];	     /* what the root was made of, likewise; or -1 */
	int null_fd, empty_fd;	     /* detached: a null device, an empty directory; or unused */
	const struct proc_covers *covers;
	const struct child_bind *binds;
	unsigned bind_count;
	const char *hostname;
	const struct sock_fprog *filter;
	uint64_t open_files;
	unsigned cpus;	    /* as many as the quota is worth, so that nproc is honest; 0: all */
	unsigned first_cpu; /* of those that the builder may use, modulo their number */
	const cpu_set_t *allowed_cpus; /* those; it begins on one of them alone */
	char *arguments;	       /* the builder's argument memory, to be blanked */
	size_t arguments_size;
	const struct guest_defaults *defaults;
};

struct child_report {
	uint32_t stage; /* STAGE_COUNT: ready */
	uint32_t error; /* errno of a failure */
	char what[48];
	uint64_t stage_ns[STAGE_COUNT]; /* STAGE_JOIN and later */
};

_Noreturn void child_run(const struct child_plan *plan);

/* mounts.c: each 0, or -errno with *ret_what naming the step. */
int child_mount_all(const struct child_plan *plan, int *ret_proc_fd, const char **ret_what);
int child_cover_proc(const struct child_plan *plan, int proc_fd, const char **ret_what);
/*
 * The root has been mounted over that of the builder's tree, of which nothing can be reached from now on: a path
 * that climbs above the root of a mount comes back to what is mounted over it, and to unmount that is for the
 * host. To take the tree away as well would be a grace period of the kernel for each sandbox.
 */
int child_enter_root(const struct child_plan *plan, const char **ret_what);
#endif
