#include "agentd/project/content.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/project/cross_check.h"
#include "agentd/project/folder.h"
#include "agentd/project/source.h"
#include "base/cleanup.h"
#include "base/error.h"

#define AGENTS_FILE "agents.json"

/* A folder that is being read. Its steps return 0 also where they add problems: all of them are to be told. */
struct load {
	int base_fd;
	const char *agents_json;
	struct content *content;
	struct error *err;
};

static int short_of_memory(const struct load *load)
{
	return error_set(load->err, ENOMEM, "out of memory");
}

/* As source_read(), after its stamp has been taken; -EINVAL becomes 0. */
static int read_source(struct load *load, const char *path, struct source *ret_source)
{
	struct content *content = load->content;
	int r;

	if (stamps_take(&content->stamps, load->base_fd, path) < 0)
		return short_of_memory(load);
	r = source_read(
		load->base_fd, content->base, path, ret_source, &content->problems, load->err);
	return r == -EINVAL ? 0 : r;
}

static int load_agents(struct load *load)
{
	struct content *content = load->content;
	struct source source = {.text = NULL};
	size_t errors = content->problems.errors;
	const struct agents_check check = {.check = cross_check_agent, .arg = content};
	int r = read_source(load, AGENTS_FILE, &source);

	if (r < 0)
		return r;
	if (load->agents_json) {
		source_finish(&source);
		source.text = strdup(load->agents_json);
		if (!source.text)
			return short_of_memory(load);
		source.size = strlen(source.text);
		snprintf(source.file, sizeof(source.file), "%s/%s", content->base, AGENTS_FILE);
	}
	if (source.text)
		r = agents_parse(source.file, source.text, source.size, &content->problems, &check,
			&content->agents, load->err);
	else if (content->problems.errors == errors)
		problems_add(&content->problems, PROJECT_ERROR, content->base, 0,
			"write [{\"name\": \"coder\"}] there", "holds no " AGENTS_FILE);
	source_finish(&source);
	return r == -ENOMEM ? r : 0;
}

/* A file that must be of one type; it may be absent. */
static int load_json(struct load *load, const char *path, json_type type, json_t **to)
{
	struct source source = {.text = NULL};
	int r = read_source(load, path, &source);
	json_t *json;

	if (r <= 0)
		return r;
	json = agents_load_json(
		source.file, source.text, source.size, &load->content->problems, &r, load->err);
	if (json && json_typeof(json) == type) {
		*to = json;
	} else if (json) {
		problems_add(&load->content->problems, PROJECT_ERROR, source.file, 1,
			type == JSON_OBJECT ? "write {}" : "write []",
			type == JSON_OBJECT ? "must be an object" : "must be a list");
		json_decref(json);
	}
	source_finish(&source);
	return r == -ENOMEM ? r : 0;
}

/* The names in a directory of the folder; 0: it is absent, empty or has a problem. The caller closes *ret_fd. */
static ssize_t list_directory(
	struct load *load, const char *path, int *ret_fd, struct folder_entry **ret_entries)
{
	struct problems *problems = &load->content->problems;
	char file[PROBLEM_FILE_MAX];
	struct error why = {0};
	struct stat st;
	int fd = folder_open(load->base_fd, path, &why);
	ssize_t count = fd;
	int r;

	if (fd == -ENOENT)
		return 0;
	snprintf(file, sizeof(file), "%s/%s", load->content->base, path);
	if (fd >= 0) {
		if (fstat(fd, &st) == 0)
			source_check_mode(file, st.st_mode, problems);
		count = folder_list(fd, ret_entries, &why);
		*ret_fd = fd;
	}
	if (count >= 0)
		return count;
	r = source_refuse(file, (int)count, problems, &why);
	if (r != -EINVAL)
		return error_set(load->err, -r, "%s", why.text);
	return 0;
}

static int add_skill(struct load *load, const char *name, struct source *source)
{
	struct content *content = load->content;
	struct skill *grown, skill;
	int r;

	content->skill_bytes += source->size;
	if (content->skill_bytes > PROJECT_SKILLS_BYTES_MAX)
		return 0; /* told at the end */
	grown = realloc(content->skills, (content->skill_count + 1) * sizeof(*grown));
	if (!grown)
		return short_of_memory(load);
	content->skills = grown;
	r = skill_parse(
		name, source->file, take_ptr(&source->text), &content->problems, &skill, load->err);
	if (r == 0)
		content->skills[content->skill_count++] = skill;
	return r == -ENOMEM ? r : 0;
}

static int load_skill(struct load *load, const struct folder_entry *entry)
{
	struct problems *problems = &load->content->problems;
	char path[sizeof("skills//SKILL.md") + sizeof(entry->name)], file[PROBLEM_FILE_MAX];
	struct source source = {.text = NULL};
	size_t errors = problems->errors;
	int r;

	snprintf(file, sizeof(file), "%s/skills/%s", load->content->base, entry->name);
	if (!folder_is_name(entry->name)) {
		problems_add(problems, PROJECT_WARNING, file, 0,
			"give it a shorter or plainer name",
			"is no name for a skill, and is not read");
		return 0;
	}
	snprintf(path, sizeof(path), "skills/%s/SKILL.md", entry->name);
	r = read_source(load, path, &source);
	if (r > 0)
		r = add_skill(load, entry->name, &source);
	else if (r == 0 && problems->errors == errors)
		problems_add(problems, PROJECT_WARNING, file, 0, "write one, or remove the folder",
			"holds no SKILL.md");
	source_finish(&source);
	return r;
}

static int load_skills(struct load *load)
{
	struct content *content = load->content;
	auto_free struct folder_entry *entries = NULL;
	auto_close int fd = -1;
	char file[PROBLEM_FILE_MAX];
	size_t found = 0;
	ssize_t count;
	int r = 0;

	if (stamps_take(&content->stamps, load->base_fd, "skills") < 0)
		return short_of_memory(load);
	count = list_directory(load, "skills", &fd, &entries);
	if (count < 0)
		return (int)count;
	for (ssize_t i = 0; r == 0 && i < count; i++) {
		if (entries[i].type == DT_REG) /* a README beside the folders */
			continue;
		if (++found <= PROJECT_SKILLS_MAX &&
			content->skill_bytes <= PROJECT_SKILLS_BYTES_MAX)
			r = load_skill(load, &entries[i]);
	}
	snprintf(file, sizeof(file), "%s/skills", content->base);
	if (found > PROJECT_SKILLS_MAX)
		problems_add(&content->problems, PROJECT_ERROR, file, 0, "remove some",
			"holds %zu skills, more than %d", found, PROJECT_SKILLS_MAX);
	else if (content->skill_bytes > PROJECT_SKILLS_BYTES_MAX)
		problems_add(&content->problems, PROJECT_ERROR, file, 0, "make them shorter",
			"the skills have %zu bytes together, more than %d", content->skill_bytes,
			PROJECT_SKILLS_BYTES_MAX);
	return r;
}

/* Memory is read when it is wanted; here only what would be in its way is told. */
static int check_memory_file(struct load *load, const char *path)
{
	struct content *content = load->content;
	int r = source_check(load->base_fd, content->base, path, &content->problems, load->err);

	if (r > 0)
		content->memory_count++;
	return r == -EINVAL || r > 0 ? 0 : r;
}

static void check_memory_owner(struct load *load, const char *path, const char *agent)
{
	char file[PROBLEM_FILE_MAX];

	if (agents_find(&load->content->agents, agent) || load->content->agents.count == 0)
		return;
	snprintf(file, sizeof(file), "%s/%s", load->content->base, path);
	problems_add(&load->content->problems, PROJECT_WARNING, file, 0, "rename it, or remove it",
		"there is no agent '%.64s'", agent);
}

static int load_memory(struct load *load)
{
	auto_free struct folder_entry *entries = NULL;
	auto_close int fd = -1;
	ssize_t count;
	int r = check_memory_file(load, "memory.md");

	if (r < 0)
		return r;
	count = list_directory(load, "memory", &fd, &entries);
	if (count < 0)
		return (int)count;
	for (ssize_t i = 0; r == 0 && i < count; i++) {
		char path[sizeof("memory/") + sizeof(entries[i].name)];
		size_t length = strlen(entries[i].name);

		if (length <= 3 || strcmp(entries[i].name + length - 3, ".md") != 0)
			continue;
		snprintf(path, sizeof(path), "memory/%s", entries[i].name);
		entries[i].name[length - 3] = '\0';
		check_memory_owner(load, path, entries[i].name);
		r = check_memory_file(load, path);
	}
	return r;
}

static int load_all(struct load *load)
{
	struct content *content = load->content;
	struct stat st;
	int r = 0;

	if (fstat(load->base_fd, &st) == 0)
		source_check_mode(content->base, st.st_mode, &content->problems);
	r = load_json(load, "polpo.json", JSON_OBJECT, &content->settings);
	if (r == 0)
		r = load_json(load, "teams.json", JSON_ARRAY, &content->teams);
	if (r == 0)
		r = load_skills(load);
	if (r == 0)
		r = load_agents(load); /* which name skills and teams */
	if (r == 0)
		r = load_memory(load);
	if (content->problems.is_short_of_memory)
		r = short_of_memory(load);
	return r;
}

static int load_base(struct load *load, int dirfd)
{
	struct error why = {0};
	const char *base = ".hearth";
	auto_close int fd = folder_open_base(dirfd, &base, &why);
	int r;

	load->base_fd = fd;
	if (fd < 0) {
		r = source_refuse(base, fd, &load->content->problems, &why);
		return r == -EINVAL ? 0 : error_set(load->err, -r, "%s", why.text);
	}
	load->content->base = base;
	return load_all(load);
}

int content_load(int dirfd, const char *const *tools, const char *agents_json,
	struct content **ret_content, struct error *err)
{
	struct load load = {.agents_json = agents_json, .err = err};
	int r;

	load.content = calloc(1, sizeof(*load.content));
	if (!load.content)
		return error_set(err, ENOMEM, "out of memory");
	load.content->base = "";
	load.content->tools = tools;
	r = load_base(&load, dirfd);
	if (r < 0) {
		content_free(load.content);
		return r;
	}
	*ret_content = load.content;
	return 0;
}

bool content_is_current(const struct content *content, int dirfd)
{
	const char *base = "";
	auto_close int fd = folder_open_base(dirfd, &base, NULL);

	if (fd < 0)
		return content->base[0] == '\0';
	return strcmp(base, content->base) == 0 && !content->stamps.is_fresh &&
	       !stamps_differ(&content->stamps, fd);
}

static int compare_skill(const void *name, const void *skill)
{
	return strcmp(name, ((const struct skill *)skill)->name);
}

const struct skill *content_skill(const struct content *content, const char *name)
{
	if (content->skill_count == 0)
		return NULL;
	return bsearch(name, content->skills, content->skill_count, sizeof(*content->skills),
		compare_skill);
}

void content_free(struct content *content)
{
	if (!content)
		return;
	agents_finish(&content->agents);
	for (size_t i = 0; i < content->skill_count; i++)
		skill_finish(&content->skills[i]);
	free(content->skills);
	json_decref(content->settings);
	json_decref(content->teams);
	problems_finish(&content->problems);
	stamps_finish(&content->stamps);
	free(content);
}
