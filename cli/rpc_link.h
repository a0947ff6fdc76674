/*
 * rpc_link.h - a connection to agentd.sock: JSON-RPC requests out, answers and notifications in.
 */
#ifndef CLI_RPC_LINK_H
#define CLI_RPC_LINK_H
#include "proto/rpc.h"

struct error;
struct rpc_link;

#define RPC_LINK_TIMEOUT_MS 10000 /* of a call */

/* -ENOENT, -ECONNREFUSED: no agentd answers there. */
int rpc_link_open(const char *directory, struct rpc_link **ret_link, struct error *err);
/* Accepts NULL. */
void rpc_link_close(struct rpc_link *link);
int rpc_link_fd(const struct rpc_link *link);

/*
 * Send a request; its number is in *ret_id. params are taken over; NULL, as json_pack() has it of text that is not
 * UTF-8, is -EILSEQ. Waits while the socket is full.
 */
int rpc_link_send(struct rpc_link *link, const char *method, json_t *params, json_int_t *ret_id,
	struct error *err);

/* The next message, to be finished by the caller: 1; 0: none yet; -errno: agentd is gone. Never waits. */
int rpc_link_receive(struct rpc_link *link, struct rpc_message *ret_message, struct error *err);

/*
 * Whether this is the response to the request of that number. So is an error without a number: agentd could not read
 * what it was sent, and each of us has one request under way that matters.
 */
bool rpc_link_is_answer(const struct rpc_message *message, json_int_t id);

/* The error of a response as an errno and a text. Returns -errno. */
int rpc_link_explain(const json_t *rpc_error, struct error *err);

/* Send and wait for the result, which is the caller's; notifications that come before it are dropped. */
int rpc_link_call(struct rpc_link *link, const char *method, json_t *params, json_t **ret_result,
	struct error *err);
#endif
