/*
 * run.h - one run of an agent: ask the model, run its tools, repeat, until it has nothing more to do.
 *
 * A run outlives whoever asked for it: followers come and go. Each turn and each tool call is on disk before it has
 * an effect outside, so that a run goes on after a crash; the store is waited for only there, and at the end.
 *
 *   STARTING -> ASKING -> TOOLS -> ASKING -> ... -> ENDING -> gone
 *                 ^ the model    ^ the sandbox, taken at the first tool that needs one
 */
#ifndef AGENTD_LOOP_RUN_H
#define AGENTD_LOOP_RUN_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define RUN_ID_SIZE 40 /* "run-" and 32 hexadecimal digits */
/* What the model is told of a call without a result. */
#define RUN_CALL_UNENDED "Error: the run ended before this call did"

struct error;
struct project_agent;
struct run;
struct service;

enum run_failure {
	RUN_FINE,
	RUN_CANCELLED,
	RUN_UPSTREAM, /* the model */
	RUN_BUSY,     /* the model, for now */
	RUN_POOL,     /* no sandbox */
	RUN_STORE,
	RUN_STOPPING, /* agentd ends; the run goes on at its next start */
	RUN_INTERNAL,
};

/* How it ended; strings are the run's. */
struct run_end {
	enum run_failure failure;
	const char *error;  /* "" when fine */
	const char *finish; /* stop, length, content_filter, error, cancelled */
	const char *reason; /* why length; "" otherwise */
	uint32_t
		retry_ms; /* RUN_BUSY, RUN_POOL, RUN_STOPPING: when it may be otherwise; 0: not known */
};

/* Who watches. Embedded; leaves by run_unfollow() or is let go of after on_end. Functions may be NULL. */
struct run_follower {
	struct list of_run;
	/* Text as the model sends it, whole characters. */
	void (*on_text)(
		struct run_follower *follower, bool is_thinking, const char *text, size_t size);
	/* An event of the log; data is borrowed. Text stands there too, in larger pieces. */
	void (*on_event)(
		struct run_follower *follower, uint64_t seq, const char *type, const json_t *data);
	/* More events are on disk, where they stay: run_stored_event(). */
	void (*on_stored)(struct run_follower *follower, const struct run *run);
	/* It has ended and stands in the store so; it is gone after this call. */
	void (*on_end)(
		struct run_follower *follower, const struct run *run, const struct run_end *end);
};

/* All borrowed during the call. */
struct run_request {
	const struct project_agent *agent;
	const char *session; /* its id; of one that is made with this run when is_new_session */
	const char *cwd;     /* where its last command ended; NULL: the workspace */
	bool is_new_session;
	const json_t *history;	/* messages of the session before this run: service_history() */
	uint64_t summarized;	/* how many of them the first one stands for; 0: it is none */
	const json_t *messages; /* that are new */
	const json_t *
		options; /* {system, model_options: {temperature, max_tokens, ...}, parallel_tool_calls}; model instead of the agent's; may be NULL */
};

/*
 * 0 and the run is its own, or -errno: -EBUSY too many runs, the agent's maxConcurrency, or the store; -ESHUTDOWN agentd
 * ends; -ENAMETOOLONG cwd; -ENOMEM.
 */
int run_start(struct service *service, const struct run_request *request, struct run **ret_run,
	struct error *err);
/* One of the store's that was running: with the calls of its last turn. The request's messages are none. */
int run_resume(struct service *service, const struct run_request *request, const json_t *row,
	struct error *err);

/* Borrowed, as are those below, until the loop goes on. NULL: none of this id is under way. */
struct run *run_find(const struct service *service, const char *id);
/* The run whose place in service->runs this is. */
struct run *run_entry(struct list *member);
/* Any that is under way, or NULL. */
struct run *run_first(const struct service *service);
/* The run under way in this session, or NULL. */
struct run *run_of_session(const struct service *service, const char *session);

const char *run_id(const struct run *run);
/* From on_end on: what the last reply said, with the parts from before the connection was lost; "" when nothing. */
const char *run_text(const struct run *run);
/* {prompt_tokens, completion_tokens, total_tokens}; the caller's. */
json_t *run_usage(const struct run *run);
bool run_is_scripted(const struct run *run);

void run_follow(struct run *run, struct run_follower *follower);
void run_unfollow(struct run_follower *follower);
/* The first event that is still here, and those from after `seq` on; older ones are in the store. Borrowed. */
uint64_t run_first_event(const struct run *run);
const json_t *run_events(const struct run *run);
/* Those up to this one outlive agentd; a later one may be lost with it, and another get its number. */
uint64_t run_stored_event(const struct run *run);

/* It ends as cancelled, later. */
void run_cancel(struct run *run);
/* agentd ends: its followers are told, nothing goes on, and the store hears no more of it. */
void run_abandon(struct run *run);
/* After that, and after the store has answered all. */
void run_destroy(struct run *run);
#endif
