#include "agentd/fault.h"

#include <errno.h>

#include "proto/control.h"

static const struct {
	const char *name;
	enum rpc_code code;
} faults[] = {
	[FAULT_INVALID_ARGUMENTS] = {"invalid_arguments", RPC_INVALID_PARAMS},
	[FAULT_UNKNOWN_METHOD] = {"unknown_method", RPC_METHOD_NOT_FOUND},
	[FAULT_UNKNOWN_TOOL] = {"unknown_tool", RPC_NOT_FOUND},
	[FAULT_NO_TEMPLATE] = {"no_template", RPC_NOT_FOUND},
	[FAULT_NO_REQUEST] = {"no_request", RPC_NOT_FOUND},
	[FAULT_STALE_HANDLE] = {"stale_handle", RPC_STALE_HANDLE},
	[FAULT_DENIED] = {"denied", RPC_DENIED},
	[FAULT_POOL_EXHAUSTED] = {"pool_exhausted", RPC_EXHAUSTED},
	[FAULT_BUSY] = {"busy", RPC_EXHAUSTED},
	[FAULT_LIMIT] = {"limit", RPC_EXHAUSTED},
	[FAULT_TIMEOUT] = {"timeout", RPC_TIMEOUT},
	[FAULT_UNSUPPORTED] = {"unsupported", RPC_INVALID_PARAMS},
	[FAULT_POOL_BROKEN] = {"pool_broken", RPC_UNAVAILABLE},
	[FAULT_STOPPING] = {"stopping", RPC_UNAVAILABLE},
	[FAULT_SANDBOX_ENDED] = {"sandbox_ended", RPC_LEASE_ENDED},
	[FAULT_COMMAND_FAILED] = {"command_failed", RPC_COMMAND_FAILED},
	[FAULT_TOO_LARGE] = {"too_large", RPC_TOO_LARGE},
	[FAULT_NOT_FOUND] = {"not_found", RPC_NOT_FOUND},
	[FAULT_CONFLICT] = {"conflict", RPC_EXHAUSTED},
	[FAULT_UPSTREAM] = {"upstream_error", RPC_UNAVAILABLE},
	[FAULT_INTERNAL] = {"internal_error", RPC_INTERNAL_ERROR},
};

const char *fault_name(enum fault fault)
{
	return faults[fault].name;
}

enum rpc_code fault_code(enum fault fault)
{
	return faults[fault].code;
}

enum fault fault_of_refusal(uint32_t refusal)
{
	switch ((enum control_refusal)refusal) {
	case REFUSED_DENIED:
		return FAULT_DENIED;
	case REFUSED_NO_TEMPLATE:
		return FAULT_NO_TEMPLATE;
	case REFUSED_EMPTY:
		return FAULT_POOL_EXHAUSTED;
	case REFUSED_TIMEOUT:
		return FAULT_TIMEOUT;
	case REFUSED_LIMIT:
		return FAULT_LIMIT;
	case REFUSED_STALE:
		return FAULT_STALE_HANDLE;
	case REFUSED_UNSUPPORTED:
		return FAULT_UNSUPPORTED;
	case REFUSED_BROKEN:
		return FAULT_POOL_BROKEN;
	case REFUSED_STOPPING:
		return FAULT_STOPPING;
	}
	return FAULT_INTERNAL;
}

enum fault fault_of_errno(int r)
{
	switch (-r) {
	case EBUSY:
		return FAULT_BUSY;
	case EPIPE:
		return FAULT_SANDBOX_ENDED;
	case EINVAL:
	case E2BIG:
	case ENAMETOOLONG:
		return FAULT_INVALID_ARGUMENTS;
	default:
		return FAULT_INTERNAL;
	}
}
