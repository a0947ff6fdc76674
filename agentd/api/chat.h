/*
 * chat.h - POST /v1/chat/completions: a run of an agent, told in the words of OpenAI's clients.
 */
#ifndef AGENTD_API_CHAT_H
#define AGENTD_API_CHAT_H
#include <jansson.h>

#define CHAT_MESSAGES_MAX 10000

struct api_call;
struct error;

void chat_complete(struct api_call *call);

/*
 * The messages of a request as they are kept and sent on: roles system, user, assistant, tool; text parts joined into
 * one string. *ret_system: the system messages' text, or NULL. Both are the caller's. 0, -EINVAL with "messages[3].content:
 * ..." in err, -ENOMEM.
 */
int chat_parse(const json_t *messages, json_t **ret_messages, char **ret_system, struct error *err);
/*
 * What every provider wants of a conversation: one message is the user's, and the tool messages behind an assistant's are
 * the results of its calls, all and no others. 0, -EINVAL, -ENOMEM.
 */
int chat_check(const json_t *messages, struct error *err);
/*
 * Those that are new to a session which has the others already: the user's at the end, which may be none. The caller's array
 * of shared members.
 */
json_t *chat_new_messages(const json_t *messages);
#endif
