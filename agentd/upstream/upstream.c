#include "agentd/upstream/upstream.h"

#include <errno.h>
#include <stdlib.h>

#include "agentd/upstream/request.h"
#include "base/cleanup.h"
#include "base/error.h"

static uint32_t or_default(uint32_t value, uint32_t usual)
{
	return value > 0 ? value : usual;
}

int upstream_create(struct event_base *base, const struct upstream_options *options,
	struct upstream **ret_upstream, struct error *err)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	int r;

	if (!upstream)
		return error_set(err, ENOMEM, "models: out of memory");
	upstream->base = base;
	upstream->tries = or_default(options->tries, REQUEST_TRIES);
	upstream->first_wait_ms = or_default(options->first_wait_ms, REQUEST_FIRST_WAIT_MS);
	upstream->last_wait_ms = or_default(options->last_wait_ms, REQUEST_LAST_WAIT_MS);
	upstream->connect_timeout_ms = or_default(options->connect_timeout_ms, REQUEST_CONNECT_MS);
	upstream->stall_timeout_ms = or_default(options->stall_timeout_ms, REQUEST_STALL_MS);
	list_init(&upstream->requests);
	r = provider_list_init(&upstream->providers, options, err);
	if (r == 0)
		r = transfers_create(base, &upstream->transfers, err);
	if (r < 0) {
		upstream_destroy(upstream);
		return error_prefix(err, r, "models");
	}
	*ret_upstream = upstream;
	return 0;
}

void upstream_destroy(struct upstream *upstream)
{
	if (!upstream)
		return;
	upstream->is_closing = true;
	transfers_destroy(upstream->transfers);
	request_end_all(upstream);
	provider_list_finish(&upstream->providers);
	tools_text_finish(&upstream->tools_text);
	free(upstream);
}

int upstream_ask(struct upstream *upstream, const struct upstream_ask *ask,
	const struct upstream_callbacks *callbacks, struct upstream_request **ret_request,
	struct error *err)
{
	return request_start(upstream, ask, callbacks, ret_request, err);
}

void upstream_cancel(struct upstream_request *request)
{
	request_cancel(request);
}
