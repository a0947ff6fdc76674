/* sandbox.c - hearth sandbox ls: through agentd, which knows whose its leases are, else from the supervisor. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/drop.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "cli/rpc_link.h"
#include "cli/table.h"

static const struct cli_column columns[] = {
	{"ID", true},
	{"POOL", false},
	{"STATE", false},
	{"AGE_MS", true},
	{"LEASED_MS", true},
	{"OWNER_PID", true},
	{"OWNER_UID", true},
	{"BUILD_US", true},
	{"EPOCH", false},
};

static void add_control_row(void *arg, const struct message_header *header)
{
	const struct control_sandbox_row *row = (const void *)header;
	const uint64_t numbers[] = {row->age_ms, row->lease_age_ms, row->owner_pid, row->owner_uid,
		row->build_ns / 1000, row->handle.epoch};
	struct cli_table *table = arg;

	cli_table_add(table, "%" PRIu64, row->handle.sandbox);
	cli_table_add(table, "%s", row->template_name);
	cli_table_add(table, "%s", control_state_name(row->state));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		cli_table_add(table, "%" PRIu64, numbers[i]);
}

/* In the order of columns. */
static void add_agentd_row(struct cli_table *table, const json_t *row)
{
	static const char *const keys[] = {"id", "template", "state", "age_ms", "lease_age_ms",
		"owner_pid", "owner_uid", "build_us", "epoch"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *value = json_object_get(row, keys[i]);

		if (json_is_string(value))
			cli_table_add(table, "%s", json_string_value(value));
		else
			cli_table_add(table, "%.0f", json_number_value(value));
	}
}

static int list_by_agentd(struct rpc_link *link, struct cli_table *table, struct error *err)
{
	json_auto_t *result = NULL;
	size_t index;
	json_t *row;
	int r = drop_privileges(err);

	if (r == 0)
		r = rpc_link_call(link, "sandbox.list", json_object(), &result, err);
	json_array_foreach(json_object_get(result, "sandboxes"), index, row)
		add_agentd_row(table, row);
	return r;
}

int cli_sandbox_ls(struct cli *cli, int argc, char **argv)
{
	struct cli_table *table = NULL;
	struct rpc_link *link = NULL;
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = cli_table_create(cli, "sandboxes", columns, ARRAY_SIZE(columns), &table, &err);
	if (r == 0)
		r = rpc_link_open(cli->directory, &link, &err);
	if (r == 0)
		r = list_by_agentd(link, table, &err);
	else if (table && (r == -ENOENT || r == -ECONNREFUSED))
		r = query_rows(cli->directory, CONTROL_LIST, add_control_row, table, &err);
	rpc_link_close(link);
	if (r == 0)
		r = cli_table_print(table, &err);
	cli_table_destroy(table);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}
