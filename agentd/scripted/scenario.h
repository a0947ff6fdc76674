/*
 * scenario.h - what the scripted model is to say: a JSON text, read and checked at once, and its counters.
 *
 * Knows nothing of HTTP or dialects. A step says how one request is answered: with text and tool calls, or with a
 * status; and what goes wrong on the wire meanwhile. docs/scripted-model.md lists its members for people.
 */
#ifndef AGENTD_SCRIPTED_SCENARIO_H
#define AGENTD_SCRIPTED_SCENARIO_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct scenario;

#define SCENARIO_FILE_MAX   (64 * 1024 * 1024)
#define SCENARIO_STEPS_MAX  10000 /* of a list */
#define SCENARIO_GROUPS_MAX 256
#define SCENARIO_CALLS_MAX  4096 /* of a step */
#define SCENARIO_COUNTERS_MAX                                                                      \
	4096 /* of all groups; then the one that was least recently asked for is forgotten */
#define SCENARIO_CHUNK_MAX    (16 * 1024 * 1024)
#define SCENARIO_DELAY_MAX_MS (24 * 60 * 60 * 1000)
#define SCENARIO_NEVER	      UINT64_MAX

enum scenario_finish {
	SCENARIO_FINISH_AUTO, /* calls or stop, by what the step has */
	SCENARIO_FINISH_STOP,
	SCENARIO_FINISH_LENGTH,
	SCENARIO_FINISH_CALLS,
	SCENARIO_FINISH_FILTER,
};

/* Numbers are uint64_t throughout, because one row each of one table reads them. */
struct scenario_step {
	/* A reply. NULL: it has none. Strings; calls: [{name, arguments}], both strings. Owned. */
	json_t *text, *thinking, *calls;
	enum scenario_finish finish;
	bool has_usage;
	uint64_t prompt_tokens, completion_tokens;
	/* An HTTP status instead; 0: none. body: an object, a string (sent as it is), or NULL. Owned. */
	uint64_t status;
	json_t *body;
	uint64_t retry_after_s; /* SCENARIO_NEVER: no such header */

	uint64_t repeat;
	uint64_t delay_ms;		 /* before the first byte */
	uint64_t chunk;			 /* bytes of content in an event, in whole characters */
	uint64_t wire_chunk;		 /* bytes of body in a write; 0: an event */
	uint64_t cut_after, stall_after; /* bytes of body; SCENARIO_NEVER */
	bool no_done, crlf, comments;
};

/* A step that has nothing in it, to be filled. */
void scenario_step_init(struct scenario_step *step);
void scenario_step_finish(struct scenario_step *step);

/* text need not be terminated. 0; -EINVAL: err says the line and what is wanted; -ENOMEM. */
int scenario_parse(
	const char *text, size_t size, struct scenario **ret_scenario, struct error *err);
/* The file of this name. As scenario_parse(), or -errno. */
int scenario_read(const char *path, struct scenario **ret_scenario, struct error *err);
/* Accepts NULL. */
void scenario_destroy(struct scenario *scenario);

/*
 * The next step for a conversation that is known by its first user message, and of whose last one a group may know a
 * part; both are strings, or NULL. True: a copy, for scenario_step_finish(). False: none is left, or scenario is NULL.
 */
bool scenario_next(struct scenario *scenario, const json_t *first_user, const json_t *last_user,
	struct scenario_step *ret_step);
#endif
