#include "agentd/project/project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "agentd/project/content.h"
#include "agentd/project/folder.h"
#include "base/cleanup.h"
#include "base/error.h"

static int have_base(int dirfd, struct error *err)
{
	const char *base;
	int fd = folder_open_base(dirfd, &base, err);

	fd_close(fd);
	return fd == -ENOENT ? fd : 0;
}

int project_open(
	int dirfd, const char *const *tools, struct project **ret_project, struct error *err)
{
	struct project *project;
	int r = have_base(dirfd, err);

	if (r < 0)
		return r;
	project = calloc(1, sizeof(*project));
	if (!project)
		return error_set(err, ENOMEM, "out of memory");
	project->tools = tools;
	project->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	r = project->dirfd < 0 ? error_errno(err, "dup") : project_reload(project, err);
	if (r < 0 && r != -EINVAL) {
		project_close(project);
		return r;
	}
	*ret_project = project;
	return r < 0 ? r : 0;
}

void project_close(struct project *project)
{
	if (!project)
		return;
	if (project->latest != project->served)
		content_free(project->latest);
	content_free(project->served);
	fd_close(project->dirfd);
	free(project);
}

int project_reload(struct project *project, struct error *err)
{
	struct content *content;
	int r = content_load(project->dirfd, project->tools, NULL, &content, err);

	if (r < 0)
		return r;
	if (project->latest != project->served)
		content_free(project->latest);
	project->latest = content;
	r = problems_end(&content->problems, err);
	if (r < 0)
		return r;
	content_free(project->served);
	project->served = content;
	return 1;
}

int project_refresh(struct project *project, struct error *err)
{
	if (content_is_current(project->latest, project->dirfd))
		return 0;
	return project_reload(project, err);
}

size_t project_problems(const struct project *project, const struct project_problem **ret_problems)
{
	*ret_problems = project->latest->problems.rows;
	return project->latest->problems.count;
}

const json_t *project_settings(const struct project *project)
{
	return project->served ? project->served->settings : NULL;
}

size_t project_agent_count(const struct project *project)
{
	return project->served ? project->served->agents.count : 0;
}

const struct project_agent *project_agent_at(const struct project *project, size_t index)
{
	return index < project_agent_count(project) ? project->served->agents.rows[index] : NULL;
}

const struct project_agent *project_agent_find(const struct project *project, const char *name)
{
	return project->served ? agents_find(&project->served->agents, name) : NULL;
}

size_t project_skill_count(const struct project *project)
{
	return project->served ? project->served->skill_count : 0;
}

const struct project_skill *project_skill_at(const struct project *project, size_t index)
{
	return index < project_skill_count(project) ? &project->served->skills[index].public : NULL;
}

const struct project_skill *project_skill_find(const struct project *project, const char *name)
{
	const struct skill *skill = project->served ? content_skill(project->served, name) : NULL;

	return skill ? &skill->public : NULL;
}
