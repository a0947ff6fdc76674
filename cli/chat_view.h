/*
 * chat_view.h - an agent's answer as it comes, for people: text as it is, a line for each tool call and its end.
 *
 *   > bash npm test
 *     ok 1.2 s
 *   > read src/none.ts
 *     error: src/none.ts: there is no such file
 *
 * All of it is foreign text and printed by plain.h.
 */
#ifndef CLI_CHAT_VIEW_H
#define CLI_CHAT_VIEW_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHAT_VIEW_LINE_MAX  100 /* characters of what a tool is called with, or of an error */
#define CHAT_VIEW_CALLS_MAX 64	/* whose start is remembered, to tell how long they took */
#define CHAT_VIEW_ID_MAX    64

struct chat_view {
	FILE *to;
	bool has_colour;
	bool is_in_line; /* something stands in the last line */
	bool is_dim;	 /* the model thinks */
	unsigned calls;	 /* begun so far */
	struct {
		char id[CHAT_VIEW_ID_MAX];
		uint64_t since_ms;
	} call[CHAT_VIEW_CALLS_MAX]; /* the last ones, in turn */
};

void chat_view_init(struct chat_view *view, FILE *to);

/* One frame of chat.complete: a chunk of OpenAI's with choices[0].tool_call and .thinking beside its delta. */
void chat_view_frame(struct chat_view *view, const json_t *frame);

/* One message of a session: {role, content, tool_calls?, tool_call_id?}. */
void chat_view_message(struct chat_view *view, const char *agent, const json_t *message);

/* A new line, unless it is one. */
void chat_view_end_line(struct chat_view *view);
#endif
