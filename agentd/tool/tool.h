/*
 * tool.h - one run of a tool: from checked arguments to the text that a model reads.
 *
 * Side: agentd. Everything that touches a file or runs a program happens in the guest; a tool turns
 * arguments into guest requests and their hostile answers into text. It knows a guest client and
 * nothing of who asked. A few tools need no sandbox (TOOL_IN_AGENTD): they use what the request lends
 * them. A new tool is one file here, one declaration below and one row in table.c.
 *
 * Life: tool_start() makes a run, on_done() is its end, exactly once and never from within
 * tool_start(); the run is gone afterwards. A tool's start() sends the first guest request; each reply
 * goes to run->on_reply, which either sends the next request or leaves the text and so ends the run. A
 * tool in agentd ends its run by tool_finish_later() or tool_finish().
 */
#ifndef AGENTD_TOOL_TOOL_H
#define AGENTD_TOOL_TOOL_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "agentd/tool/headtail.h"
#include "proto/guest_client.h"
#include "proto/limit_text.h"

#define TOOL_PATH_MAX	     4096	    /* with terminator */
#define TOOL_DATA_MAX	     (256u * 1024u) /* bytes that a file request may answer */
#define TOOL_BASH_TIMEOUT_MS 120000u
#define TOOL_BASH_OUTPUT_MAX                                                                       \
	(256u << 20) /* bytes of a command's output; the rest is dropped inside */
#define TOOL_READ_LINES	   500
#define TOOL_GLOB_RESULTS  200
#define TOOL_GREP_LINES	   100
#define TOOL_GREP_LINE_MAX 500 /* bytes shown of a matching line */
#define TOOL_LS_ENTRIES	   1000
#define TOOL_MEMORY_MAX	   (256u * 1024u) /* bytes of an agent's memory */
#define TOOL_WORKSPACE	   "/workspace"	  /* where a sandbox has its session's files */

struct error;
struct evbuffer;
struct event;
struct event_base;
struct tool_run;
struct tool_search;

enum tool_place {
	TOOL_IN_SANDBOX,
	TOOL_IN_AGENTD, /* takes no sandbox: request.base instead of request.guest */
};

struct tool {
	const char *name;
	enum tool_place place;
	bool is_reader; /* changes nothing: may begin before it is on record, and be run again */
	const char *description;
	const char *parameters; /* JSON schema */
	/* 0, or -errno with nothing sent: then no on_done() comes. */
	int (*start)(struct tool_run *run, struct error *err);
};

/* An agent's memory, whoever keeps it: called from tool_start(). 0, or -errno and the reason. */
struct tool_memory {
	/* "" when there is none yet. The caller's to free. */
	int (*read)(void *arg, char **ret_text, struct error *err);
	int (*write)(void *arg, const char *text, struct error *err);
	void *arg;
};

/* What lasts from one command line of a session to the next. The caller keeps it; bash changes it. */
struct tool_shell {
	char cwd[TOOL_PATH_MAX]; /* "": where a command without a cwd starts */
	const char *workspace;	 /* TOOL_WORKSPACE: history is kept below it. NULL: nowhere */
};

/* All of it is borrowed until on_done(). */
struct tool_request {
	const struct tool *tool;
	struct guest_client *guest; /* TOOL_IN_SANDBOX */
	struct event_base *base;    /* TOOL_IN_AGENTD */
	const json_t *arguments;    /* fit the tool's schema */
	const char *cwd;	    /* NULL: the image's; shell->cwd goes before it */
	struct limit_values limits; /* of the lease; the tool adds its own */
	bool has_bash;		    /* known to be there; else sh looks for it */
	/* Each may be NULL. */
	struct tool_shell *shell;
	const struct tool_memory *memory;
	struct tool_search *search;
};

struct tool_result {
	struct evbuffer *text; /* bytes that need not be UTF-8; ours again after on_done() */
	bool is_error;
	const struct guest_reply *reply; /* the receipt; of a tool in agentd: wall_ns only */
};

struct tool_callbacks {
	/* What a command writes, as it comes. May be NULL. */
	void (*on_output)(void *arg, enum guest_stream stream, const void *data, uint32_t size);
	/* reply->end GUEST_END_LOST: the sandbox has ended and there is no text. */
	void (*on_done)(void *arg, const struct tool_result *result);
	void *arg;
};

struct tool_run {
	struct tool_request request;
	struct tool_callbacks callbacks;
	struct guest_request *in_flight; /* NULL between requests */
	void (*on_reply)(struct tool_run *run, const struct guest_reply *reply);
	struct evbuffer *input; /* still to be sent as INPUT */
	bool is_input_ended;
	struct evbuffer *data; /* GUEST_DATA of the request in flight */
	const char *note;      /* what a tool keeps from one request to the next */
	void *state;	       /* more of it, allocated by the tool and freed with the run */
	void (*on_cancel)(struct tool_run *run); /* of a tool in agentd; may be NULL */
	struct event *finish;			 /* of tool_finish_later() */
	uint64_t begun_ns;
	struct guest_reply receipt; /* where has_receipt: result.reply, instead of the last one */
	bool has_receipt;
	struct headtail output, errors;
	struct evbuffer *text;
	bool is_error;
	bool is_out_of_memory;
	bool is_quiet; /* what it writes is the tool's own affair: no on_output() */
};

extern const struct tool *const tool_table[];
extern const size_t tool_count; /* TOOLS_MAX at most */
#define TOOLS_MAX 64
/* Of all of them, NULL-terminated. From the loop. */
const char *const *tool_names(void);

/* NULL: there is no such tool. */
const struct tool *tool_find(const char *name);

/* On success *ret_run belongs to itself and ends by on_done(). -errno: no callback will come. */
int tool_start(const struct tool_request *request, const struct tool_callbacks *callbacks,
	struct tool_run **ret_run, struct error *err);

/* End it early: on_done() comes, later. */
void tool_cancel(struct tool_run *run);

/* For the tools: send a request whose reply goes to on_reply. 0 or -errno. */
int tool_send_file(struct tool_run *run, const struct guest_file_options *options,
	void (*on_reply)(struct tool_run *run, const struct guest_reply *reply), struct error *err);
int tool_send_exec(struct tool_run *run, const struct guest_exec_options *options,
	void (*on_reply)(struct tool_run *run, const struct guest_reply *reply), struct error *err);

/* After tool_send_file(): run->input holds all INPUT. Sends what the credit allows, the rest later. */
void tool_send_input(struct tool_run *run);

/* For the tools in agentd: the text is there. Later from the loop, or now: the run is gone then. */
int tool_finish_later(struct tool_run *run, struct error *err);
void tool_finish(struct tool_run *run);

/* Append to the answer. */
void tool_say(struct tool_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tool_say_bytes(struct tool_run *run, const void *data, size_t size);
/* Append a newline where the answer does not end with one. */
void tool_end_line(struct tool_run *run);
/* Append a file name so that no byte of it can be taken for a line of ours: \n, \x1b. */
void tool_say_name(struct tool_run *run, const char *name);
/* Append foreign text as one line of at most max bytes: blanks and control characters become one blank. */
void tool_say_line(struct tool_run *run, const char *text, size_t length, size_t max);
/* As tool_say_name(), for a path found below the argument "path", or below "." when there is none. */
void tool_say_found(struct tool_run *run, const char *path);
/* Append what a search that is done did not look at, if anything. */
void tool_say_left_out(struct tool_run *run, const struct guest_reply *reply);
/* Make the answer an error: "Error: " and the text, instead of what was said before. */
void tool_fail(struct tool_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True, with the error said, when the request about this path did not get done. */
bool tool_has_failed(struct tool_run *run, const struct guest_reply *reply, const char *path);

/* An argument, or what stands for it when it is absent. */
const char *tool_string(const struct tool_run *run, const char *name, const char *otherwise);
uint64_t tool_number(const struct tool_run *run, const char *name, uint64_t otherwise);
bool tool_flag(const struct tool_run *run, const char *name);

/* Where commands and relative paths start; NULL: the image's. */
const char *tool_cwd(const struct tool_run *run);

/* A path for the guest: relative ones start at the run's cwd. 0 or -ENAMETOOLONG. */
int tool_path(const struct tool_run *run, const char *path, char to[static TOOL_PATH_MAX],
	struct error *err);

/* argv for a command line by bash, or by sh where there is none; the string is borrowed. */
void tool_shell_argv(bool has_bash, const char *command, const char *argv[static 6]);

/* The next string of data that a guest wrote: it ends with a NUL before `end`. NULL: there is none. */
const char *tool_next_string(const char **at, const char *end);

/* The data of the reply in one piece; never NULL. */
const char *tool_data(struct tool_run *run, size_t *ret_size);

/* In a file each. */
extern const struct tool tool_read, tool_write, tool_edit, tool_bash, tool_glob, tool_grep, tool_ls;
extern const struct tool tool_http_fetch, tool_search_web;
extern const struct tool tool_memory_get, tool_memory_save, tool_memory_append, tool_memory_update;
#endif
