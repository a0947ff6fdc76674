/* pool.c - hearth pool ls. */
#include "base/error.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "cli/table.h"

static const struct cli_column columns[] = {
	{"POOL", false},
	{"IMAGE", false},
	{"NET", false},
	{"MIN", true},
	{"MAX", true},
	{"TARGET", true},
	{"BUILDING", true},
	{"READY", true},
	{"LEASED", true},
	{"FROZEN", true},
	{"DISCARDING", true},
	{"WAITING", true},
	{"HITS", true},
	{"BUILT", true},
	{"WAITED", true},
	{"REFUSED", true},
	{"FAILURES", true},
	{"BUILD_P50_US", true},
	{"BUILD_P99_US", true},
	{"IDLE_BYTES", true},
	{"LEASE_BYTES", true},
	{"PROMISED_BYTES", true},
	{"BUDGET_BYTES", true},
	{"BROKEN", false},
};

static void on_row(void *arg, const struct message_header *header)
{
	const struct control_pool_row *row = (const void *)header;
	const uint64_t numbers[] = {row->min, row->max, row->target, row->building, row->ready,
		row->leased, row->frozen, row->discarding, row->waiting, row->hits, row->built,
		row->waited, row->refused, row->build_failures, row->build_p50_ns / 1000,
		row->build_p99_ns / 1000, row->idle_bytes, row->lease_bytes, row->promised_bytes,
		row->budget_bytes};
	struct cli_table *table = arg;

	cli_table_add(table, "%s", row->template_name);
	cli_table_add(table, "%s", row->image);
	cli_table_add(table, "%s", row->net);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		cli_table_add(table, "%llu", (unsigned long long)numbers[i]);
	cli_table_add(table, "%s", row->broken);
}

int cli_pool_ls(struct cli *cli, int argc, char **argv)
{
	struct cli_table *table = NULL;
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = cli_table_create(cli, "pools", columns, ARRAY_SIZE(columns), &table, &err);
	if (r == 0)
		r = query_rows(cli->directory, CONTROL_POOLS, on_row, table, &err);
	if (r == 0)
		r = cli_table_print(table, &err);
	cli_table_destroy(table);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}
