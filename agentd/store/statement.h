/*
 * statement.h - every SQL text of the store, prepared once; JSON objects go in and come out.
 *
 * A parameter :NAME gets member NAME of `args`, or else of `row` (which may come from afar): text and whole numbers as
 * they are; $NAME gets it as JSON; absent and null are NULL. A result is an object by the names of its columns; a column
 * NAME{} holds JSON and comes as member NAME.
 */
#ifndef AGENTD_STORE_STATEMENT_H
#define AGENTD_STORE_STATEMENT_H
#include <jansson.h>

struct database;
struct error;

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_SAVE,
	STATEMENT_RELEASE,
	STATEMENT_UNDO,
	STATEMENT_SESSION_INSERT,
	STATEMENT_SESSION_GET,
	STATEMENT_SESSION_LIST,
	STATEMENT_SESSION_COUNT,
	STATEMENT_SESSION_UPDATE,
	STATEMENT_SESSION_DELETE,
	STATEMENT_SESSION_SUMMARIZE,
	STATEMENT_SESSION_SUMMARY,
	STATEMENT_SESSION_RUNNING,
	STATEMENT_REMOVAL_INSERT,
	STATEMENT_REMOVAL_LIST,
	STATEMENT_REMOVAL_DELETE,
	STATEMENT_SESSION_NEXT_SEQ,
	STATEMENT_MESSAGE_INSERT,
	STATEMENT_MESSAGE_LIST,
	STATEMENT_RUN_INSERT,
	STATEMENT_RUN_GET,
	STATEMENT_RUN_TURN,
	STATEMENT_RUN_END,
	STATEMENT_RUN_NEXT_EPOCH,
	STATEMENT_RUN_OPEN_LIST,
	STATEMENT_CALL_INSERT,
	STATEMENT_CALL_GET,
	STATEMENT_CALL_START,
	STATEMENT_CALL_FINISH,
	STATEMENT_CALL_LIST,
	STATEMENT_EVENT_INSERT,
	STATEMENT_EVENT_LIST,
	STATEMENT_KEY_INSERT,
	STATEMENT_KEY_LIST,
	STATEMENT_KEY_DELETE,
	STATEMENT_COUNT
};

int statement_prepare_all(struct database *database, struct error *err);
void statement_finish_all(struct database *database);

/* All of it, rows thrown away. row and args may be NULL, here and below. */
int statement_run(struct database *database, enum statement which, const json_t *row,
	const json_t *args, struct error *err);
/* *ret_row: its one row, or NULL when there is none; the caller's. */
int statement_one(struct database *database, enum statement which, const json_t *row,
	const json_t *args, json_t **ret_row, struct error *err);
/* *ret_rows: an array of its rows; the caller's. */
int statement_all(struct database *database, enum statement which, const json_t *row,
	const json_t *args, json_t **ret_rows, struct error *err);
#endif
