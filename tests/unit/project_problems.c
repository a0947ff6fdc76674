/* project.h: what is said of what is wrong: level, file, line, what is wanted, what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/unit/project_world.h"

#define AGENTS ".polpo/agents.json"
#define SKILL  ".polpo/skills/style/SKILL.md"

/* agents.json, and a line of the report, which begins with its path. */
struct row {
	const char *text, *line;
};

static const struct row errors[] = {
	{"[{\"name\": \"a\",\n  \"model\": 1}]",
		":2: error: agent a: model: must be a string or an object, is a whole number: "
		"write "
		"\"provider/model\", or {\"primary\": \"provider/model\", \"fallbacks\": []}"},
	{"[{\"name\": \"a\",\n\"model\": {\"primary\": \"a/b\",\n \"fallbacks\": \"c/d\"}}]",
		":3: error: agent a: fallbacks: must be a list of strings, is a string: write "
		"[\"provider/model\"], or leave it out"},
	{"[{\"name\": \"a\", \"model\": {}}]",
		":1: error: agent a: model: has no primary: write \"provider/model\", or "
		"{\"primary\": \"provider/model\", \"fallbacks\": []}"},
	{"[\n{\"name\": \"a\"},\n{\"role\": \"x\"}]",
		":3: error: agent: has no name: add \"name\": \"coder\""},
	{"[{\"name\": null}]", ":1: error: agent: name: must not be null: write \"coder\""},
	{"[{\"name\": 7}]", ":1: error: agent: name: must be a string, is a whole number: write "
			    "\"coder\""},
	{"[{\"name\": \"../x\"}]",
		":1: error: agent: name: is not 1 to 64 bytes without / \\ and "
		"control characters, not beginning with . or -: write \"coder\""},
	{"[{\"name\": \"a\"},\n{\"name\": \"b\"},\n{\"name\": \"a\"}]",
		":3: error: agent a: another one has this name: give it another name"},
	{"[{\"name\": \"a\",\n\n\"maxTurns\": \"40\"}]",
		":3: error: agent a: maxTurns: must be a whole number, is a string: write 40, or "
		"leave it out"},
	{"[{\"name\": \"a\", \"maxTurns\": -1}]", ":1: error: agent a: maxTurns: must be 0 (no "
						  "limit) to 4294967295, is -1: write 40, "
						  "or leave it out"},
	{"[{\"name\": \"a\", \"maxTurns\": 4294967296}]",
		":1: error: agent a: maxTurns: must be 0 (no limit) to 4294967295, is 4294967296: "
		"write 40, or leave it out"},
	{"[{\"name\": \"a\", \"maxConcurrency\": 1.5}]",
		":1: error: agent a: maxConcurrency: must be a whole number, is a fraction: write "
		"4, or leave it out"},
	{"[{\"name\": \"a\", \"reasoning\": \"max\"}]",
		":1: error: agent a: reasoning: 'max' is no level: write off, minimal, low, "
		"medium, "
		"high or xhigh"},
	{"[{\"name\": \"a\", \"reasoning\": true}]", ":1: error: agent a: reasoning: must be a "
						     "string, is a boolean: write off, minimal, "
						     "low, medium, high or xhigh"},
	{"[{\"name\": \"a\", \"skills\": \"style\"}]",
		":1: error: agent a: skills: must be a list of strings, is a string: write "
		"[\"NAME\"], names of folders in skills/"},
	{"[{\"name\": \"a\", \"allowedTools\": [\"read\",\n7,\n\"\"]}]",
		":2: error: agent a: allowedTools[1]: must be a string that is not empty: write "
		"[\"read\", \"bash\", \"browser_*\"]"},
	{"[{\"name\": \"a\", \"allowedTools\": [\"read\",\n7,\n\"\"]}]",
		":3: error: agent a: allowedTools[2]: must be a string that is not empty: write "
		"[\"read\", \"bash\", \"browser_*\"]"},
	{"[{\"name\": \"a\", \"systemPrompt\": [\"x\"]}]",
		":1: error: agent a: systemPrompt: must be a string, is a list: write one string, "
		"with \\n in it"},
	{"[\n\"coder\"]", ":2: error: agent: must be an object: write {\"name\": \"coder\"}"},
	{"[{\"agent\": {\"name\": \"a\"},\n\"teamName\": 1}]",
		":2: error: agent: teamName: must be a string: write a team's name"},
	{"[{\"agent\": {\"name\": \"a\",\n\"role\": {}}}]",
		":2: error: agent a: role: must be a string, is an object: write \"a reviewer of C "
		"code\""},
	{"{\"agents\": [\n{\"name\": \"a\",\n\"role\": 1}]}",
		":3: error: agent a: role: must be a string, is a whole number: write \"a reviewer "
		"of C code\""},
	{"{\"name\": \"a\"}", ":1: error: is no list of agents: write [{\"name\": \"coder\"}]"},
	{"[\n{\"name\": \"a\"}\n{\"name\": \"b\"}]", ":3: error: is no JSON: ']' expected near "
						     "'{': check the commas, quotes and brackets "
						     "before it"},
	{"[{\"name\": \"a\",\n\"name\": \"b\"}]", ":2: error: is no JSON: duplicate object key "
						  "near '\"name\"': check the commas, quotes "
						  "and brackets before it"},
	{"", ":1: error: is no JSON: '[' or '{' expected near end of file: check the commas, "
	     "quotes "
	     "and brackets before it"},
};

static const struct row warnings[] = {
	{"[{\"name\": \"a\",\n\"maxTurn\": 4}]",
		":2: warning: agent a: maxTurn: unknown field: did you mean 'maxTurns'?"},
	{"[{\"name\": \"a\", \"toolz\": []}]", ":1: warning: agent a: toolz: unknown field: it is "
					       "kept, but nothing reads it"},
	{"[{\"agent\": {\"name\": \"a\"},\n\"team\": \"x\"}]",
		":2: warning: agent: team: unknown field: it is kept, but nothing reads it: "
		"agents' "
		"fields stand inside \"agent\""},
	{"[{\"name\": \"a\", \"model\": \"gpt\"}]",
		":1: warning: agent a: model: 'gpt' does not say "
		"whose model it is: write \"provider/model\""},
	{"[{\"name\": \"a\", \"model\": {\"primary\": \"a/b\", \"fallback\": []}}]",
		":1: warning: agent a: fallback: unknown field of model: primary and fallbacks are "
		"known"},
	{"[{\"name\": \"a\"}]",
		":1: warning: agent a: has no model: add \"model\": \"provider/model\""},
	{"[{\"name\": \"a\",\n\"skills\": [\"stile\"]}]",
		":2: warning: agent a: skills: there is no skill 'stile': the agent runs without "
		"it: "
		"did you mean 'style'?"},
	{"[{\"name\": \"a\", \"skills\": [\"../../etc\"]}]",
		":1: warning: agent a: skills: there is no skill '../../etc': the agent runs "
		"without "
		"it: add it below skills/, or take it off the list"},
	{"[{\"name\": \"a\", \"skills\": [\"style\"], \"allowedTools\": [\"read\"]}]",
		":1: warning: agent a: skills: skill 'style' wants the tool 'bash', which the "
		"agent may "
		"not call: add it to allowedTools, or take it off the skill"},
	{"[{\"name\": \"a\",\n\"allowedTools\": [\"read\", \"bsh\"]}]",
		":2: warning: agent a: allowedTools: there is no tool 'bsh': did you mean 'bash'?"},
	{"[{\"name\": \"a\", \"allowedTools\": [\"mem*\", \"*\", \"mail_*\"]}]",
		":1: warning: agent a: allowedTools: there is no tool 'mail_*': take it off the "
		"list"},
	{"[{\"name\": \"a\", \"teamName\": \"y\"}]",
		":1: warning: agent a: there is no team 'y': add it to teams.json"},
};

static void check_rows(struct world *world, const struct row *rows, size_t count, int result)
{
	char line[512];

	for (size_t i = 0; i < count; i++) {
		world_write(world, AGENTS, rows[i].text);
		if (world_open(world) != result)
			fail_msg("%s: not %d", rows[i].text, result);
		snprintf(line, sizeof(line), AGENTS "%s", rows[i].line);
		world_says(world, line);
	}
}

static void every_error_of_an_agent_is_told_with_its_line(void **state)
{
	check_rows(*state, errors, ARRAY_SIZE(errors), -EINVAL);
}

static void every_warning_of_an_agent_is_told_with_its_line(void **state)
{
	struct world *world = *state;

	world_write(world, SKILL, "---\ndescription: d\ntools: [read, bash]\n---\nb");
	world_write(world, ".polpo/teams.json", "[{\"name\": \"x\"}]");
	check_rows(*state, warnings, ARRAY_SIZE(warnings), 0);
}

static const struct row skill_errors[] = {
	{"---\nname: a\n",
		":1: error: the front matter has no end: write a line --- behind the front "
		"matter"},
	{"---\nname: style\ntools: {a: b}\n---\n",
		":3: error: front matter: the value must be a list: write [a, b]"},
	{"---\nname: [a]\n---\n",
		":2: error: front matter: the value must be a text: write a text"},
	{"---\ntags:\n- [a]\n---\n",
		":3: error: front matter: a list holds texts only: write [a, b]"},
	{"---\nname: &x style\n---\n", ":2: error: front matter: anchors and aliases are not read: "
				       "write the value out; put "
				       "a value that begins with & or * in quotes"},
	{"---\ndescription: *x\n---\n", ":2: error: front matter: anchors and aliases are not "
					"read: write the value out; put "
					"a value that begins with & or * in quotes"},
	{"---\ndescription: !!binary aGk=\n---\n",
		":2: error: front matter: tags are not read: put a value that begins with ! in "
		"quotes"},
	{"---\nmetadata: [[[[[[[[1]]]]]]]]\n---\n",
		":2: error: front matter: is nested too deeply: keep it flat"},
	{"---\n- a\n---\n", ":2: error: front matter: is no mapping: write `key: value` lines"},
	{"---\nname: a\nname: b\n---\n",
		":3: error: front matter: a key stands twice: keep one of them"},
	{"---\n? [a]\n: b\n---\n",
		":2: error: front matter: a key must be a text: write `key: value`"},
	{"---\nname: a\n...\nname: b\n---\n",
		":4: error: front matter: did not find expected <document start>: check the "
		"indentation, and put a value that holds ': ' or ' #' in quotes"},
	{"---\nname: style\ndescription: use it: always\n  or not: never\n---\n",
		":3: error: front matter: mapping values are not allowed in this context: check "
		"the indentation, and put a value that holds ': ' or ' #' in quotes"},
	{"---\nname: \"a\\0b\"\n---\n",
		":2: error: front matter: the value must be a text: write a text"},
};

static const struct row skill_warnings[] = {
	{"---\nname: style\ndescription: use it: always\n---\nb",
		":3: warning: front matter: a value that YAML wants in quotes has none: put the "
		"value in quotes: other programs refuse it"},
	{"---\ndescripton: d\n---\nb",
		":2: warning: front matter: unknown key 'descripton': did you mean 'description'?"},
	{"---\ndescription: d\nmodel: x\n---\nb",
		":3: warning: front matter: unknown key 'model': nothing reads it"},
	{"---\ndescription: d\nname: other\n---\nb", ": warning: its name is 'other', that of its "
						     "folder 'style': agents call a skill by "
						     "its folder: make both the same"},
	{"---\ndescription: d\n---\n", ": warning: has no text: write what the agent is to know"},
	{"b", ": warning: has no description: write `description: ...` between two lines --- at "
	      "its "
	      "top"},
};

static void check_skills(struct world *world, const struct row *rows, size_t count, int result)
{
	char line[512];

	world_write(world, AGENTS, "[]");
	for (size_t i = 0; i < count; i++) {
		world_write(world, SKILL, rows[i].text);
		if (world_open(world) != result)
			fail_msg("%s: not %d", rows[i].text, result);
		snprintf(line, sizeof(line), SKILL "%s", rows[i].line);
		world_says(world, line);
	}
}

static void every_error_of_a_skill_is_told_with_its_line(void **state)
{
	check_skills(*state, skill_errors, ARRAY_SIZE(skill_errors), -EINVAL);
}

static void every_warning_of_a_skill_is_told(void **state)
{
	check_skills(*state, skill_warnings, ARRAY_SIZE(skill_warnings), 0);
}

static void all_problems_are_told_and_not_the_first_only(void **state)
{
	struct world *world = *state;

	world_write(
		world, AGENTS, "[{\"name\": \"a\", \"role\": 1, \"skills\": 2},\n{\"role\": 3}]");
	world_write(world, SKILL, "---\nname: a\n");
	assert_int_equal(world_open(world), -EINVAL);
	assert_int_equal(project_agent_count(world->project), 0);
	assert_int_equal(project_skill_count(world->project), 0);
	world_says(world, ".polpo: 0 agents, 0 skills, 0 memory files; 5 errors, 0 warnings");
}

static void many_warnings_do_not_hide_an_error(void **state)
{
	struct world *world = *state;
	const struct project_problem *problems;
	char text[4096] = "[{\"name\": \"a\", ";
	size_t used = strlen(text);

	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "\"unknown%d\": 1, ", i);
	snprintf(text + used, sizeof(text) - used, "\"role\": 1}]");
	world_write(world, AGENTS, text);
	assert_int_equal(world_open(world), -EINVAL);
	assert_string_equal(world->err.text, AGENTS
		":1: agent a: role: must be a string, is a whole number: write \"a reviewer of "
		"C code\"");
	assert_int_equal(project_problems(world->project, &problems), PROJECT_PROBLEMS_MAX / 2 + 1);
	world_says(world, "... and 68 more");
}

static void a_folder_without_agents_json_is_told(void **state)
{
	struct world *world = *state;

	assert_int_equal(world_open(world), -ENOENT);
	assert_null(world->project);
	assert_string_equal(world->err.text, "there is no folder .hearth or .polpo");
	world_make_directory(world, ".hearth");
	assert_int_equal(world_open(world), -EINVAL);
	world_says(
		world, ".hearth: error: holds no agents.json: write [{\"name\": \"coder\"}] there");
}

static void other_files_must_be_of_their_type(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[]");
	world_write(world, ".polpo/polpo.json", "[]");
	world_write(world, ".polpo/teams.json", "{}");
	assert_int_equal(world_open(world), -EINVAL);
	world_says(world, ".polpo/polpo.json:1: error: must be an object: write {}");
	world_says(world, ".polpo/teams.json:1: error: must be a list: write []");
}

static void folders_and_memory_without_use_are_told(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[{\"name\":\"a\",\"model\":\"a/b\",\"allowedTools\":[]}]");
	world_make_directory(world, ".polpo/skills/empty");
	world_write(world, ".polpo/memory/b.md", "x");
	world_open_well(world);
	world_says(world,
		".polpo/skills/empty: warning: holds no SKILL.md: write one, or remove the "
		"folder");
	world_says(world,
		".polpo/memory/b.md: warning: there is no agent 'b': rename it, or remove "
		"it");
	world_says(world, ".polpo: 1 agent, 0 skills, 1 memory file; 0 errors, 2 warnings");
}

static void the_report_as_json_says_the_same(void **state)
{
	struct world *world = *state;
	auto_free char *text = NULL;
	json_auto_t *report = NULL;
	const json_t *row;

	world_write(world, AGENTS, "[{\"name\":\"a\",\n\"model\":1,\"allowedTools\":[]}]");
	assert_int_equal(world_open(world), -EINVAL);
	text = world_report(world, true);
	report = json_loads(text, 0, NULL);
	assert_non_null(report);
	assert_true(json_is_false(json_object_get(report, "ok")));
	assert_string_equal(json_string_value(json_object_get(report, "folder")), ".polpo");
	assert_int_equal(json_integer_value(json_object_get(report, "errors")), 1);
	assert_int_equal(json_integer_value(json_object_get(report, "agents")), 0);
	row = json_array_get(json_object_get(report, "problems"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "level")), "error");
	assert_string_equal(json_string_value(json_object_get(row, "file")), AGENTS);
	assert_int_equal(json_integer_value(json_object_get(row, "line")), 2);
	assert_string_equal(json_string_value(json_object_get(row, "text")),
		"agent a: model: must be a string or an object, is a whole number");
}

static void no_text_of_a_problem_drives_a_terminal(void **state)
{
	struct world *world = *state;
	auto_free char *text = NULL;

	world_write(world, AGENTS,
		"[{\"name\":\"a\",\"\\u001b[2J\\u009bx\\n\":1,\"reasoning\":\"\\u001b]0;x\\u0007\"}"
		"]");
	world_write(world, ".polpo/skills/a\x1b[1m\xff\n/SKILL.md", "x");
	assert_int_equal(world_open(world), -EINVAL);
	text = world_report(world, false);
	assert_true(text_is_utf8(text, strlen(text)));
	for (const char *at = text; *at; at++)
		assert_true((unsigned char)*at >= 0x20 || *at == '\n');
	assert_null(strstr(text, "\xc2\x9b"));
	world_says(world, AGENTS ":1: warning: agent a: ?[2J?x?: unknown field: it is kept, but "
				 "nothing reads it");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_error_of_an_agent_is_told_with_its_line),
		TEST(every_warning_of_an_agent_is_told_with_its_line),
		TEST(every_error_of_a_skill_is_told_with_its_line),
		TEST(every_warning_of_a_skill_is_told),
		TEST(all_problems_are_told_and_not_the_first_only),
		TEST(many_warnings_do_not_hide_an_error),
		TEST(a_folder_without_agents_json_is_told),
		TEST(other_files_must_be_of_their_type),
		TEST(folders_and_memory_without_use_are_told),
		TEST(the_report_as_json_says_the_same),
		TEST(no_text_of_a_problem_drives_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
