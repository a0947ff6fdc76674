#include "agentd/store/store.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agentd/store/database.h"
#include "agentd/store/worker.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

struct store {
	struct database *database;
	struct worker *worker;
	struct event *event;
	unsigned pending; /* asked and not answered */
	bool is_closing;
};

static void on_answers(evutil_socket_t fd, short events, void *arg)
{
	struct store *store = arg;
	struct list jobs;
	struct job *job;

	(void)fd;
	(void)events;
	list_init(&jobs);
	worker_take_answers(store->worker, &jobs);
	while ((job = list_first(&jobs, struct job, in_list))) {
		list_remove(&job->in_list);
		store->pending--;
		if (job->done)
			job->done(job->arg, job->r, job->result, &job->err);
		job_free(job);
	}
}

int store_open(struct event_base *base, int dirfd, const char *name, struct store **ret_store,
	struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return error_set(err, ENOMEM, "store: out of memory");
	r = database_open(dirfd, name, &store->database, err);
	if (r == 0)
		r = worker_create(store->database, &store->worker, err);
	if (r == 0) {
		store->event = event_new(
			base, worker_fd(store->worker), EV_READ | EV_PERSIST, on_answers, store);
		if (!store->event || event_add(store->event, NULL) < 0)
			r = error_set(err, ENOMEM, "store: out of memory");
	}
	if (r < 0) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store->is_closing = true;
	if (store->worker) {
		worker_stop(store->worker);
		on_answers(-1, 0, store);
	}
	if (store->event)
		event_free(store->event);
	worker_destroy(store->worker);
	database_close(store->database);
	free(store);
}

static json_int_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Takes over args; NULL: out of memory. They become the worker's: nothing in them may be shared. */
static int ask(
	struct store *store, enum operation operation, json_t *args, store_done_fn done, void *arg)
{
	json_auto_t *owned = args;
	struct job *job;

	if (store->is_closing)
		return -ECANCELED;
	if (store->pending >= STORE_PENDING_MAX)
		return -EBUSY;
	if (!owned || json_object_set_new(owned, "now", json_integer(now_ms())) < 0)
		return -ENOMEM;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->operation = operation;
	job->args = take_ptr(&owned);
	job->done = done;
	job->arg = arg;
	store->pending++;
	worker_ask(store->worker, job);
	return 0;
}

/* {word: text}, or NULL: out of memory. A text that is no UTF-8 is no row's: it looks like an empty one. */
static json_t *named(const char *word, const char *text)
{
	bool is_text = text_is_utf8(text, strlen(text));

	return json_pack("{s:s}", word, is_text ? text : "");
}

/* Adds a copy of value, null when there is none. Takes over args and gives them back; NULL: out of memory. */
static json_t *with(json_t *args, const char *word, const json_t *value)
{
	json_t *copy = value ? json_deep_copy(value) : json_null();

	if (json_object_set_new(args, word, copy) == 0)
		return args;
	json_decref(args);
	return NULL;
}

static json_t *with_number(json_t *args, const char *word, uint64_t number)
{
	json_t *value = json_integer((json_int_t)(number < INT64_MAX ? number : INT64_MAX));

	if (json_object_set_new(args, word, value) == 0)
		return args;
	json_decref(args);
	return NULL;
}

/* These members of an object, and no others. */
static json_t *with_members(json_t *args, const json_t *object, const char *const *words)
{
	for (; *words; words++)
		args = with(args, *words, json_object_get(object, *words));
	return args;
}

int store_session_create(struct store *store, const json_t *session, store_done_fn done, void *arg)
{
	static const char *const words[] = {"id", "agent", "title", "workspace", "cwd", NULL};
	json_t *args = with_members(json_object(), session, words);

	return ask(store, OPERATION_SESSION_CREATE, args, done, arg);
}

int store_session_get(struct store *store, const char *id, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_SESSION_GET, named("id", id), done, arg);
}

int store_session_list(struct store *store, const char *agent, uint32_t limit, uint32_t offset,
	store_done_fn done, void *arg)
{
	json_t *args = agent ? named("agent", agent) : json_object();

	args = with_number(args, "limit", limit < STORE_SESSIONS_MAX ? limit : STORE_SESSIONS_MAX);
	args = with_number(args, "offset", offset);
	return ask(store, OPERATION_SESSION_LIST, args, done, arg);
}

int store_session_update(
	struct store *store, const char *id, const json_t *changes, store_done_fn done, void *arg)
{
	static const char *const words[] = {"title", "agent", "cwd", NULL};
	json_t *args = with_members(named("id", id), changes, words);

	return ask(store, OPERATION_SESSION_UPDATE, args, done, arg);
}

int store_session_delete(struct store *store, const char *id, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_SESSION_DELETE, named("id", id), done, arg);
}

int store_removal_list(struct store *store, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_REMOVAL_LIST, json_object(), done, arg);
}

int store_removal_done(struct store *store, const char *workspace, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_REMOVAL_DONE, named("workspace", workspace), done, arg);
}

int store_session_summarize(struct store *store, const char *id, const char *summary, uint64_t seq,
	store_done_fn done, void *arg)
{
	json_auto_t *text = json_string(summary);
	json_t *args = with_number(with(named("id", id), "summary", text), "summarized", seq);

	return ask(store, OPERATION_SESSION_SUMMARIZE, args, done, arg);
}

int store_history(struct store *store, const char *session, store_done_fn done, void *arg)
{
	json_t *args = with_number(named("id", session), "limit", UINT32_MAX);

	return ask(store, OPERATION_HISTORY, args, done, arg);
}

int store_message_list(struct store *store, const char *session, uint64_t from_seq, uint32_t limit,
	store_done_fn done, void *arg)
{
	json_t *args = with_number(named("id", session), "from", from_seq);

	args = with_number(args, "limit", limit ? limit : UINT32_MAX);
	return ask(store, OPERATION_MESSAGE_LIST, args, done, arg);
}

int store_run_begin(struct store *store, const json_t *run, const json_t *messages,
	store_done_fn done, void *arg)
{
	static const char *const words[] = {"id", "session", "agent", "options", NULL};
	json_t *args = with_members(json_object(), run, words);

	args = with(args, "run", json_object_get(run, "id"));
	args = with(args, "messages", messages);
	return ask(store, OPERATION_RUN_BEGIN, args, done, arg);
}

int store_turn_commit(struct store *store, const char *run, uint32_t turn, const json_t *message,
	const json_t *calls, const json_t *outcome, store_done_fn done, void *arg)
{
	static const char *const words[] = {"prompt_tokens", "completion_tokens", "finish", NULL};
	json_t *args = with_number(named("run", run), "turn", turn);

	args = with(args, "message", message);
	args = with(args, "calls", calls);
	args = with_members(args, outcome, words);
	return ask(store, OPERATION_TURN_COMMIT, args, done, arg);
}

static json_t *call_of(const char *run, uint32_t turn, uint32_t position)
{
	return with_number(with_number(named("run", run), "turn", turn), "position", position);
}

int store_call_start(struct store *store, const char *run, uint32_t turn, uint32_t position,
	store_done_fn done, void *arg)
{
	return ask(store, OPERATION_CALL_START, call_of(run, turn, position), done, arg);
}

int store_call_finish(struct store *store, const char *run, uint32_t turn, uint32_t position,
	const json_t *message, const json_t *receipt, store_done_fn done, void *arg)
{
	json_t *args = with(call_of(run, turn, position), "message", message);

	return ask(store, OPERATION_CALL_FINISH, with(args, "receipt", receipt), done, arg);
}

int store_run_end(struct store *store, const char *run, const char *status, const json_t *end,
	store_done_fn done, void *arg)
{
	static const char *const words[] = {"finish", "error", NULL};
	json_auto_t *status_text = json_string(status);
	json_t *args = with(named("run", run), "status", status_text);

	return ask(store, OPERATION_RUN_END, with_members(args, end, words), done, arg);
}

int store_run_get(struct store *store, const char *id, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_RUN_GET, named("run", id), done, arg);
}

int store_run_open_list(struct store *store, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_RUN_OPEN_LIST, json_object(), done, arg);
}

int store_event_append(
	struct store *store, const char *run, const json_t *events, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_EVENT_APPEND, with(named("run", run), "events", events), done,
		arg);
}

int store_event_list(
	struct store *store, const char *run, uint64_t after_seq, store_done_fn done, void *arg)
{
	json_t *args = with_number(named("run", run), "after", after_seq);

	args = with_number(args, "limit", STORE_EVENTS_MAX);
	return ask(store, OPERATION_EVENT_LIST, args, done, arg);
}

int store_key_create(struct store *store, const json_t *key, store_done_fn done, void *arg)
{
	static const char *const words[] = {"id", "name", "prefix", "hash", NULL};

	return ask(store, OPERATION_KEY_CREATE, with_members(json_object(), key, words), done, arg);
}

int store_key_list(struct store *store, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_KEY_LIST, json_object(), done, arg);
}

int store_key_revoke(struct store *store, const char *id, store_done_fn done, void *arg)
{
	return ask(store, OPERATION_KEY_REVOKE, named("id", id), done, arg);
}
