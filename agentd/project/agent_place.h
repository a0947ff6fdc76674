/*
 * agent_place.h - where in agents.json a value stands, for what is said about it.
 *
 * Side: agentd.
 */
#ifndef AGENTD_PROJECT_AGENT_PLACE_H
#define AGENTD_PROJECT_AGENT_PLACE_H
#include "agentd/project/place.h"
#include "agentd/project/problem.h"

#define AGENT_PLACE_STEPS_MAX 6	  /* from the root of the file to an item of a list */
#define AGENT_PLACE_FIX_MAX   128 /* bytes */

/* The value that is looked at: where it stands, and how problems call it. */
struct agent_place {
	const char *file, *text;
	struct place_step steps[AGENT_PLACE_STEPS_MAX];
	size_t depth;
	const char *name; /* of the agent; "" while it is not known */
	struct problems *problems;
};

/* A problem of the member key of the value there, or of the value itself (NULL). Returns -EINVAL. */
int agent_place_report(const struct agent_place *place, enum project_level level, const char *key,
	const char *fix, const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * "did you mean 'NAME'?" with the nearest of names, at most two letters away, else otherwise; into fix. Costs time where
 * there are many: nothing is looked for once no more warnings are kept.
 */
const char *agent_place_suggest(const struct agent_place *place, const char *name,
	const char *const *names, size_t count, const char *otherwise,
	char fix[static AGENT_PLACE_FIX_MAX]);
#endif
