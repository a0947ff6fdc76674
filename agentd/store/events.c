#include <errno.h>

#include "agentd/store/operation.h"
#include "agentd/store/operation_table.h"
#include "agentd/store/statement.h"
#include "base/cleanup.h"
#include "base/error.h"

static const struct field event_fields[] = {
	{"seq", FIELD_COUNT, false},
	{"type", FIELD_TEXT, false},
	{"data", FIELD_OBJECT, false},
	{0},
};

static int no_run(const json_t *args, struct error *err)
{
	return error_set(err, ENOENT, "no run %s", operation_id(args, "run"));
}

int events_append(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	const json_t *events = json_object_get(args, "events");
	json_t *event, *result;
	size_t index;
	int r;

	json_array_foreach((json_t *)events, index, event)
	{
		r = field_check(event_fields, event, err);
		if (r == 0)
			r = statement_run(database, STATEMENT_EVENT_INSERT, event, args, err);
		if (r == -ENOENT)
			return no_run(args, err);
		if (r == -EEXIST)
			return error_set(err, EEXIST, "there is an event %lld already",
				(long long)json_integer_value(json_object_get(event, "seq")));
		if (r < 0)
			return r;
	}
	event = json_array_get(events, json_array_size(events) - 1);
	result = json_pack("{s:O?}", "seq", json_object_get(event, "seq"));
	if (!result)
		return error_set(err, ENOMEM, "out of memory");
	*ret_result = result;
	return 0;
}

int events_list(struct database *database, json_t *args, json_t **ret_result, struct error *err)
{
	json_auto_t *run = NULL;
	json_auto_t *rows = NULL;
	json_t *result;
	int r;

	r = statement_one(database, STATEMENT_RUN_GET, NULL, args, &run, err);
	if (r == 0 && !run)
		r = no_run(args, err);
	if (r == 0)
		r = statement_all(database, STATEMENT_EVENT_LIST, NULL, args, &rows, err);
	if (r < 0)
		return r;
	result = json_pack("{s:O}", "events", rows);
	if (!result)
		return error_set(err, ENOMEM, "out of memory");
	*ret_result = result;
	return 0;
}
