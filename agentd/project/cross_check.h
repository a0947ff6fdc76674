/*
 * cross_check.h - what an agent names and the rest of the folder does not have: skills, tools that these need, teams.
 *
 * Side: agentd. All of it is a warning. The model can run without; a folder is copied file by file, and agents.json may
 * well come first. Refusing would stop every agent of the project for one skill of one of them.
 */
#ifndef AGENTD_PROJECT_CROSS_CHECK_H
#define AGENTD_PROJECT_CROSS_CHECK_H
struct agent_place;
struct project_agent;

/* arg: the struct content, whose skills and teams have been read. */
void cross_check_agent(
	void *arg, const struct project_agent *agent, const struct agent_place *place);
#endif
