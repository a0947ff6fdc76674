/*
 * problem.h - what is wrong in a project's folder: a list of bounded length, with file, line and fix.
 *
 * Side: agentd. Whatever is put in, from file names to what a parser says, comes out as one line of UTF-8 without
 * control characters, fit for a terminal, a log and JSON.
 */
#ifndef AGENTD_PROJECT_PROBLEM_H
#define AGENTD_PROJECT_PROBLEM_H
#include <stdbool.h>
#include <stddef.h>

#include "agentd/project/project.h"

#define PROBLEM_TEXT_MAX 384 /* bytes of a text, with terminator; the rest is cut */
#define PROBLEM_FILE_MAX 384

struct problems {
	struct project_problem *rows;
	size_t count;		 /* that are kept */
	size_t errors, warnings; /* that were found */
	bool is_short_of_memory;
};

/* Accepts one of zeros. */
void problems_finish(struct problems *problems);

/* Would one more be kept? Where a line is costly to find. */
bool problems_has_room(const struct problems *problems, enum project_level level);

/* All strings are copied. line 0: the file as a whole. Out of memory is remembered, see problems_end(). */
void problems_add(struct problems *problems, enum project_level level, const char *file,
	unsigned line, const char *fix, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* 0: there are no errors. -EINVAL: the first one, as "FILE:LINE: text: fix". -ENOMEM: some were not kept. */
int problems_end(const struct problems *problems, struct error *err);
#endif
