/* project.h: folders as people have them, each of which must load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/unit/project_world.h"

#define FILES_MAX 6

/* A folder, and what must have come of it. */
struct shape {
	const char *title;
	struct {
		const char *path, *text;
	} files[FILES_MAX];
	size_t agents, skills, warnings;
	/* Of the first agent and skill, where it is said. */
	const char *name, *model, *team;
	const char *skill, *description, *tools, *tags, *body;
};

#define ONE_AGENT "[{\"name\":\"coder\",\"model\":\"xai/grok-4-fast\",\"allowedTools\":[\"read\"]}]"

#define SKILL(text)                                                                                \
	{                                                                                          \
		{".polpo/agents.json", ONE_AGENT},                                                 \
		{                                                                                  \
			".polpo/skills/style/SKILL.md", text                                       \
		}                                                                                  \
	}

static const struct shape shapes[] = {
	{.title = "the two files that are enough",
		.files = {{".hearth/agents.json",
				  "[{\"name\": \"coder\", \"role\": \"a coder\", \"model\": "
				  "\"xai/grok-4-fast\",\n"
				  "  \"allowedTools\": [\"read\", \"write\", \"edit\", \"bash\", "
				  "\"glob\", \"grep\", \"search_web\"],\n"
				  "  \"systemPrompt\": \"Write tests.\", \"skills\": "
				  "[\"code-standards\"]}]\n"},
			{".hearth/skills/code-standards/SKILL.md",
				"---\nname: code-standards\ndescription: How we write code\n"
				"tools: [read, edit]\ntags: [style]\n---\n\n# Standards\n\nSmall "
				"functions.\n"}},
		.agents = 1,
		.skills = 1,
		.name = "coder",
		.model = "xai/grok-4-fast",
		.team = "",
		.skill = "code-standards",
		.description = "How we write code",
		.tools = "read edit",
		.tags = "style",
		.body = "# Standards\n\nSmall functions.\n"},
	{.title = "teams around the agents",
		.files = {{".polpo/polpo.json",
				  "{\"version\": \"1\", \"project\": \"shop\",\n"
				  " \"settings\": {\"maxRetries\": 3, \"logLevel\": \"normal\"}}"},
			{".polpo/agents.json", "[{\"agent\": {\"name\": \"lead\", \"model\": "
					       "\"openai/gpt-5\", \"allowedTools\": []},\n"
					       "  \"teamName\": \"core\"},\n"
					       " {\"agent\": {\"name\": \"dev\", \"model\": "
					       "\"openai/gpt-5\", \"allowedTools\": [\"*\"]},\n"
					       "  \"teamName\": \"core\"}]"},
			{".polpo/teams.json", "[{\"name\": \"core\", \"description\": \"all\"}]"}},
		.agents = 2,
		.name = "lead",
		.team = "core"},
	{.title = "bare agents and agents with teams, mixed",
		.files = {{".polpo/agents.json",
			"[{\"name\":\"a\",\"model\":\"x/"
			"y\",\"allowedTools\":[],\"teamName\":\"own\"},"
			"{\"agent\":{\"name\":\"b\",\"model\":\"x/y\",\"allowedTools\":[]}}]"}},
		.agents = 2,
		.name = "a",
		.team = "own"},
	{.title = "agents in an object",
		.files = {{".polpo/agents.json", "{\"agents\": " ONE_AGENT "}"}},
		.agents = 1,
		.name = "coder"},
	{.title = "no agents yet", .files = {{".polpo/agents.json", "[]"}}, .warnings = 1},
	{.title = "all fields, the model with fallbacks",
		.files = {{".polpo/agents.json",
			"[{\"name\":\"all\",\"role\":\"r\",\"systemPrompt\":\"s\",\n"
			"\"model\":{\"primary\":\"anthropic/claude\",\"fallbacks\":[\"openai/"
			"gpt\",\"groq/llama\"]},\n"
			"\"allowedTools\":[\"read\",\"browser_*\"],\"skills\":[],\"reasoning\":"
			"\"high\",\n"
			"\"maxTurns\":150,\"maxConcurrency\":2,\"allowedPaths\":[\"src\",\"/"
			"tmp\"]}]"}},
		.agents = 1,
		.name = "all",
		.model = "anthropic/claude"},
	{.title = "fields of other programs",
		.files = {{".polpo/agents.json",
			"[{\"name\":\"x\",\"model\":\"a/"
			"b\",\"allowedTools\":[],\"identity\":{\"displayName\":\"X\"},"
			"\"reportsTo\":\"y\",\"mcpServers\":{},\"volatile\":false,\"createdAt\":"
			"\"2026-01-01T00:00:00Z\"}]"}},
		.agents = 1,
		.warnings = 5,
		.name = "x"},
	{.title = "fields that are null",
		.files = {{".polpo/agents.json",
			"[{\"name\":\"x\",\"model\":\"a/"
			"b\",\"role\":null,\"allowedTools\":null,\"skills\":null,"
			"\"maxTurns\":null,\"reasoning\":null,\"systemPrompt\":null}]"}},
		.agents = 1,
		.name = "x"},
	{.title = "a name with a blank, and one of another script",
		.files = {{".polpo/agents.json",
			"[{\"name\":\"Code Reviewer\",\"model\":\"a/b\",\"allowedTools\":[]},"
			"{\"name\":\"\xe7\xa8\x8b\xe5\xba\x8f\xe5\x91\x98\",\"model\":\"a/"
			"b\",\"allowedTools\":[]}]"}},
		.agents = 2,
		.name = "Code Reviewer"},
	{.title = "agents.json with a byte order mark and CRLF",
		.files = {{".polpo/agents.json",
			"\xef\xbb\xbf[\r\n{\"name\":\"coder\",\r\n\"model\":\"a/"
			"b\",\"allowedTools\":[]}\r\n]\r\n"}},
		.agents = 1,
		.name = "coder"},
	{.title = "memory, shared and private",
		.files = {{".polpo/agents.json", ONE_AGENT}, {".polpo/memory.md", "# Shared\n"},
			{".polpo/memory/coder.md", "mine\n"}},
		.agents = 1},
	{.title = "other files and folders that are nobody's business",
		.files = {{".polpo/agents.json", ONE_AGENT}, {".polpo/skills/README.md", "skills"},
			{".polpo/skills/.DS_Store", "x"}, {".polpo/state.json", "{"},
			{".polpo/.gitignore", "logs"},
			{".polpo/skills/s/SKILL.md", "---\ndescription: d\n---\nb"}},
		.agents = 1,
		.skills = 1,
		.skill = "s"},
	{.title = "a skill without front matter",
		.files = SKILL("# Style\n\nShort lines.\n"),
		.agents = 1,
		.skills = 1,
		.warnings = 1,
		.skill = "style",
		.description = "",
		.tools = "",
		.tags = "",
		.body = "# Style\n\nShort lines.\n"},
	{.title = "a skill with block lists",
		.files = SKILL("---\nname: style\ndescription: d\ntools:\n  - read\n  - "
			       "bash\ntags:\n- c\n---\nb\n"),
		.agents = 1,
		.skills = 1,
		.tools = "read bash",
		.tags = "c",
		.body = "b\n"},
	{.title = "a skill with quoted texts",
		.files = SKILL("---\nname: \"style\"\ndescription: 'It''s: \"style\"'\ntools: "
			       "[\"read\", 'ls']\n---\nb"),
		.agents = 1,
		.skills = 1,
		.description = "It's: \"style\"",
		.tools = "read ls"},
	{.title = "a skill with a description of several lines",
		.files = SKILL("---\nname: style\ndescription: |\n  one\n  two\ntools: []\n---\nb"),
		.agents = 1,
		.skills = 1,
		.description = "one\ntwo\n",
		.tools = ""},
	{.title = "a skill with a folded description",
		.files = SKILL("---\nname: style\ndescription: >-\n  one\n  two\n\n  "
			       "three\ntools:\ntags: ~\n---\nb"),
		.agents = 1,
		.skills = 1,
		.description = "one two\nthree",
		.tools = "",
		.tags = ""},
	{.title = "a skill with a plain description over two lines and a comment",
		.files = SKILL("---\n# ours\nname: style # same\ndescription: one\n  two\n---\nb"),
		.agents = 1,
		.skills = 1,
		.description = "one two"},
	{.title = "a skill with keys of other programs",
		.files = SKILL("---\nname: style\ndescription: d\nlicense: MIT\nversion: 1.2\n"
			       "metadata:\n  author: x\n  env: [{name: A}]\nallowed-tools: Read, "
			       "Bash(git:*)\nmodel: opus\n---\nb"),
		.agents = 1,
		.skills = 1,
		.warnings = 1,
		.tools = "Read Bash(git:*)"},
	{.title = "a skill with CRLF and a byte order mark",
		.files = SKILL("\xef\xbb\xbf---\r\nname: style\r\ndescription: d\r\ntools:\r\n  - "
			       "read\r\n---\r\n\r\n# S\r\nt\r\n"),
		.agents = 1,
		.skills = 1,
		.description = "d",
		.tools = "read",
		.body = "# S\nt\n"},
	{.title = "a skill whose body has rules of its own",
		.files = SKILL("---\ndescription: d\n---\none\n---\ntwo\n"),
		.agents = 1,
		.skills = 1,
		.description = "d",
		.body = "one\n---\ntwo\n"},
	{.title = "values that no quotes are around",
		.files = SKILL("---\r\n"
			       "name: style\r\n"
			       "description: Use it's, for C#: always: \t # not: this\r\n"
			       "tools: [read]\r\n"
			       "metadata: |\r\n"
			       "  key: value: more\r\n"
			       "author: @someone\r\n"
			       "license: see:\r\n"
			       "version: 'a: b'\r\n"
			       "tags:\r\n"
			       "- a\r\n"
			       "---\r\nb"),
		.agents = 1,
		.skills = 1,
		.warnings = 3,
		.description = "Use it's, for C#: always:",
		.tools = "read",
		.tags = "a",
		.body = "b"},
	{.title = "what is YAML stays as it is",
		.files = SKILL("---\n"
			       "description: \"a\n"
			       "  b: c: d\"\n"
			       "tags: [a]\n"
			       "---\nb"),
		.agents = 1,
		.skills = 1,
		.description = "a b: c: d",
		.tags = "a",
		.body = "b"},
	{.title = "a skill with empty front matter",
		.files = SKILL("---\n---\nb"),
		.agents = 1,
		.skills = 1,
		.warnings = 1,
		.description = "",
		.body = "b"},
	{.title = "a skill with files beside it",
		.files = {{".polpo/agents.json", ONE_AGENT},
			{".polpo/skills/style/SKILL.md", "---\ndescription: d\n---\nb"},
			{".polpo/skills/style/scripts/run.sh", "#!/bin/sh\n"},
			{".polpo/skills/style/references/a.md", "a"}},
		.agents = 1,
		.skills = 1},
	{.title = ".hearth before .polpo",
		.files = {{".polpo/agents.json", "not read"}, {".hearth/agents.json", ONE_AGENT}},
		.agents = 1,
		.name = "coder"},
};

static void join(const char *const *list, char *to, size_t size)
{
	to[0] = '\0';
	for (size_t i = 0; list[i]; i++) {
		size_t used = strlen(to);

		snprintf(to + used, size - used, "%s%s", used ? " " : "", list[i]);
	}
}

static void same(const struct shape *shape, const char *what, const char *found, const char *wanted)
{
	if (wanted && strcmp(found, wanted) != 0)
		fail_msg("%s: %s is '%s', not '%s'", shape->title, what, found, wanted);
}

static void check_skill(const struct shape *shape, const struct project_skill *skill)
{
	char list[256];

	same(shape, "skill", skill->name, shape->skill);
	same(shape, "description", skill->description, shape->description);
	same(shape, "body", skill->body, shape->body);
	join(skill->tools, list, sizeof(list));
	same(shape, "tools", list, shape->tools);
	join(skill->tags, list, sizeof(list));
	same(shape, "tags", list, shape->tags);
}

static void check(struct world *world, const struct shape *shape)
{
	const struct project_problem *problems;
	size_t count;

	if (world_open(world) != 0)
		fail_msg("%s: %s", shape->title, world->err.text);
	if (project_agent_count(world->project) != shape->agents ||
		project_skill_count(world->project) != shape->skills)
		fail_msg("%s: %zu agents, %zu skills", shape->title,
			project_agent_count(world->project), project_skill_count(world->project));
	count = project_problems(world->project, &problems);
	if (count != shape->warnings)
		fail_msg("%s: %zu warnings, such as %s", shape->title, count,
			count ? problems->text : "none");
	if (shape->agents > 0) {
		const struct project_agent *agent = project_agent_at(world->project, 0);

		same(shape, "name", agent->name, shape->name);
		same(shape, "model", agent->model, shape->model);
		same(shape, "team", agent->team, shape->team);
	}
	if (shape->skills > 0)
		check_skill(shape, project_skill_at(world->project, 0));
}

static void every_shape_that_people_have_loads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		void *world;

		assert_int_equal(world_set_up(&world), 0);
		for (size_t k = 0; k < FILES_MAX && shapes[i].files[k].path; k++)
			world_write(world, shapes[i].files[k].path, shapes[i].files[k].text);
		check(world, &shapes[i]);
		assert_int_equal(world_tear_down(&world), 0);
	}
}

static void all_fields_of_an_agent_are_read(void **state)
{
	struct world *world = *state;
	const struct project_agent *agent;
	char list[256];

	world_write(world, ".polpo/agents.json",
		"[{\"name\":\"all\",\"role\":\"r\",\"systemPrompt\":\"s\\ns\",\"extra\":{\"deep\":["
		"1]},"
		"\"model\":{\"primary\":\"a/b\",\"fallbacks\":[\"c/d\",\"e/"
		"f\"]},\"teamName\":\"t\","
		"\"allowedTools\":[\"read\",\"browser_*\"],\"skills\":[\"s\"],\"reasoning\":"
		"\"xhigh\","
		"\"maxTurns\":150,\"maxConcurrency\":2,\"allowedPaths\":[\"src\",\"/tmp\"]}]");
	world_open_well(world);
	agent = project_agent_find(world->project, "all");
	assert_non_null(agent);
	assert_string_equal(agent->role, "r");
	assert_string_equal(agent->team, "t");
	assert_string_equal(agent->system_prompt, "s\ns");
	assert_string_equal(agent->model, "a/b");
	assert_string_equal(agent->reasoning, "xhigh");
	assert_int_equal(agent->max_turns, 150);
	assert_int_equal(agent->max_concurrency, 2);
	join(agent->fallbacks, list, sizeof(list));
	assert_string_equal(list, "c/d e/f");
	join(agent->allowed_tools, list, sizeof(list));
	assert_string_equal(list, "read browser_*");
	join(agent->skills, list, sizeof(list));
	assert_string_equal(list, "s");
	join(agent->allowed_paths, list, sizeof(list));
	assert_string_equal(list, "src /tmp");
	assert_int_equal(
		json_integer_value(json_array_get(
			json_object_get(json_object_get(agent->json, "extra"), "deep"), 0)),
		1);
	assert_null(project_agent_find(world->project, "al"));
	assert_null(project_agent_at(world->project, 1));
}

static void tools_are_denied_unless_they_are_allowed(void **state)
{
	struct world *world = *state;
	const struct project_agent *some, *all, *none, *absent;

	world_write(world, ".polpo/agents.json",
		"[{\"name\":\"some\",\"model\":\"a/"
		"b\",\"allowedTools\":[\"read\",\"browser_*\",\"a*b\"]},"
		"{\"name\":\"all\",\"model\":\"a/b\",\"allowedTools\":[\"*\"]},"
		"{\"name\":\"none\",\"model\":\"a/b\",\"allowedTools\":[]},"
		"{\"name\":\"absent\",\"model\":\"a/b\"}]");
	world_open_well(world);
	some = project_agent_find(world->project, "some");
	all = project_agent_find(world->project, "all");
	none = project_agent_find(world->project, "none");
	absent = project_agent_find(world->project, "absent");
	assert_true(project_agent_may_call(some, "read"));
	assert_true(project_agent_may_call(some, "browser_click"));
	assert_true(project_agent_may_call(some, "browser_"));
	assert_false(project_agent_may_call(some, "browser"));
	assert_false(project_agent_may_call(some, "read_file"));
	assert_false(project_agent_may_call(some, "rea"));
	assert_false(project_agent_may_call(some, "Read"));
	assert_false(project_agent_may_call(some, "aXb"));
	assert_false(project_agent_may_call(some, ""));
	assert_true(project_agent_may_call(all, "bash"));
	assert_false(project_agent_may_call(none, "read"));
	assert_false(project_agent_may_call(absent, "read"));
	world_says(world, ".polpo/agents.json:1: warning: agent some: allowedTools: 'a*b' lets it "
			  "call nothing: "
			  "a * stands for the rest of a name: put it last");
	world_says(world, ".polpo/agents.json:1: warning: agent absent: may call no tool: "
			  "add \"allowedTools\": [\"read\", ...], or [] where that is meant");
}

static void settings_are_the_object_in_polpo_json(void **state)
{
	struct world *world = *state;

	world_write(world, ".polpo/agents.json", ONE_AGENT);
	world_open_well(world);
	assert_null(project_settings(world->project));
	world_write(world, ".polpo/polpo.json", "{\"project\": \"shop\"}");
	world_open_well(world);
	assert_string_equal(
		json_string_value(json_object_get(project_settings(world->project), "project")),
		"shop");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_that_people_have_loads),
		cmocka_unit_test_setup_teardown(
			all_fields_of_an_agent_are_read, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			tools_are_denied_unless_they_are_allowed, world_set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			settings_are_the_object_in_polpo_json, world_set_up, world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
