#include "agentd/store/statement.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/store/database.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#define JSON_PREFIX '$'	 /* of a parameter that is JSON */
#define JSON_SUFFIX "{}" /* of a column that holds JSON */

#define SESSION "id, agent, title, workspace, cwd, messages, created_ms, updated_ms"
#define RUN                                                                                        \
	"id, session, agent, status, options AS \"options{}\", turn, epoch, error AS \"error{}\"," \
	" finish, prompt_tokens, completion_tokens, created_ms, updated_ms"
#define CALL	"id, run, turn, position, name, arguments, state, receipt AS \"receipt{}\""
#define CALL_IS "run = :run AND turn = :turn AND position = :position"
#define KEY	"id, name, prefix, hash, created_ms"

static const char *const texts[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_SAVE] = "SAVEPOINT operation",
	[STATEMENT_RELEASE] = "RELEASE operation",
	[STATEMENT_UNDO] = "ROLLBACK TO operation",

	[STATEMENT_SESSION_INSERT] =
		"INSERT INTO session (id, agent, title, workspace, cwd, created_ms, updated_ms)"
		" VALUES (:id, :agent, :title, :workspace, :cwd, :now, :now) RETURNING " SESSION,
	[STATEMENT_SESSION_GET] = "SELECT " SESSION " FROM session WHERE id = :id",
	[STATEMENT_SESSION_LIST] =
		"SELECT " SESSION " FROM session WHERE :agent IS NULL OR agent = :agent"
		" ORDER BY updated_ms DESC, rowid DESC LIMIT :limit OFFSET :offset",
	[STATEMENT_SESSION_COUNT] = "SELECT count(*) AS total FROM session"
				    " WHERE :agent IS NULL OR agent = :agent",
	[STATEMENT_SESSION_UPDATE] =
		"UPDATE session SET title = coalesce(:title, title), agent = coalesce(:agent, "
		"agent),"
		" cwd = coalesce(:cwd, cwd), updated_ms = :now WHERE id = :id RETURNING " SESSION,
	[STATEMENT_SESSION_DELETE] = "DELETE FROM session WHERE id = :id RETURNING " SESSION,
	[STATEMENT_SESSION_SUMMARIZE] =
		"UPDATE session SET summary = :summary, summarized = :summarized"
		" WHERE id = :id AND :summarized BETWEEN summarized AND messages RETURNING id",
	[STATEMENT_SESSION_SUMMARY] = "SELECT summary, summarized, summarized + 1 AS \"from\","
				      " (SELECT run.id FROM run WHERE run.session = session.id"
				      " AND status = 'running' LIMIT 1) AS running"
				      " FROM session WHERE id = :id",
	[STATEMENT_REMOVAL_INSERT] = "INSERT OR IGNORE INTO removal (workspace)"
				     " SELECT :workspace WHERE :workspace <> ''",
	[STATEMENT_REMOVAL_LIST] = "SELECT workspace FROM removal ORDER BY rowid",
	[STATEMENT_REMOVAL_DELETE] = "DELETE FROM removal WHERE workspace = :workspace",
	[STATEMENT_SESSION_RUNNING] = "SELECT id FROM run WHERE session = :id"
				      " AND status = 'running' LIMIT 1",
	[STATEMENT_SESSION_NEXT_SEQ] =
		"UPDATE session SET messages = messages + 1, updated_ms = :now WHERE id = :session"
		" RETURNING messages AS seq",

	[STATEMENT_MESSAGE_INSERT] =
		"INSERT INTO message (session, seq, run, role, message, created_ms)"
		" VALUES (:session, :seq, :run, :role, $message, :now)",
	[STATEMENT_MESSAGE_LIST] =
		"SELECT seq, role, message AS \"message{}\", run, created_ms FROM message"
		" WHERE session = :id AND seq >= :from ORDER BY seq LIMIT :limit",

	[STATEMENT_RUN_INSERT] =
		"INSERT INTO run (id, session, agent, options, created_ms, updated_ms)"
		" VALUES (:id, :session, :agent, coalesce($options, '{}'), :now, :now) "
		"RETURNING " RUN,
	[STATEMENT_RUN_GET] = "SELECT " RUN " FROM run WHERE id = :run",
	[STATEMENT_RUN_TURN] =
		"UPDATE run SET turn = :turn, prompt_tokens = prompt_tokens + "
		"coalesce(:prompt_tokens, 0),"
		" completion_tokens = completion_tokens + coalesce(:completion_tokens, 0),"
		" finish = :finish, updated_ms = :now"
		" WHERE id = :run AND status = 'running' AND turn = :turn - 1 RETURNING session",
	[STATEMENT_RUN_END] = "UPDATE run SET status = :status, finish = :finish, error = $error, "
			      "updated_ms = :now"
			      " WHERE id = :run AND status = 'running' RETURNING " RUN,
	[STATEMENT_RUN_NEXT_EPOCH] = "UPDATE run SET epoch = epoch + 1 WHERE status = 'running'",
	[STATEMENT_RUN_OPEN_LIST] =
		"SELECT " RUN ", (SELECT coalesce(max(seq), 0) FROM event WHERE event.run = run.id)"
		" AS last_event FROM run WHERE status = 'running' ORDER BY created_ms, rowid",

	[STATEMENT_CALL_INSERT] =
		"INSERT INTO call (run, turn, position, id, name, arguments)"
		" VALUES (:run, :turn, :position, :id, :name, coalesce(:arguments, ''))",
	[STATEMENT_CALL_GET] = "SELECT " CALL " FROM call WHERE " CALL_IS,
	[STATEMENT_CALL_START] =
		"UPDATE call SET state = 'running' WHERE " CALL_IS " AND state = 'intended'"
		" AND (SELECT status FROM run WHERE id = :run) = 'running' RETURNING " CALL,
	[STATEMENT_CALL_FINISH] =
		"UPDATE call SET state = 'done', receipt = $receipt WHERE " CALL_IS
		" AND state <> 'done' RETURNING (SELECT session FROM run WHERE id = :run) AS "
		"session",
	[STATEMENT_CALL_LIST] = "SELECT " CALL " FROM call WHERE run = :id AND turn = :turn"
				" ORDER BY position",

	[STATEMENT_EVENT_INSERT] = "INSERT INTO event (run, seq, type, data, created_ms)"
				   " VALUES (:run, :seq, :type, $data, :now)",
	[STATEMENT_EVENT_LIST] = "SELECT seq, type, data AS \"data{}\", created_ms FROM event"
				 " WHERE run = :run AND seq > :after ORDER BY seq LIMIT :limit",

	[STATEMENT_KEY_INSERT] = "INSERT INTO key (id, name, prefix, hash, created_ms)"
				 " VALUES (:id, :name, :prefix, :hash, :now)",
	[STATEMENT_KEY_LIST] = "SELECT " KEY " FROM key ORDER BY rowid",
	[STATEMENT_KEY_DELETE] = "DELETE FROM key WHERE id = :id RETURNING id",
};

int statement_prepare_all(struct database *database, struct error *err)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		int rc = sqlite3_prepare_v3(database->handle, texts[i], -1,
			SQLITE_PREPARE_PERSISTENT, &database->statements[i], NULL);

		/* Its version says that the tables are there. */
		if (rc == SQLITE_ERROR)
			return error_set(err, EBADMSG,
				"its tables are not those of its version (%s): restore a backup",
				sqlite3_errmsg(database->handle));
		if (rc != SQLITE_OK)
			return database_error(database, rc, err);
	}
	return 0;
}

void statement_finish_all(struct database *database)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(database->statements[i]);
}

static int bind_json(sqlite3_stmt *statement, int index, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		return SQLITE_NOMEM;
	return sqlite3_bind_text64(statement, index, text, strlen(text), free, SQLITE_UTF8);
}

static int bind_value(sqlite3_stmt *statement, int index, bool is_json, const json_t *value)
{
	if (!value || json_is_null(value))
		return sqlite3_bind_null(statement, index);
	if (is_json)
		return bind_json(statement, index, value);
	if (json_is_integer(value))
		return sqlite3_bind_int64(statement, index, json_integer_value(value));
	if (!json_is_string(value))
		return SQLITE_MISMATCH;
	return sqlite3_bind_text64(statement, index, json_string_value(value),
		json_string_length(value), SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_all(sqlite3_stmt *statement, const json_t *row, const json_t *args)
{
	int count = sqlite3_bind_parameter_count(statement);
	int rc = SQLITE_OK;

	for (int i = 1; i <= count && rc == SQLITE_OK; i++) {
		const char *name = sqlite3_bind_parameter_name(statement, i);
		const json_t *value = json_object_get(args, name + 1);

		rc = bind_value(statement, i, name[0] == JSON_PREFIX,
			value ? value : json_object_get(row, name + 1));
	}
	return rc;
}

/* *ret_value: the caller's. -EBADMSG: text or JSON that is none. */
static int read_text(
	sqlite3_stmt *statement, int column, bool is_json, json_t **ret_value, struct error *err)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	size_t size = (size_t)sqlite3_column_bytes(statement, column);
	json_error_t why = {.text = ""};
	json_t *value;

	if (!text)
		return error_set(err, ENOMEM, "out of memory");
	if (!is_json && !text_is_utf8(text, size))
		return error_set(err, EBADMSG, "a row is damaged: restore a backup");
	if (is_json)
		value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	else
		value = json_stringn(text, size);
	/* What is not malformed ran out of memory; jansson does not always say so. */
	if (!value && why.text[0] && json_error_code(&why) != json_error_out_of_memory)
		return error_set(err, EBADMSG, "a row is damaged: restore a backup");
	if (!value)
		return error_set(err, ENOMEM, "out of memory");
	*ret_value = value;
	return 0;
}

static int read_column(
	sqlite3_stmt *statement, int column, bool is_json, json_t **ret_value, struct error *err)
{
	json_t *value;

	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_NULL:
		value = json_null();
		break;
	case SQLITE_INTEGER:
		value = json_integer(sqlite3_column_int64(statement, column));
		break;
	default:
		return read_text(statement, column, is_json, ret_value, err);
	}
	if (!value)
		return error_set(err, ENOMEM, "out of memory");
	*ret_value = value;
	return 0;
}

static int read_row(sqlite3_stmt *statement, json_t **ret_row, struct error *err)
{
	json_auto_t *row = json_object();
	int count = sqlite3_column_count(statement);

	if (!row)
		return error_set(err, ENOMEM, "out of memory");
	for (int i = 0; i < count; i++) {
		const char *name = sqlite3_column_name(statement, i);
		size_t length = name ? strcspn(name, JSON_SUFFIX) : 0;
		json_t *value = NULL;
		int r;

		if (!name)
			return error_set(err, ENOMEM, "out of memory");
		r = read_column(statement, i, name[length] != '\0', &value, err);
		if (r < 0)
			return r;
		if (json_object_setn_new(row, name, length, value) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	*ret_row = take_ptr(&row);
	return 0;
}

/* To its very end, so that also the last check of a change has been made. rows may be NULL. */
static int step_all(
	struct database *database, sqlite3_stmt *statement, json_t *rows, struct error *err)
{
	json_t *row = NULL;
	int rc, r;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		if (!rows)
			continue;
		r = read_row(statement, &row, err);
		if (r < 0)
			return r;
		if (json_array_append_new(rows, row) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	return rc == SQLITE_DONE ? 0 : database_error(database, rc, err);
}

static int execute(struct database *database, enum statement which, const json_t *row,
	const json_t *args, json_t *rows, struct error *err)
{
	sqlite3_stmt *statement = database->statements[which];
	int r, rc;

	rc = bind_all(statement, row, args);
	if (rc == SQLITE_OK)
		r = step_all(database, statement, rows, err);
	else
		r = database_error(database, rc, err);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return r;
}

int statement_run(struct database *database, enum statement which, const json_t *row,
	const json_t *args, struct error *err)
{
	return execute(database, which, row, args, NULL, err);
}

int statement_all(struct database *database, enum statement which, const json_t *row,
	const json_t *args, json_t **ret_rows, struct error *err)
{
	json_auto_t *rows = json_array();
	int r;

	if (!rows)
		return error_set(err, ENOMEM, "out of memory");
	r = execute(database, which, row, args, rows, err);
	if (r == 0)
		*ret_rows = take_ptr(&rows);
	return r;
}

int statement_one(struct database *database, enum statement which, const json_t *row,
	const json_t *args, json_t **ret_row, struct error *err)
{
	json_auto_t *rows = NULL;
	int r = statement_all(database, which, row, args, &rows, err);

	if (r == 0)
		*ret_row = json_incref(json_array_get(rows, 0));
	return r;
}
