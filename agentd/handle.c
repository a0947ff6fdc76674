#include "agentd/handle.h"

#include <inttypes.h>
#include <stdlib.h>

#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/number.h"

/* A sandbox that is not leased here, as the supervisor sees it. */
struct search {
	struct call *call;
	uint64_t id;
	struct control_sandbox_row row; /* header.type 0: not found yet */
};

static void answer(const struct search *search)
{
	const struct control_sandbox_row *row = &search->row;

	if (row->header.type == 0)
		call_fail(search->call, FAULT_STALE_HANDLE,
			"there is no sandbox %" PRIu64 ": sandbox.list shows those that are",
			search->id);
	else if (row->state == SANDBOX_LEASED)
		call_fail(search->call, FAULT_DENIED,
			"sandbox %" PRIu64 " is leased by pid %u of uid %u from the supervisor "
			"itself: only what agentd leases can be used here",
			search->id, row->owner_pid, row->owner_uid);
	else
		call_fail(search->call, FAULT_DENIED,
			"sandbox %" PRIu64 " is %s, nobody leases it: acquire one", search->id,
			control_state_name(row->state));
}

static void on_row(void *arg, const struct message_header *message, int fd, bool is_last)
{
	const struct control_sandbox_row *row = (const void *)message;
	struct search *search = arg;

	fd_close(fd);
	if (message->type == CONTROL_SANDBOX_ROW && row->handle.sandbox == search->id)
		search->row = *row;
	if (!is_last)
		return;
	server_answered(search->call->server);
	if (message->type == CONTROL_REFUSED)
		call_fail(search->call,
			fault_of_refusal(((const struct control_refused *)message)->refusal),
			"whose sandbox %" PRIu64 " is, cannot be told now", search->id);
	else
		answer(search);
	free(search);
}

/* Nobody leases it here: say who does. */
static void search_holder(struct call *call, uint64_t id)
{
	struct control_query list = {0};
	struct search *search = calloc(1, sizeof(*search));
	struct error err;

	if (!search) {
		call_fail(call, FAULT_INTERNAL, "out of memory");
		return;
	}
	search->call = call;
	search->id = id;
	if (server_ask(call->server, CONTROL_LIST, &list, sizeof(list), on_row, search, &err) < 0) {
		call_fail(call, FAULT_BUSY, "%s", err.text);
		free(search);
	}
}

/* True when there is no epoch. */
static bool is_epoch(const json_t *epoch, uint64_t expected)
{
	uint64_t value;

	if (!epoch)
		return true;
	return number_parse(json_string_value(epoch), 0, UINT64_MAX, &value) == 0 &&
	       value == expected;
}

struct sandbox *handle_find(struct call *call)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(call->params, "id"));
	const json_t *epoch = json_object_get(call->params, "epoch");
	struct sandbox *sandbox = sandbox_find(call->server, id);
	const struct unix_socket_peer *owner, *peer = &call->client->owner.peer;

	if (!sandbox && !epoch) {
		search_holder(call, id);
		return NULL;
	}
	if (!sandbox || !is_epoch(epoch, sandbox->lease.handle.epoch)) {
		call_fail(call, FAULT_STALE_HANDLE,
			"sandbox %" PRIu64 " of this epoch is not leased (any more): acquire one",
			id);
		return NULL;
	}
	owner = &sandbox->owner->peer;
	if (sandbox->owner != &call->client->owner && peer->uid != 0 && peer->uid != owner->uid) {
		call_fail(call, FAULT_DENIED,
			"sandbox %" PRIu64 " is leased by pid %d of uid %u: only that user and "
			"root may use it",
			id, (int)owner->pid, (unsigned)owner->uid);
		return NULL;
	}
	return sandbox;
}
