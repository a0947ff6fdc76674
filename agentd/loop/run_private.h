/*
 * What the files of a run share: run.c (its beginning), run_turn.c (the model), run_summary.c (a long conversation),
 * run_calls.c and run_call.c (tools), run_restore.c (calls of an earlier life), run_log.c (followers), run_end.c (its end).
 */
#ifndef AGENTD_LOOP_RUN_PRIVATE_H
#define AGENTD_LOOP_RUN_PRIVATE_H
#include "agentd/loop/bench.h"
#include "agentd/loop/run.h"
#include "agentd/project/project.h"
#include "agentd/store/store.h"
#include "agentd/tool/tool.h"
#include "agentd/upstream/upstream.h"
#include "base/error.h"

#define RUN_LOG_MS     100  /* how long text waits for more before it is an event */
#define RUN_LOG_KEPT   4096 /* events that stay in memory */
#define RUN_CUTS_MAX   5    /* replies in a row that broke off and are gone on with */
#define RUN_REASON_MAX 256

struct event;
struct evbuffer;
struct run;

enum run_state { RUN_STARTING, RUN_ASKING, RUN_TOOLS, RUN_ENDING };

enum run_call_state {
	RUN_CALL_WAITING,   /* for its turn or the sandbox */
	RUN_CALL_RECORDING, /* its start is on its way to the disk */
	RUN_CALL_RUNNING,
	RUN_CALL_DONE,
};

/* One tool call of the turn. */
struct run_call {
	struct run *run;
	unsigned position;
	enum run_call_state state;
	const char *id, *name, *text; /* of the message; text: arguments as the model wrote them */
	const struct tool *tool;      /* NULL: refused before it began */
	json_t *arguments;
	struct tool_run *work;
	bool is_recorded; /* its start is on disk, or on the way there */
	json_t *result;	  /* the tool's message, once it is done */
	json_t *receipt;  /* NULL: none */
};

struct run {
	struct list of_service;
	struct service *service;
	const struct project_agent *agent;
	char id[RUN_ID_SIZE];
	char session[STORE_ID_MAX + 1];
	enum run_state state;
	json_t *messages;  /* history and this run's, without the system message */
	json_t *text_said; /* of run_text(); NULL: nothing, or it has not ended */
	json_t *options;
	json_t *tools; /* that the model is told of; NULL: none */
	size_t window; /* bytes of messages that the model takes */
	uint64_t
		summarized; /* messages of the session that the first of ours stands for; 0: for itself */
	bool has_no_summary; /* none is to be had: what does not fit is left out */
	unsigned turn, cuts;
	struct upstream_request *asking;
	size_t asked_count; /* of the oldest messages, for a summary; 0: the model has its turn */
	uint64_t asked_ns;
	struct upstream_usage usage, unstored; /* unstored: of it, what no turn on disk has yet */
	bool is_scripted, is_cancelled, is_concluded, is_abandoned, is_told;
	unsigned writes; /* under way: the run stays until they are answered */

	struct bench bench;
	struct tool_shell shell;
	char kept_cwd[TOOL_PATH_MAX]; /* of the shell, as the store has it */
	struct tool_memory memory;    /* the agent's own file */
	struct run_call *calls;
	unsigned call_count;

	/* the log */
	struct list followers;
	json_t *events; /* of seq first_event on */
	uint64_t first_event, next_event;
	uint64_t asked_event, stored_event; /* the last that the store was given, and has on disk */
	struct evbuffer *text;		    /* not an event yet */
	bool is_text_thinking;
	struct event *log_timer;

	struct event *step; /* what comes next, from the loop */
	void (*on_step)(struct run *run);
	struct run_end end;
	char error[ERROR_TEXT_MAX], reason[RUN_REASON_MAX];
};

/* run.c */
void run_next(struct run *run, void (*on_step)(struct run *run));
/* All has been said. */
void run_keep_text(struct run *run);
/* The next command, after a crash or of a later run, begins where the last one ended. */
void run_keep_cwd(struct run *run);

/* run_end.c */
void run_finish(struct run *run, enum run_failure failure, const char *finish, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* After run_finish(): when nothing works for it any more, it ends. */
void run_conclude(struct run *run);
/* Of a write to the store, asked for with run_written (arg: the run) or a callback that calls it. */
void run_wrote(struct run *run, int r);
void run_written(void *arg, int r, json_t *result, const struct error *err);

/* run_turn.c */
void run_ask(struct run *run);
/* The model has answered, or failed: its part of the books. False: the run ends, whatever it said. */
bool run_asked(struct run *run, const struct upstream_result *result);
void run_on_retry(void *arg, const char *model, const char *why, uint32_t wait_ms);
/* It said that it was given too much. False: less makes no sense. */
bool run_shrink(struct run *run, const struct upstream_result *result);
/* Its last reply is on disk already: it ends so. */
void run_turn_restore(struct run *run, const char *finish);

/* run_summary.c: true: what has grown too long is being summed up, and run_ask() follows. */
bool run_summarize(struct run *run);

/* run_call.c: one call */
/* False: it is over already, with what is wrong with it. */
bool run_call_check(struct run_call *call);
/* It is fit, and there is a sandbox if it needs one. */
void run_call_begin(struct run_call *call);
/* Its result; content is taken over. */
void run_call_finish(struct run_call *call, json_t *content, bool is_error);
void run_call_refuse(struct run_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* run_calls.c: those of the turn */
/* The model has begun to write a call of this tool: its sandbox, if it needs one, comes meanwhile. What fails is tried again then. */
void run_calls_expect(struct run *run, const char *name);
int run_calls_take(struct run *run, const json_t *tool_calls);
void run_calls_go(struct run *run);
void run_calls_cancel(struct run *run);
/* Every call gets its answer, so that the conversation can go on some day. False: one still works; it concludes later. */
bool run_calls_close(struct run *run);
void run_calls_free(struct run *run);
void run_on_bench(void *arg, int r, unsigned retry_ms, const struct error *err);

/* run_restore.c: as the store has them: done, running (outcome unknown) or intended. 0, -EINVAL: they do not fit the messages, -ENOMEM. */
int run_calls_restore(struct run *run, const json_t *rows, struct error *err);

/* run_log.c */
int run_log_init(struct run *run);
void run_log_finish(struct run *run);
void run_log_text(struct run *run, bool is_thinking, const char *text, size_t size);
/* Takes over data. Text that waits goes before it. */
void run_log(struct run *run, const char *type, json_t *data);
void run_log_flush(struct run *run);
#endif
