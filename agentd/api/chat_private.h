/* What chat.c (from a request to its run) and chat_reply.c (what its client is told) share. */
#ifndef AGENTD_API_CHAT_PRIVATE_H
#define AGENTD_API_CHAT_PRIVATE_H
#include <time.h>

#include "agentd/id.h"
#include "agentd/loop/run.h"
#include "agentd/store/store.h"

#define CHAT_ID_SIZE (sizeof("chatcmpl-") - 1 + ID_RANDOM_SIZE)

struct api_call;
struct event;

/* A request from its arguments to its end. */
struct chat {
	struct run_follower follower;
	struct api_call *call;
	struct service *service;
	struct run *run; /* NULL: not yet */
	const struct project_agent *agent;
	char session[STORE_ID_MAX + 1];
	bool is_new_session;
	json_t *session_row; /* NULL: a new one */
	json_t *messages;
	char *system;
	char id[CHAT_ID_SIZE];
	time_t created;
	bool is_stream, is_started, is_text_begun, has_text_before;
	struct event *timer;
};

void chat_destroy(struct chat *chat);

/* chat_reply.c: the run is there: tell the client of it, to its end. */
void chat_reply_begin(struct chat *chat);
/* 0 or -ENOMEM: before the run is there. */
int chat_reply_init(struct chat *chat);
#endif
