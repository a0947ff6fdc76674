/*
 * speech.h - a reply as it is said, piece by piece, and the two dialects that it can be written in.
 *
 * One speech is one step, said once. A stream is written event by event, each made when it is asked for, so that a long
 * reply in small pieces needs no memory.
 */
#ifndef AGENTD_SCRIPTED_SPEECH_H
#define AGENTD_SCRIPTED_SPEECH_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chat;
struct evbuffer;
struct scenario_step;

enum speech_part { SPEECH_THINKING, SPEECH_TEXT, SPEECH_CALL };

/* What is said next. A part is a run of deltas of one kind. */
enum speech_piece {
	SPEECH_BEGIN,
	SPEECH_PART_BEGIN,
	SPEECH_DELTA,
	SPEECH_PART_END,
	SPEECH_END, /* why it ends */
	SPEECH_USAGE,
	SPEECH_DONE,
	SPEECH_NOTHING, /* all is said */
};

struct speech {
	const struct scenario_step *step; /* borrowed, like chat */
	const struct chat *chat;
	uint64_t number; /* of the request, in its ids */
	int64_t created; /* s since 1970 */
	/* Where it stands: the next piece, and what it is of. */
	enum speech_piece next;
	enum speech_part part;
	size_t index;	    /* of the part */
	size_t call;	    /* of its call, among the calls */
	const json_t *text; /* of the part: what its deltas say */
	size_t said;
	/* Of the piece that was taken last. */
	const char *delta;
	size_t delta_size;
};

struct dialect {
	const char *path;
	/* Adds what this piece is in a stream, which may be nothing. 0 or -ENOMEM. */
	int (*write_piece)(
		const struct speech *speech, enum speech_piece piece, struct evbuffer *out);
	/* The same in one object; NULL: out of memory. */
	json_t *(*make_whole)(const struct speech *speech);
	json_t *(*make_error)(unsigned status, const char *message);
};

extern const struct dialect speech_openai, speech_anthropic;

void speech_init(struct speech *speech, const struct scenario_step *step, const struct chat *chat,
	uint64_t number);
/* Takes the next piece; delta and part are of this piece until the next call. */
enum speech_piece speech_take(struct speech *speech);

/* Rough: a token is four bytes; or what the step says. */
uint64_t speech_prompt_tokens(const struct speech *speech);
uint64_t speech_completion_tokens(const struct speech *speech);

/* The name of the call at this index, and its arguments as text. */
const char *speech_call_name(const struct speech *speech, size_t call);
const json_t *speech_call_arguments(const struct speech *speech, size_t call);

/*
 * One event, as the step wants its lines: "event: NAME" unless NULL, then "data: JSON", which is taken over and may be
 * NULL (out of memory). 0 or -ENOMEM.
 */
int speech_write_event(
	const struct speech *speech, const char *name, json_t *data, struct evbuffer *out);
/* Likewise with a text of one line. */
int speech_write_line(
	const struct speech *speech, const char *name, const char *data, struct evbuffer *out);
#endif
