#include <errno.h>
#include <string.h>

#include "agentd/store/messages.h"
#include "agentd/store/operation.h"
#include "agentd/store/operation_table.h"
#include "agentd/store/statement.h"
#include "base/cleanup.h"
#include "base/error.h"

static const struct field call_fields[] = {
	{"id", FIELD_TEXT, false},
	{"name", FIELD_TEXT, false},
	{"arguments", FIELD_BODY, false},
	{0},
};

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static json_int_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

int runs_get(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_t *row = NULL;
	int r = statement_one(database, STATEMENT_RUN_GET, NULL, args, &row, err);

	if (r == 0 && !row)
		return error_set(err, ENOENT, "no run %s", operation_id(args, "run"));
	if (r == 0)
		*ret_result = row;
	return r;
}

int runs_begin(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_t *message;
	size_t index;
	int r;

	r = statement_one(database, STATEMENT_RUN_INSERT, NULL, args, ret_result, err);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "%s is there already", operation_id(args, "id"));
	if (r == -ENOENT)
		return error_set(err, ENOENT, "no session %s", operation_id(args, "session"));
	json_array_foreach(json_object_get(args, "messages"), index, message)
	{
		if (r == 0)
			r = messages_append(database, message, args, err);
	}
	return r;
}

/* Why no run was found that is running and at this turn. */
static int refuse_turn(struct database *database, json_t *args, struct error *err)
{
	json_int_t turn = number_of(args, "turn");
	json_auto_t *run = NULL;
	int r = runs_get(database, args, &run, err);

	if (r < 0)
		return r;
	if (turn <= number_of(run, "turn"))
		return error_set(err, EEXIST, "turn %lld is committed already", (long long)turn);
	if (strcmp(text_of(run, "status"), "running") != 0)
		return error_set(err, ENOENT, "run %s has ended", operation_id(run, "id"));
	return error_set(err, EINVAL, "turn %lld does not follow turn %lld", (long long)turn,
		(long long)number_of(run, "turn"));
}

static int add_calls(struct database *database, json_t *args, struct error *err)
{
	json_t *call;
	size_t index;
	int r;

	json_array_foreach(json_object_get(args, "calls"), index, call)
	{
		r = field_check(call_fields, call, err);
		if (r < 0)
			return error_prefix(err, r, "calls[%zu]", index);
		if (json_object_set_new(args, "position", json_integer((json_int_t)index)) < 0)
			return out_of_memory(err);
		r = statement_run(database, STATEMENT_CALL_INSERT, call, args, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What a change of a run or call answered, its session, becomes an argument for messages_append(). */
static int append_message(
	struct database *database, json_t *args, const json_t *changed, struct error *err)
{
	if (json_object_set(args, "session", json_object_get(changed, "session")) < 0)
		return out_of_memory(err);
	return messages_append(database, json_object_get(args, "message"), args, err);
}

int runs_turn_commit(
	struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *changed = NULL;
	int r = statement_one(database, STATEMENT_RUN_TURN, NULL, args, &changed, err);

	if (r == 0 && !changed)
		return refuse_turn(database, args, err);
	if (r == 0)
		r = append_message(database, args, changed, err);
	if (r == 0)
		r = add_calls(database, args, err);
	return r < 0 ? r : runs_get(database, args, ret_result, err);
}

/* Why no call was found to change. */
static int refuse_call(struct database *database, json_t *args, struct error *err)
{
	json_auto_t *call = NULL;
	int r = statement_one(database, STATEMENT_CALL_GET, NULL, args, &call, err);

	if (r < 0)
		return r;
	if (!call)
		return error_set(err, ENOENT, "run %s has no call %lld of turn %lld",
			operation_id(args, "run"), (long long)number_of(args, "position"),
			(long long)number_of(args, "turn"));
	return error_set(err, ENOENT, "call %lld of turn %lld is %s, or its run has ended",
		(long long)number_of(args, "position"), (long long)number_of(args, "turn"),
		text_of(call, "state"));
}

int runs_call_start(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_t *call = NULL;
	int r = statement_one(database, STATEMENT_CALL_START, NULL, args, &call, err);

	if (r == 0 && !call)
		return refuse_call(database, args, err);
	if (r == 0)
		*ret_result = call;
	return r;
}

int runs_call_finish(
	struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *changed = NULL;
	json_t *call = NULL;
	int r = statement_one(database, STATEMENT_CALL_FINISH, NULL, args, &changed, err);

	if (r == 0 && !changed)
		return refuse_call(database, args, err);
	if (r == 0)
		r = append_message(database, args, changed, err);
	if (r == 0)
		r = statement_one(database, STATEMENT_CALL_GET, NULL, args, &call, err);
	if (r == 0)
		*ret_result = call;
	return r;
}

static bool is_end(const char *status)
{
	return strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 ||
	       strcmp(status, "cancelled") == 0;
}

int runs_end(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_t *run = NULL;
	int r;

	if (!is_end(text_of(args, "status")))
		return error_set(err, EINVAL, "status: must be completed, failed or cancelled");
	r = statement_one(database, STATEMENT_RUN_END, NULL, args, &run, err);
	if (r == 0 && run)
		*ret_result = run;
	if (r < 0 || run)
		return r;
	r = runs_get(database, args, &run, err);
	if (r < 0)
		return r;
	json_decref(run);
	return error_set(err, EEXIST, "run %s has ended already", operation_id(args, "run"));
}

int runs_open_list(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *runs = NULL;
	json_t *result, *run;
	size_t index;
	int r;

	r = statement_run(database, STATEMENT_RUN_NEXT_EPOCH, NULL, args, err);
	if (r == 0)
		r = statement_all(database, STATEMENT_RUN_OPEN_LIST, NULL, args, &runs, err);
	if (r < 0)
		return r;
	json_array_foreach(runs, index, run)
	{
		json_t *calls;

		r = statement_all(database, STATEMENT_CALL_LIST, run, NULL, &calls, err);
		if (r < 0)
			return r;
		if (json_object_set_new(run, "calls", calls) < 0)
			return out_of_memory(err);
	}
	result = json_pack("{s:O}", "runs", runs);
	if (!result)
		return out_of_memory(err);
	*ret_result = result;
	return 0;
}
