/*
 * request.h - what clients ask, and its one answer each.
 */
#ifndef SUPERVISOR_REQUEST_H
#define SUPERVISOR_REQUEST_H
#include <stdint.h>

#include "proto/control.h"

struct client;

/* Room for any request. */
union request {
	struct message_header header;
	struct control_acquire acquire;
	struct control_lease lease;
	struct control_query query;
	struct control_net net;
	struct control_pool_set pool_set;
	struct control_workspace workspace;
};

/* A request that check_message() has passed. arrived_ns: when it was read. */
void request_handle(struct client *client, const union request *request, uint64_t arrived_ns);
#endif
