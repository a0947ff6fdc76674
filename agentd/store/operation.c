#include "agentd/store/operation.h"

#include <errno.h>
#include <string.h>

#include "agentd/store/operation_table.h"
#include "agentd/store/store.h"
#include "base/cleanup.h"
#include "base/error.h"

#define FIELDS_MAX 8

#define ID(name)                                                                                   \
	{                                                                                          \
		name, FIELD_ID, false                                                              \
	}
#define TEXT(name)                                                                                 \
	{                                                                                          \
		name, FIELD_TEXT, false                                                            \
	}
#define COUNT(name)                                                                                \
	{                                                                                          \
		name, FIELD_COUNT, false                                                           \
	}
#define OBJECT(name)                                                                               \
	{                                                                                          \
		name, FIELD_OBJECT, false                                                          \
	}
#define ARRAY(name)                                                                                \
	{                                                                                          \
		name, FIELD_ARRAY, false                                                           \
	}
#define OPTIONAL(name, type_of_name)                                                               \
	{                                                                                          \
		name, type_of_name, true                                                           \
	}

/* A row that is looked for by a text that cannot be an id is not there: no field for it. */
static const struct {
	const char *name;
	operation_fn *run;
	unsigned wait_ms;
	struct field fields[FIELDS_MAX];
} operations[OPERATION_COUNT] = {
	[OPERATION_SESSION_CREATE] = {"create session", sessions_create, OPERATION_BEGIN_MS,
		{ID("id"), TEXT("agent"), OPTIONAL("title", FIELD_TEXT),
			OPTIONAL("workspace", FIELD_TEXT), OPTIONAL("cwd", FIELD_TEXT)}},
	[OPERATION_SESSION_GET] = {"get session", sessions_get, 0, {{0}}},
	[OPERATION_SESSION_LIST] = {"list sessions", sessions_list, 0, {{0}}},
	[OPERATION_SESSION_UPDATE] = {"update session", sessions_update, 0,
		{OPTIONAL("title", FIELD_TEXT), OPTIONAL("agent", FIELD_TEXT),
			OPTIONAL("cwd", FIELD_TEXT)}},
	[OPERATION_SESSION_DELETE] = {"delete session", sessions_delete, 0, {{0}}},
	[OPERATION_SESSION_SUMMARIZE] = {"summarize session", sessions_summarize, 0,
		{TEXT("summary"), COUNT("summarized")}},
	[OPERATION_REMOVAL_LIST] = {"list removals", removals_list, 0, {{0}}},
	[OPERATION_REMOVAL_DONE] = {"end removal", removals_done, 0, {{0}}},
	[OPERATION_MESSAGE_LIST] = {"list messages", messages_list, 0, {{0}}},
	[OPERATION_HISTORY] = {"read history", messages_history, 0, {{0}}},
	[OPERATION_RUN_BEGIN] = {"begin run", runs_begin, OPERATION_BEGIN_MS,
		{ID("id"), ID("session"), TEXT("agent"), OPTIONAL("options", FIELD_OBJECT),
			ARRAY("messages")}},
	[OPERATION_TURN_COMMIT] = {"commit turn", runs_turn_commit, OPERATION_TURN_MS,
		{OBJECT("message"), OPTIONAL("calls", FIELD_ARRAY),
			OPTIONAL("prompt_tokens", FIELD_COUNT),
			OPTIONAL("completion_tokens", FIELD_COUNT),
			OPTIONAL("finish", FIELD_TEXT)}},
	[OPERATION_CALL_START] = {"start call", runs_call_start, 0, {{0}}},
	[OPERATION_CALL_FINISH] = {"finish call", runs_call_finish, 0,
		{OBJECT("message"), OPTIONAL("receipt", FIELD_OBJECT)}},
	[OPERATION_RUN_END] = {"end run", runs_end, 0,
		{TEXT("status"), OPTIONAL("finish", FIELD_TEXT), OPTIONAL("error", FIELD_ANY)}},
	[OPERATION_RUN_GET] = {"get run", runs_get, 0, {{0}}},
	[OPERATION_RUN_OPEN_LIST] = {"list open runs", runs_open_list, 0, {{0}}},
	[OPERATION_EVENT_APPEND] = {"append events", events_append, OPERATION_NEWS_MS,
		{ARRAY("events")}},
	[OPERATION_EVENT_LIST] = {"list events", events_list, 0, {{0}}},
	[OPERATION_KEY_CREATE] = {"create key", keys_create, 0,
		{ID("id"), TEXT("name"), TEXT("prefix"), TEXT("hash")}},
	[OPERATION_KEY_LIST] = {"list keys", keys_list, 0, {{0}}},
	[OPERATION_KEY_REVOKE] = {"revoke key", keys_revoke, 0, {{0}}},
};

static bool is_deeper(const json_t *value, unsigned depth)
{
	const char *key;
	json_t *member;
	size_t index;

	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (depth == 0)
		return true;
	json_object_foreach((json_t *)value, key, member)
	{
		if (is_deeper(member, depth - 1))
			return true;
	}
	json_array_foreach(value, index, member)
	{
		if (is_deeper(member, depth - 1))
			return true;
	}
	return false;
}

static int check_text(
	const char *name, const json_t *value, size_t min, size_t max, struct error *err)
{
	size_t length = json_string_length(value);

	if (!json_is_string(value))
		return error_set(err, EINVAL, "%s: must be a string", name);
	if (length < min)
		return error_set(err, EINVAL, "%s: must not be empty", name);
	if (length > max)
		return error_set(err, EMSGSIZE, "%s: of %zu bytes, %zu at most", name, length, max);
	if (strlen(json_string_value(value)) != length)
		return error_set(err, EINVAL, "%s: holds a NUL character", name);
	return 0;
}

static int check_json(const char *name, const json_t *value, bool fits, struct error *err)
{
	if (!fits)
		return error_set(err, EINVAL, "%s: is of a wrong type", name);
	if (is_deeper(value, OPERATION_DEPTH_MAX))
		return error_set(
			err, EINVAL, "%s: nested deeper than %d", name, OPERATION_DEPTH_MAX);
	return 0;
}

static int check_field(const struct field *field, const json_t *value, struct error *err)
{
	if (!value || json_is_null(value))
		return field->is_optional ? 0
					  : error_set(err, EINVAL, "%s: is required", field->name);
	switch (field->type) {
	case FIELD_ID:
		return check_text(field->name, value, 1, STORE_ID_MAX, err);
	case FIELD_TEXT:
		return check_text(field->name, value, 0, OPERATION_TEXT_MAX, err);
	case FIELD_BODY:
		return check_text(field->name, value, 0, OPERATION_BODY_MAX, err);
	case FIELD_COUNT:
		if (json_is_integer(value) && json_integer_value(value) >= 0)
			return 0;
		return error_set(err, EINVAL, "%s: must be a number of 0 or more", field->name);
	case FIELD_OBJECT:
		return check_json(field->name, value, json_is_object(value), err);
	case FIELD_ARRAY:
		return check_json(field->name, value, json_is_array(value), err);
	case FIELD_ANY:
		return check_json(field->name, value, true, err);
	}
	return -EINVAL;
}

int field_check(const struct field *fields, const json_t *object, struct error *err)
{
	for (; fields->name; fields++) {
		int r = check_field(fields, json_object_get(object, fields->name), err);

		if (r < 0)
			return r;
	}
	return 0;
}

const char *operation_id(const json_t *args, const char *name)
{
	const json_t *id = json_object_get(args, name);

	return json_string_length(id) <= STORE_ID_MAX ? json_string_value(id) : "(too long)";
}

unsigned operation_wait_ms(enum operation operation)
{
	return operations[operation].wait_ms;
}

int operation_run(enum operation operation, struct database *database, json_t *args,
	json_t **ret_result, struct error *err)
{
	int r = field_check(operations[operation].fields, args, err);

	if (r == 0)
		r = operations[operation].run(database, args, ret_result, err);
	return r < 0 ? error_prefix(err, r, "store: %s", operations[operation].name) : 0;
}
