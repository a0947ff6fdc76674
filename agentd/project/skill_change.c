/* Skills as files: to read, to add, to remove. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agentd/project/content.h"
#include "agentd/project/folder.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#define SKILL_FILE "SKILL.md"

static int open_skills(const struct project *project, struct error *err)
{
	const char *base;
	auto_close int base_fd = folder_open_base(project->dirfd, &base, err);
	int fd;

	if (base_fd < 0)
		return base_fd;
	fd = folder_open(base_fd, "skills", err);
	return fd < 0 ? error_prefix(err, fd, "%s/skills", base) : fd;
}

/* The fd of skills/NAME. A name that is none leads nowhere. */
static int open_skill(int skills_fd, const char *name, struct error *err)
{
	int fd;

	if (!folder_is_name(name))
		return error_set(err, ENOENT, "there is no skill of such a name");
	fd = folder_open(skills_fd, name, err);
	return fd < 0 ? error_prefix(err, fd, "skill %s", name) : fd;
}

int project_skill_read(
	const struct project *project, const char *name, char **ret_text, struct error *err)
{
	auto_close int skills_fd = open_skills(project, err), fd = -1;
	struct stat st;
	ssize_t size;

	if (skills_fd < 0)
		return skills_fd;
	fd = open_skill(skills_fd, name, err);
	if (fd < 0)
		return fd;
	size = folder_read_text(fd, SKILL_FILE, PROJECT_FILE_MAX, ret_text, &st, err);
	return size < 0 ? error_prefix(err, (int)size, "skill %s: " SKILL_FILE, name) : 0;
}

/* What would be wrong with it. */
static int check_text(const char *name, const char *text, struct error *err)
{
	size_t size = strnlen(text, PROJECT_FILE_MAX + 1);
	struct problems problems = {.rows = NULL};
	struct skill skill = {.text = NULL};
	char *copy;
	int r;

	if (!folder_is_name(name))
		return error_set(err, EINVAL, "'%.64s' cannot name a skill", name);
	if (size > PROJECT_FILE_MAX)
		return error_set(
			err, EINVAL, "skill %s: longer than %d bytes", name, PROJECT_FILE_MAX);
	if (!text_is_utf8(text, size))
		return error_set(err, EINVAL, "skill %s: not UTF-8", name);
	copy = strdup(text);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	r = skill_parse(name, SKILL_FILE, copy, &problems, &skill, err);
	if (r == -EINVAL)
		r = problems_end(&problems, err); /* tells more */
	skill_finish(&skill);
	problems_finish(&problems);
	return r;
}

static int write_skill(int base_fd, const char *name, const char *text, struct error *err)
{
	auto_close int skills_fd = folder_make(base_fd, "skills", err), fd = -1;

	if (skills_fd < 0)
		return error_prefix(err, skills_fd, "skills");
	fd = folder_make(skills_fd, name, err);
	if (fd < 0)
		return error_prefix(err, fd, "skill %s", name);
	if (faccessat(fd, SKILL_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, EEXIST, "there is a skill %s already", name);
	return folder_replace(fd, SKILL_FILE, text, err);
}

/* Is there room for it in a project that is well? */
static int check_project(struct project *project, const char *text, struct error *err)
{
	int r = project_refresh(project, err);

	if (r >= 0)
		r = problems_end(&project->latest->problems, err);
	if (r < 0)
		return r;
	if (project->latest->skill_count == PROJECT_SKILLS_MAX)
		return error_set(err, EINVAL, "there are %d skills already", PROJECT_SKILLS_MAX);
	if (project->latest->skill_bytes + strlen(text) > PROJECT_SKILLS_BYTES_MAX)
		return error_set(err, EINVAL, "the skills would have more than %d bytes together",
			PROJECT_SKILLS_BYTES_MAX);
	return 0;
}

int project_skill_create(
	struct project *project, const char *name, const char *text, struct error *err)
{
	auto_close int base_fd = -1;
	const char *base;
	int r = check_text(name, text, err);

	if (r == 0)
		r = check_project(project, text, err);
	if (r < 0)
		return r;
	base_fd = folder_open_base(project->dirfd, &base, err);
	if (base_fd < 0)
		return base_fd;
	r = write_skill(base_fd, name, text, err);
	if (r == 0)
		r = project_reload(project, err);
	return r < 0 ? r : 0;
}

int project_skill_delete(struct project *project, const char *name, struct error *err)
{
	auto_close int skills_fd = open_skills(project, err), fd = -1;
	int r;

	if (skills_fd < 0)
		return skills_fd;
	fd = open_skill(skills_fd, name, err);
	if (fd < 0)
		return fd;
	if (unlinkat(fd, SKILL_FILE, 0) < 0)
		return error_errno(err, "skill %s: remove " SKILL_FILE, name);
	/* What else stands in it is its owner's to remove: then the folder stays. */
	unlinkat(skills_fd, name, AT_REMOVEDIR);
	/* It is gone, whatever else is wrong in the folder. */
	r = project_reload(project, err);
	return r < 0 && r != -EINVAL ? r : 0;
}
