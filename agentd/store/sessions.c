#include <errno.h>

#include "agentd/store/operation.h"
#include "agentd/store/operation_table.h"
#include "agentd/store/statement.h"
#include "base/cleanup.h"
#include "base/error.h"

/* The one row of a statement about a session that must be there. */
static int one(struct database *database, enum statement which, json_t *args, json_t **ret_row,
	struct error *err)
{
	json_t *row = NULL;
	int r = statement_one(database, which, NULL, args, &row, err);

	if (r == 0 && !row)
		return error_set(err, ENOENT, "no session %s", operation_id(args, "id"));
	if (r == 0)
		*ret_row = row;
	return r;
}

int sessions_create(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	int r = one(database, STATEMENT_SESSION_INSERT, args, ret_result, err);

	return r == -EEXIST
		       ? error_set(err, EEXIST, "%s is there already", operation_id(args, "id"))
		       : r;
}

int sessions_get(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	return one(database, STATEMENT_SESSION_GET, args, ret_result, err);
}

int sessions_list(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *rows = NULL;
	json_auto_t *result = NULL;
	int r;

	r = statement_one(database, STATEMENT_SESSION_COUNT, NULL, args, &result, err);
	if (r == 0)
		r = statement_all(database, STATEMENT_SESSION_LIST, NULL, args, &rows, err);
	if (r < 0)
		return r;
	if (json_object_set(result, "sessions", rows) < 0)
		return error_set(err, ENOMEM, "out of memory");
	*ret_result = take_ptr(&result);
	return 0;
}

int sessions_update(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	return one(database, STATEMENT_SESSION_UPDATE, args, ret_result, err);
}

int sessions_summarize(
	struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_t *row = NULL;
	int r = one(database, STATEMENT_SESSION_SUMMARIZE, args, &row, err);

	if (r < 0)
		return r;
	json_decref(row);
	*ret_result = json_null();
	return 0;
}

int sessions_delete(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *run = NULL;
	json_auto_t *session = NULL;
	int r = statement_one(database, STATEMENT_SESSION_RUNNING, NULL, args, &run, err);

	if (r < 0)
		return r;
	if (run)
		return error_set(err, EBUSY, "run %s of it is running: cancel that first",
			operation_id(run, "id"));
	r = one(database, STATEMENT_SESSION_DELETE, args, &session, err);
	if (r == 0)
		r = statement_run(database, STATEMENT_REMOVAL_INSERT, session, args, err);
	if (r == 0)
		*ret_result = take_ptr(&session);
	return r;
}

int removals_list(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *rows = NULL;
	int r = statement_all(database, STATEMENT_REMOVAL_LIST, NULL, args, &rows, err);

	if (r < 0)
		return r;
	*ret_result = json_pack("{s:O}", "removals", rows);
	return *ret_result ? 0 : error_set(err, ENOMEM, "out of memory");
}

int removals_done(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	*ret_result = json_null();
	return statement_run(database, STATEMENT_REMOVAL_DELETE, NULL, args, err);
}
