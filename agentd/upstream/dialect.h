/*
 * dialect.h - how one kind of server is asked and how its answer is read: a struct of functions, and no state.
 */
#ifndef AGENTD_UPSTREAM_DIALECT_H
#define AGENTD_UPSTREAM_DIALECT_H
#include <jansson.h>
#include <stdbool.h>

#include "agentd/upstream/reply.h"

struct error;

/* One request for one model, borrowed: the JSON as struct upstream_ask has it, members may be NULL. */
struct dialect_ask {
	const char *model; /* without its provider */
	const json_t *messages, *tools, *options;
	const char *reasoning;
	unsigned traits; /* enum provider_trait */
};

struct dialect {
	const char *path;	/* below the provider's base URL */
	const char *key_header; /* "Name: " and what else stands before the key */
	const char *header;	/* one more, or NULL */
	/* All but the list of tools; *ret_body is the caller's. 0, -EINVAL (messages that it cannot say) or -ENOMEM. */
	int (*encode)(const struct dialect_ask *ask, json_t **ret_body, struct error *err);
	/* The body's member `tools`: a new reference. NULL: out of memory. */
	json_t *(*encode_tools)(const json_t *tools);
	/* One event of a stream. 0, or negative as reply.h has it: nothing more is read. */
	int (*event)(struct reply *reply, const json_t *event, struct error *err);
	/* A whole answer, of a server that does not stream. Likewise. */
	int (*whole)(struct reply *reply, const json_t *answer, struct error *err);
};

extern const struct dialect dialect_openai;
extern const struct dialect dialect_anthropic;

/* The half of it that stands in a file of its own. */
int dialect_anthropic_encode(const struct dialect_ask *ask, json_t **ret_body, struct error *err);
json_t *dialect_anthropic_encode_tools(const json_t *tools);

/* What the dialects share. */

/*
 * The data of an event, or a whole answer, to the function of the dialect that takes it. -EPROTO also when it is no
 * JSON object; -EREMOTEIO: it says what has failed, see reply_fault().
 */
int dialect_read(const struct dialect *dialect, struct reply *reply, bool is_whole,
	const char *data, size_t size, struct error *err);
/* A call's arguments as the object that servers insist on, also when the model's text is none. */
json_t *dialect_arguments(const char *text);
/*
 * {"error": ...} in whichever form, or an array of one: which HTTP status it stands for (0: it says none), and its
 * text as one line of UTF-8.
 */
long dialect_fault(const json_t *answer, char text[static REPLY_FAULT_MAX]);
/* Bytes of a server as one line of UTF-8 without control characters, cut after a whole character. */
void dialect_line(const char *bytes, size_t size, char text[static REPLY_FAULT_MAX]);
#endif
