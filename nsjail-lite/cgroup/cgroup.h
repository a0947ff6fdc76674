/*
 * cgroup.h - the cgroups of one instance: limits, kill, freeze, counters, on v2, v1 and hybrid hosts.
 *
 * Host and builder side, root. Each controller (memory, pids, cpu, io) is used where the host has it:
 * on the v2 tree when its cgroup.controllers lists it, else in its v1 hierarchy, else not at all.
 * The v2 tree, where there is one, also tells membership: kill, freeze and emptiness go there, and
 * a child is born into it (CLONE_INTO_CGROUP).
 *
 * All cgroups of an instance lie below "hearth-<instance>" in each hierarchy that is used. A cgroup
 * is never used twice: its counters and charges survive its processes, and after one write to
 * cgroup.kill every later birth in it is killed.
 */
#ifndef NSJAIL_LITE_CGROUP_H
#define NSJAIL_LITE_CGROUP_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/jail.h"

struct error;

enum cgroup_controller { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_IO, CGROUP_CONTROLLERS };

/* Where a controller is. */
enum cgroup_place { CGROUP_ABSENT, CGROUP_V1, CGROUP_V2 };

/* One v1 hierarchy per controller, and v1's freezer, which is used only where there is no v2 tree. */
#define CGROUP_FREEZER	      CGROUP_CONTROLLERS
#define CGROUP_V1_HIERARCHIES (CGROUP_CONTROLLERS + 1)
#define CGROUP_HIERARCHIES    (1 + CGROUP_V1_HIERARCHIES) /* the v2 tree too */

struct cgroup_base {
	int v2_fd;			  /* "hearth-<instance>" on the v2 tree, or -1 */
	int v1_fd[CGROUP_V1_HIERARCHIES]; /* likewise in v1; -1 where not used */
	enum cgroup_place place[CGROUP_CONTROLLERS];
};

#define CGROUP_NONE_ [0 ... CGROUP_V1_HIERARCHIES - 1] = -1
#define CGROUP_BASE_INIT                                                                           \
	(struct cgroup_base)                                                                       \
	{                                                                                          \
		.v2_fd = -1, .v1_fd = { CGROUP_NONE_ }                                             \
	}

/* One sandbox's cgroups. Plain values; fds are -1 when absent. */
struct cgroup {
	char name[64];
	int v2_fd; /* directory, for CLONE_INTO_CGROUP */
	int tasks_fd
		[CGROUP_V1_HIERARCHIES]; /* v1 `tasks`, open for writing: the child writes "0" */
	/* For the guest, which tells its caller of them: nothing but news and counts come out of these. */
	int memory_events_fd; /* v2: memory.events; v1: an eventfd that counts OOMs */
	int pids_events_fd;   /* pids.events, read-only */
};
#define CGROUP_INIT                                                                                \
	(struct cgroup)                                                                            \
	{                                                                                          \
		.v2_fd = -1, .tasks_fd = {CGROUP_NONE_}, .memory_events_fd = -1,                   \
		.pids_events_fd = -1                                                               \
	}

struct cgroup_usage {
	uint64_t memory_peak_bytes; /* 0: unknown */
	uint64_t cpu_ns;
	uint64_t cpu_throttled; /* periods in which the CPU quota was used up */
	uint64_t oom_kills;  /* whoever was out of memory: this cgroup, one above it, or the host */
	bool has_hit_memory; /* its own limit; not looked at without oom_kills */
	uint64_t pids_peak;  /* 0: unknown */
	uint64_t pids_refused; /* forks refused at the pids limit */
};

/*
 * Find the hierarchies and open, making it where needed, the instance's base in each. `mounts` is
 * the text of a mountinfo file; NULL: /proc/self/mountinfo. Fails with ENODEV when the host has
 * neither a v2 tree nor any of the three controllers; a single absent controller is no error.
 */
int cgroup_base_open(
	const char *instance, const char *mounts, struct cgroup_base *ret_base, struct error *err);
void cgroup_base_close(struct cgroup_base *base);

/* Kill every process below the base in all hierarchies; its directories go, the base itself stays. Idempotent. */
int cgroup_base_clear(const char *instance, struct error *err);
/* Likewise, and the base goes too. */
int cgroup_base_destroy(const char *instance, struct error *err);

/* 1: this instance has a base in some hierarchy; 0: in none; or -errno. */
int cgroup_base_exists(const char *instance, struct error *err);

/* For each instance that has a base on this host: callback(arg, name), once per hierarchy. */
int cgroup_base_list(
	void (*callback)(void *arg, const char *instance), void *arg, struct error *err);

/* Move the calling process (all its threads) below base into "daemon" of the v2 tree (v1 pids when there is none). */
int cgroup_join_daemon(const struct cgroup_base *base, struct error *err);

/* Make a cgroup named name in every hierarchy of base, with limits. On failure nothing is left. */
int cgroup_create(const struct cgroup_base *base, const char *name,
	const struct jail_limits *limits, struct cgroup *ret_cgroup, struct error *err);

/* Set those limits that are not 0 in one that exists. -EBUSY: more than that is in use already. */
int cgroup_limit(const struct cgroup_base *base, const char *name, const struct jail_limits *limits,
	struct error *err);

/* Close the fds that only a birth needs; the cgroup itself stays. */
void cgroup_close(struct cgroup *cgroup);

/* In the child, single-threaded: join the v1 hierarchies. -errno. */
int cgroup_join_self(const struct cgroup *cgroup);

/* What is charged to it now; 0: unknown. */
uint64_t cgroup_read_memory(const struct cgroup_base *base, const char *name);
int cgroup_read_usage(
	const struct cgroup_base *base, const char *name, struct cgroup_usage *ret_usage);
/*
 * Stop every process in it, or let them go on; on v2 they have stopped or not when cgroup.events says so. On v1
 * what is frozen dies of no signal before it is thawed. -EOPNOTSUPP: neither a v2 tree nor v1's freezer.
 */
int cgroup_freeze(const struct cgroup_base *base, const char *name, bool on, struct error *err);
/* Every process in it, by cgroup.kill or, without a v2 tree, by signals until none is left. */
int cgroup_kill(const struct cgroup_base *base, const char *name, struct error *err);
/* 1: no process; 0: some; -errno. */
int cgroup_is_empty(const struct cgroup_base *base, const char *name);
/* rmdir in every hierarchy; waits up to a second for the kernel to let go (EBUSY). */
int cgroup_remove(const struct cgroup_base *base, const char *name, struct error *err);

/* Kill and remove every cgroup below base whose name begins with prefix, in whichever hierarchy it stands. */
int cgroup_remove_matching(const struct cgroup_base *base, const char *prefix, struct error *err);

/* "memory v1, pids v1, cpu v1, io v1, kill and freeze v2" for logs and doctor. */
const char *cgroup_describe(const struct cgroup_base *base, char *buffer, unsigned size);
#endif
