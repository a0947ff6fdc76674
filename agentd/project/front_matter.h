/*
 * front_matter.h - what stands between two lines "---" at the top of a SKILL.md: a small part of YAML.
 *
 * Side: agentd; the bytes are foreign. A mapping of names to texts and lists; anchors, aliases, tags and deep nesting
 * are refused, so that a short text stays a small value.
 */
#ifndef AGENTD_PROJECT_FRONT_MATTER_H
#define AGENTD_PROJECT_FRONT_MATTER_H
#include <stddef.h>

#include "agentd/project/problem.h"

struct error;

#define FRONT_MATTER_MAX       (64 * 1024) /* bytes */
#define FRONT_MATTER_DEPTH_MAX 8
#define FRONT_MATTER_LIST_MAX  32 /* items of a list */
#define FRONT_MATTER_PARTS_MAX                                                                     \
	2048 /* keys, values, starts and ends of lists: libyaml takes its time for each */

struct front_matter {
	char *name, *description; /* NULL: not given */
	char **tools, **tags;	  /* NULL-terminated; NULL: not given */
};

/* Where it stands in a text. */
struct front_matter_span {
	const char *yaml;
	size_t size;
	unsigned first_line; /* of yaml, from 1 */
	const char *body;    /* behind it, without blank lines at its top */
};

/* 1: found; 0: there is none and all is body; -EINVAL: its end is missing. text is terminated. */
int front_matter_find(const char *text, struct front_matter_span *ret_span);

/* 0; -EINVAL: problems were added; -ENOMEM. On success *ret_matter is the caller's to finish. */
int front_matter_parse(const struct front_matter_span *span, const char *file,
	struct problems *problems, struct front_matter *ret_matter, struct error *err);

/* Accepts one of zeros. */
void front_matter_finish(struct front_matter *matter);
#endif
