/* What there is: sandbox.list, pool.status, agentd.version. */
#include "config.h"

#include <string.h>

#include "agentd/call.h"
#include "agentd/client.h"
#include "agentd/method.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/error.h"

#define LIST_ROWS_MAX 4000 /* so that the answer stays below RPC_LINE_MAX */

/* Rows on their way from the supervisor. */
struct listing {
	struct call *call;
	const char *name; /* of the array in the result */
	json_t *rows;
	uint64_t total;
};

/* To the supervisor, all that agentd leases is agentd's: say whose it really is. */
static json_t *describe_sandbox(
	const struct listing *listing, const struct control_sandbox_row *row)
{
	struct client *client = listing->call->client;
	const struct sandbox *sandbox = sandbox_find(listing->call->server, row->handle.sandbox);
	json_t *result = sandbox_handle(&row->handle);
	json_int_t pid = row->owner_pid;
	json_int_t uid = row->owner_uid;
	json_t *rest;

	if (sandbox) {
		pid = sandbox->owner->peer.pid;
		uid = sandbox->owner->peer.uid;
	}
	rest = json_pack("{s:s,s:s,s:I,s:I,s:b,s:b,s:I,s:I,s:f}", "template", row->template_name,
		"state", control_state_name(row->state), "owner_pid", pid, "owner_uid", uid,
		"by_agentd", sandbox != NULL, "mine", sandbox && sandbox->owner == client, "age_ms",
		(json_int_t)row->age_ms, "lease_age_ms", (json_int_t)row->lease_age_ms, "build_us",
		(double)row->build_ns / 1e3);
	json_object_update(result, rest);
	json_decref(rest);
	return result;
}

static json_t *describe_pool(const struct control_pool_row *row)
{
	return json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,"
			 "s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:I,s:I,s:I,s:I,s:o}",
		"template", row->template_name, "image", row->image, "net", row->net, "min",
		(int)row->min, "max", (int)row->max, "target", (int)row->target, "building",
		(int)row->building, "ready", (int)row->ready, "leased", (int)row->leased, "frozen",
		(int)row->frozen, "discarding", (int)row->discarding, "waiting", (int)row->waiting,
		"hits", (json_int_t)row->hits, "built", (json_int_t)row->built, "waited",
		(json_int_t)row->waited, "refused", (json_int_t)row->refused, "build_failures",
		(json_int_t)row->build_failures, "build_p50_us", (double)row->build_p50_ns / 1e3,
		"build_p99_us", (double)row->build_p99_ns / 1e3, "idle_bytes",
		(json_int_t)row->idle_bytes, "lease_bytes", (json_int_t)row->lease_bytes,
		"promised_bytes", (json_int_t)row->promised_bytes, "budget_bytes",
		(json_int_t)row->budget_bytes, "broken",
		utf8_to_json(row->broken, strlen(row->broken)));
}

static void add_row(struct listing *listing, const struct message_header *message)
{
	if (listing->total++ >= LIST_ROWS_MAX)
		return;
	if (message->type == CONTROL_SANDBOX_ROW)
		json_array_append_new(
			listing->rows, describe_sandbox(listing, (const void *)message));
	else
		json_array_append_new(listing->rows, describe_pool((const void *)message));
}

static void on_row(void *arg, const struct message_header *message, int fd, bool is_last)
{
	struct listing *listing = arg;

	fd_close(fd);
	if (!is_last) {
		add_row(listing, message);
		return;
	}
	server_answered(listing->call->server);
	if (listing->call->client)
		listing->call->client->list_count--;
	if (message->type == CONTROL_REFUSED) {
		const struct control_refused *refused = (const void *)message;

		json_decref(listing->rows);
		call_fail(listing->call, fault_of_refusal(refused->refusal), "%s", refused->text);
	} else {
		call_result(listing->call, json_pack("{s:o,s:I}", listing->name, listing->rows,
						   "total", (json_int_t)listing->total));
	}
	free(listing);
}

static void list(struct call *call, uint16_t type, const char *name)
{
	struct control_query query = {0};
	struct listing *listing = calloc(1, sizeof(*listing));
	struct error err;
	int r;

	if (!listing || call->client->list_count >= CLIENT_LISTS_MAX) {
		free(listing);
		call_fail(call, FAULT_BUSY, "%d lists of this connection are under way",
			CLIENT_LISTS_MAX);
		return;
	}
	listing->call = call;
	listing->name = name;
	listing->rows = json_array();
	r = server_ask(call->server, type, &query, sizeof(query), on_row, listing, &err);
	if (r < 0) {
		json_decref(listing->rows);
		free(listing);
		call_fail(call, r == -EPIPE ? FAULT_STOPPING : fault_of_errno(r), "%s", err.text);
		return;
	}
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
