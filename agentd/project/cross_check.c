#include "agentd/project/cross_check.h"

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
	check_team(content, agent, place);
}
