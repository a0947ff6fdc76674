/*
 * reply_private.h - what the files of a reply share: reply.c (text, thinking, the message), reply_call.c (tool calls).
 */
#ifndef AGENTD_UPSTREAM_REPLY_PRIVATE_H
#define AGENTD_UPSTREAM_REPLY_PRIVATE_H
#include "agentd/upstream/reply.h"

/* reply.c */
int reply_no_memory(struct error *err);
/* Count size bytes more of what is kept. */
int reply_hold(struct reply *reply, size_t size, struct error *err);
int reply_keep(
	struct reply *reply, struct evbuffer *to, const char *data, size_t size, struct error *err);
/* No more bytes come for what is carried over. */
int reply_flush(struct reply *reply, struct error *err);
/* A buffer's bytes as a JSON string. NULL: out of memory. */
json_t *reply_to_json(struct evbuffer *buffer);

/* reply_call.c */
void reply_calls_finish(struct reply *reply);
/* Into the message. */
int reply_calls_describe(const struct reply *reply, json_t *message, struct error *err);
#endif
