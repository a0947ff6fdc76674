/*
 * request.h - one request under way: its turn in the queue, its tries, waits and fallbacks, and its one end.
 *
 * It waits (for its time or its turn) or has an attempt under way; every step begins in a callback of the loop.
 */
#ifndef AGENTD_UPSTREAM_REQUEST_H
#define AGENTD_UPSTREAM_REQUEST_H
#include "agentd/upstream/provider.h"
#include "agentd/upstream/tools_text.h"
#include "agentd/upstream/transfer.h"
#include "agentd/upstream/upstream.h"

#define REQUEST_TRIES	      4
#define REQUEST_FIRST_WAIT_MS 1000
#define REQUEST_LAST_WAIT_MS  30000
#define REQUEST_CONNECT_MS    10000
#define REQUEST_STALL_MS      180000 /* a model may think that long without a byte */

struct upstream {
	struct event_base *base;
	struct transfers *transfers;
	struct provider_list providers;
	struct tools_text tools_text;
	uint32_t tries, first_wait_ms, last_wait_ms, connect_timeout_ms, stall_timeout_ms;
	struct list requests;
	unsigned request_count; /* at most TRANSFERS_MAX */
	bool is_closing;
};

/* As upstream_ask() and upstream_cancel(). */
int request_start(struct upstream *upstream, const struct upstream_ask *ask,
	const struct upstream_callbacks *callbacks, struct upstream_request **ret_request,
	struct error *err);
void request_cancel(struct upstream_request *request);
/* End those that are left when no transfer is under way any more. */
void request_end_all(struct upstream *upstream);
#endif
