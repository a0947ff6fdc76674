/* query.c - LIST and POOLS, their rows up to the end; requests about somebody's lease. */
#include "cli/query.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "proto/control_client.h"

#define QUERY_TIMEOUT_MS 10000

struct query {
	query_row_fn on_row;
	void *arg;
	bool is_done;
	struct error refused; /* code 0: it was not */
};

static void on_answer(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	struct query *query = arg;

	fd_close(fd);
	query->is_done = is_last;
	if (answer->type == CONTROL_REFUSED)
		error_set(&query->refused, EPERM, "%s",
			((const struct control_refused *)(const void *)answer)->text);
	else if (answer->type != CONTROL_DONE)
		query->on_row(query->arg, answer);
}

int query_rows(
	const char *directory, uint16_t type, query_row_fn on_row, void *arg, struct error *err)
{
	struct control_query request = {0};
	struct query query = {.on_row = on_row, .arg = arg};
	uint64_t until = clock_now_ms() + QUERY_TIMEOUT_MS;
	struct control_client *client = NULL;
	int r;

	r = control_client_connect(directory, &client, err);
	if (r == 0)
		r = control_client_send(
			client, type, &request, sizeof(request), on_answer, &query, err);
	while (r == 0 && !query.is_done) {
		struct pollfd p = {.fd = control_client_fd(client), .events = POLLIN};
		uint64_t now = clock_now_ms();

		if (now >= until)
			r = error_set(err, ETIMEDOUT, "the supervisor does not answer");
		else if (poll(&p, 1, (int)(until - now)) > 0)
			r = control_client_process(client, err);
	}
	if (r == 0 && query.refused.code) {
		*err = query.refused;
		r = -query.refused.code;
	}
	control_client_destroy(client); /* calls on_answer() for a request that is still open */
	return r;
}

struct pool_search {
	const char *name;
	struct control_pool_row row;
	int rank; /* 0: none; 1: by its image; 2: by its own name */
};

static void on_pool(void *arg, const struct message_header *header)
{
	struct pool_search *search = arg;
	const struct control_pool_row *row = (const void *)header;
	int rank = 0;

	if (!*search->name || strcmp(row->template_name, search->name) == 0)
		rank = 2;
	else if (strcmp(row->image, search->name) == 0)
		rank = 1;
	if (rank > search->rank) {
		search->row = *row;
		search->rank = rank;
	}
}

int query_pool(const char *directory, const char *name, struct control_pool_row *ret_row,
	struct error *err)
{
	struct pool_search search = {.name = name};
	int r = query_rows(directory, CONTROL_POOLS, on_pool, &search, err);

	if (r < 0)
		return r;
	if (!search.rank)
		return error_set(err, ENOENT, "no pool '%s'", name);
	*ret_row = search.row;
	return 0;
}

int query_check_leased(const struct control_sandbox_row *row, uint64_t id, struct error *err)
{
	if (row->header.type == 0)
		return error_set(err, ESRCH, "there is no sandbox %" PRIu64, id);
	if (row->state != SANDBOX_LEASED)
		return error_set(err, ESRCH, "sandbox %" PRIu64 " is %s, nobody leases it", id,
			control_state_name(row->state));
	return 0;
}

static void on_sandbox(void *arg, const struct message_header *header)
{
	const struct control_sandbox_row *row = (const void *)header;
	struct control_sandbox_row *wanted = arg;

	if (row->handle.sandbox == wanted->handle.sandbox)
		*wanted = *row;
}

int query_call(struct control_client *client, const struct control_sandbox_row *row, uint16_t type,
	void *request, uint32_t size, void *ret_answer, uint32_t ret_size, struct error *err)
{
	struct control_lease *lease = request;
	enum control_refusal refusal = 0;
	int r;

	lease->handle = row->handle;
	r = control_client_call(client, type, request, size, ret_answer, ret_size, NULL,
		QUERY_TIMEOUT_MS, &refusal, err);
	if (r < 0 && refusal == REFUSED_STALE)
		return error_set(
			err, ESRCH, "sandbox %" PRIu64 " has ended by itself", row->handle.sandbox);
	return r;
}

int query_lease(const char *directory, uint64_t id, uint16_t type, void *request, uint32_t size,
	void *ret_answer, uint32_t ret_size, struct error *err)
{
	struct control_sandbox_row row = {.handle.sandbox = id};
	struct control_client *client = NULL;
	int r = query_rows(directory, CONTROL_LIST, on_sandbox, &row, err);

	if (r == 0)
		r = query_check_leased(&row, id, err);
	if (r == 0)
		r = control_client_connect(directory, &client, err);
	if (r < 0)
		return r;
	r = query_call(client, &row, type, request, size, ret_answer, ret_size, err);
	control_client_destroy(client);
	return r;
}
