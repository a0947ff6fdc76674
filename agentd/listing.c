#include "agentd/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/owner.h"
#include "agentd/sandbox.h"
#include "agentd/server.h"
#include "agentd/utf8.h"
#include "base/cleanup.h"
#include "base/error.h"

/* Rows on their way from the supervisor. */
struct listing {
	struct server *server;
	const struct owner *owner; /* whose sandboxes are "mine"; only compared */
	listing_done_fn done;
	void *arg;
	json_t *rows;
	uint64_t total;
};

/* To the supervisor, all that agentd leases is agentd's: say whose it really is. */
static json_t *describe_sandbox(
	const struct listing *listing, const struct control_sandbox_row *row)
{
	const struct sandbox *sandbox = sandbox_find(listing->server, row->handle.sandbox);
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
		"by_agentd", sandbox != NULL, "mine", sandbox && sandbox->owner == listing->owner,
		"age_ms", (json_int_t)row->age_ms, "lease_age_ms", (json_int_t)row->lease_age_ms,
		"build_us", (double)row->build_ns / 1e3);
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
	if (listing->total++ >= LISTING_ROWS_MAX)
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
	bool is_refused = message->type == CONTROL_REFUSED;

	fd_close(fd);
	if (!is_last) {
		add_row(listing, message);
		return;
	}
	server_answered(listing->server);
	listing->done(listing->arg, listing->rows, listing->total,
		is_refused ? (const void *)message : NULL);
	json_decref(listing->rows);
	free(listing);
}

int listing_start(struct server *server, uint16_t type, const struct owner *owner,
	listing_done_fn done, void *arg, struct error *err)
{
	struct control_query query = {0};
	struct listing *listing = calloc(1, sizeof(*listing));
	int r;

	if (!listing)
		return error_set(err, ENOMEM, "out of memory");
	*listing = (struct listing){
		.server = server, .owner = owner, .done = done, .arg = arg, .rows = json_array()};
	r = server_ask(server, type, &query, sizeof(query), on_row, listing, err);
	if (r < 0) {
		json_decref(listing->rows);
		free(listing);
	}
	return r;
}
