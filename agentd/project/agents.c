#include "agentd/project/agents.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "agentd/project/agent.h"
#include "base/cleanup.h"
#include "base/error.h"

void agents_finish(struct agents *agents)
{
	for (size_t i = 0; i < agents->count; i++)
		project_agent_unref(agents->rows[i]);
	agents->count = 0;
}

const struct project_agent *agents_find(const struct agents *agents, const char *name)
{
	for (size_t i = 0; i < agents->count; i++)
		if (strcmp(agents->rows[i]->name, name) == 0)
			return agents->rows[i];
	return NULL;
}

json_t *agents_load_json(const char *file, const char *text, size_t size, struct problems *problems,
	int *ret_r, struct error *err)
{
	json_error_t why;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);

	if (json)
		return json;
	if (json_error_code(&why) == json_error_out_of_memory) {
		*ret_r = error_set(err, ENOMEM, "%s: out of memory", file);
		return NULL;
	}
	problems_add(problems, PROJECT_ERROR, file, why.line > 0 ? (unsigned)why.line : 1,
		"check the commas, quotes and brackets before it", "is no JSON: %s", why.text);
	*ret_r = error_set(err, EINVAL, "%s: is no JSON", file);
	return NULL;
}

json_t *agents_list(const json_t *root)
{
	json_t *list = json_is_array(root) ? (json_t *)root : json_object_get(root, "agents");

	return json_is_array(list) ? list : NULL;
}

json_t *agents_unwrap(const json_t *element)
{
	json_t *agent = json_object_get(element, "agent");

	return json_is_object(agent) ? agent : (json_t *)element;
}

/* What stands around an agent. */
static int check_wrapper(
	const json_t *element, const struct agent_place *place, const char **ret_team)
{
	const json_t *team = json_object_get(element, "teamName");
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)element, key, value)
	{
		if (strcmp(key, "agent") != 0 && strcmp(key, "teamName") != 0)
			agent_place_report(place, PROJECT_WARNING, key,
				"it is kept, but nothing reads it: agents' fields stand inside "
				"\"agent\"",
				"unknown field");
	}
	if (team && !json_is_null(team) && !json_is_string(team))
		return agent_place_report(place, PROJECT_ERROR, "teamName", "write a team's name",
			"must be a string");
	*ret_team = json_string_value(team);
	return 0;
}

static int add(
	struct agents *agents, const struct project_agent *agent, const struct agent_place *place)
{
	const struct project_agent *other = agents_find(agents, agent->name);

	if (!other) {
		agents->rows[agents->count++] = agent;
		return 0;
	}
	project_agent_unref(agent);
	return agent_place_report(
		place, PROJECT_ERROR, NULL, "give it another name", "another one has this name");
}

static int read_element(json_t *element, struct agent_place *place,
	const struct agents_check *check, struct agents *agents, struct error *err)
{
	json_t *object = agents_unwrap(element);
	const struct project_agent *agent;
	const char *team = NULL;
	int r = 0;

	if (!json_is_object(element))
		return agent_place_report(place, PROJECT_ERROR, NULL, "write {\"name\": \"coder\"}",
			"must be an object");
	if (object != element) {
		r = check_wrapper(element, place, &team);
		place->steps[place->depth++] = (struct place_step){.key = "agent"};
	}
	if (r == 0)
		r = agent_create(object, element, team, place, &agent, err);
	if (r == 0 && check)
		check->check(check->arg, agent, place);
	return r < 0 ? r : add(agents, agent, place);
}

static int read_list(const json_t *root, const json_t *list, struct agent_place *place,
	const struct agents_check *check, struct agents *agents, struct error *err)
{
	size_t depth = 0, index;
	json_t *element;
	int result = 0;

	if (json_is_object(root))
		place->steps[depth++] = (struct place_step){.key = "agents"};
	json_array_foreach(list, index, element)
	{
		int r;

		place->steps[depth] = (struct place_step){.index = index};
		place->depth = depth + 1;
		place->name = "";
		r = read_element(element, place, check, agents, err);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}

static int read_root(const json_t *root, struct agent_place *place,
	const struct agents_check *check, struct agents *agents, struct error *err)
{
	const json_t *list = agents_list(root);
	size_t count = json_array_size(list);

	if (!list) {
		problems_add(place->problems, PROJECT_ERROR, place->file, 1,
			"write [{\"name\": \"coder\"}]", "is no list of agents");
		return -EINVAL;
	}
	if (count > PROJECT_AGENTS_MAX) {
		problems_add(place->problems, PROJECT_ERROR, place->file, 0, "remove some",
			"has %zu agents, more than %d", count, PROJECT_AGENTS_MAX);
		return -EINVAL;
	}
	if (count == 0)
		problems_add(place->problems, PROJECT_WARNING, place->file, 0,
			"write [{\"name\": \"coder\"}]", "has no agents");
	return read_list(root, list, place, check, agents, err);
}

int agents_parse(const char *file, const char *text, size_t size, struct problems *problems,
	const struct agents_check *check, struct agents *ret_agents, struct error *err)
{
	struct agent_place place = {.file = file, .text = text, .name = "", .problems = problems};
	struct agents agents = {.count = 0};
	json_auto_t *root = NULL;
	int r = 0;

	root = agents_load_json(file, text, size, problems, &r, err);
	if (root)
		r = read_root(root, &place, check, &agents, err);
	if (r < 0) {
		agents_finish(&agents);
		return r;
	}
	*ret_agents = agents;
	return 0;
}
