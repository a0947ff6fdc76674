/* project.h: files that change while the project is open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agentd/project/stamp.h"
#include "tests/unit/project_world.h"

#define AGENTS ".polpo/agents.json"
#define TRIES  1000
#define SKILL  ".polpo/skills/s/SKILL.md"
#define A      "[{\"name\":\"a\",\"model\":\"a/b\",\"allowedTools\":[]}]"
#define B      "[{\"name\":\"b\",\"model\":\"a/b\",\"allowedTools\":[]}]"

/* Files that were written just now are read again for a moment. */
static void settle(struct world *world)
{
	while (world_refresh(world) != 0)
		usleep(1000);
}

static int set_up(void **state)
{
	if (world_set_up(state) < 0)
		return -1;
	world_write(*state, AGENTS, A);
	world_write(*state, SKILL, "---\ndescription: one\n---\nb");
	world_open_well(*state);
	settle(*state);
	return 0;
}

static void nothing_is_read_again_while_nothing_changes(void **state)
{
	struct world *world = *state;
	const struct project_agent *agent = project_agent_find(world->project, "a");

	assert_int_equal(world_refresh(world), 0);
	assert_int_equal(project_memory_write(world->project, NULL, "x", &world->err), 0);
	assert_int_equal(project_memory_write(world->project, "a", "x", &world->err), 0);
	assert_int_equal(world_refresh(world), 0);
	assert_ptr_equal(project_agent_find(world->project, "a"), agent);
}

/* The same length within the same tick of the clock: only the file's text differs. */
static void no_change_is_missed_however_soon_it_comes(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 100; i++) {
		const char *name = i % 2 ? "a" : "b";

		world_write(world, AGENTS, i % 2 ? A : B);
		assert_int_equal(world_refresh(world), 1);
		assert_non_null(project_agent_find(world->project, name));
	}
	settle(world);
	assert_non_null(project_agent_find(world->project, "a"));
}

/* As a copying program does that keeps times. */
static void a_change_that_keeps_length_and_time_is_seen(void **state)
{
	struct world *world = *state;
	struct timespec times[2];
	struct stat st;

	assert_int_equal(fstatat(world->dirfd, AGENTS, &st, 0), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	world_write(world, AGENTS, B);
	assert_int_equal(utimensat(world->dirfd, AGENTS, times, 0), 0);
	assert_int_equal(world_refresh(world), 1);
	assert_non_null(project_agent_find(world->project, "b"));
}

/* Where the clock that stamps files is coarse, the next change could bear the same time. A busy machine needs a few tries. */
static void a_file_that_was_written_just_now_is_read_again_though_it_looks_the_same(void **state)
{
	struct world *world = *state;
	int result = 0;

	for (int i = 0; i < TRIES && result != 1; i++) {
		world_write(world, AGENTS, A);
		world_open_well(world);
		result = world_refresh(world);
	}
	assert_int_equal(result, 1);
}

static void a_file_is_fresh_for_a_moment_only(void **state)
{
	struct world *world = *state;
	bool is_fresh = false;

	for (int i = 0; i < TRIES && !is_fresh; i++) {
		struct stamps stamps = {.rows = NULL};

		world_write(world, AGENTS, A);
		assert_int_equal(stamps_take(&stamps, world->dirfd, AGENTS), 0);
		is_fresh = stamps.is_fresh;
		stamps_finish(&stamps);
	}
	assert_true(is_fresh);
	for (int i = 0; i < TRIES && is_fresh; i++) {
		struct stamps stamps = {.rows = NULL};

		usleep(1000);
		assert_int_equal(stamps_take(&stamps, world->dirfd, AGENTS), 0);
		is_fresh = stamps.is_fresh;
		stamps_finish(&stamps);
	}
	assert_false(is_fresh);
}

static void skills_that_come_change_and_go_are_seen(void **state)
{
	struct world *world = *state;

	world_write(world, SKILL, "---\ndescription: two\n---\nb");
	assert_int_equal(world_refresh(world), 1);
	assert_string_equal(project_skill_find(world->project, "s")->description, "two");
	settle(world);
	world_make_directory(world, ".polpo/skills/t");
	assert_int_equal(world_refresh(world), 1);
	settle(world);
	world_write(world, ".polpo/skills/t/SKILL.md", "---\ndescription: three\n---\nb");
	assert_int_equal(world_refresh(world), 1);
	assert_string_equal(project_skill_find(world->project, "t")->description, "three");
	settle(world);
	assert_int_equal(unlinkat(world->dirfd, SKILL, 0), 0);
	assert_int_equal(world_refresh(world), 1);
	assert_null(project_skill_find(world->project, "s"));
	assert_int_equal(project_skill_count(world->project), 1);
	settle(world);
	assert_int_equal(fchmodat(world->dirfd, AGENTS, 0666, 0), 0);
	assert_int_equal(world_refresh(world), 1);
	world_says(
		world, AGENTS ": warning: everybody on this machine may change it: chmod o-w it");
}

static void a_folder_that_went_bad_keeps_what_was_loaded_last(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[{\"name\":");
	assert_int_equal(world_refresh(world), -EINVAL);
	assert_non_null(strstr(world->err.text, AGENTS ":1: is no JSON"));
	assert_non_null(project_agent_find(world->project, "a"));
	assert_int_equal(project_skill_count(world->project), 1);
	settle(world); /* and is not told again and again */
	world_says(world, ".polpo: 0 agents, 1 skill, 0 memory files; 1 error, 0 warnings");
	assert_int_equal(unlinkat(world->dirfd, AGENTS, 0), 0);
	assert_int_equal(world_refresh(world), -EINVAL);
	assert_non_null(project_agent_find(world->project, "a"));
	world_write(world, AGENTS, B);
	assert_int_equal(world_refresh(world), 1);
	assert_null(project_agent_find(world->project, "a"));
	assert_non_null(project_agent_find(world->project, "b"));
	world_is_silent(world);
}

static void a_folder_that_was_bad_from_the_start_can_be_mended(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, "[");
	assert_int_equal(world_open(world), -EINVAL);
	assert_int_equal(project_agent_count(world->project), 0);
	world_write(world, AGENTS, A);
	assert_int_equal(world_refresh(world), 1);
	assert_int_equal(project_agent_count(world->project), 1);
}

static void a_folder_that_is_replaced_or_vanishes_is_seen(void **state)
{
	struct world *world = *state;

	world_write(world, "next/agents.json", B);
	assert_int_equal(renameat(world->dirfd, ".polpo", world->dirfd, "old"), 0);
	assert_int_equal(world_refresh(world), -EINVAL);
	assert_string_equal(
		world->err.text, ".hearth: there is no folder .hearth or .polpo: make it");
	assert_int_equal(world_refresh(world), 0);
	assert_non_null(project_agent_find(world->project, "a"));
	assert_int_equal(renameat(world->dirfd, "next", world->dirfd, ".polpo"), 0);
	assert_int_equal(world_refresh(world), 1);
	assert_non_null(project_agent_find(world->project, "b"));
	settle(world);
	assert_int_equal(renameat(world->dirfd, "old", world->dirfd, ".hearth"), 0);
	assert_int_equal(world_refresh(world), 1);
	assert_non_null(project_agent_find(world->project, "a"));
}

static void an_agent_that_is_referred_to_outlives_its_project(void **state)
{
	struct world *world = *state;
	const struct project_agent *agent =
		project_agent_ref(project_agent_find(world->project, "a"));

	world_write(world, AGENTS, B);
	assert_int_equal(world_refresh(world), 1);
	project_close(world->project);
	world->project = NULL;
	assert_string_equal(agent->name, "a");
	assert_string_equal(json_string_value(json_object_get(agent->json, "model")), "a/b");
	project_agent_unref(agent);
	project_agent_unref(NULL);
}

static void the_directory_of_the_project_stays_the_callers(void **state)
{
	struct world *world = *state;
	struct stat st;

	project_close(world->project);
	world->project = NULL;
	project_close(NULL);
	assert_int_equal(fstat(world->dirfd, &st), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_read_again_while_nothing_changes),
		TEST(no_change_is_missed_however_soon_it_comes),
		TEST(a_change_that_keeps_length_and_time_is_seen),
		TEST(a_file_that_was_written_just_now_is_read_again_though_it_looks_the_same),
		TEST(a_file_is_fresh_for_a_moment_only),
		TEST(skills_that_come_change_and_go_are_seen),
		TEST(a_folder_that_went_bad_keeps_what_was_loaded_last),
		TEST(a_folder_that_was_bad_from_the_start_can_be_mended),
		TEST(a_folder_that_is_replaced_or_vanishes_is_seen),
		TEST(an_agent_that_is_referred_to_outlives_its_project),
		TEST(the_directory_of_the_project_stays_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
