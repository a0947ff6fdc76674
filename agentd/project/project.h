/*
 * project.h - a project's folder: the agents, skills and memory that its owner wrote.
 *
 * Side: agentd. Everything in the folder is foreign: it is read by (directory fd, name) without following
 * links, below caps, and what is wrong with it is a list of problems with file, line and fix. Files are read
 * again when they change; a folder that went bad keeps what was loaded last.
 *
 * DIR/.hearth/ or, where that is absent, DIR/.polpo/:
 *   polpo.json, agents.json, teams.json, memory.md, memory/AGENT.md, skills/NAME/SKILL.md
 */
#ifndef AGENTD_PROJECT_PROJECT_H
#define AGENTD_PROJECT_PROJECT_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct error;
struct project;

#define PROJECT_NAME_MAX	 64 /* bytes of an agent's or a skill's name */
#define PROJECT_FALLBACKS_MAX	 7  /* models of an agent beside its first */
#define PROJECT_AGENTS_MAX	 256
#define PROJECT_SKILLS_MAX	 256
#define PROJECT_FILE_MAX	 (1024 * 1024)	    /* bytes of one file */
#define PROJECT_SKILLS_BYTES_MAX (16 * 1024 * 1024) /* of all SKILL.md together */
#define PROJECT_PROBLEMS_MAX	 64 /* that are kept, at most half of them warnings; all are counted */

/* One agent, as its file says it; shared, see project_agent_ref(). Strings are UTF-8 without NUL. */
struct project_agent {
	const char *name; /* unique in its project */
	const char *role; /* "" when absent; so are the next two */
	const char *team;
	const char *system_prompt;
	const char *model;		  /* "provider/model"; "" when absent */
	const char *reasoning;		  /* NULL, or off minimal low medium high xhigh */
	const char *const *fallbacks;	  /* NULL-terminated, as are the next three; never NULL */
	const char *const *allowed_tools; /* names, or a prefix and a trailing * */
	const char *const *skills;
	const char *const *allowed_paths;
	uint32_t max_turns;	  /* 0: no limit */
	uint32_t max_concurrency; /* runs at a time; 0: no limit */
	json_t *json; /* the object as the file has it, unknown fields too; not to be changed */
};

struct project_skill {
	const char *name, *description, *body;
	const char *const *tools, *const *tags; /* NULL-terminated */
};

enum project_level { PROJECT_ERROR, PROJECT_WARNING };
struct project_problem {
	enum project_level level;
	const char *file; /* relative to DIR */
	unsigned line;	  /* 0: the file as a whole */
	const char *text, *fix;
};

/*
 * Open and load the project whose directory (which holds .hearth or .polpo) is dirfd, borrowed and copied. tools: names that
 * allowedTools may hold, NULL-terminated, borrowed until the end; others are a warning. NULL: any.
 * 0; -ENOENT: there is neither folder; -EINVAL: it has errors: then *ret_project is given all the same,
 * without agents, so that its problems can be shown; other -errno.
 */
int project_open(
	int dirfd, const char *const *tools, struct project **ret_project, struct error *err);
/* Accepts NULL. */
void project_close(struct project *project);

/*
 * Look whether a file has changed (a few stat calls; call it before a request is served) and read again. 1: read,
 * 0: nothing has changed since it was last read, well or badly; -EINVAL: read, and it has errors: what was served before
 * stays. Other -errno: nothing is known, try again.
 */
int project_refresh(struct project *project, struct error *err);

/* All that was found wrong when it was last read. Borrowed until the next project_ call that changes. */
size_t project_problems(const struct project *project, const struct project_problem **ret_problems);

/* A line per problem and a last one with counts, or a JSON object: what `hearth agent validate` prints. */
void project_report(const struct project *project, bool as_json, FILE *to);

/* The object in polpo.json, borrowed until it is read again; NULL: there is none. Not to be changed. */
const json_t *project_settings(const struct project *project);

size_t project_agent_count(const struct project *project);
/* Borrowed: take a reference to keep it over a refresh. NULL: there is none. */
const struct project_agent *project_agent_at(const struct project *project, size_t index);
const struct project_agent *project_agent_find(const struct project *project, const char *name);
const struct project_agent *project_agent_ref(const struct project_agent *agent);
void project_agent_unref(const struct project_agent *agent); /* accepts NULL */
/* Does allowed_tools let it call this one? Absent or empty: no. */
bool project_agent_may_call(const struct project_agent *agent, const char *tool);

size_t project_skill_count(const struct project *project);
const struct project_skill *project_skill_at(const struct project *project, size_t index);
const struct project_skill *project_skill_find(const struct project *project, const char *name);
/* SKILL.md as it stands. The caller's to free. 0 or -errno (-ENOENT). */
int project_skill_read(
	const struct project *project, const char *name, char **ret_text, struct error *err);

/*
 * agents.json with one agent more, changed (a merge of members; null removes one) or less. Replaced atomically, in
 * the shape that it has; then read again. -EEXIST, -ENOENT, -EINVAL (what would be wrong: nothing is written).
 */
int project_agent_create(struct project *project, const json_t *agent, struct error *err);
int project_agent_patch(
	struct project *project, const char *name, const json_t *changes, struct error *err);
int project_agent_delete(struct project *project, const char *name, struct error *err);
int project_skill_create(
	struct project *project, const char *name, const char *text, struct error *err);
/* Its SKILL.md, and its folder where nothing else stands in it. 0 also where the project has other errors. */
int project_skill_delete(struct project *project, const char *name, struct error *err);

/*
 * Shared memory (agent NULL) or an agent's own. A missing file reads as "". Text at most PROJECT_FILE_MAX bytes of
 * UTF-8, replaced atomically. 0 or -errno.
 */
int project_memory_read(
	const struct project *project, const char *agent, char **ret_text, struct error *err);
int project_memory_write(
	struct project *project, const char *agent, const char *text, struct error *err);
#endif
