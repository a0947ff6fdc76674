#include "agentd/scripted/scenario_step.h"

#include <errno.h>
#include <string.h>

#include "agentd/scripted/place.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#define CHUNK_DEFAULT	64
#define REPEAT_MAX	1000000000
#define STATUS_MIN	200
#define STATUS_MAX	599
#define RETRY_AFTER_MAX 86400
#define TOKENS_MAX	INT64_C(1000000000000)
#define NEAR		3 /* letters wrong in a word that is still guessed */

struct row {
	const char *name;
	int (*read)(const struct row *row, const json_t *value, const struct place *place, void *to,
		struct error *err);
	size_t offset;
	uint64_t min, max;
	enum { EITHER, REPLY, STATUS } of; /* which kind of step may have it */
};

static int read_number(const struct row *row, const json_t *value, const struct place *place,
	void *to, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number < row->min ||
		(uint64_t)number > row->max)
		return place_refuse(place, err, "a whole number is wanted, %ju to %ju",
			(uintmax_t)row->min, (uintmax_t)row->max);
	*(uint64_t *)to = (uint64_t)number;
	return 0;
}

static int read_flag(const struct row *row, const json_t *value, const struct place *place,
	void *to, struct error *err)
{
	(void)row;
	if (!json_is_boolean(value))
		return place_refuse(place, err, "true or false is wanted");
	*(bool *)to = json_is_true(value);
	return 0;
}

static int read_text(const struct row *row, const json_t *value, const struct place *place,
	void *to, struct error *err)
{
	(void)row;
	if (!json_is_string(value))
		return place_refuse(place, err, "a string is wanted");
	*(json_t **)to = json_incref((json_t *)value);
	return 0;
}

static int read_body(const struct row *row, const json_t *value, const struct place *place,
	void *to, struct error *err)
{
	(void)row;
	if (!json_is_string(value) && !json_is_object(value))
		return place_refuse(
			place, err, "an object is wanted, or a string that is sent as it is");
	*(json_t **)to = json_incref((json_t *)value);
	return 0;
}

static int read_finish(const struct row *row, const json_t *value, const struct place *place,
	void *to, struct error *err)
{
	static const char *const words[] = {
		[SCENARIO_FINISH_STOP] = "stop",
		[SCENARIO_FINISH_LENGTH] = "length",
		[SCENARIO_FINISH_CALLS] = "tool_calls",
		[SCENARIO_FINISH_FILTER] = "content_filter",
	};
	const char *word = json_string_value(value);

	(void)row;
	for (size_t i = SCENARIO_FINISH_STOP; word && i < ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			*(enum scenario_finish *)to = (enum scenario_finish)i;
			return 0;
		}
	}
	return place_refuse(
		place, err, "\"stop\", \"length\", \"tool_calls\" or \"content_filter\" is wanted");
}

/* {name, arguments} with arguments as text, which is what goes over the wire. */
static json_t *make_call(const json_t *name, const json_t *arguments)
{
	auto_free char *text = NULL;

	if (json_is_string(arguments))
		return json_pack("{s:O,s:O}", "name", name, "arguments", arguments);
	text = json_dumps(arguments, JSON_COMPACT | JSON_ENCODE_ANY);
	return text ? json_pack("{s:O,s:s}", "name", name, "arguments", text) : NULL;
}

static int read_call(
	const json_t *value, const struct place *place, json_t *calls, struct error *err)
{
	const struct place of_name = {.parent = place, .key = "name"};
	const struct place of_arguments = {.parent = place, .key = "arguments"};
	const json_t *name = json_object_get(value, "name");
	const json_t *arguments = json_object_get(value, "arguments");
	const char *key;
	json_t *member;

	if (!json_is_object(value))
		return place_refuse(place, err, "{\"name\": ..., \"arguments\": {...}} is wanted");
	json_object_foreach((json_t *)value, key, member)
	{
		if (member != name && member != arguments)
			return place_refuse(place, err,
				"unknown member \"%.40s\"; a call has name and arguments", key);
	}
	if (!json_is_string(name))
		return place_refuse(&of_name, err, "the tool's name is wanted, a string");
	if (!json_is_object(arguments) && !json_is_string(arguments))
		return place_refuse(&of_arguments, err,
			"an object is wanted, or a string that is sent as it is");
	if (json_array_append_new(calls, make_call(name, arguments)) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int read_calls(const struct row *row, const json_t *value, const struct place *place,
	void *to, struct error *err)
{
	json_auto_t *calls = json_array();
	size_t index;
	const json_t *call;

	(void)row;
	if (json_array_size(value) == 0 || json_array_size(value) > SCENARIO_CALLS_MAX)
		return place_refuse(
			place, err, "an array of 1 to %d calls is wanted", SCENARIO_CALLS_MAX);
	json_array_foreach(value, index, call)
	{
		const struct place of_call = {.parent = place, .index = index};
		int r = read_call(call, &of_call, calls, err);

		if (r < 0)
			return r;
	}
	*(json_t **)to = take_ptr(&calls);
	return 0;
}

static int read_rows(const struct row *rows, size_t count, const json_t *value,
	const struct place *place, void *to, struct error *err);

static int read_usage(const struct row *row, const json_t *value, const struct place *place,
	void *to, struct error *err)
{
	static const struct row rows[] = {
		{"prompt_tokens", read_number, offsetof(struct scenario_step, prompt_tokens), 0,
			TOKENS_MAX, EITHER},
		{"completion_tokens", read_number,
			offsetof(struct scenario_step, completion_tokens), 0, TOKENS_MAX, EITHER},
	};
	struct scenario_step *step = to;

	(void)row;
	step->has_usage = true;
	return read_rows(rows, ARRAY_SIZE(rows), value, place, step, err);
}

#define AT(member) offsetof(struct scenario_step, member)

static const struct row step_rows[] = {
	{"text", read_text, AT(text), 0, 0, REPLY},
	{"tool_calls", read_calls, AT(calls), 0, 0, REPLY},
	{"status", read_number, AT(status), STATUS_MIN, STATUS_MAX, STATUS},
	{"body", read_body, AT(body), 0, 0, STATUS},
	{"retry_after", read_number, AT(retry_after_s), 0, RETRY_AFTER_MAX, STATUS},
	{"thinking", read_text, AT(thinking), 0, 0, REPLY},
	{"finish", read_finish, AT(finish), 0, 0, REPLY},
	{"usage", read_usage, 0, 0, 0, REPLY},
	{"chunk", read_number, AT(chunk), 1, SCENARIO_CHUNK_MAX, REPLY},
	{"no_done", read_flag, AT(no_done), 0, 0, REPLY},
	{"crlf", read_flag, AT(crlf), 0, 0, REPLY},
	{"comments", read_flag, AT(comments), 0, 0, REPLY},
	{"repeat", read_number, AT(repeat), 1, REPEAT_MAX, EITHER},
	{"delay_ms", read_number, AT(delay_ms), 0, SCENARIO_DELAY_MAX_MS, EITHER},
	{"wire_chunk", read_number, AT(wire_chunk), 1, SCENARIO_CHUNK_MAX, EITHER},
	{"cut_after", read_number, AT(cut_after), 0, INT64_MAX, EITHER},
	{"stall_after", read_number, AT(stall_after), 0, INT64_MAX, EITHER},
};

static int refuse_unknown(const struct row *rows, size_t count, const char *key,
	const struct place *place, struct error *err)
{
	const struct row *nearest = NULL;
	unsigned distance, least = NEAR;

	for (size_t i = 0; i < count; i++) {
		distance = text_distance(key, rows[i].name);
		if (distance < least) {
			least = distance;
			nearest = &rows[i];
		}
	}
	if (nearest)
		return place_refuse(place, err, "unknown member; is \"%s\" meant?", nearest->name);
	return place_refuse(place, err, "unknown member");
}

/* Each member of an object by its row. */
static int read_rows(const struct row *rows, size_t count, const json_t *value,
	const struct place *place, void *to, struct error *err)
{
	const char *key;
	json_t *member;
	size_t i;
	int r;

	if (!json_is_object(value))
		return place_refuse(place, err, "an object is wanted");
	json_object_foreach((json_t *)value, key, member)
	{
		const struct place of_member = {.parent = place, .key = key};

		for (i = 0; i < count && strcmp(rows[i].name, key) != 0; i++)
			;
		if (i == count)
			return refuse_unknown(rows, count, key, &of_member, err);
		r = rows[i].read(&rows[i], member, &of_member, (char *)to + rows[i].offset, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* That its members belong together. */
static int check_kind(const struct scenario_step *step, const json_t *value,
	const struct place *place, struct error *err)
{
	if (!step->text && !step->calls && step->status == 0)
		return place_refuse(
			place, err, "one of text, tool_calls and status is wanted in a step");
	for (size_t i = 0; i < ARRAY_SIZE(step_rows); i++) {
		const struct place of_member = {.parent = place, .key = step_rows[i].name};

		if (!json_object_get(value, step_rows[i].name))
			continue;
		if (step->status != 0 && step_rows[i].of == REPLY)
			return place_refuse(
				&of_member, err, "a step with a status has no such member");
		if (step->status == 0 && step_rows[i].of == STATUS)
			return place_refuse(
				&of_member, err, "only a step with a status has such a member");
	}
	return 0;
}

int scenario_step_parse(const json_t *value, const struct place *place, struct scenario_step *step,
	struct error *err)
{
	int r;

	scenario_step_init(step);
	r = read_rows(step_rows, ARRAY_SIZE(step_rows), value, place, step, err);
	return r < 0 ? r : check_kind(step, value, place, err);
}

void scenario_step_init(struct scenario_step *step)
{
	*step = (struct scenario_step){
		.retry_after_s = SCENARIO_NEVER,
		.repeat = 1,
		.chunk = CHUNK_DEFAULT,
		.cut_after = SCENARIO_NEVER,
		.stall_after = SCENARIO_NEVER,
	};
}

void scenario_step_copy(const struct scenario_step *from, struct scenario_step *to)
{
	*to = *from;
	json_incref(to->text);
	json_incref(to->thinking);
	json_incref(to->calls);
	json_incref(to->body);
}

void scenario_step_finish(struct scenario_step *step)
{
	json_decref(step->text);
	json_decref(step->thinking);
	json_decref(step->calls);
	json_decref(step->body);
	scenario_step_init(step);
}
