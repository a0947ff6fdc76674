/*
 * fault.h - what can go wrong for a client of agentd.sock: a name for programs (data.type of the
 * error), and the JSON-RPC code that it goes with. One const table; docs/rpc.md lists it.
 */
#ifndef AGENTD_FAULT_H
#define AGENTD_FAULT_H
#include <stdint.h>

#include "proto/rpc.h"

enum fault {
	FAULT_INVALID_ARGUMENTS,
	FAULT_UNKNOWN_METHOD,
	FAULT_UNKNOWN_TOOL,
	FAULT_NO_TEMPLATE,
	FAULT_NO_REQUEST, /* no such request of this connection is in flight */
	FAULT_STALE_HANDLE,
	FAULT_DENIED,
	FAULT_POOL_EXHAUSTED,
	FAULT_BUSY,  /* a cap of agentd or the guest: try again when less is under way */
	FAULT_LIMIT, /* a cap of this peer or host at the supervisor */
	FAULT_TIMEOUT,
	FAULT_UNSUPPORTED,
	FAULT_POOL_BROKEN,
	FAULT_STOPPING,
	FAULT_SANDBOX_ENDED,
	FAULT_COMMAND_FAILED, /* it could not be started */
	FAULT_TOO_LARGE,
	FAULT_NOT_FOUND, /* an agent, a session, a run, a key */
	FAULT_CONFLICT,
	FAULT_UPSTREAM, /* the model's provider */
	FAULT_INTERNAL,
};

const char *fault_name(enum fault fault);
enum rpc_code fault_code(enum fault fault);

/* Of a refusal of the supervisor (enum control_refusal). */
enum fault fault_of_refusal(uint32_t refusal);
/* Of a negative errno of the guest client. */
enum fault fault_of_errno(int r);
#endif
