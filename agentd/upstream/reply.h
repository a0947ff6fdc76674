/*
 * reply.h - what has come of one reply: its text, tool calls, usage and end, whichever dialect it was told in.
 *
 * A dialect's decoder adds pieces; what a reader may see at once is passed on from here as whole characters. Sizes and counts
 * are capped as upstream.h says, since a model and its server are foreign. Where a function returns an int, it is 0, or
 * -E2BIG (beyond a cap), -EPROTO (not understood) or -ENOMEM with the reason.
 */
#ifndef AGENTD_UPSTREAM_REPLY_H
#define AGENTD_UPSTREAM_REPLY_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "agentd/upstream/upstream.h"
#include "agentd/utf8.h"

#define REPLY_NAME_MAX	256 /* bytes of a tool's name, and of a call's id */
#define REPLY_FAULT_MAX 160 /* bytes kept of what a server says is wrong; with terminator */

struct error;
struct evbuffer;

/* The beginning of a character whose other bytes are to come. */
struct reply_carry {
	size_t size;
	char bytes[UTF8_SEQUENCE_MAX];
};

/* One tool call, as far as it has come. */
struct reply_call {
	json_int_t index; /* the server's number; -1: it gives none */
	char *id;	  /* NULL until it has begun */
	char *name;	  /* likewise */
	bool is_own_id;	  /* made here */
	struct evbuffer *arguments;
	char last_byte; /* of the arguments */
	json_t *extra;	/* what a server wants back with the call, or NULL */
};

struct reply {
	const struct upstream_callbacks *callbacks; /* borrowed */
	struct evbuffer *text;
	struct reply_carry text_carry, thinking_carry;
	struct reply_call *calls; /* UPSTREAM_TOOL_CALLS_MAX at most */
	size_t call_count;
	struct evbuffer *thought, *signature; /* of the block that is coming */
	json_t *thoughts;		      /* the blocks that have come: an array */
	size_t held;			      /* bytes of text, arguments and thoughts */
	struct upstream_usage usage;
	enum upstream_finish finish;
	bool is_complete; /* the model has said that it is: finish holds */
	bool is_last;	  /* nothing more will come */
	bool is_loose;	  /* the pieces now added are of loose JSON */
	bool has_passed_text;
	long fault_http; /* the server told of an error in its answer: as which HTTP status */
	char fault[REPLY_FAULT_MAX];
};

/* 0 or -ENOMEM; reply_finish() is due in either case. */
int reply_init(struct reply *reply, const struct upstream_callbacks *callbacks);
void reply_finish(struct reply *reply);

/* Pieces: what is no string, or NULL, is nothing. */
int reply_text(struct reply *reply, const json_t *piece, struct error *err);
int reply_thinking(struct reply *reply, const json_t *piece, struct error *err);

struct reply_call_piece {
	json_int_t index;	 /* -1: none */
	const char *id, *name;	 /* NULL or "": none */
	const json_t *arguments; /* a string; or the whole of them as an object */
	const json_t *extra;
};
int reply_call(struct reply *reply, const struct reply_call_piece *piece, struct error *err);

/* Blocks of thinking that go back to the model with the calls that they led to: text, signature, or a block as it is. */
int reply_thought(
	struct reply *reply, const json_t *text, const json_t *signature, struct error *err);
int reply_thought_end(struct reply *reply, const json_t *whole, struct error *err);

/* The counts that the server gives so far; -1: it does not give that one. */
void reply_usage(struct reply *reply, json_int_t prompt_tokens, json_int_t completion_tokens);
bool reply_has_text(const struct reply *reply);
void reply_complete(struct reply *reply, enum upstream_finish finish);
/* The server says that it failed. Always -EREMOTEIO. */
int reply_fault(struct reply *reply, long http, const char *text, struct error *err);

/* All has come: what was carried over goes out, and *ret_message is as upstream_result has it; the caller's. */
int reply_message(struct reply *reply, json_t **ret_message, struct error *err);
/* What was passed on before a cut or a cancel; without tool calls, which may not be whole. NULL: nothing was, or out of memory. */
json_t *reply_partial(struct reply *reply);
#endif
