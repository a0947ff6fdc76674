/*
 * content.h - all that a project's folder holds, read in one go: agents, skills, settings, and what is wrong with them.
 *
 * Side: agentd. A content never changes; project.c replaces it by a newer one.
 */
#ifndef AGENTD_PROJECT_CONTENT_H
#define AGENTD_PROJECT_CONTENT_H
#include "agentd/project/agents.h"
#include "agentd/project/skill.h"
#include "agentd/project/stamp.h"

struct content {
	const char *const *tools; /* that there are; NULL: not known */
	const char *base;	  /* .hearth or .polpo; "": neither could be opened */
	struct agents agents;
	struct skill *skills; /* sorted by name */
	size_t skill_count;
	size_t skill_bytes;
	json_t *settings; /* the object in polpo.json; NULL: there is none */
	json_t *teams;	  /* the list in teams.json; NULL: likewise */
	size_t memory_count;
	struct problems problems;
	struct stamps stamps;
};

/*
 * tools: NULL-terminated and borrowed, or NULL. agents_json: read this instead of the file (what it would be like); NULL: the file. 0: *ret_content is the caller's,
 * and unusable where its problems have errors; -errno: our own trouble, nothing is known.
 */
int content_load(int dirfd, const char *const *tools, const char *agents_json,
	struct content **ret_content, struct error *err);

/* Would another load find the same? */
bool content_is_current(const struct content *content, int dirfd);

/* NULL: there is none of this name. */
const struct skill *content_skill(const struct content *content, const char *name);

/* Accepts NULL. */
void content_free(struct content *content);

struct project {
	int dirfd;
	const char *const *tools;
	struct content *served; /* the last without errors; NULL: there was none */
	struct content *latest; /* may be the same one */
};

/* Read now, whether files have changed or not. As project_refresh(). */
int project_reload(struct project *project, struct error *err);
#endif
