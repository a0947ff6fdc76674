/*
 * agents.h - the bytes of agents.json, in the shapes that it may have: [{...}], [{"agent": {...}, "teamName": "..."}],
 * mixtures, and {"agents": [...]} around any of them.
 *
 * Side: agentd; the bytes are foreign.
 */
#ifndef AGENTD_PROJECT_AGENTS_H
#define AGENTD_PROJECT_AGENTS_H
#include <jansson.h>
#include <stddef.h>

#include "agentd/project/problem.h"
#include "agentd/project/project.h"

struct agent_place;
struct error;

struct agents {
	const struct project_agent
		*rows[PROJECT_AGENTS_MAX]; /* a reference each, in the file's order */
	size_t count;
};

/* Called for each agent that is well, to warn of more. */
struct agents_check {
	void (*check)(
		void *arg, const struct project_agent *agent, const struct agent_place *place);
	void *arg;
};

/*
 * text: UTF-8, terminated. check may be NULL. 0: *ret_agents is the caller's to finish; -EINVAL: problems were added, all that there are;
 * -ENOMEM.
 */
int agents_parse(const char *file, const char *text, size_t size, struct problems *problems,
	const struct agents_check *check, struct agents *ret_agents, struct error *err);

/* Accepts one of zeros. */
void agents_finish(struct agents *agents);

/* NULL: there is none of this name. */
const struct project_agent *agents_find(const struct agents *agents, const char *name);

/* A JSON file as a value; NULL: a problem was added, or *ret_r is -ENOMEM. */
json_t *agents_load_json(const char *file, const char *text, size_t size, struct problems *problems,
	int *ret_r, struct error *err);

/* Borrowed from the root of a file: its list, NULL where it has none; and the agent in an element of that. */
json_t *agents_list(const json_t *root);
json_t *agents_unwrap(const json_t *element);
#endif
