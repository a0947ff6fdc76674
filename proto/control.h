/*
 * control.h - control.sock: what agentd, the CLI and other clients ask of the supervisor.
 *
 * SEQPACKET, one fixed struct per packet. Names and numbers only: no path, uid, mount or command
 * comes from a client. No message from a client carries fds; LEASED carries the sandbox's channel.
 * Every request gets exactly one answer with its id (LIST, POOLS, STATS: rows, then DONE; ACQUIRE: one for
 * each sandbox that was asked for).
 */
#ifndef PROTO_CONTROL_H
#define PROTO_CONTROL_H
#include "proto/check.h"
#include "proto/stat.h"

#define CONTROL_VERSION	     1
#define CONTROL_NAME_MAX     32	 /* with terminator: template, image, profile */
#define CONTROL_TEXT_MAX     200 /* with terminator: reason for people */
#define CONTROL_BIND_MAX     64	 /* with terminator: workspace, hostname */
#define CONTROL_PACKET_MAX   512
#define CONTROL_DEADLINE_MAX (24u * 3600u * 1000u)
#define CONTROL_BATCH_MAX    64 /* sandboxes that one ACQUIRE may ask for */

enum control_type {
	/* client to supervisor */
	CONTROL_ACQUIRE = 1,
	CONTROL_RELEASE = 2,
	CONTROL_TOUCH = 3,
	CONTROL_LIST = 4,
	CONTROL_POOLS = 5,
	CONTROL_KILL = 6, /* end somebody's lease: root, or the owner's uid; so the next two */
	CONTROL_NET = 7,  /* change a lease's egress profile */
	CONTROL_INSPECT = 8,
	CONTROL_STATS = 9,
	CONTROL_POOL_SET = 10, /* root */
	CONTROL_WORKSPACE_REMOVE = 11,
	/* supervisor to client */
	CONTROL_LEASED = 32, /* + 1 fd: the sandbox's channel (guest.h) */
	/* RELEASE, TOUCH, KILL, NET, POOL_SET, WORKSPACE_REMOVE; end of LIST, POOLS, STATS rows */
	CONTROL_DONE = 33,
	CONTROL_REFUSED = 34,
	CONTROL_SANDBOX_ROW = 35,
	CONTROL_POOL_ROW = 36,
	CONTROL_LEASE_ENDED = 37, /* unasked, id 0: at once, unless the owner released it */
	CONTROL_RECEIPT = 38, /* unasked, id 0: of every lease, when its sandbox is proven dead */
	CONTROL_SANDBOX_DETAILS = 39,
	CONTROL_LEASE_FROZEN = 40, /* unasked, id 0: idle for too long; TOUCH thaws it */
	CONTROL_STAT_ROW = 41,
};

enum control_on_empty { ON_EMPTY_DEFAULT, ON_EMPTY_BUILD, ON_EMPTY_WAIT, ON_EMPTY_FAIL };

/* Which rung of the ladder served an acquire. */
enum control_rung {
	RUNG_READY = 1,
	RUNG_BUILT = 2,
	RUNG_WAITED = 3,
	RUNG_BOUND = 4, /* ready, then something of the lease's own was bound in */
};

enum sandbox_state {
	SANDBOX_BUILDING = 1,
	SANDBOX_READY = 2,
	SANDBOX_LEASED = 3,
	SANDBOX_DISCARDING = 4,
};

/* Why a lease ended. */
enum lease_end_reason {
	LEASE_RELEASED = 1,
	LEASE_OWNER_GONE = 2,
	LEASE_IDLE = 3, /* idle limit without TOUCH */
	LEASE_DEADLINE = 4,
	LEASE_OOM = 5, /* memory limit; PID 1 did not survive */
	LEASE_GUEST_DIED = 6,
	LEASE_BUILDER_LOST = 7,
	LEASE_SHUTDOWN = 8, /* the supervisor stops */
	LEASE_KILLED = 9,   /* KILL */
};

/* Limits: those that were hit, or those that this host cannot enforce; a set. */
enum limit_hit {
	LIMIT_HIT_MEMORY = 1 << 0,
	LIMIT_HIT_PIDS = 1 << 1,
	LIMIT_HIT_DISK = 1 << 2,
	LIMIT_HIT_TIME = 1 << 3,
	LIMIT_HIT_OUTPUT = 1 << 4,
	LIMIT_HIT_CPU = 1 << 5, /* the quota was used up in some period */
	LIMIT_HIT_IO = 1 << 6,	/* never hit, only not enforced: no kernel counts it */
};
#define LIMIT_HIT_ALL 127

/* Why a request was refused. */
enum control_refusal {
	REFUSED_DENIED = 1, /* this peer may not ask that */
	REFUSED_NO_TEMPLATE = 2,
	REFUSED_EMPTY = 3,	 /* on-empty fail, or the waiting queue is full */
	REFUSED_TIMEOUT = 4,	 /* waited until the deadline */
	REFUSED_LIMIT = 5,	 /* a cap of this peer or host; the text names it */
	REFUSED_STALE = 6,	 /* no such lease of this connection, or another epoch */
	REFUSED_UNSUPPORTED = 7, /* for instance an egress profile that the template has not */
	REFUSED_BROKEN = 8,	 /* builds of this template fail; the text says why */
	REFUSED_STOPPING = 9,
};

/* Handle of a lease: an id is never used for two sandboxes by one instance; the epoch tells instances' lives apart. */
struct control_handle {
	uint64_t sandbox;
	uint64_t epoch;
};

struct control_acquire {
	struct message_header header;
	char template_name[CONTROL_NAME_MAX]; /* empty: the instance's first pool */
	char net[CONTROL_NAME_MAX];	      /* egress profile; empty: the template's */
	uint32_t on_empty;		      /* enum control_on_empty */
	uint32_t wait_ms;  /* how long an empty pool may make it wait; 0: the pool's */
	uint32_t lease_ms; /* deadline of the lease; 0: the pool's; at most the pool's */
	uint32_t idle_ms;  /* likewise idle limit */
	/* of the lease's own, bound in before it is handed over; empty, 0: the template's */
	char workspace[CONTROL_BIND_MAX];	/* its opaque id, as text_is_name() */
	char hostname[CONTROL_BIND_MAX];	/* likewise */
	uint64_t memory_bytes, pids, cpu_milli; /* at most the template's */
	uint32_t count; /* sandboxes: 0..CONTROL_BATCH_MAX, 0: 1; with a workspace at most 1 */
	uint32_t reserved;
};

struct control_lease { /* RELEASE, TOUCH, KILL, INSPECT */
	struct message_header header;
	struct control_handle handle;
};

struct control_query { /* LIST, POOLS, STATS */
	struct message_header header;
};

struct control_leased {
	struct message_header header;
	struct control_handle handle;
	char template_name[CONTROL_NAME_MAX];
	uint32_t rung;	   /* enum control_rung */
	uint32_t lease_ms; /* 0: none */
	uint32_t idle_ms;  /* 0: none */
	uint32_t
		unenforced; /* enum limit_hit, a set: asked for by the template, but not in this host's power */
	uint64_t memory_bytes; /* limits in force */
	uint64_t disk_bytes;
	uint64_t disk_inodes;
	uint64_t pids;
	uint64_t cpu_milli; /* thousandths of a CPU; 0: no quota */
	uint64_t open_files;
	uint64_t wait_ns;  /* from the request's arrival to this answer: what follows included */
	uint64_t build_ns; /* what building this sandbox took, whenever that was */
	uint64_t bind_ns;  /* what binding took; 0: nothing was bound */
	char net[CONTROL_NAME_MAX];
	char workspace[CONTROL_BIND_MAX]; /* empty: none */
	char hostname[CONTROL_BIND_MAX];
	uint64_t workspace_bytes; /* its limit; 0: none */
	uint32_t is_soft;	  /* 1: that limit is only looked after now and then */
	uint32_t reserved;
	uint64_t queue_ns; /* of wait_ns, until there was a sandbox for it; 0: one was ready */
};

struct control_net {
	struct message_header header;
	struct control_handle handle;
	char net[CONTROL_NAME_MAX];
};

/* What POOL_SET changes: a set, not empty. */
enum pool_set_what {
	POOL_SET_MIN = 1 << 0,
	POOL_SET_MAX = 1 << 1,
};
#define POOL_SET_ALL 3

/* Until the supervisor ends: no file is changed. */
struct control_pool_set {
	struct message_header header;
	char template_name[CONTROL_NAME_MAX]; /* as in ACQUIRE, but not empty */
	uint32_t what;			      /* enum pool_set_what */
	uint32_t min, max;		      /* those not in `what` mean nothing */
	uint32_t reserved;
};

/*
 * A workspace goes, with all that is in it; DONE also when there is none of that name. From then on the name is
 * free; the room on the disk follows. REFUSED: LIMIT, with retry_ms, while a lease has it.
 */
struct control_workspace {
	struct message_header header;
	char workspace[CONTROL_BIND_MAX]; /* as in ACQUIRE, but not empty */
};

struct control_done {
	struct message_header header;
};

struct control_refused {
	struct message_header header;
	uint32_t refusal;  /* enum control_refusal */
	uint32_t retry_ms; /* 0: no use to retry unchanged */
	char text[CONTROL_TEXT_MAX];
};

struct control_sandbox_row {
	struct message_header header;
	struct control_handle handle;
	char template_name[CONTROL_NAME_MAX];
	uint32_t state;	    /* enum sandbox_state */
	uint32_t owner_pid; /* 0: none */
	uint32_t owner_uid;
	uint32_t is_frozen; /* 1: its lease is idle for too long */
	uint64_t age_ms;
	uint64_t lease_age_ms; /* 0 when not leased */
	uint64_t build_ns;
};

struct control_sandbox_details {
	struct message_header header;
	struct control_handle handle;
	char template_name[CONTROL_NAME_MAX];
	char net[CONTROL_NAME_MAX];
	char workspace[CONTROL_BIND_MAX];
	char hostname[CONTROL_BIND_MAX];
	uint32_t state; /* enum sandbox_state */
	uint32_t owner_pid, owner_uid;
	uint32_t unenforced; /* enum limit_hit, a set */
	uint64_t age_ms, lease_age_ms;
	uint64_t memory_bytes, disk_bytes, pids, cpu_milli; /* limits in force */
	/* caps of its network, 0: none; and what it has done there since it was leased */
	uint32_t connections_max, new_per_second_max, names_per_second_max;
	uint32_t connections; /* tracked now */
	uint64_t bytes_per_second_max;
	uint64_t sent_bytes, received_bytes;
	uint64_t denied_packets, denied_names;
};

struct control_pool_row {
	struct message_header header;
	char template_name[CONTROL_NAME_MAX];
	char image[CONTROL_NAME_MAX];
	char net[CONTROL_NAME_MAX];
	uint32_t min, max; /* configured */
	uint32_t building, ready, leased, discarding, waiting;
	uint32_t target;		       /* ready sandboxes wanted now, by demand: min..max */
	uint64_t hits, built, waited, refused; /* acquires by rung since start; refused */
	uint64_t build_failures;
	uint64_t build_p50_ns, build_p99_ns; /* 0 before the first */
	uint64_t idle_bytes;	       /* what a ready sandbox counts against the host's budget */
	uint64_t lease_bytes;	       /* and a leased one */
	uint64_t budget_bytes;	       /* of the instance, the same in all rows; 0: none */
	uint64_t promised_bytes;       /* of it */
	char broken[CONTROL_TEXT_MAX]; /* why builds fail now; empty: they do not */
	uint32_t frozen;	       /* of leased */
	uint32_t reserved;
};

struct control_lease_ended {
	struct message_header header;
	struct control_handle handle;
	uint32_t reason;     /* enum lease_end_reason */
	uint32_t limits_hit; /* enum limit_hit, a set */
	uint64_t limit;	     /* of the limit that ended it, in its unit; 0: none */
};

struct control_lease_frozen {
	struct message_header header;
	struct control_handle handle;
	uint32_t idle_ms; /* the limit that has passed without TOUCH */
	uint32_t ends_ms; /* from now, without TOUCH: LEASE_ENDED, IDLE */
};

/* What a sandbox used from its birth to its end. */
struct lease_usage {
	uint64_t cpu_ns;
	uint64_t memory_peak_bytes;	  /* 0: unknown */
	uint64_t read_bytes, write_bytes; /* from and to disks */
	uint64_t pids_peak;		  /* 0: unknown */
	uint64_t oom_kills;
};

struct control_receipt {
	struct message_header header;
	struct control_handle handle;
	uint32_t reason;     /* enum lease_end_reason */
	uint32_t limits_hit; /* enum limit_hit, a set */
	uint64_t wall_ns;    /* from hand-over to the end of the lease */
	struct lease_usage usage;
};

struct control_stat_row {
	struct message_header header;
	struct stat_sample sample;
};

extern const struct message_protocol control_protocol;

const char *control_reason_name(uint32_t reason);   /* "owner_gone"; "?" when unknown */
const char *control_refusal_name(uint32_t refusal); /* "no_template" */
const char *control_rung_name(uint32_t rung);	    /* "ready" */
const char *control_state_name(uint32_t state);	    /* "leased" */

/* Fill a header; id as given. */
void control_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id);
#endif
