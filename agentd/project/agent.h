/*
 * agent.h - one agent of agents.json: from a JSON object to checked fields.
 *
 * Side: agentd; the values are foreign.
 */
#ifndef AGENTD_PROJECT_AGENT_H
#define AGENTD_PROJECT_AGENT_H
#include "agentd/project/agent_place.h"
#include "agentd/project/project.h"

struct error;

#define AGENT_LIST_MAX 128 /* items of a list */

/*
 * holder: what the object is a part of, or itself; it is kept. team: of the holder, or NULL. 0: *ret_agent is a
 * reference; -EINVAL: problems were added, as many as there are; -ENOMEM.
 */
int agent_create(json_t *object, json_t *holder, const char *team, struct agent_place *place,
	const struct project_agent **ret_agent, struct error *err);
#endif
