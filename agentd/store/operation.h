/*
 * operation.h - what the store can be asked for: one row each, with what its arguments must hold.
 *
 * An operation runs in the worker's thread, within a transaction that it neither begins nor ends, and may be run
 * again with the same arguments when that transaction failed. When it fails, what it did is undone.
 */
#ifndef AGENTD_STORE_OPERATION_H
#define AGENTD_STORE_OPERATION_H
#include <jansson.h>
#include <stdbool.h>

struct database;
struct error;

#define OPERATION_TEXT_MAX  (1024 * 1024)      /* bytes of a name, title, path */
#define OPERATION_BODY_MAX  (64 * 1024 * 1024) /* bytes of a tool call's arguments */
#define OPERATION_NEWS_MS   100		       /* that events wait for company */
#define OPERATION_BEGIN_MS  10	/* that a run's beginning waits for the reply of a quick model */
#define OPERATION_TURN_MS   10	/* that a turn waits for the start of its first call */
#define OPERATION_DEPTH_MAX 256 /* of JSON that is stored as it is */

enum operation {
	OPERATION_SESSION_CREATE,
	OPERATION_SESSION_GET,
	OPERATION_SESSION_LIST,
	OPERATION_SESSION_UPDATE,
	OPERATION_SESSION_DELETE,
	OPERATION_SESSION_SUMMARIZE,
	OPERATION_REMOVAL_LIST,
	OPERATION_REMOVAL_DONE,
	OPERATION_MESSAGE_LIST,
	OPERATION_HISTORY,
	OPERATION_RUN_BEGIN,
	OPERATION_TURN_COMMIT,
	OPERATION_CALL_START,
	OPERATION_CALL_FINISH,
	OPERATION_RUN_END,
	OPERATION_RUN_GET,
	OPERATION_RUN_OPEN_LIST,
	OPERATION_EVENT_APPEND,
	OPERATION_EVENT_LIST,
	OPERATION_KEY_CREATE,
	OPERATION_KEY_LIST,
	OPERATION_KEY_REVOKE,
	OPERATION_COUNT
};

enum field_type {
	FIELD_ID,     /* 1..STORE_ID_MAX bytes of text without NUL */
	FIELD_TEXT,   /* up to OPERATION_TEXT_MAX without NUL */
	FIELD_BODY,   /* up to OPERATION_BODY_MAX without NUL */
	FIELD_COUNT,  /* a whole number, not negative */
	FIELD_OBJECT, /* of JSON */
	FIELD_ARRAY,
	FIELD_ANY,
};

struct field {
	const char *name;
	enum field_type type;
	bool is_optional; /* absent and null are the same */
};

/* -EINVAL, -EMSGSIZE with *err: the first member of object that does not fit. Ends at a field without a name. */
int field_check(const struct field *fields, const json_t *object, struct error *err);

/* The id that was asked for, in words that an error can hold: one that none can be is not repeated. */
const char *operation_id(const json_t *args, const char *name);

/* For how many milliseconds it may wait for others to share its transaction with. */
unsigned operation_wait_ms(enum operation operation);

/* *ret_result: the caller's; a JSON null where there is nothing to say. */
int operation_run(enum operation operation, struct database *database, json_t *args,
	json_t **ret_result, struct error *err);
#endif
