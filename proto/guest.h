/*
 * guest.h - the sandbox's own channel: client (agentd, CLI) <-> guest (PID 1 inside).
 *
 * SEQPACKET; each packet a fixed struct and, where its rule says so, payload bytes behind it. No
 * packet but EXEC carries fds. Many requests are in flight, each with an id that the client chose and
 * does not use again until its reply. Exactly one REPLY ends each request, always: the guest makes it,
 * or the client library when the channel ends first. Both ends treat each other as hostile.
 *
 *   client                              guest
 *   EXEC READ WRITE EDIT STAT LIST
 *   GLOB GREP           -- request -->
 *   INPUT               -- stdin, or the content of WRITE and EDIT --> (within the credit)
 *                       <-- CREDIT --   how many more INPUT bytes may be sent
 *   SIGNAL RESIZE CANCEL -- of a request in flight; ignored when it has ended -->
 *                       <-- OUTPUT --   stdout, stderr; or the data that a file request answers
 *                       <-- REPLY --    the one end of a request
 */
#ifndef PROTO_GUEST_H
#define PROTO_GUEST_H
#include "proto/check.h"

#define GUEST_VERSION	    1
#define GUEST_CHUNK_MAX	    32768u  /* payload of INPUT and OUTPUT */
#define GUEST_ARGUMENTS_MAX 131072u /* payload of a request: strings */
#define GUEST_PACKET_MAX    (GUEST_ARGUMENTS_MAX + 256u)
#define GUEST_INPUT_CREDIT  262144u /* INPUT bytes that a client may send before the first CREDIT */
#define GUEST_REQUESTS_MAX  16384u  /* in flight; one more is answered -EBUSY */
#define GUEST_QUEUED_MAX    (16u << 20)	 /* bytes of requests not yet started; beyond: -EBUSY */
#define GUEST_RUNNING_MAX   64u		 /* started at once; the rest waits in order */
#define GUEST_FILE_MAX	    (64u << 20)	 /* content of WRITE; result of EDIT */
#define GUEST_FILE_OUTPUT   (256u << 10) /* bytes of OUTPUT; a file request without max_bytes */
#define GUEST_QUEUED_FDS    256u	 /* fds of requests not yet started; beyond: -EBUSY */
#define GUEST_TIMEOUT_MAX   (24u * 3600u * 1000u)
#define GUEST_FILE_TIMEOUT  30000u /* ms; a file request without a timeout of its own */
#define GUEST_TEXT_MAX	    128
#define GUEST_STRINGS_MAX   4096u  /* argc; envc */
#define GUEST_WINDOW_MAX    10000u /* rows; columns */

enum guest_type {
	/* client to guest */
	GUEST_EXEC = 1,
	GUEST_READ = 2,
	GUEST_WRITE = 3,
	GUEST_EDIT = 4,
	GUEST_STAT = 5,
	GUEST_LIST = 6,
	GUEST_GLOB = 7,
	GUEST_GREP = 8,
	GUEST_INPUT = 16,
	GUEST_SIGNAL = 17,
	GUEST_RESIZE = 18,
	GUEST_CANCEL = 19,
	/* guest to client */
	GUEST_OUTPUT = 32,
	GUEST_CREDIT = 33,
	GUEST_REPLY = 34,
};

enum guest_exec_flags {
	GUEST_EXEC_STDIN = 1 << 0, /* INPUT follows until its end mark; else stdin is /dev/null */
	GUEST_EXEC_PTY = 1 << 1,   /* one pty for all three; output comes as stdout */
	GUEST_EXEC_ENV_ONLY =
		1 << 2, /* the environment is exactly env; else added to the default */
	/* An fd beside the packet, in this order, is the command's own. Not with PTY or output_max. */
	GUEST_EXEC_FD_STDIN = 1 << 3, /* not with STDIN */
	GUEST_EXEC_FD_STDOUT = 1 << 4,
	GUEST_EXEC_FD_STDERR = 1 << 5,
};
#define GUEST_EXEC_FDS_MAX 3

/* The flag that says whether fd 0, 1 or 2 of the command is passed. */
static inline uint32_t guest_exec_fd_flag(int fd)
{
	return (uint32_t)GUEST_EXEC_FD_STDIN << fd;
}

/*
 * EXEC. Payload: argc strings, envc strings "K=V", then cwd (may be empty: the image's), each terminated by
 * NUL, nothing behind. argv[0] is searched in PATH of the command's environment. The command is
 * the leader of a new session. The reply comes when it exits, even if children hold the pipes;
 * what it wrote before is delivered first. At the timeout, on CANCEL and at the end of the channel
 * the whole tree is killed. What goes through a passed fd is neither OUTPUT nor counted.
 */
struct guest_exec {
	struct message_header header;
	uint32_t flags;
	uint32_t argc;		/* 1..GUEST_STRINGS_MAX */
	uint32_t envc;		/* 0..GUEST_STRINGS_MAX */
	uint32_t timeout_ms;	/* 0: none */
	uint16_t rows, columns; /* of the pty; 0: 24 x 80 */
	uint32_t reserved;
	uint64_t
		output_max; /* bytes of stdout and stderr together; the rest is drained and dropped; 0: no limit */
};

/*
 * The file requests. Payload: strings terminated by NUL, nothing behind, in this order:
 *   READ   path                     bytes offset..offset+length as OUTPUT; flag LINES: offset is the
 *                                   first line (1-based) and length counts lines; never more than
 *                                   max_bytes. Reply: count = bytes or lines sent, total = size of
 *                                   the file in bytes (LINES: in lines; a part of them, at least one
 *                                   more than were asked for or sent, when text says so).
 *   WRITE  path                     content comes as INPUT; parents are made; replaced atomically,
 *                                   mode kept (new: 0644). count = bytes written
 *   EDIT   path                     INPUT: old text, one NUL, new text. flag ALL: every occurrence,
 *                                   else exactly one. count = replacements. ENOENT with total = 0:
 *                                   not found; EEXIST: found `total` times
 *   STAT   path                     OUTPUT: one struct guest_stat. flag FOLLOW
 *   LIST   path                     OUTPUT: entries, sorted by name: struct guest_stat + name + NUL;
 *                                   at most length entries (0: 10000); total = entries seen
 *   GLOB   path, pattern            paths below path, newest first, each + NUL; at most length (0: 200).
 *                                   `**`, `*`, `?`, [..], {a,b}; flag HIDDEN; .gitignore respected unless
 *                                   NO_IGNORE. total = matches seen. A name that the pattern begins with
 *                                   a dot is found without HIDDEN. Directories are not found.
 *   GREP   path, pattern, include   extended regular expression; include is a glob of file names or "".
 *                                   OUTPUT: records, struct guest_match + path + NUL + line + NUL.
 *                                   flags ICASE, FILES (one record per file, no line), COUNT (number of
 *                                   matching lines in `line`). length: at most so many records (0: 100),
 *                                   offset: lines of context. total = matches seen: lines; with FILES and
 *                                   COUNT files. Hidden and ignored files are not looked at.
 * GLOB and GREP look at 1,000,000 entries, 200 levels of directories and 100,000 names in each; where there
 * is more, text of the reply says so. A pattern or include that can match no file is EINVAL.
 * Paths that GLOB and GREP answer begin with the path that was asked, as it was written.
 * A path that is not absolute starts where a command without a cwd does. Only regular files are read;
 * a device, FIFO or socket is EINVAL; files of unbounded size are cut at max_bytes. A link of /proc is not
 * followed (ELOOP), and a worker's own directory there is EACCES.
 */
enum guest_file_flags {
	GUEST_FILE_LINES = 1 << 0,
	GUEST_FILE_ALL = 1 << 1,
	GUEST_FILE_FOLLOW = 1 << 2,
	GUEST_FILE_HIDDEN = 1 << 3,
	GUEST_FILE_NO_IGNORE = 1 << 4,
	GUEST_FILE_ICASE = 1 << 5,
	GUEST_FILE_FILES = 1 << 6,
	GUEST_FILE_COUNT = 1 << 7,
};
#define GUEST_FILE_FLAGS_ALL 255

struct guest_file {
	struct message_header header;
	uint32_t flags;
	uint32_t timeout_ms; /* 0: GUEST_FILE_TIMEOUT */
	uint64_t offset;
	uint64_t length;
	uint64_t max_bytes; /* of OUTPUT in all; 0: GUEST_FILE_OUTPUT; at most GUEST_FILE_MAX */
};

struct guest_stat {
	uint32_t mode, uid, gid, nlink;
	uint64_t size;
	uint64_t mtime_ns; /* since 1970 */
};

struct guest_match {
	uint32_t line_number; /* 1-based; 0 with FILES and COUNT */
	uint32_t is_context;  /* 1: context, not a match */
};

struct guest_input {
	struct message_header header; /* payload: 0..GUEST_CHUNK_MAX bytes */
	uint32_t is_end;	      /* 1: the last one */
	uint32_t reserved;
};

struct guest_signal {
	struct message_header header;
	uint32_t signal; /* 1..64, to the command's process group */
	uint32_t reserved;
};

struct guest_resize {
	struct message_header header;
	uint16_t rows, columns; /* 1..GUEST_WINDOW_MAX */
	uint32_t reserved;
};

struct guest_cancel {
	struct message_header header;
};

enum guest_stream { GUEST_STDOUT = 1, GUEST_STDERR = 2, GUEST_DATA = 3 };

struct guest_output {
	struct message_header header; /* payload: 1..GUEST_CHUNK_MAX bytes */
	uint32_t stream;	      /* enum guest_stream */
	uint32_t reserved;
};

struct guest_credit {
	struct message_header header;
	uint32_t bytes; /* 1..GUEST_INPUT_CREDIT, on top of what was granted before */
	uint32_t reserved;
};

/* How a request ended. */
enum guest_end {
	GUEST_END_DONE = 1,   /* EXEC: exited or killed by a signal; file request: done */
	GUEST_END_FAILED = 2, /* error says why: EXEC could not start, file request failed */
	GUEST_END_TIMEOUT = 3,
	GUEST_END_CANCELLED = 4,
	GUEST_END_LOST = 5, /* made by the client library: the sandbox ended first */
};

struct guest_reply {
	struct message_header header;
	uint32_t end;	/* enum guest_end */
	uint32_t error; /* errno of FAILED; else 0 */
	uint32_t
		exit_status; /* EXEC: 0..255; 128 + signal; 126, 127 as a shell; 124 at the timeout */
	uint32_t signal;     /* EXEC: that killed the command; 0: none */
	uint32_t
		limits_hit; /* enum limit_hit of control.h, a set: memory, disk, pids, time, output */
	uint32_t reserved;
	uint64_t count, total; /* file requests, see above */
	/* receipt, of the command or the file worker and what it waited for */
	uint64_t wall_ns;
	uint64_t user_us, system_us;
	uint64_t max_rss_bytes;
	uint64_t read_bytes, write_bytes; /* from and to disks */
	uint64_t major_faults;
	uint64_t stdout_bytes, stderr_bytes; /* OUTPUT, dropped ones included */
	/* Of FAILED: what failed; of DONE: what was not looked at. May be empty. */
	char text[GUEST_TEXT_MAX];
};

extern const struct message_protocol guest_protocol;

/* The next of the NUL-terminated strings in *payload, which advances; NULL at the end. Checked payloads only. */
const char *guest_next_string(const char **payload, const char *end);

/* How many fds come with a checked packet, by its flags. */
size_t guest_fd_count(const struct message_header *h);

/* Fill a header; id as given. */
void guest_header(struct message_header *h, uint16_t type, uint32_t size, uint32_t id);
#endif
