/*
 * front_rpc.h - the routes of the HTTP API over agentd.sock: the same handlers, JSON-RPC for HTTP.
 *
 * A stream's frames are notifications stream.frame {request, seq?, event?, data}; the answer to the request is its end.
 */
#ifndef AGENTD_FRONT_RPC_H
#define AGENTD_FRONT_RPC_H
#include <stdbool.h>

struct call;

/* Runs the route that has this JSON-RPC name. False: none has, and nothing has been done. */
bool front_rpc_run(struct call *call, const char *name);
#endif
