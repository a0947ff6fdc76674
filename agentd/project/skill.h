/*
 * skill.h - one SKILL.md: front matter and the text that goes into a prompt.
 *
 * Side: agentd; the bytes are foreign.
 */
#ifndef AGENTD_PROJECT_SKILL_H
#define AGENTD_PROJECT_SKILL_H
#include "agentd/project/front_matter.h"
#include "agentd/project/problem.h"
#include "agentd/project/project.h"

struct error;

struct skill {
	struct project_skill public;
	struct front_matter matter;
	char *name;
	char *text; /* whole, its line ends LF */
};

/*
 * Takes over text, which is UTF-8 without NUL, in any case. name: of its folder, by which agents call it. 0: *ret_skill is the
 * caller's; -EINVAL: problems were added; -ENOMEM.
 */
int skill_parse(const char *name, const char *file, char *text, struct problems *problems,
	struct skill *ret_skill, struct error *err);

/* Accepts one of zeros. */
void skill_finish(struct skill *skill);
#endif
