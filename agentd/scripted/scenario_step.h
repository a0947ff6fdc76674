/* scenario_step.h - one step of a scenario, from its JSON. For scenario.c only. */
#ifndef AGENTD_SCRIPTED_SCENARIO_STEP_H
#define AGENTD_SCRIPTED_SCENARIO_STEP_H
#include "agentd/scripted/scenario.h"

struct place;

/* 0; -EINVAL: err says the line and what is wanted; -ENOMEM. The step is to be finished in any case. */
int scenario_step_parse(const json_t *value, const struct place *place, struct scenario_step *step,
	struct error *err);

void scenario_step_copy(const struct scenario_step *from, struct scenario_step *to);
#endif
