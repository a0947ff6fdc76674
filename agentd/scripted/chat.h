/*
 * chat.h - what a client asks, whichever dialect it speaks: the few things that a scripted model looks at.
 *
 * A body is foreign. A tool's result is a message of role "tool" in OpenAI's dialect and a part of a user message in
 * Anthropic's; a user message without a text of its own is none here.
 */
#ifndef AGENTD_SCRIPTED_CHAT_H
#define AGENTD_SCRIPTED_CHAT_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct error;
struct scenario_step;

#define CHAT_MODEL_MAX	  128
#define CHAT_MODEL_PREFIX "scripted/"

struct chat {
	bool is_stream, wants_usage;
	char model[sizeof(CHAT_MODEL_PREFIX) + CHAT_MODEL_MAX]; /* what the reply calls itself */
	json_t *first_user, *last_user; /* strings; NULL: no user has said anything */
	json_t *result;			/* of the last tool, a string; NULL: none */
	size_t results;			/* of tools, after the last user message */
	size_t size;			/* bytes of the request */
};

/* 0; -EINVAL: err says what is wanted; -ENOMEM. */
int chat_parse(const char *body, size_t size, struct chat *ret_chat, struct error *err);
/* Accepts one that was never parsed, all 0. */
void chat_finish(struct chat *chat);

/*
 * What is said when no scenario says anything: the n-th "run: COMMAND" of a last user message that begins with one, after n
 * results; "scripted model: RESULT" after them all; else "scripted model: you said: TEXT". 0 or -ENOMEM.
 */
int chat_answer(const struct chat *chat, struct scenario_step *ret_step);
#endif
