/* sandbox.c - hearth sandbox ls: through agentd when it answers, else from the supervisor. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
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
	{"EPOCH", true},
};

static void add_row(void *arg, const struct message_header *header)
{
	const struct control_sandbox_row *row = (const void *)header;
	const uint64_t numbers[] = {row->age_ms, row->lease_age_ms, row->owner_pid, row->owner_uid,
		row->build_ns / 1000, row->handle.epoch};
	struct cli_table *table = arg;

	cli_table_add(table, "%llu", (unsigned long long)row->handle.sandbox);
	cli_table_add(table, "%s", row->template_name);
	cli_table_add(table, "%s", control_state_name(row->state));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		cli_table_add(table, "%llu", (unsigned long long)numbers[i]);
}

int cli_sandbox_ls(struct cli *cli, int argc, char **argv)
{
	struct cli_table *table = NULL;
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = cli_table_create(cli, "sandboxes", columns, ARRAY_SIZE(columns), &table, &err);
	if (r == 0)
		r = query_rows(cli->directory, CONTROL_LIST, add_row, table, &err);
	if (r == 0)
		r = cli_table_print(table, &err);
	cli_table_destroy(table);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}
