/*
 * check.h - the row of a check, for the doctor's own modules.
 *
 *   doctor.c       one child per check, its time limit, what it left
 *   table.c        the rows
 *   privileges.c   root, capabilities, limits of the process, users, images
 *   namespaces.c   namespaces, pidfds, ids
 *   mounts.c       tmpfs, overlay, idmapped mounts
 *   cgroups.c      limits, kill, freeze
 *   filter.c       seccomp
 *   networks.c     links, rules, connections
 *   firewall.c     the host's own rules
 *   sysctls.c      what the kernel is told to do
 *   confinement.c  real sandboxes, and that they hold
 */
#ifndef NSJAIL_LITE_DOCTOR_CHECK_H
#define NSJAIL_LITE_DOCTOR_CHECK_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/doctor/doctor.h"
#include "nsjail-lite/one_shot.h"

struct error;

enum check_flag {
	CHECK_REQUIRED = 1, /* else a failure is a warning */
	CHECK_ROOT = 2,	    /* nobody else can try it */
	CHECK_SANDBOX = 4,  /* builds one: only when every required check before it has passed */
	CHECK_READ = 8,	    /* reads a few bytes of the kernel: needs no child */
	CHECK_LATE = 16,    /* takes too long for a start */
};

struct check_attempt {
	const struct doctor_check *check;
	const struct doctor_options *options;
	char instance[ONE_SHOT_NAME_MAX]; /* owner of the cgroups and uid ranges that it may take */
	enum doctor_verdict on_failure;	  /* may be changed by the try */
	struct doctor_result *result;	  /* detail and fix may be written by the try */
};

/* In a child that is thrown away, but for CHECK_READ. 0, or -errno with the cause in err, whose code is 0 where no call failed. */
typedef int (*check_try)(struct check_attempt *attempt, struct error *err);

struct doctor_check {
	const char *name;
	unsigned flags;
	check_try try;
	const char *fix;
	/* what the try makes of them: see there */
	const char *text;
	uint64_t number, most;
};

extern const struct doctor_check doctor_checks[];
extern const unsigned doctor_check_count;

/* What was found, for the reader of a check that passed. Returns 0. */
int check_found(struct check_attempt *attempt, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What was found is wrong, though no call failed: returns -EINVAL, with code 0 in err. */
int check_bad(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Wait for a child of the try. 0 when it exited with 0, else -errno: its status taken as an errno, or -ECHILD when a signal ended it. */
int check_wait(int pid, struct error *err, const char *what);

int try_root(struct check_attempt *attempt, struct error *err);
int try_capability(struct check_attempt *attempt, struct error *err); /* number: CAP_ */
int try_open_files(struct check_attempt *attempt, struct error *err);
int try_user(struct check_attempt *attempt, struct error *err);
int try_uid_ranges(struct check_attempt *attempt, struct error *err);
int try_image(struct check_attempt *attempt, struct error *err); /* text: its name */

int try_namespace(struct check_attempt *attempt,
	struct error *err); /* text: in /proc/self/ns; number: CLONE_ */
int try_id_map(struct check_attempt *attempt, struct error *err);
int try_pidfd(struct check_attempt *attempt, struct error *err);
int try_close_range(struct check_attempt *attempt, struct error *err);
int try_openat2(struct check_attempt *attempt, struct error *err);

int try_tmpfs(struct check_attempt *attempt, struct error *err);
int try_disk_limit(struct check_attempt *attempt, struct error *err);
int try_overlay_fds(struct check_attempt *attempt, struct error *err);
int try_overlay(struct check_attempt *attempt, struct error *err);
int try_image_idmap(struct check_attempt *attempt, struct error *err);
int try_tmpfs_idmap(struct check_attempt *attempt, struct error *err);

int try_cgroups(struct check_attempt *attempt, struct error *err);
int try_cgroup_limit(struct check_attempt *attempt, struct error *err); /* number: controller */
int try_cgroup_birth(struct check_attempt *attempt, struct error *err);
int try_cgroup_kill(struct check_attempt *attempt, struct error *err);
int try_cgroup_freeze(struct check_attempt *attempt, struct error *err);

int try_filter(struct check_attempt *attempt, struct error *err);
int try_foreign_abi(struct check_attempt *attempt, struct error *err);

int try_veth(struct check_attempt *attempt, struct error *err);
int try_nftables(struct check_attempt *attempt, struct error *err);
int try_connection_tracking(struct check_attempt *attempt, struct error *err);
int try_forwarding(struct check_attempt *attempt, struct error *err);
int try_bandwidth(struct check_attempt *attempt, struct error *err);
int try_socket_end(struct check_attempt *attempt, struct error *err);

/* name: of the sysctl, with dots; number..most: good values; text: what a bad one means */
int try_sysctl(struct check_attempt *attempt, struct error *err);
int try_core_pattern(struct check_attempt *attempt, struct error *err);
int try_max_namespaces(struct check_attempt *attempt, struct error *err);

int try_confinement(
	struct check_attempt *attempt, struct error *err); /* text: what the probe is to try */
#endif
