/* project.h against a folder whose writer means harm: links, things that are no files, too much of everything. */
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agentd/project/front_matter.h"
#include "base/cleanup.h"
#include "tests/unit/project_world.h"

#define AGENTS	  ".polpo/agents.json"
#define ONE_AGENT "[{\"name\":\"a\",\"model\":\"a/b\",\"allowedTools\":[]}]"

static const char *const file_paths[] = {".polpo/polpo.json", ".polpo/teams.json", AGENTS,
	".polpo/memory.md", ".polpo/memory/a.md", ".polpo/skills/s/SKILL.md"};

/* A project with all its files, of which the one at path is missing. */
static void write_all_but(struct world *world, const char *path)
{
	static const char *const texts[] = {
		"{}", "[]", ONE_AGENT, "m", "m", "---\ndescription: d\n---\nb"};

	for (size_t i = 0; i < ARRAY_SIZE(file_paths); i++)
		world_write(world, file_paths[i], texts[i]);
	assert_int_equal(unlinkat(world->dirfd, path, 0), 0);
}

/* The project must be refused, with this said of the file. */
static void refused(struct world *world, const char *path, const char *why)
{
	char line[512];

	if (world_open(world) != -EINVAL)
		fail_msg("%s: not refused", path);
	snprintf(line, sizeof(line), "%s: error: %s", path, why);
	world_says(world, line);
	assert_int_equal(project_agent_count(world->project), 0);
}

static void no_file_is_read_through_a_link(void **state)
{
	static const char why[] =
		"is, or lies behind, a symbolic link: links are not followed: put "
		"what it leads to here";
	static const char *const targets[] = {"/etc/passwd", "../real", "a loop", "nothing"};
	struct world *world = *state;

	world_write(world, "real", ONE_AGENT);
	for (size_t i = 0; i < ARRAY_SIZE(file_paths); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(targets); k++) {
			const char *target = targets[k];

			write_all_but(world, file_paths[i]);
			if (strcmp(target, "a loop") == 0)
				target = strrchr(file_paths[i], '/') + 1;
			assert_int_equal(symlinkat(target, world->dirfd, file_paths[i]), 0);
			refused(world, file_paths[i], why);
			assert_int_equal(unlinkat(world->dirfd, file_paths[i], 0), 0);
		}
	}
}

static void no_folder_is_entered_through_a_link(void **state)
{
	static const char *const paths[][2] = {{".hearth", ".hearth"},
		{".polpo/skills", ".polpo/skills"}, {".polpo/memory", ".polpo/memory"},
		{".polpo/skills/x", ".polpo/skills/x/SKILL.md"}};
	struct world *world = *state;

	world_write(world, AGENTS, ONE_AGENT);
	world_write(world, "away/agents.json", ONE_AGENT);
	world_write(world, "away/SKILL.md", "x");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char target[64];

		/* out by its whole path, and in, to where it stands itself */
		snprintf(target, sizeof(target), "%s/away", world->directory);
		if (i == 3)
			world_make_directory(world, ".polpo/skills");
		for (int k = 0; k < 2; k++) {
			assert_int_equal(symlinkat(k ? "." : target, world->dirfd, paths[i][0]), 0);
			refused(world, paths[i][1],
				"is, or lies behind, a symbolic link: links are not followed: put "
				"what it leads to here");
			assert_int_equal(unlinkat(world->dirfd, paths[i][0], 0), 0);
		}
	}
}

static int bind_socket(struct world *world, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", world->directory, path);
	return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* Were one opened as a file is, this test would never end. */
static void what_is_no_file_is_refused_and_nobody_waits_for_it(void **state)
{
	static const char why[] = "is no regular file: put a plain file here";
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(file_paths); i++) {
		const char *path = file_paths[i];

		write_all_but(world, path);
		assert_int_equal(mkfifoat(world->dirfd, path, 0644), 0);
		refused(world, path, why);
		assert_int_equal(unlinkat(world->dirfd, path, 0), 0);
		assert_int_equal(bind_socket(world, path), 0);
		refused(world, path, why);
		assert_int_equal(unlinkat(world->dirfd, path, 0), 0);
		assert_int_equal(mkdirat(world->dirfd, path, 0755), 0);
		refused(world, path, why);
		assert_int_equal(unlinkat(world->dirfd, path, AT_REMOVEDIR), 0);
		/* Only root makes devices, and not everywhere. */
		if (mknodat(world->dirfd, path, S_IFCHR | 0644, 5 << 8 | 0) == 0) {
			assert_int_equal(world_open(world), -EINVAL);
			assert_int_equal(unlinkat(world->dirfd, path, 0), 0);
		}
	}
}

static void a_file_of_a_gigabyte_is_refused_unread(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(file_paths); i++) {
		int fd;

		write_all_but(world, file_paths[i]);
		fd = openat(world->dirfd, file_paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, 1 << 30), 0);
		fd_close(fd);
		refused(world, file_paths[i], "is longer than 1048576 bytes: make it shorter");
		assert_int_equal(unlinkat(world->dirfd, file_paths[i], 0), 0);
	}
}

static void a_file_of_just_the_most_bytes_is_read(void **state)
{
	struct world *world = *state;
	auto_free char *text = malloc(PROJECT_FILE_MAX + 2);

	assert_non_null(text);
	memset(text, ' ', PROJECT_FILE_MAX + 2);
	memcpy(text, ONE_AGENT, strlen(ONE_AGENT));
	world_write_bytes(world, AGENTS, text, PROJECT_FILE_MAX);
	world_open_well(world);
	world_write_bytes(world, AGENTS, text, PROJECT_FILE_MAX + 1);
	refused(world, AGENTS, "is longer than 1048576 bytes: make it shorter");
}

static void no_text_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} rows[] = {
		{"\n\n\0", 3},
		{"a\n\n\xc0\xaf", 5},
		{"\n\n\xed\xa0\x80", 5},
		{"\n\n\xff\xfe[\0]\0", 8},
		{"\n\n\xe2\x82", 4},
		{"\n\n\xf4\x90\x80\x80", 6},
	};
	static const char *const paths[] = {
		".polpo/polpo.json", ".polpo/teams.json", AGENTS, ".polpo/skills/s/SKILL.md"};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
			write_all_but(world, paths[i]);
			world_write_bytes(world, paths[i], rows[k].bytes, rows[k].size);
			refused(world, paths[i], "line 3 is not UTF-8 text: save it as UTF-8");
		}
	}
}

static void more_skills_than_the_limit_are_refused(void **state)
{
	struct world *world = *state;
	char path[64];

	world_write(world, AGENTS, ONE_AGENT);
	for (int i = 0; i < PROJECT_SKILLS_MAX; i++) {
		snprintf(path, sizeof(path), ".polpo/skills/s%d/SKILL.md", i);
		world_write(world, path, "---\ndescription: d\n---\nb");
	}
	world_open_well(world);
	assert_int_equal(project_skill_count(world->project), PROJECT_SKILLS_MAX);
	world_write(world, ".polpo/skills/one-more/SKILL.md", "x");
	refused(world, ".polpo/skills", "holds 257 skills, more than 256: remove some");
	/* A hundred thousand are no other case: the list is read as far as its limit. */
	for (int i = 0; i < 1100; i++) {
		snprintf(path, sizeof(path), ".polpo/skills/f%d", i);
		world_write(world, path, "");
	}
	refused(world, ".polpo/skills", "holds more than 1024 entries: remove some");
}

static void more_bytes_of_skills_than_the_limit_are_refused(void **state)
{
	struct world *world = *state;
	auto_free char *text = malloc(PROJECT_FILE_MAX);
	char path[64];

	assert_non_null(text);
	memset(text, 'x', PROJECT_FILE_MAX);
	world_write(world, AGENTS, ONE_AGENT);
	for (int i = 0; i < PROJECT_SKILLS_BYTES_MAX / PROJECT_FILE_MAX; i++) {
		snprintf(path, sizeof(path), ".polpo/skills/s%d/SKILL.md", i);
		world_write_bytes(world, path, text, PROJECT_FILE_MAX);
	}
	world_open_well(world);
	world_write(world, ".polpo/skills/one-more/SKILL.md", "x");
	refused(world, ".polpo/skills",
		"the skills have 16777217 bytes together, more than 16777216: "
		"make them shorter");
}

static void more_agents_than_the_limit_are_refused(void **state)
{
	struct world *world = *state;
	auto_free char *text = malloc(32768);
	size_t used = 0;

	assert_non_null(text);
	for (int i = 0; i < PROJECT_AGENTS_MAX; i++)
		used += (size_t)snprintf(
			text + used, 32768 - used, "%s{\"name\":\"a%d\"}", i ? "," : "[", i);
	strcpy(text + used, "]");
	world_write(world, AGENTS, text);
	world_open_well(world);
	assert_int_equal(project_agent_count(world->project), PROJECT_AGENTS_MAX);
	strcpy(text + used, ",{\"name\":\"z\"}]");
	world_write(world, AGENTS, text);
	refused(world, AGENTS, "has 257 agents, more than 256: remove some");
}

static void json_that_is_deep_is_refused(void **state)
{
	struct world *world = *state;
	auto_free char *text = malloc(200001);

	assert_non_null(text);
	memset(text, '[', 200000);
	text[200000] = '\0';
	world_write(world, AGENTS, text);
	assert_int_equal(world_open(world), -EINVAL);
	world_says(world,
		AGENTS ":1: error: is no JSON: maximum parsing depth reached near '[': check "
		       "the commas, quotes and brackets before it");
}

static void yaml_that_grows_is_refused(void **state)
{
	static const char *const patterns[] = {"[", "{a: ", "- ", "? ", "{a: [", "\"", "&a ", "*"};
	struct world *world = *state;
	static char text[70000];

	world_write(world, AGENTS, ONE_AGENT);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		size_t used = (size_t)sprintf(text, "---\nmetadata: ");

		while (used < 65000)
			used += (size_t)sprintf(text + used, "%s", patterns[i]);
		strcpy(text + used, "\n---\n");
		world_write(world, ".polpo/skills/s/SKILL.md", text);
		if (world_open(world) != -EINVAL)
			fail_msg("%s", patterns[i]);
	}
	memset(text, '#', sizeof(text));
	memcpy(text, "---\n", 4);
	strcpy(text + sizeof(text) - 8, "\n---\nb");
	world_write(world, ".polpo/skills/s/SKILL.md", text);
	assert_int_equal(world_open(world), -EINVAL);
	world_says(world,
		".polpo/skills/s/SKILL.md:2: error: front matter: is longer than 64 KiB: move "
		"text into the body");
}

/* N items, as JSON and as YAML write them. */
static void write_list(
	struct world *world, const char *path, const char *head, int count, const char *tail)
{
	static char text[8192];
	size_t used = (size_t)sprintf(text, "%s", head);

	for (int i = 0; i < count; i++)
		used += (size_t)sprintf(text + used, "%s\"t%d\"", i ? "," : "", i);
	strcpy(text + used, tail);
	world_write(world, path, text);
}

static void lists_end_at_their_limits(void **state)
{
	static const char skill[] = ".polpo/skills/s/SKILL.md";
	struct world *world = *state;

	world_write(world, AGENTS, ONE_AGENT);
	write_list(world, skill, "---\ntools: [", 32, "]\n---\n");
	world_open_well(world);
	assert_string_equal(project_skill_find(world->project, "s")->tools[31], "t31");
	write_list(world, skill, "---\ntools: [", 33, "]\n---\n");
	assert_int_equal(world_open(world), -EINVAL);
	world_says(world, ".polpo/skills/s/SKILL.md:2: error: front matter: the list is too long: "
			  "remove some");
	write_list(world, skill, "---\nmetadata: [", 1000, "]\n---\n");
	world_open_well(world);
	write_list(world, AGENTS, "[{\"name\":\"a\",\"allowedPaths\":[", 128, "]}]");
	world_open_well(world);
	assert_string_equal(project_agent_at(world->project, 0)->allowed_paths[127], "t127");
	write_list(world, AGENTS, "[{\"name\":\"a\",\"allowedPaths\":[", 129, "]}]");
	assert_int_equal(world_open(world), -EINVAL);
	world_says(world, AGENTS ":1: error: agent a: allowedPaths: has 129 items, more than 128: "
				 "remove some");
	world_write(world, AGENTS,
		"[{\"name\": \"a\", \"model\": {\"primary\": \"a/b\", \"fallbacks\": "
		"[\"a/1\", \"a/2\", \"a/3\", \"a/4\", \"a/5\", \"a/6\", \"a/7\", \"a/8\"]}}]");
	assert_int_equal(world_open(world), -EINVAL);
	world_says(world, AGENTS
		":1: error: agent a: fallbacks: has 8 items, more than 7: write "
		"\"provider/model\", or {\"primary\": \"provider/model\", \"fallbacks\": []}");
}

static void front_matter_of_too_many_parts_is_refused(void **state)
{
	static char text[16384] = "---\nmetadata: [";
	struct world *world = *state;
	size_t used = strlen(text);

	world_write(world, AGENTS, ONE_AGENT);
	for (int i = 0; i < FRONT_MATTER_PARTS_MAX; i++)
		used += (size_t)sprintf(text + used, "a,");
	strcpy(text + used, "]\n---\n");
	world_write(world, ".polpo/skills/s/SKILL.md", text);
	assert_int_equal(world_open(world), -EINVAL);
	world_says(world,
		".polpo/skills/s/SKILL.md:2: error: front matter: has too many parts: move "
		"text into the body");
}

/* Each as an agent's name, as a skill's folder where it can be one, and as what a call asks for. */
static void names_that_are_paths_lead_nowhere(void **state)
{
	static const char *const names[] = {"..", ".", "../x", "a/b", "/etc/passwd", "a\\\\b", "",
		" ", " a", "a ", "-rf", ".hidden", "a\\u0000b", "a\\nb", "a\\u001b[0m", "a\\u0085b",
		"a\\u007f", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct world *world = *state;
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "[{\"name\":\"%s\"}]", names[i]);
		world_write(world, AGENTS, text);
		if (world_open(world) != -EINVAL)
			fail_msg("'%s' is a name", names[i]);
	}
	world_write(world, AGENTS, ONE_AGENT);
	world_write(world, "secret.md", "secret");
	world_write(world, "secret/SKILL.md", "secret");
	world_open_well(world);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *found = NULL;

		assert_true(project_memory_read(world->project, names[i], &found, NULL) < 0);
		assert_true(project_memory_write(world->project, names[i], "x", NULL) < 0);
		assert_true(project_skill_read(world->project, names[i], &found, NULL) < 0);
		assert_true(project_skill_create(world->project, names[i], "x", NULL) < 0);
		assert_true(project_skill_delete(world->project, names[i], NULL) < 0);
		assert_null(project_agent_find(world->project, names[i]));
		assert_null(found);
	}
	assert_int_equal(project_memory_write(world->project, "../../secret", "x", NULL), -ENOENT);
	assert_int_equal(project_skill_delete(world->project, "../../secret", NULL), -ENOENT);
	assert_true(world_has(world, "secret/SKILL.md"));
}

static void what_everybody_may_write_is_told(void **state)
{
	struct world *world = *state;

	world_write(world, AGENTS, ONE_AGENT);
	world_write(world, ".polpo/skills/s/SKILL.md", "---\ndescription: d\n---\nb");
	world_open_well(world);
	world_is_silent(world);
	assert_int_equal(fchmodat(world->dirfd, AGENTS, 0666, 0), 0);
	assert_int_equal(fchmodat(world->dirfd, ".polpo", 0777, 0), 0);
	assert_int_equal(fchmodat(world->dirfd, ".polpo/skills", 0777, 0), 0);
	world_open_well(world);
	world_says(
		world, AGENTS ": warning: everybody on this machine may change it: chmod o-w it");
	world_says(world, ".polpo: warning: everybody on this machine may change it: chmod o-w it");
	world_says(world,
		".polpo/skills: warning: everybody on this machine may change it: chmod o-w it");
}

/* A FIFO where the temporary file would be must not hold the writer up, nor a link lead it away. */
static void writing_is_not_led_astray(void **state)
{
	struct world *world = *state;
	auto_free char *text = NULL;

	world_write(world, AGENTS, ONE_AGENT);
	world_write(world, "victim", "whole");
	world_make_directory(world, ".polpo/memory");
	world_open_well(world);
	assert_int_equal(mkfifoat(world->dirfd, ".polpo/.memory.md.new", 0644), 0);
	assert_int_equal(project_memory_write(world->project, NULL, "new", &world->err), 0);
	assert_int_equal(symlinkat("../../victim", world->dirfd, ".polpo/memory/a.md"), 0);
	assert_int_equal(symlinkat("../../victim", world->dirfd, ".polpo/memory/.a.md.new"), 0);
	assert_int_equal(project_memory_read(world->project, "a", &text, &world->err), -ELOOP);
	assert_string_equal(
		world->err.text, ".polpo/memory/a.md: is, or lies behind, a symbolic link");
	assert_int_equal(project_memory_write(world->project, "a", "mine", &world->err), 0);
	assert_int_equal(project_memory_read(world->project, "a", &text, &world->err), 0);
	assert_string_equal(text, "mine");
	free(take_ptr(&text));
	world_open_well(world);
	assert_int_equal(unlinkat(world->dirfd, ".polpo/memory.md", 0), 0);
	assert_int_equal(renameat(world->dirfd, "victim", world->dirfd, ".polpo/memory.md"), 0);
	assert_int_equal(project_memory_read(world->project, NULL, &text, &world->err), 0);
	assert_string_equal(text, "whole");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_file_is_read_through_a_link),
		TEST(no_folder_is_entered_through_a_link),
		TEST(what_is_no_file_is_refused_and_nobody_waits_for_it),
		TEST(a_file_of_a_gigabyte_is_refused_unread),
		TEST(a_file_of_just_the_most_bytes_is_read),
		TEST(no_text_is_refused_with_its_line),
		TEST(more_skills_than_the_limit_are_refused),
		TEST(more_bytes_of_skills_than_the_limit_are_refused),
		TEST(more_agents_than_the_limit_are_refused),
		TEST(json_that_is_deep_is_refused),
		TEST(yaml_that_grows_is_refused),
		TEST(lists_end_at_their_limits),
		TEST(front_matter_of_too_many_parts_is_refused),
		TEST(names_that_are_paths_lead_nowhere),
		TEST(what_everybody_may_write_is_told),
		TEST(writing_is_not_led_astray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
