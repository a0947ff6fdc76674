/* project.h: agents, skills and memory that are made, changed and removed by a program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/unit/project_world.h"

#define AGENTS ".polpo/agents.json"
#define A      "{\"name\":\"a\",\"model\":\"a/b\",\"allowedTools\":[],\"x\":{\"keep\":[1,0.7]}}"
#define NEW    "{\"name\":\"n\",\"model\":\"a/b\",\"allowedTools\":[],\"teamName\":\"t\"}"

static int create(struct world *world, const char *text)
{
	json_auto_t *agent = json_loads(text, JSON_ALLOW_NUL, NULL);

	assert_non_null(agent);
	return project_agent_create(world->project, agent, &world->err);
}

static int patch(struct world *world, const char *name, const char *text)
{
	json_auto_t *changes = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(changes);
	return project_agent_patch(world->project, name, changes, &world->err);
}

/* agents.json, without regard to blanks. */
static void file_is(struct world *world, const char *text)
{
	auto_free char *found = NULL;
	json_auto_t *value = NULL, *wanted = json_loads(text, 0, NULL);

	assert_true(file_read_all_at(world->dirfd, AGENTS, 4096, &found, &world->err) > 0);
	value = json_loads(found, 0, NULL);
	assert_non_null(wanted);
	if (!value || !json_equal(value, wanted))
		fail_msg("%s", found);
}

static void file_is_just(struct world *world, const char *text)
{
	auto_free char *found = NULL;

	assert_true(file_read_all_at(world->dirfd, AGENTS, 4096, &found, &world->err) >= 0);
	assert_string_equal(found, text);
}

static void an_agent_is_added_in_the_shape_that_the_file_has(void **state)
{
	static const char *const shapes[][2] = {
		{"[]", "[" NEW "]"},
		{"[" A "]", "[" A "," NEW "]"},
		{"{\"agents\":[" A "]}", "{\"agents\":[" A "," NEW "]}"},
		{"[{\"teamName\":\"c\",\"agent\":" A "}]",
			"[{\"teamName\":\"c\",\"agent\":" A
			"},{\"teamName\":\"t\",\"agent\":{\"name\":\"n\","
			"\"model\":\"a/b\",\"allowedTools\":[]}}]"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		world_write(world, AGENTS, shapes[i][0]);
		world_open_well(world);
		assert_int_equal(create(world, NEW), 0);
		file_is(world, shapes[i][1]);
		assert_string_equal(project_agent_find(world->project, "n")->team, "t");
	}
}

static void the_first_agent_makes_the_file(void **state)
{
	struct world *world = *state;

	world_make_directory(world, ".polpo");
	assert_int_equal(world_open(world), -EINVAL);
	assert_int_equal(
		create(world, "{\"name\":\"a\",\"model\":\"a/b\",\"allowedTools\":[]}"), 0);
	file_is_just(world, "[\n  {\n    \"name\": \"a\",\n    \"model\": \"a/b\",\n"
			    "    \"allowedTools\": []\n  }\n]\n");
	assert_non_null(project_agent_find(world->project, "a"));
	world_is_silent(world);
}

static void what_would_be_wrong_is_not_written(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	assert_int_equal(create(world, A), -EEXIST);
	assert_int_equal(create(world, "{\"role\":\"x\"}"), -EINVAL);
	assert_int_equal(create(world, "{\"name\":7}"), -EINVAL);
	assert_int_equal(create(world, "{\"name\":\"../x\"}"), -EINVAL);
	assert_int_equal(create(world, "{\"name\":\"x\",\"role\":\"\\u0000\"}"), -EINVAL);
	assert_int_equal(create(world, "{\"name\":\"x\",\"maxTurns\":\"4\"}"), -EINVAL);
	assert_non_null(strstr(world->err.text, "agent x: maxTurns: must be a whole number"));
	assert_int_equal(create(world, "[]"), -EINVAL);
	assert_int_equal(patch(world, "a", "{\"role\":7}"), -EINVAL);
	assert_int_equal(patch(world, "a", "{\"name\":\"b\"}"), -EINVAL);
	assert_int_equal(patch(world, "a", "{\"name\":null}"), -EINVAL);
	assert_int_equal(patch(world, "a", "[]"), -EINVAL);
	assert_int_equal(patch(world, "b", "{}"), -ENOENT);
	assert_int_equal(project_agent_delete(world->project, "b", &world->err), -ENOENT);
	file_is_just(world, "[" A "]");
	assert_int_equal(project_agent_count(world->project), 1);
}

static void a_file_with_errors_is_not_written_over(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	world_write(world, AGENTS, "[" A);
	assert_int_equal(create(world, NEW), -EINVAL);
	assert_non_null(strstr(world->err.text, AGENTS ":1: is no JSON"));
	assert_int_equal(project_agent_delete(world->project, "a", &world->err), -EINVAL);
	file_is_just(world, "[" A);
	world_write(world, AGENTS, "{}");
	assert_int_equal(create(world, NEW), -EINVAL);
	file_is_just(world, "{}");
}

static void a_file_beyond_its_limit_is_not_written(void **state)
{
	struct world *world = *state;
	json_auto_t *agent = NULL;
	auto_free char *text = malloc(PROJECT_FILE_MAX);

	assert_non_null(text);
	memset(text, 'x', PROJECT_FILE_MAX);
	agent = json_pack("{s:s, s:s#}", "name", "big", "systemPrompt", text, PROJECT_FILE_MAX - 1);
	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	assert_int_equal(project_agent_create(world->project, agent, &world->err), -EINVAL);
	file_is_just(world, "[" A "]");
}

static void a_patch_merges_members_and_null_removes_one(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[" A ",{\"agent\":{\"name\":\"b\",\"role\":\"r\"}}]");
	world_open_well(world);
	assert_int_equal(
		patch(world, "a", "{\"name\":\"a\",\"role\":\"new\",\"model\":null,\"y\":1}"), 0);
	assert_int_equal(patch(world, "b", "{\"teamName\":\"t\",\"role\":null}"), 0);
	file_is(world,
		"[{\"name\":\"a\",\"allowedTools\":[],\"x\":{\"keep\":[1,0.7]},\"role\":\"new\","
		"\"y\":1},{\"agent\":{\"name\":\"b\"},\"teamName\":\"t\"}]");
	assert_string_equal(project_agent_find(world->project, "a")->role, "new");
	assert_string_equal(project_agent_find(world->project, "b")->team, "t");
	assert_int_equal(patch(world, "b", "{\"teamName\":null}"), 0);
	assert_string_equal(project_agent_find(world->project, "b")->team, "");
}

static void an_agent_is_removed_and_the_others_stay(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[" A "," NEW "]");
	assert_int_equal(fchmodat(world->dirfd, AGENTS, 0600, 0), 0);
	world_open_well(world);
	assert_int_equal(project_agent_delete(world->project, "n", &world->err), 0);
	file_is(world, "[" A "]");
	assert_null(project_agent_find(world->project, "n"));
	assert_int_equal(project_agent_delete(world->project, "a", &world->err), 0);
	file_is_just(world, "[]\n");
}

static void a_file_that_is_replaced_keeps_its_mode(void **state)
{
	struct world *world = *state;
	struct stat st;

	world_write(world, AGENTS, "[" A "]");
	assert_int_equal(fchmodat(world->dirfd, AGENTS, 0600, 0), 0);
	world_open_well(world);
	assert_int_equal(create(world, NEW), 0);
	assert_int_equal(fstatat(world->dirfd, AGENTS, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_fraction_stays_as_short_as_it_was(void **state)
{
	struct world *world = *state;
	auto_free char *found = NULL;

	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	assert_int_equal(create(world, NEW), 0);
	assert_true(file_read_all_at(world->dirfd, AGENTS, 4096, &found, &world->err) > 0);
	assert_non_null(strstr(found, " 0.7\n"));
}

static void a_change_by_hand_meanwhile_is_not_lost(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[]");
	world_open_well(world);
	world_write(world, AGENTS, "[" A "]");
	assert_int_equal(create(world, NEW), 0);
	file_is(world, "[" A "," NEW "]");
}

static void a_skill_is_made_read_and_removed(void **state)
{
	static const char text[] = "---\r\ndescription: d\r\n---\r\nb\r\n";
	struct world *world = *state;
	auto_free char *found = NULL;

	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	assert_int_equal(project_skill_read(world->project, "s", &found, &world->err), -ENOENT);
	assert_int_equal(project_skill_delete(world->project, "s", &world->err), -ENOENT);
	assert_int_equal(project_skill_create(world->project, "s", text, &world->err), 0);
	assert_string_equal(project_skill_find(world->project, "s")->body, "b\n");
	assert_int_equal(project_skill_read(world->project, "s", &found, &world->err), 0);
	assert_string_equal(found, text);
	assert_int_equal(project_skill_create(world->project, "s", "x", &world->err), -EEXIST);
	assert_int_equal(project_skill_delete(world->project, "s", &world->err), 0);
	assert_null(project_skill_find(world->project, "s"));
	assert_false(world_has(world, ".polpo/skills/s"));
}

static void a_skill_that_would_be_wrong_is_not_written(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	assert_int_equal(project_skill_create(world->project, "s", "---\nx", &world->err), -EINVAL);
	assert_string_equal(world->err.text,
		"SKILL.md:1: the front matter has no end: write a line "
		"--- behind the front matter");
	assert_int_equal(project_skill_create(world->project, "s", "\xff", &world->err), -EINVAL);
	world_write(world, AGENTS, "[");
	assert_int_equal(project_skill_create(world->project, "s", "x", &world->err), -EINVAL);
	while (project_refresh(world->project, &world->err) != 0)
		usleep(1000);
	assert_int_equal(project_skill_create(world->project, "s", "x", &world->err), -EINVAL);
	assert_false(world_has(world, ".polpo/skills"));
}

static void a_skill_that_is_removed_leaves_its_other_files(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[" A "]");
	world_write(world, ".polpo/skills/s/SKILL.md", "---\nbroken");
	world_write(world, ".polpo/skills/s/run.sh", "x");
	assert_int_equal(world_open(world), -EINVAL);
	assert_int_equal(project_skill_delete(world->project, "s", &world->err), 0);
	assert_true(world_has(world, ".polpo/skills/s/run.sh"));
	assert_non_null(project_agent_find(world->project, "a")); /* that is what was wrong */
}

static void memory_is_written_and_read(void **state)
{
	struct world *world = *state;
	char *text = NULL;

	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	for (int i = 0; i < 2; i++) {
		const char *agent = i ? "a" : NULL;

		assert_int_equal(project_memory_read(world->project, agent, &text, &world->err), 0);
		assert_string_equal(text, "");
		free(text);
		assert_int_equal(
			project_memory_write(world->project, agent, "kept\n", &world->err), 0);
		assert_int_equal(project_memory_read(world->project, agent, &text, &world->err), 0);
		assert_string_equal(text, "kept\n");
		free(text);
		assert_int_equal(project_memory_write(world->project, agent, "", &world->err), 0);
		assert_int_equal(project_memory_read(world->project, agent, &text, &world->err), 0);
		assert_string_equal(text, "");
		free(text);
	}
	assert_true(world_has(world, ".polpo/memory.md"));
	assert_true(world_has(world, ".polpo/memory/a.md"));
	assert_int_equal(project_memory_read(world->project, "b", &text, &world->err), -ENOENT);
	assert_int_equal(project_memory_write(world->project, "b", "x", &world->err), -ENOENT);
	assert_int_equal(project_memory_write(world->project, "a", "\xff", &world->err), -EINVAL);
}

static void memory_ends_at_its_limit(void **state)
{
	struct world *world = *state;
	auto_free char *text = malloc(PROJECT_FILE_MAX + 2), *found = NULL;

	assert_non_null(text);
	memset(text, 'x', PROJECT_FILE_MAX + 1);
	text[PROJECT_FILE_MAX + 1] = '\0';
	world_write(world, AGENTS, "[" A "]");
	world_open_well(world);
	assert_int_equal(project_memory_write(world->project, "a", text, &world->err), -EFBIG);
	text[PROJECT_FILE_MAX] = '\0';
	assert_int_equal(project_memory_write(world->project, "a", text, &world->err), 0);
	assert_int_equal(project_memory_read(world->project, "a", &found, &world->err), 0);
	assert_int_equal(strlen(found), PROJECT_FILE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_agent_is_added_in_the_shape_that_the_file_has),
		TEST(the_first_agent_makes_the_file),
		TEST(what_would_be_wrong_is_not_written),
		TEST(a_file_with_errors_is_not_written_over),
		TEST(a_file_beyond_its_limit_is_not_written),
		TEST(a_patch_merges_members_and_null_removes_one),
		TEST(an_agent_is_removed_and_the_others_stay),
		TEST(a_file_that_is_replaced_keeps_its_mode),
		TEST(a_fraction_stays_as_short_as_it_was),
		TEST(a_change_by_hand_meanwhile_is_not_lost),
		TEST(a_skill_is_made_read_and_removed),
		TEST(a_skill_that_would_be_wrong_is_not_written),
		TEST(a_skill_that_is_removed_leaves_its_other_files),
		TEST(memory_is_written_and_read),
		TEST(memory_ends_at_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
