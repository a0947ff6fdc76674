#include "agentd/store/messages.h"

#include <errno.h>

#include "agentd/store/operation.h"
#include "agentd/store/operation_table.h"
#include "agentd/store/statement.h"
#include "base/cleanup.h"
#include "base/error.h"

static const struct field message_fields[] = {
	{"role", FIELD_ID, false},
	{0},
};

int messages_append(
	struct database *database, json_t *message, const json_t *args, struct error *err)
{
	json_auto_t *row = NULL;
	int r;

	r = field_check(message_fields, message, err);
	if (r < 0)
		return error_prefix(err, r, "message");
	r = statement_one(database, STATEMENT_SESSION_NEXT_SEQ, NULL, args, &row, err);
	if (r < 0)
		return r;
	if (!row)
		return error_set(err, ENOENT, "no session %s", operation_id(args, "session"));
	if (json_object_set(row, "role", json_object_get(message, "role")) < 0 ||
		json_object_set(row, "message", message) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return statement_run(database, STATEMENT_MESSAGE_INSERT, row, args, err);
}

int messages_history(
	struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *session = NULL;
	json_auto_t *rows = NULL;
	int r;

	r = statement_one(database, STATEMENT_SESSION_SUMMARY, NULL, args, &session, err);
	if (r < 0)
		return r;
	if (!session)
		return error_set(err, ENOENT, "no session %s", operation_id(args, "id"));
	r = statement_all(database, STATEMENT_MESSAGE_LIST, session, args, &rows, err);
	if (r < 0)
		return r;
	json_object_del(session, "from");
	if (json_object_set(session, "messages", rows) < 0)
		return error_set(err, ENOMEM, "out of memory");
	*ret_result = take_ptr(&session);
	return 0;
}

int messages_list(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *session = NULL;
	json_auto_t *rows = NULL;
	json_t *result;
	int r;

	r = statement_one(database, STATEMENT_SESSION_GET, NULL, args, &session, err);
	if (r < 0)
		return r;
	if (!session)
		return error_set(err, ENOENT, "no session %s", operation_id(args, "id"));
	r = statement_all(database, STATEMENT_MESSAGE_LIST, NULL, args, &rows, err);
	if (r < 0)
		return r;
	result = json_pack(
		"{s:O, s:O}", "messages", rows, "total", json_object_get(session, "messages"));
	if (!result)
		return error_set(err, ENOMEM, "out of memory");
	*ret_result = result;
	return 0;
}
