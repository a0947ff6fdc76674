/* session.c - hearth session: what agents and people have said to each other, kept by agentd. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/ask.h"
#include "cli/chat_view.h"
#include "cli/cli.h"
#include "cli/moment.h"
#include "cli/plain.h"
#include "cli/rpc_link.h"
#include "cli/table.h"

#define LIST_DEFAULT 20
#define LIST_MAX     1000
#define PAGE_MAX     100 /* messages asked for at a time */
#define TITLE_MAX    80	 /* characters */

static const struct cli_column columns[] = {
	{"ID", false},
	{"AGENT", false},
	{"MESSAGES", true},
	{"UPDATED", false},
	{"TITLE", false},
};

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static void add_row(struct cli_table *table, const json_t *row)
{
	char moment[MOMENT_SIZE];

	cli_table_add(table, "%s", text_of(row, "id"));
	cli_table_add(table, "%s", text_of(row, "agent"));
	cli_table_add(table, "%" JSON_INTEGER_FORMAT,
		json_integer_value(json_object_get(row, "messages")));
	cli_table_add(table, "%s",
		moment_format(json_integer_value(json_object_get(row, "updated_ms")), moment));
	cli_table_add(table, "%s", text_of(row, "title"));
}

static int print_sessions(const struct cli *cli, const json_t *result, struct error *err)
{
	const json_t *sessions = json_object_get(result, "sessions");
	json_int_t total = json_integer_value(json_object_get(result, "total"));
	struct cli_table *table = NULL;
	int r = cli_table_create(cli, "sessions", columns, ARRAY_SIZE(columns), &table, err);
	size_t i;
	json_t *row;

	if (r < 0)
		return r;
	json_array_foreach(sessions, i, row) add_row(table, row);
	r = cli_table_print(table, err);
	cli_table_destroy(table);
	if (r == 0 && !cli->quiet && total > (json_int_t)json_array_size(sessions))
		fprintf(stderr,
			"hearth: the newest %zu of %" JSON_INTEGER_FORMAT ": --limit shows more\n",
			json_array_size(sessions), total);
	return r;
}

int cli_session_ls(struct cli *cli, int argc, char **argv)
{
	json_auto_t *result = NULL;
	unsigned long limit;
	struct error err;
	int r = cli_option_number(cli, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit);

	(void)argc;
	(void)argv;
	if (r != 0)
		return r;
	r = ask(cli, "session.list",
		json_pack("{s:s*, s:I}", "agent", cli_option(cli, "agent"), "limit",
			(json_int_t)limit),
		&result, &err);
	if (r == 0 && cli->json)
		cli_print_json(take_ptr(&result));
	else if (r == 0)
		r = print_sessions(cli, result, &err);
	return r < 0 ? cli_fail(cli, &err, ask_advice(&err)) : CLI_OK;
}

/* Pages that do not fit into a line of the protocol are asked for again, smaller. */
static int read_messages(struct rpc_link *link, const char *id, json_t *to, struct error *err)
{
	json_int_t from = 1, limit = PAGE_MAX;

	for (;;) {
		json_auto_t *result = NULL;
		json_int_t next;
		json_t *page;
		size_t count;
		int r = rpc_link_call(link, "session.messages",
			json_pack("{s:s, s:I, s:I}", "id", id, "from", from, "limit", limit),
			&result, err);

		if (r == -EMSGSIZE && limit > 1) {
			limit = (limit + 3) / 4;
			continue;
		}
		if (r < 0)
			return r;
		page = json_object_get(result, "messages");
		count = json_array_size(page);
		json_array_extend(to, page);
		if (count == 0)
			return 0;
		next = json_integer_value(json_object_get(json_array_get(page, count - 1), "seq"));
		if (next < from)
			return error_set(err, EPROTO, "agentd: messages that do not go on");
		from = next + 1;
		if ((json_int_t)json_array_size(to) >=
			json_integer_value(json_object_get(result, "total")))
			return 0;
	}
}

static void print_session(const json_t *session, const json_t *messages)
{
	struct chat_view view;
	char moment[MOMENT_SIZE];
	size_t i;
	json_t *row;

	printf("session ");
	plain_print_line(stdout, text_of(session, "id"), TITLE_MAX);
	printf(", agent ");
	plain_print_line(stdout, text_of(session, "agent"), TITLE_MAX);
	printf(", begun %s",
		moment_format(json_integer_value(json_object_get(session, "created_ms")), moment));
	if (text_of(session, "title")[0])
		printf(": ");
	plain_print_line(stdout, text_of(session, "title"), TITLE_MAX);
	printf("\n");
	chat_view_init(&view, stdout);
	json_array_foreach(messages, i, row) chat_view_message(
		&view, text_of(session, "agent"), json_object_get(row, "message"));
}

int cli_session_show(struct cli *cli, int argc, char **argv)
{
	json_auto_t *session = NULL, *messages = json_array();
	struct rpc_link *link = NULL;
	struct error err;
	int r = ask_open(cli, &link, &err);

	(void)argc;
	if (r == 0)
		r = rpc_link_call(
			link, "session.get", json_pack("{s:s}", "id", argv[1]), &session, &err);
	if (r == 0)
		r = read_messages(link, argv[1], messages, &err);
	rpc_link_close(link);
	if (r < 0)
		return cli_fail(cli, &err, ask_advice(&err));
	if (cli->json)
		cli_print_json(json_pack("{s:O, s:O}", "session", session, "messages", messages));
	else
		print_session(session, messages);
	return CLI_OK;
}

int cli_session_rm(struct cli *cli, int argc, char **argv)
{
	return ask_each(cli, "session.delete", "removed", argc, argv, NULL);
}
