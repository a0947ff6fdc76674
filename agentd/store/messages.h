/* messages.h - the conversation of a session: appended to, never changed. */
#ifndef AGENTD_STORE_MESSAGES_H
#define AGENTD_STORE_MESSAGES_H
#include <jansson.h>

struct database;
struct error;

/* message: a chat object with its role. args: {session, run, now}. -ENOENT: no such session. */
int messages_append(
	struct database *database, json_t *message, const json_t *args, struct error *err);
#endif
