/*
 * prompt.h - what a model is told before the conversation: who it is, its skills, tools, place and memory.
 */
#ifndef AGENTD_LOOP_PROMPT_H
#define AGENTD_LOOP_PROMPT_H

struct project;
struct project_agent;

/*
 * In this order: preamble, name and role, systemPrompt, assigned skills, tools, place and limits, the caller's own
 * system messages (system; NULL: none), shared memory, the agent's memory. The caller's to free; NULL: out of memory.
 */
char *prompt_write(const struct project *project, const struct project_agent *agent,
	const char *cwd, const char *system);
#endif
