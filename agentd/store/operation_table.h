/* operation_table.h - the functions behind the rows of operation.c; args have been checked against their row. */
#ifndef AGENTD_STORE_OPERATION_TABLE_H
#define AGENTD_STORE_OPERATION_TABLE_H
#include <jansson.h>

struct database;
struct error;

typedef int operation_fn(
	struct database *database, json_t *args, json_t **ret_result, struct error *err);

operation_fn sessions_create, sessions_get, sessions_list, sessions_update, sessions_delete,
	sessions_summarize;
operation_fn removals_list, removals_done;
operation_fn messages_list, messages_history;
operation_fn runs_begin, runs_turn_commit, runs_call_start, runs_call_finish, runs_end, runs_get,
	runs_open_list;
operation_fn events_append, events_list;
operation_fn keys_create, keys_list, keys_revoke;
#endif
