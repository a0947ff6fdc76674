/* What there is: sandbox.list, pool.status, agentd.version. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/listing.h"
#include "agentd/method.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/guest.h"

/* A list on its way from the supervisor. */
struct work {
	struct call *call;
	const char *name; /* of the array in the result */
};

static void on_listed(
	void *arg, json_t *rows, uint64_t total, const struct control_refused *refused)
{
	auto_free struct work *work = arg;
	struct call *call = work->call;

	if (call->client)
		call->client->list_count--;
	if (refused)
		call_fail(call, fault_of_refusal(refused->refusal), "%s", refused->text);
	else
		call_result(
			call, json_pack("{s:O,s:I}", work->name, rows, "total", (json_int_t)total));
}

static void list(struct call *call, uint16_t type, const char *name)
{
	auto_free struct work *work = calloc(1, sizeof(*work));
	struct error err;
	int r;

	if (!work || call->client->list_count >= CLIENT_LISTS_MAX) {
		call_fail(call, FAULT_BUSY, "%d lists of this connection are under way",
			CLIENT_LISTS_MAX);
		return;
	}
	work->call = call;
	work->name = name;
	r = listing_start(call->server, type, &call->client->owner, on_listed, work, &err);
	if (r < 0) {
		call_fail(call, r == -EPIPE ? FAULT_STOPPING : fault_of_errno(r), "%s", err.text);
		return;
	}
	take_ptr(&work);
	call->client->list_count++;
}

void method_sandbox_list(struct call *call)
{
	list(call, CONTROL_LIST, "sandboxes");
}

void method_pool_status(struct call *call)
{
	list(call, CONTROL_POOLS, "pools");
}

void method_version(struct call *call)
{
	call_result(call,
		json_pack("{s:s,s:s,s:i,s:i}", "name", "hearth-agentd", "version", PACKAGE_VERSION,
			"control_version", CONTROL_VERSION, "guest_version", GUEST_VERSION));
}
