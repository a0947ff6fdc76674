/*
 * store.h - what outlives agentd: sessions, their messages, runs with events and tool calls, API keys.
 *
 * One SQLite file (WAL, synchronous=FULL, STRICT tables, numbered migrations), used by one thread of its own; the
 * loop asks by the named operations below and gets each answer by callback, in the order of asking. What is answered
 * with 0 is on the disk. Nothing here knows of sandboxes, models or HTTP.
 *
 * Rows come and go as JSON objects. An argument is copied before the call returns; a result belongs to the
 * callback's caller and is borrowed. Times are milliseconds since 1970.
 *
 * Members that a row does not have are null. Text is UTF-8 without NUL (in the JSON of messages, data, options and
 * receipts NUL is allowed).
 *
 *   session  {id, agent, title, workspace, cwd, created_ms, updated_ms, messages (count)}
 *   message  {seq, role, message (the chat message as an object), run, created_ms}
 *   run      {id, session, agent, status, options (object), turn (committed ones, from 1), epoch, error (any JSON), finish
 *            (text), prompt_tokens, completion_tokens, created_ms, updated_ms}; status: running completed failed cancelled
 *   event    {seq, type, data (object), created_ms}
 *   call     {id, run, turn, position (from 0), name, arguments (text), state, receipt (object or null)}; state: intended
 *            running done
 *   key      {id, name, prefix, hash, created_ms}
 */
#ifndef AGENTD_STORE_STORE_H
#define AGENTD_STORE_STORE_H
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct event_base;
struct store;

#define STORE_ID_MAX	   64	/* bytes of an id */
#define STORE_PENDING_MAX  4096 /* operations that wait; one more is -EBUSY */
#define STORE_EVENTS_MAX   1000 /* rows that store_event_list() answers at a time */
#define STORE_SESSIONS_MAX 1000 /* rows that store_session_list() answers at a time */
#define STORE_KEYS_MAX	   1024

/*
 * From the loop. r: 0, or -errno with *err: -ENOENT no such row, -EEXIST, -EINVAL or -EMSGSIZE an argument that does
 * not fit, -ENOSPC, -EIO, -EBADMSG the file is damaged, -ENOMEM. result is NULL then. After any of them nothing has
 * changed, and the store goes on. Not to be left by store_close().
 */
typedef void (*store_done_fn)(void *arg, int r, json_t *result, const struct error *err);

/*
 * Open or make the file `name` below dirfd (mode 0600) and bring its tables up to date. -EBADMSG: not our file, or
 * damaged: it is left as it is and the text says what to do; -EPROTO: of a newer version; -EROFS, -EBUSY (locked by
 * another process or store), other -errno. Neither dirfd nor its path is used later: a descriptor of the directory is
 * kept, so that it works after privileges are dropped and after the directory was moved. Uses SQLite of the process.
 */
int store_open(struct event_base *base, int dirfd, const char *name, struct store **ret_store,
	struct error *err);
/* Waits for what has been asked; callbacks get their answers before it returns. Accepts NULL. */
void store_close(struct store *store);

/* Each: 0, or -errno (-EBUSY, -ENOMEM, -ECANCELED: the store closes) and no callback will come. done may be NULL. */

/* session: {id, agent, workspace}, and if you like title and cwd. Result: the row. */
int store_session_create(struct store *store, const json_t *session, store_done_fn done, void *arg);
int store_session_get(struct store *store, const char *id, store_done_fn done, void *arg);
/* The last used or changed first; agent may be NULL. Result: {sessions: [...], total}. */
int store_session_list(struct store *store, const char *agent, uint32_t limit, uint32_t offset,
	store_done_fn done, void *arg);
/* changes: of title, agent, cwd; what is absent or null stays as it is. Result: the row. */
int store_session_update(
	struct store *store, const char *id, const json_t *changes, store_done_fn done, void *arg);
/*
 * With its messages, runs, events and calls; its workspace is one that is to be removed from then on. Result: the row that
 * was. -EBUSY: a run of it is running.
 */
int store_session_delete(struct store *store, const char *id, store_done_fn done, void *arg);
/* Workspaces whose sessions have gone, until each is said to be gone too. Result: {removals: [{workspace}]} / null. */
int store_removal_list(struct store *store, store_done_fn done, void *arg);
int store_removal_done(struct store *store, const char *workspace, store_done_fn done, void *arg);
/*
 * What stands, in a model's eyes, for the session's messages up to seq, which stay where they are; instead of an earlier one
 * for fewer. Result: null. -ENOENT: no such session, or seq is none of its messages, or before the last summary's.
 */
int store_session_summarize(struct store *store, const char *id, const char *summary, uint64_t seq,
	store_done_fn done, void *arg);
/*
 * Result: {summary (or null), summarized (how many messages it stands for), messages: [those after, oldest first],
 * running: a run that has not ended, or null}.
 */
int store_history(struct store *store, const char *session, store_done_fn done, void *arg);
/* Oldest first, from seq (1 is the first). Result: {messages: [...], total}. limit 0: all. */
int store_message_list(struct store *store, const char *session, uint64_t from_seq, uint32_t limit,
	store_done_fn done, void *arg);

/*
 * One transaction: the run {id, session, agent, options} as running, and the messages (chat objects) that it begins
 * with. Result: the run.
 */
int store_run_begin(struct store *store, const json_t *run, const json_t *messages,
	store_done_fn done, void *arg);
/*
 * One transaction: the assistant's message of this turn and its tool calls ([{id, name, arguments}]), intended; the
 * run's turn moves on. calls may be NULL. outcome (may be NULL): {prompt_tokens, completion_tokens}, added to the run's,
 * and of the reply that is the last one finish, so that the run, found again, only has to be ended. Result: the run.
 * It shares the transaction of what follows at once, the start of a call or the run's end, and waits for that a hundredth
 * of a second at most. -EEXIST: this turn is committed already; -EINVAL: it is not the next one (the first is 1); -ENOENT: no
 * such run, or it has ended.
 */
int store_turn_commit(struct store *store, const char *run, uint32_t turn, const json_t *message,
	const json_t *calls, const json_t *outcome, store_done_fn done, void *arg);
/*
 * intended -> running, before it is sent to a sandbox. Result: the call. -ENOENT: it is not intended (any more), or its
 * run has ended.
 */
int store_call_start(struct store *store, const char *run, uint32_t turn, uint32_t position,
	store_done_fn done, void *arg);
/*
 * One transaction: intended or running -> done, and the tool's message ({role:"tool", tool_call_id, content}); receipt
 * may be NULL. Also after the end of the run, so that no call is left without its result. Result: the call. -ENOENT: it
 * is done already, or there is none.
 */
int store_call_finish(struct store *store, const char *run, uint32_t turn, uint32_t position,
	const json_t *message, const json_t *receipt, store_done_fn done, void *arg);
/* status completed, failed or cancelled; end: {finish, error} or NULL. Result: the run. -EEXIST: it has ended already. */
int store_run_end(struct store *store, const char *run, const char *status, const json_t *end,
	store_done_fn done, void *arg);
int store_run_get(struct store *store, const char *id, store_done_fn done, void *arg);
/* Those that were running when agentd ended, oldest first, each with its calls of the last turn and the seq of its last
 * event (0: none); their epoch is counted up, so that a late write of an earlier life can be told. Result: {runs: [{...,
 * calls: [...], last_event}]}. */
int store_run_open_list(struct store *store, store_done_fn done, void *arg);

/*
 * Append: [{seq, type, data}], all or none. Events are news, not truth: committed in groups after a tenth of a second,
 * at the latest with the next operation that does not wait. Result: {seq} of the last one. -EEXIST: a seq that is there.
 */
int store_event_append(
	struct store *store, const char *run, const json_t *events, store_done_fn done, void *arg);
/* From after this seq (0: the beginning; the first is 1), STORE_EVENTS_MAX at most. Result: {events: [...]}. */
int store_event_list(
	struct store *store, const char *run, uint64_t after_seq, store_done_fn done, void *arg);

/*
 * key: {id, name, prefix, hash (SHA-256 in lower-case hexadecimal)}; nothing else of a key is ever here. A revoked one is
 * gone. Result of each: {keys: [...]}, all that there are then, oldest first. -E2BIG: one more than STORE_KEYS_MAX.
 */
int store_key_create(struct store *store, const json_t *key, store_done_fn done, void *arg);
int store_key_list(struct store *store, store_done_fn done, void *arg);
int store_key_revoke(struct store *store, const char *id, store_done_fn done, void *arg);
#endif
