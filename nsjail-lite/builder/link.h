/*
 * link.h - the builder's link: supervisor (or nsjail-lite) <-> builder, SEQPACKET on the builder's fd 3.
 *
 * Both ends are root and ours; the rules are checked all the same. Sequence:
 *   BASE, FILTER, TEMPLATE..., START -> STARTED; then SLOT -> SLOT_READY; then BUILD -> BUILT or
 *   FAILED; BIND -> BOUND or FAILED; KILL (or death by itself) -> ENDED. FREEZE has no answer. A builder
 *   does one thing at a time, in order. WORKSPACES comes before START or never.
 *   START first ends and removes whatever cgroups of its prefix an earlier builder left.
 *   At the end of the link the builder kills what it built, removes its cgroups and exits.
 */
#ifndef NSJAIL_LITE_BUILDER_LINK_H
#define NSJAIL_LITE_BUILDER_LINK_H
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/jail.h"
#include "proto/check.h"
#include "proto/control.h"

#define LINK_VERSION	1
#define LINK_PACKET_MAX 65536u
#define LINK_FILTER_MAX 4096u /* instructions of the seccomp program, kernel limit BPF_MAXINSNS */
#define LINK_TEXT_MAX	200
#define LINK_ENV_MAX	8192u

enum link_type {
	/* to the builder */
	LINK_BASE = 1,	 /* fds: of struct cgroup_base: v2_fd, v1_fd[0..], those that are present */
	LINK_FILTER = 2, /* payload: struct sock_filter[] */
	LINK_TEMPLATE = 3, /* fd 0: detached mount of the image's root; then one per bind */
	LINK_START = 4,
	LINK_SLOT =
		5, /* fd 0, if any: its network namespace, which then is not the builder's to clean */
	LINK_BUILD = 6,
	LINK_KILL = 7,
	LINK_WORKSPACES = 8, /* fd 0: detached mount of the directory of workspaces */
	LINK_BIND = 9,
	LINK_FREEZE = 10,
	/* from the builder */
	LINK_STARTED = 32,
	LINK_SLOT_READY = 33,
	LINK_BUILT = 34, /* fd 0: the host's end of the sandbox's channel */
	LINK_FAILED =
		35, /* of SLOT, BUILD, BIND (the sandbox lives on), or START: the builder then exits */
	LINK_ENDED = 36,
	LINK_BOUND = 37,
};

struct link_base {
	struct message_header header;
	uint32_t has_v2;		    /* 1: the first fd is the v2 base */
	uint32_t has_freezer;		    /* 1: the last one is that of v1's freezer */
	uint32_t is_one_shot;		    /* 1: one sandbox will be built, none after it */
	uint32_t place[CGROUP_CONTROLLERS]; /* enum cgroup_place; each V1 has an fd */
	char prefix
		[32]; /* of the names of cgroups made here: "b0-"; unique among the live builders */
	uint32_t normal_priority; /* 1: stay at normal priority (nsjail-lite) */
	uint32_t
		nameserver; /* IPv4 address in host byte order for /etc/resolv.conf; 0: leave the image's */
};

struct link_filter {
	struct message_header header;
};

struct link_template {
	struct message_header header;
	uint32_t index;	     /* 0..JAIL_TEMPLATES_MAX - 1 */
	uint32_t bind_count; /* 0..JAIL_BINDS_MAX */
	struct jail_limits limits;
	char hostname[JAIL_HOSTNAME_MAX];
	struct jail_bind binds[JAIL_BINDS_MAX]; /* destinations; sources are the fds */
	/* payload: default cwd, then default environment "K=V"...; each terminated by NUL */
};

struct link_start {
	struct message_header header;
};

struct link_slot {
	struct message_header header;
	uint32_t slot;	   /* 0..JAIL_SLOTS_MAX - 1 */
	uint32_t uid_base; /* multiple of 65536, not 0 */
};

struct link_build {
	struct message_header header;
	uint64_t sandbox;
	uint32_t slot;
	uint32_t template_index;
};

struct link_workspaces {
	struct message_header header;
};

/* What a lease has of its own: see BIND. */
enum link_bind_what {
	BIND_WORKSPACE = 1 << 0,
	BIND_HOSTNAME = 1 << 1,
	BIND_MEMORY = 1 << 2, /* limits.memory_bytes */
	BIND_PIDS = 1 << 3,   /* limits.pids */
	BIND_CPU = 1 << 4,    /* limits.cpu_milli */
};
#define BIND_ALL 31u

/* Only to a sandbox in which nothing has run yet. All of it is applied, or FAILED says what was not. */
struct link_bind {
	struct message_header header;
	uint64_t sandbox;
	uint32_t what; /* enum link_bind_what, a set, not empty */
	uint32_t reserved;
	char workspace
		[JAIL_WORKSPACE_MAX]; /* directory below that of WORKSPACES, made when missing */
	uint64_t workspace_bytes;     /* its limit; 0: none */
	char hostname[JAIL_HOSTNAME_MAX];
	struct jail_limits limits; /* the rest of it is 0 */
};

struct link_kill {
	struct message_header header;
	uint64_t sandbox;
};

/*
 * Stop all that runs in it, or let it go on. One that has ended meanwhile is passed over; what the kernel
 * refuses the builder tells once on stderr. KILL ends a frozen one as it ends any other.
 */
struct link_freeze {
	struct message_header header;
	uint64_t sandbox;
	uint32_t is_frozen; /* 1: stop, 0: go on */
	uint32_t reserved;
};

struct link_started {
	struct message_header header;
};

struct link_slot_ready {
	struct message_header header;
	uint32_t slot;
	uint32_t reserved;
};

struct link_built {
	struct message_header header;
	uint64_t sandbox;
	uint32_t pid; /* of PID 1, as the builder's pid namespace sees it */
	uint32_t reserved;
	uint64_t
		memory_bytes; /* charged to its cgroup when it was ready; 0: not measured this time */
	struct jail_stages stages;
};

struct link_bound {
	struct message_header header;
	uint64_t sandbox;
	uint64_t bind_ns;
	uint32_t is_soft; /* 1: the file system does not hold workspace_bytes */
	uint32_t reserved;
};

struct link_failed {
	struct message_header header;
	uint64_t sandbox; /* of BUILD and BIND; else 0 */
	uint32_t slot;	  /* of SLOT, BUILD and BIND */
	uint32_t error;	  /* errno */
	char text[LINK_TEXT_MAX];
};

struct link_ended {
	struct message_header header;
	uint64_t sandbox;
	uint32_t slot;	     /* free again: all that ran in it is proven dead */
	uint32_t limits_hit; /* enum limit_hit of proto/control.h: memory, pids, cpu */
	uint32_t was_asked;  /* 1: after KILL; 0: it died by itself */
	uint32_t wait_status;
	struct lease_usage usage;
	uint64_t kill_ns; /* from KILL to this message; 0 when it died by itself */
};

extern const struct message_protocol link_protocol;

void link_header(struct message_header *h, uint16_t type, uint32_t size);
#endif
