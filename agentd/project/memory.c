#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/project/content.h"
#include "agentd/project/folder.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#define MEMORY_PATH_MAX (sizeof("memory/.md") + PROJECT_NAME_MAX)

/* An agent's name has been checked when it was loaded; one that is no agent's must not become a path. */
static int find_path(const struct project *project, const char *agent,
	char path[static MEMORY_PATH_MAX], struct error *err)
{
	if (!agent)
		snprintf(path, MEMORY_PATH_MAX, "memory.md");
	else if (project_agent_find(project, agent))
		snprintf(path, MEMORY_PATH_MAX, "memory/%s.md", agent);
	else
		return error_set(err, ENOENT, "memory: there is no agent %.64s", agent);
	return 0;
}

int project_memory_read(
	const struct project *project, const char *agent, char **ret_text, struct error *err)
{
	const char *base;
	char path[MEMORY_PATH_MAX];
	struct stat st;
	auto_close int fd = -1;
	ssize_t size;
	int r = find_path(project, agent, path, err);

	if (r < 0)
		return r;
	fd = folder_open_base(project->dirfd, &base, err);
	if (fd < 0)
		return fd;
	size = folder_read_text(fd, path, PROJECT_FILE_MAX, ret_text, &st, err);
	if (size == -ENOENT) {
		*ret_text = strdup("");
		return *ret_text ? 0 : error_set(err, ENOMEM, "%s: out of memory", path);
	}
	return size < 0 ? error_prefix(err, (int)size, "%s/%s", base, path) : 0;
}

int project_memory_write(
	struct project *project, const char *agent, const char *text, struct error *err)
{
	const char *base;
	char path[MEMORY_PATH_MAX], *name = path;
	size_t size = strnlen(text, PROJECT_FILE_MAX + 1);
	auto_close int fd = -1, folder_fd = -1;
	int r = find_path(project, agent, path, err);

	if (r < 0)
		return r;
	if (size > PROJECT_FILE_MAX)
		return error_set(err, EFBIG, "%s: longer than %d bytes", path, PROJECT_FILE_MAX);
	if (!text_is_utf8(text, size))
		return error_set(err, EINVAL, "%s: not UTF-8", path);
	fd = folder_open_base(project->dirfd, &base, err);
	if (fd < 0)
		return fd;
	if (agent) {
		folder_fd = folder_make(fd, "memory", err);
		if (folder_fd < 0)
			return error_prefix(err, folder_fd, "%s/memory", base);
		name += strlen("memory/");
	}
	return folder_replace(agent ? folder_fd : fd, name, text, err);
}
