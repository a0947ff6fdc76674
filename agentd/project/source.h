/*
 * source.h - one text file of the folder, whose troubles are problems.
 *
 * Side: agentd.
 */
#ifndef AGENTD_PROJECT_SOURCE_H
#define AGENTD_PROJECT_SOURCE_H
#include <stddef.h>
#include <sys/types.h>

#include "agentd/project/problem.h"

struct error;

struct source {
	char file[PROBLEM_FILE_MAX]; /* for problems: relative to DIR */
	char *text;		     /* UTF-8 without NUL */
	size_t size;
};

/*
 * Read base/path, where base (fd and name) is the folder in DIR. 1: *ret_source is the caller's; 0: there is no such
 * file; -EINVAL: a problem was added; -errno: it is our own trouble, see folder_is_own_error().
 */
int source_read(int base_fd, const char *base, const char *path, struct source *ret_source,
	struct problems *problems, struct error *err);

/* Likewise, for a file that is to be read later: its kind and length only. */
int source_check(int base_fd, const char *base, const char *path, struct problems *problems,
	struct error *err);

/* Accepts one of zeros. */
void source_finish(struct source *source);

/* For what folder.h said of a file: a problem and -EINVAL, or our own -errno. */
int source_refuse(const char *file, int r, struct problems *problems, struct error *err);

/* A warning where everybody may write it. */
void source_check_mode(const char *file, mode_t mode, struct problems *problems);
#endif
