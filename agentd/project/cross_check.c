#include "agentd/project/cross_check.h"

#include <stdbool.h>
#include <string.h>

#include "agentd/project/agent_place.h"
#include "agentd/project/content.h"

static void report_skill(
	const struct content *content, const char *name, const struct agent_place *place)
{
	const char *names[PROJECT_SKILLS_MAX];
	char fix[AGENT_PLACE_FIX_MAX];

	for (size_t i = 0; i < content->skill_count; i++)
		names[i] = content->skills[i].name;
	agent_place_report(place, PROJECT_WARNING, "skills",
		agent_place_suggest(place, name, names, content->skill_count,
			"add it below skills/, or take it off the list", fix),
		"there is no skill '%.64s': the agent runs without it", name);
}

static void check_tools(const struct skill *skill, const struct project_agent *agent,
	const struct agent_place *place)
{
	for (size_t i = 0; skill->public.tools[i]; i++)
		if (!project_agent_may_call(agent, skill->public.tools[i]))
			agent_place_report(place, PROJECT_WARNING, "skills",
				"add it to allowedTools, or take it off the skill",
				"skill '%s' wants the tool '%.64s', which the agent may not call",
				skill->name, skill->public.tools[i]);
}

static bool is_known(const char *allowed, const char *const *tools)
{
	size_t length = strlen(allowed);
	bool is_prefix = length > 0 && allowed[length - 1] == '*';

	for (; *tools; tools++)
		if (is_prefix ? strncmp(*tools, allowed, length - 1) == 0
			      : strcmp(*tools, allowed) == 0)
			return true;
	return false;
}

/* A misspelt name allows nothing, which shows only when the model misses the tool. */
static void check_allowed(const struct content *content, const struct project_agent *agent,
	const struct agent_place *place)
{
	char fix[AGENT_PLACE_FIX_MAX];
	size_t count = 0;

	if (!content->tools)
		return;
	while (content->tools[count])
		count++;
	for (size_t i = 0; agent->allowed_tools[i]; i++)
		if (!is_known(agent->allowed_tools[i], content->tools))
			agent_place_report(place, PROJECT_WARNING, "allowedTools",
				agent_place_suggest(place, agent->allowed_tools[i], content->tools,
					count, "take it off the list", fix),
				"there is no tool '%.64s'", agent->allowed_tools[i]);
}

static void check_team(const struct content *content, const struct project_agent *agent,
	const struct agent_place *place)
{
	size_t index;
	const json_t *team;

	if (!content->teams || agent->team[0] == '\0')
		return;
	json_array_foreach(content->teams, index, team)
	{
		const char *name = json_string_value(json_object_get(team, "name"));

		if (name && strcmp(name, agent->team) == 0)
			return;
	}
	agent_place_report(place, PROJECT_WARNING, NULL, "add it to teams.json",
		"there is no team '%.64s'", agent->team);
}

void cross_check_agent(
	void *arg, const struct project_agent *agent, const struct agent_place *place)
{
	const struct content *content = arg;

	for (size_t i = 0; agent->skills[i]; i++) {
		const struct skill *skill = content_skill(content, agent->skills[i]);

		if (skill)
			check_tools(skill, agent, place);
		else
			report_skill(content, agent->skills[i], place);
	}
	check_allowed(content, agent, place);
	check_team(content, agent, place);
}
