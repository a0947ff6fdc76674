#include "tests/unit/project_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"

#define PATH_SIZE 512

static const char *const tools[] = {"read", "write", "edit", "bash", "glob", "grep", "ls",
	"http_fetch", "search_web", "memory_get", "memory_save", "browser_navigate", NULL};

int world_set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		return -1;
	umask(022);
	strcpy(world->directory, "/tmp/hearth-project-XXXXXX");
	if (!mkdtemp(world->directory))
		return -1;
	world->dirfd = open(world->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = world;
	return world->dirfd < 0 ? -1 : 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int world_tear_down(void **state)
{
	struct world *world = *state;
	int r;

	project_close(world->project);
	fd_close(world->dirfd);
	r = nftw(world->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(world);
	return r;
}

void world_make_directory(struct world *world, const char *path)
{
	char whole[PATH_SIZE + sizeof(world->directory)];

	snprintf(whole, sizeof(whole), "%s/%s", world->directory, path);
	assert_int_equal(file_make_directories(whole, 0755, &world->err), 0);
}

void world_write_bytes(struct world *world, const char *path, const void *data, size_t size)
{
	char parent[PATH_SIZE];
	char *slash;
	int fd;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash) {
		*slash = '\0';
		world_make_directory(world, parent);
	}
	fd = openat(world->dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, data, size), 0);
	fd_close(fd);
}

void world_write(struct world *world, const char *path, const char *text)
{
	world_write_bytes(world, path, text, strlen(text));
}

bool world_has(struct world *world, const char *path)
{
	return faccessat(world->dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int world_open(struct world *world)
{
	project_close(world->project);
	world->project = NULL;
	return project_open(world->dirfd, tools, &world->project, &world->err);
}

void world_open_well(struct world *world)
{
	if (world_open(world) != 0)
		fail_msg("%s", world->err.text);
}

int world_refresh(struct world *world)
{
	return project_refresh(world->project, &world->err);
}

char *world_report(struct world *world, bool as_json)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	project_report(world->project, as_json, to);
	fclose(to);
	return text;
}

void world_says(struct world *world, const char *line)
{
	auto_free char *report = world_report(world, false);
	size_t length = strlen(line);

	for (const char *at = report; *at; at = strchr(at, '\n') + 1)
		if (strncmp(at, line, length) == 0 && at[length] == '\n')
			return;
	fail_msg("no line:\n%s\nin:\n%s", line, report);
}

void world_is_silent(struct world *world)
{
	const struct project_problem *problems;

	if (project_problems(world->project, &problems) > 0)
		fail_msg("%s:%u: %s: %s", problems->file, problems->line, problems->text,
			problems->fix);
}
