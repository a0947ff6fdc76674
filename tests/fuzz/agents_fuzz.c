/*
 * Any bytes as agents.json. What is accepted is within its limits and the same when it is written and read again; what
 * is refused has a problem with a line that the text has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/project/agents.h"
#include "agentd/project/folder.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

static void check_strings(const char *const *list)
{
	for (; *list; list++)
		if (!**list || !text_is_utf8(*list, strlen(*list)))
			abort();
}

static void check_agent(const struct agents *agents, const struct project_agent *agent)
{
	if (!folder_is_name(agent->name) || agents_find(agents, agent->name) != agent)
		abort();
	if (!agent->role || !agent->team || !agent->system_prompt || !agent->model || !agent->json)
		abort();
	check_strings(agent->fallbacks);
	check_strings(agent->allowed_tools);
	check_strings(agent->skills);
	check_strings(agent->allowed_paths);
	if (!agent->allowed_tools[0] && project_agent_may_call(agent, "read"))
		abort();
}

static void check_problems(const struct problems *problems, const char *text)
{
	unsigned lines = 1;

	for (; *text; text++)
		lines += *text == '\n';
	if (problems->count > PROJECT_PROBLEMS_MAX)
		abort();
	for (size_t i = 0; i < problems->count; i++)
		if (problems->rows[i].line > lines || !problems->rows[i].text[0] ||
			!problems->rows[i].fix[0] ||
			!text_is_utf8(problems->rows[i].text, strlen(problems->rows[i].text)))
			abort();
}

/* The objects as a new file. */
static void read_again(const struct agents *agents)
{
	struct problems problems = {.rows = NULL};
	struct agents again;
	json_t *list = json_array();
	char *text;

	for (size_t i = 0; i < agents->count; i++)
		json_array_append(list, agents->rows[i]->json);
	text = json_dumps(list, 0);
	json_decref(list);
	if (!text)
		return; /* nested as deeply as jansson reads, in one list more */
	if (agents_parse("f", text, strlen(text), &problems, NULL, &again, NULL) == 0) {
		if (again.count != agents->count)
			abort();
		for (size_t i = 0; i < again.count; i++)
			if (strcmp(again.rows[i]->name, agents->rows[i]->name) != 0 ||
				!json_equal(again.rows[i]->json, agents->rows[i]->json))
				abort();
		agents_finish(&again);
	}
	problems_finish(&problems);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems problems = {.rows = NULL};
	struct agents agents = {.count = 0};
	struct error err = {0};
	char *text = malloc(size + 1);
	int r;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (strlen(text) != size || !text_is_utf8(text, size)) {
		free(text);
		return 0;
	}
	r = agents_parse("agents.json", text, size, &problems, NULL, &agents, &err);
	if (r < 0 && (r != -EINVAL || problems.errors == 0 || problems_end(&problems, &err) != r))
		abort();
	if (r == 0 && (problems.errors > 0 || agents.count > PROJECT_AGENTS_MAX))
		abort();
	for (size_t i = 0; i < agents.count; i++)
		check_agent(&agents, agents.rows[i]);
	check_problems(&problems, text);
	if (r == 0)
		read_again(&agents);
	agents_finish(&agents);
	problems_finish(&problems);
	free(text);
	return 0;
}
