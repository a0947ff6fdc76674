/* key.c - hearth key: who may use the HTTP API. A key is shown once, when it is made. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/moment.h"
#include "cli/table.h"

static const struct cli_column columns[] = {
	{"ID", false},
	{"NAME", false},
	{"PREFIX", false},
	{"CREATED", false},
};

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

int cli_key_create(struct cli *cli, int argc, char **argv)
{
	json_auto_t *result = NULL;
	const char *name = cli_option(cli, "name");
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = ask(cli, "key.create",
		cli_option(cli, "test") ? json_pack("{s:s*, s:b}", "name", name, "test", 1)
					: json_pack("{s:s*}", "name", name),
		&result, &err);
	if (r == 0 && !text_of(result, "key")[0])
		r = error_set(&err, EPROTO, "agentd: an answer without a key");
	if (r < 0)
		return cli_fail(cli, &err, ask_advice(&err));
	if (cli->json) {
		cli_print_json(take_ptr(&result));
		return CLI_OK;
	}
	printf("%s\n", text_of(result, "key"));
	if (!cli->quiet)
		fprintf(stderr,
			"hearth: this key (%s) is not shown again: keep it now; hearth key revoke "
			"%s ends it\n",
			text_of(result, "id"), text_of(result, "id"));
	return CLI_OK;
}

static int print_keys(const struct cli *cli, const json_t *keys, struct error *err)
{
	struct cli_table *table = NULL;
	int r = cli_table_create(cli, "keys", columns, ARRAY_SIZE(columns), &table, err);
	size_t i;
	json_t *row;

	if (r < 0)
		return r;
	json_array_foreach(keys, i, row)
	{
		char moment[MOMENT_SIZE];

		cli_table_add(table, "%s", text_of(row, "id"));
		cli_table_add(table, "%s", text_of(row, "name"));
		cli_table_add(table, "%s", text_of(row, "prefix"));
		cli_table_add(table, "%s",
			moment_format(
				json_integer_value(json_object_get(row, "created_ms")), moment));
	}
	r = cli_table_print(table, err);
	cli_table_destroy(table);
	return r;
}

int cli_key_ls(struct cli *cli, int argc, char **argv)
{
	json_auto_t *result = NULL;
	struct error err;
	int r = ask(cli, "key.list", json_object(), &result, &err);

	(void)argc;
	(void)argv;
	if (r == 0 && cli->json)
		cli_print_json(take_ptr(&result));
	else if (r == 0)
		r = print_keys(cli, json_object_get(result, "keys"), &err);
	return r < 0 ? cli_fail(cli, &err, ask_advice(&err)) : CLI_OK;
}

int cli_key_revoke(struct cli *cli, int argc, char **argv)
{
	json_auto_t *last = NULL;
	int status = ask_each(cli, "key.revoke", "revoked", argc, argv, &last);
	const json_t *left = json_object_get(last, "left");

	if (json_is_integer(left) && json_integer_value(left) == 0)
		fprintf(stderr, "hearth: no key is left: from now on anybody on this host may use "
				"the API; hearth key create makes one\n");
	return status;
}
