/*
 * jail.h - what one sandbox is made of: limits, binds, stages. The words shared by the host side
 * (supervisor, nsjail-lite), the builder and the child.
 */
#ifndef NSJAIL_LITE_JAIL_H
#define NSJAIL_LITE_JAIL_H
#include <stdint.h>

#define JAIL_HOSTNAME_MAX  64
#define JAIL_TEMPLATES_MAX 16
#define JAIL_BINDS_MAX	   8
#define JAIL_PATH_MAX	   256
#define JAIL_WORKSPACE_MAX 64 /* id of a workspace, with terminator */
#define JAIL_SLOTS_MAX	   16384
#define JAIL_UIDS	   65536u /* width of a slot's uid and gid range */
#define JAIL_CPU_WEIGHT	   100	  /* of a sandbox that says nothing */
#define JAIL_OPEN_FILES	   4096	  /* likewise */
/* Whose the files of workspaces are on the host: id 0 inside is this one; no process has it. */
#define JAIL_WORKSPACE_UID (14 * JAIL_UIDS)
#define JAIL_WORKSPACE_DIR "/workspace"

struct jail_limits {
	uint64_t memory_bytes; /* hard, kernel and tmpfs memory included; 0: none */
	uint64_t disk_bytes;   /* size of the private root's tmpfs; 0: half of memory, or 1 GiB */
	uint64_t disk_inodes;  /* 0: 200000 */
	uint64_t pids;	       /* 0: none */
	uint64_t cpu_milli;    /* quota in thousandths of a CPU; 0: none */
	uint64_t cpu_weight;   /* share beside others, 1..10000; 0: 100 */
	uint64_t open_files;   /* RLIMIT_NOFILE; 0: JAIL_OPEN_FILES */
	/* bytes a second from and to the disk below; 0: none */
	uint64_t io_read_bps, io_write_bps;
	uint32_t io_major,
		io_minor; /* that disk, whole: see io_disk_find(); 0:0 when io is not limited */
};

struct jail_bind {
	char destination[JAIL_PATH_MAX]; /* absolute, inside */
	uint32_t is_read_only;
	uint32_t reserved;
};

/* The steps of a build, in order; also how far a failed one came. */
enum jail_stage {
	STAGE_CGROUP,
	STAGE_ROOT, /* tmpfs, idmapped lower, overlay */
	STAGE_CLONE,
	STAGE_JOIN,   /* cgroups, netns */
	STAGE_MOUNTS, /* root, dev, proc, devpts, mqueue, shm, binds */
	STAGE_MASKS,
	STAGE_PIVOT,
	STAGE_USERNS,
	STAGE_CREDENTIALS,
	STAGE_SECCOMP,
	STAGE_READY,
	STAGE_COUNT
};

struct jail_stages {
	uint64_t ns[STAGE_COUNT]; /* spent in each */
	uint64_t total_ns;
};

const char *jail_stage_name(uint32_t stage); /* "cgroup"; "?" when unknown */
#endif
