#include "agentd/project/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agentd/project/folder.h"
#include "base/cleanup.h"
#include "base/error.h"

static const struct {
	int code;
	const char *fix;
} fixes[] = {
	{ELOOP, "links are not followed: put what it leads to here"},
	{EINVAL, "put a plain file here"},
	{ENOTDIR, "make it a directory"},
	{EFBIG, "make it shorter"},
	{E2BIG, "remove some"},
	{EILSEQ, "save it as UTF-8"},
	{EACCES, "let the daemon's user read it"},
	{ENOENT, "make it"},
};

int source_refuse(const char *file, int r, struct problems *problems, struct error *err)
{
	const char *fix = "make it readable";

	if (folder_is_own_error(r))
		return error_prefix(err, r, "%s", file);
	for (size_t i = 0; i < ARRAY_SIZE(fixes); i++)
		if (fixes[i].code == -r)
			fix = fixes[i].fix;
	problems_add(problems, PROJECT_ERROR, file, 0, fix, "%s", err->text);
	return -EINVAL;
}

void source_check_mode(const char *file, mode_t mode, struct problems *problems)
{
	if (mode & S_IWOTH)
		problems_add(problems, PROJECT_WARNING, file, 0, "chmod o-w it",
			"everybody on this machine may change it");
}

/* 1, 0 or -errno, for the result of a function of folder.h. */
static int judge(const char *file, ssize_t size, const struct stat *st, struct problems *problems,
	struct error *why, struct error *err)
{
	if (size == -ENOENT)
		return 0;
	if (size < 0) {
		int r = source_refuse(file, (int)size, problems, why);

		return error_set(err, -r, "%s", why->text);
	}
	source_check_mode(file, st->st_mode, problems);
	return 1;
}

int source_check(int base_fd, const char *base, const char *path, struct problems *problems,
	struct error *err)
{
	char file[PROBLEM_FILE_MAX];
	struct error why = {0};
	struct stat st;
	ssize_t size = folder_look(base_fd, path, PROJECT_FILE_MAX, &st, &why);

	snprintf(file, sizeof(file), "%s/%s", base, path);
	return judge(file, size, &st, problems, &why, err);
}

int source_read(int base_fd, const char *base, const char *path, struct source *ret_source,
	struct problems *problems, struct error *err)
{
	struct source source = {.text = NULL};
	struct error why = {0};
	struct stat st;
	ssize_t size;
	int r;

	snprintf(source.file, sizeof(source.file), "%s/%s", base, path);
	size = folder_read_text(base_fd, path, PROJECT_FILE_MAX, &source.text, &st, &why);
	r = judge(source.file, size, &st, problems, &why, err);
	if (r <= 0)
		return r;
	source.size = (size_t)size;
	*ret_source = source;
	return 1;
}

void source_finish(struct source *source)
{
	free(source->text);
	source->text = NULL;
}
