#include "agentd/project/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/project/folder.h"
#include "base/cleanup.h"
#include "base/error.h"

/* The strings are the JSON's, the lists' arrays are its own. */
struct agent {
	struct project_agent public;
	unsigned references;
	json_t *holder;
};

static const char *const nothing[] = {NULL};

static struct agent *agent_of(const struct project_agent *public)
{
	return (struct agent *)((char *)public - offsetof(struct agent, public));
}

const struct project_agent *project_agent_ref(const struct project_agent *public)
{
	agent_of(public)->references++;
	return public;
}

static void free_list(const char *const *list)
{
	if (list != nothing)
		free((void *)list);
}

void project_agent_unref(const struct project_agent *public)
{
	struct agent *agent = public ? agent_of(public) : NULL;

	if (!agent || --agent->references > 0)
		return;
	free_list(public->fallbacks);
	free_list(public->allowed_tools);
	free_list(public->skills);
	free_list(public->allowed_paths);
	json_decref(agent->holder);
	free(agent);
}

bool project_agent_may_call(const struct project_agent *agent, const char *tool)
{
	for (size_t i = 0; agent->allowed_tools[i]; i++) {
		const char *pattern = agent->allowed_tools[i];
		size_t length = strlen(pattern);

		if (strcmp(pattern, tool) == 0)
			return true;
		if (pattern[length - 1] == '*' && strncmp(pattern, tool, length - 1) == 0)
			return true;
	}
	return false;
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

struct field;

struct reading {
	struct project_agent *agent;
	struct agent_place *place;
	struct error *err;
};

struct field {
	const char *name;
	int (*read)(struct reading *reading, const struct field *field, const char *key,
		const json_t *value, void *to);
	size_t offset;
	const char *fix; /* what a right value looks like */
};

static int refuse_type(const struct reading *reading, const struct field *field, const char *key,
	const json_t *value, const char *wanted)
{
	return agent_place_report(reading->place, PROJECT_ERROR, key, field->fix,
		"must be %s, is %s", wanted, type_name(value));
}

static int read_string(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	if (!json_is_string(value))
		return refuse_type(reading, field, key, value, "a string");
	*(const char **)to = json_string_value(value);
	return 0;
}

static int read_name(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	int r = read_string(reading, field, key, value, to);

	if (r == 0 && !folder_is_name(json_string_value(value)))
		r = agent_place_report(reading->place, PROJECT_ERROR, key, field->fix,
			"is not 1 to %d bytes without / \\ and control characters, not beginning "
			"with . or -",
			PROJECT_NAME_MAX);
	return r;
}

static int read_reasoning(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	static const char *const levels[] = {"off", "minimal", "low", "medium", "high", "xhigh"};
	const char *level = json_string_value(value);

	for (size_t i = 0; level && i < ARRAY_SIZE(levels); i++) {
		if (strcmp(level, levels[i]) == 0) {
			*(const char **)to = levels[i];
			return 0;
		}
	}
	if (!level)
		return refuse_type(reading, field, key, value, "a string");
	return agent_place_report(
		reading->place, PROJECT_ERROR, key, field->fix, "'%.32s' is no level", level);
}

static int read_count(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	json_int_t count = json_integer_value(value);

	if (!json_is_integer(value))
		return refuse_type(reading, field, key, value, "a whole number");
	if (count < 0 || count > UINT32_MAX)
		return agent_place_report(reading->place, PROJECT_ERROR, key, field->fix,
			"must be 0 (no limit) to %u, is %lld", UINT32_MAX, (long long)count);
	*(uint32_t *)to = (uint32_t)count;
	return 0;
}

static int check_items(const struct reading *reading, const struct field *field, const char *key,
	const json_t *list)
{
	struct agent_place *place = reading->place;
	size_t index;
	const json_t *item;
	int r = 0;

	place->steps[place->depth] = (struct place_step){.key = key};
	json_array_foreach(list, index, item)
	{
		if (json_is_string(item) && json_string_length(item) > 0)
			continue;
		place->steps[place->depth + 1] = (struct place_step){.index = index};
		place->depth += 2;
		r = agent_place_report(place, PROJECT_ERROR, NULL, field->fix,
			"%s[%zu]: must be a string that is not empty", key, index);
		place->depth -= 2;
	}
	return r;
}

static int read_list(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	size_t count = json_array_size(value);
	const char **list;
	int r;

	if (!json_is_array(value))
		return refuse_type(reading, field, key, value, "a list of strings");
	if (count > AGENT_LIST_MAX)
		return agent_place_report(reading->place, PROJECT_ERROR, key, "remove some",
			"has %zu items, more than %d", count, AGENT_LIST_MAX);
	r = check_items(reading, field, key, value);
	if (r < 0)
		return r;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return error_set(reading->err, ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		list[i] = json_string_value(json_array_get(value, i));
	free_list(*(const char *const **)to);
	*(const char *const **)to = list;
	return 0;
}

static int read_tools(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	int r = read_list(reading, field, key, value, to);
	const char *const *list = *(const char *const **)to;

	for (size_t i = 0; r == 0 && list[i]; i++) {
		const char *star = strchr(list[i], '*');

		if (star && star[1])
			agent_place_report(reading->place, PROJECT_WARNING, key,
				"a * stands for the rest of a name: put it last",
				"'%.64s' lets it call nothing", list[i]);
	}
	return r;
}

static void check_model(const struct reading *reading, const char *key, const char *model)
{
	const char *slash = strchr(model, '/');

	if (!slash || slash == model || !slash[1])
		agent_place_report(reading->place, PROJECT_WARNING, key, "write \"provider/model\"",
			"'%.64s' does not say whose model it is", model);
}

static int read_model_object(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	static const struct field primary = {"primary", NULL, 0, "write \"provider/model\""};
	static const struct field fallbacks = {
		"fallbacks", NULL, 0, "write [\"provider/model\"], or leave it out"};
	const json_t *first = json_object_get(value, "primary");
	const json_t *others = json_object_get(value, "fallbacks");
	struct agent_place *place = reading->place;
	const char *name;
	json_t *member;
	int r;

	if (!first)
		return agent_place_report(place, PROJECT_ERROR, key, field->fix, "has no primary");
	place->steps[place->depth++] = (struct place_step){.key = key};
	r = read_string(reading, &primary, "primary", first, to);
	if (r == 0 && others && !json_is_null(others))
		r = read_list(reading, &fallbacks, "fallbacks", others, &reading->agent->fallbacks);
	if (r == 0 && json_array_size(others) > PROJECT_FALLBACKS_MAX)
		r = agent_place_report(place, PROJECT_ERROR, "fallbacks", field->fix,
			"has %zu items, more than %d", json_array_size(others),
			PROJECT_FALLBACKS_MAX);
	json_object_foreach((json_t *)value, name, member)
	{
		if (strcmp(name, "primary") != 0 && strcmp(name, "fallbacks") != 0)
			agent_place_report(place, PROJECT_WARNING, name,
				"primary and fallbacks are known", "unknown field of model");
	}
	place->depth--;
	return r;
}

static int read_model(struct reading *reading, const struct field *field, const char *key,
	const json_t *value, void *to)
{
	int r;

	if (json_is_object(value))
		r = read_model_object(reading, field, key, value, to);
	else if (json_is_string(value))
		r = read_string(reading, field, key, value, to);
	else
		return refuse_type(reading, field, key, value, "a string or an object");
	if (r < 0)
		return r;
	check_model(reading, key, *(const char **)to);
	for (size_t i = 0; reading->agent->fallbacks[i]; i++)
		check_model(reading, key, reading->agent->fallbacks[i]);
	return 0;
}

#define AT(member) offsetof(struct project_agent, member)

static const struct field fields[] = {
	{"name", read_name, AT(name), "write \"coder\""},
	{"role", read_string, AT(role), "write \"a reviewer of C code\""},
	{"team", read_string, AT(team), "write a team's name"},
	{"teamName", read_string, AT(team), "write a team's name"},
	{"model", read_model, AT(model),
		"write \"provider/model\", or {\"primary\": \"provider/model\", \"fallbacks\": "
		"[]}"},
	{"systemPrompt", read_string, AT(system_prompt), "write one string, with \\n in it"},
	{"allowedTools", read_tools, AT(allowed_tools),
		"write [\"read\", \"bash\", \"browser_*\"]"},
	{"skills", read_list, AT(skills), "write [\"NAME\"], names of folders in skills/"},
	{"allowedPaths", read_list, AT(allowed_paths), "write [\"src\", \"tests\"]"},
	{"reasoning", read_reasoning, AT(reasoning),
		"write off, minimal, low, medium, high or xhigh"},
	{"maxTurns", read_count, AT(max_turns), "write 40, or leave it out"},
	{"maxConcurrency", read_count, AT(max_concurrency), "write 4, or leave it out"},
};

static void report_unknown(const struct agent_place *place, const char *key)
{
	const char *names[ARRAY_SIZE(fields)];
	char fix[AGENT_PLACE_FIX_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		names[i] = fields[i].name;
	agent_place_report(place, PROJECT_WARNING, key,
		agent_place_suggest(place, key, names, ARRAY_SIZE(names),
			"it is kept, but nothing reads it", fix),
		"unknown field");
}

/* All that is wrong is told, not the first thing only. */
static int read_members(struct reading *reading, json_t *object)
{
	const char *key;
	json_t *value;
	int result = 0;

	json_object_foreach(object, key, value)
	{
		size_t i = 0;
		int r = 0;

		while (i < ARRAY_SIZE(fields) && strcmp(key, fields[i].name) != 0)
			i++;
		if (i == ARRAY_SIZE(fields))
			report_unknown(reading->place, key);
		else if (!json_is_null(value))
			r = fields[i].read(reading, &fields[i], key, value,
				(char *)reading->agent + fields[i].offset);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}

/* What it can do without, but hardly means to. */
static void warn(const struct reading *reading)
{
	const struct project_agent *agent = reading->agent;
	const json_t *json = agent->json;

	if (agent->model[0] == '\0')
		agent_place_report(reading->place, PROJECT_WARNING, NULL,
			"add \"model\": \"provider/model\"", "has no model");
	if (!json_object_get(json, "allowedTools"))
		agent_place_report(reading->place, PROJECT_WARNING, NULL,
			"add \"allowedTools\": [\"read\", ...], or [] where that is meant",
			"may call no tool");
}

int agent_create(json_t *object, json_t *holder, const char *team, struct agent_place *place,
	const struct project_agent **ret_agent, struct error *err)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	struct reading reading = {.place = place, .err = err};
	const char *name = json_string_value(json_object_get(object, "name"));
	int r;

	if (!agent)
		return error_set(err, ENOMEM, "out of memory");
	agent->references = 1;
	agent->holder = json_incref(holder);
	agent->public = (struct project_agent){.role = "",
		.team = "",
		.system_prompt = "",
		.model = "",
		.fallbacks = nothing,
		.allowed_tools = nothing,
		.skills = nothing,
		.allowed_paths = nothing,
		.json = object};
	reading.agent = &agent->public;
	place->name = name && folder_is_name(name) ? name : "";
	r = read_members(&reading, object);
	if (r != -ENOMEM && !name && !json_object_get(object, "name"))
		r = agent_place_report(
			place, PROJECT_ERROR, NULL, "add \"name\": \"coder\"", "has no name");
	else if (r == 0 && !name)
		r = agent_place_report(
			place, PROJECT_ERROR, "name", "write \"coder\"", "must not be null");
	if (r < 0) {
		project_agent_unref(&agent->public);
		return r;
	}
	if (team)
		agent->public.team = team;
	warn(&reading);
	*ret_agent = &agent->public;
	return 0;
}
