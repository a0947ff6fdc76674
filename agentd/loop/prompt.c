#include "agentd/loop/prompt.h"

#include <stdio.h>
#include <stdlib.h>

#include "agentd/project/project.h"
#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"

#define PREAMBLE                                                                                   \
	"You work for the user through tools. They run in a Linux sandbox of your own, in which "  \
	"you are root: install, build and run whatever helps. Do the work instead of describing "  \
	"it, look at the results, and say at the end what you did."

static void write_skills(FILE *to, const struct project *project, const struct project_agent *agent)
{
	for (const char *const *name = agent->skills; *name; name++) {
		const struct project_skill *skill = project_skill_find(project, *name);

		if (!skill)
			continue;
		fprintf(to, "\n\n# Skill: %s\n", skill->name);
		if (skill->description[0])
			fprintf(to, "%s\n", skill->description);
		fprintf(to, "\n%s", skill->body);
	}
}

static void write_tools(FILE *to, const struct project_agent *agent)
{
	bool has_any = false;

	for (size_t i = 0; i < tool_count; i++) {
		const struct tool *tool = tool_table[i];

		if (!project_agent_may_call(agent, tool->name))
			continue;
		fprintf(to, "%s%s", has_any ? ", " : "\n\n# Tools\nYou may call: ", tool->name);
		has_any = true;
	}
	fprintf(to, has_any ? ".\n" : "\n\n# Tools\nYou have none: answer in text.\n");
}

static void write_memory(
	FILE *to, const struct project *project, const char *agent, const char *heading)
{
	auto_free char *text = NULL;

	if (project_memory_read(project, agent, &text, NULL) == 0 && text[0])
		fprintf(to, "\n\n# %s\n%s", heading, text);
}

char *prompt_write(const struct project *project, const struct project_agent *agent,
	const char *cwd, const char *system)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	fprintf(to, "%s\n\nYou are %s", PREAMBLE, agent->name);
	fprintf(to, agent->role[0] ? ", a %s.\n" : ".\n", agent->role);
	if (agent->system_prompt[0])
		fprintf(to, "\n%s", agent->system_prompt);
	write_skills(to, project, agent);
	write_tools(to, agent);
	fprintf(to,
		"\n# Place\nWorking directory: %s. What is in /workspace stays from one day to the "
		"next; the rest of the sandbox does not. A command that takes longer than its "
		"timeout is ended; long output is cut in the middle.\n",
		cwd);
	if (system && system[0])
		fprintf(to, "\n# From the caller\n%s\n", system);
	write_memory(to, project, NULL, "Shared memory");
	write_memory(to, project, agent->name, "Your memory");
	if (ferror(to) | fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}
