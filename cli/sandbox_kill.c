/* sandbox_kill.c - hearth sandbox kill: end leases through the supervisor, whoever holds them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "proto/control_client.h"

struct target {
	uint64_t id;
	struct control_sandbox_row row; /* header.type 0: there is no such sandbox */
};

struct targets {
	struct target *list;
	unsigned count;
};

static int parse_ids(const struct cli *cli, int argc, char **argv, struct targets *targets)
{
	targets->list = calloc((size_t)argc, sizeof(*targets->list));
	if (!targets->list)
		return CLI_EXHAUSTED;
	for (int i = 1; i < argc; i++) {
		int r = cli_operand_sandbox(cli, argv[i], &targets->list[targets->count++].id);

		if (r != 0)
			return r;
	}
	return 0;
}

static void on_row(void *arg, const struct message_header *header)
{
	const struct control_sandbox_row *row = (const void *)header;
	struct targets *targets = arg;

	for (unsigned i = 0; i < targets->count; i++)
		if (targets->list[i].id == row->handle.sandbox)
			targets->list[i].row = *row;
}

static int kill_one(struct control_client *client, const struct target *target, struct error *err)
{
	struct control_lease request = {0};
	int r = query_check_leased(&target->row, target->id, err);

	return r < 0 ? r
		     : query_call(client, &target->row, CONTROL_KILL, &request, sizeof(request),
			       NULL, 0, err);
}

/* The first failure is the exit code; the others are killed all the same. */
static int kill_all(
	const struct cli *cli, struct control_client *client, const struct targets *targets)
{
	json_t *killed = json_array();
	int status = CLI_OK;

	for (unsigned i = 0; i < targets->count; i++) {
		struct error err;
		int code = CLI_OK;

		if (kill_one(client, &targets->list[i], &err) < 0)
			code = cli_fail(
				cli, &err, err.code == ESRCH ? "see hearth sandbox ls" : NULL);
		else if (cli->json)
			json_array_append_new(
				killed, json_integer((json_int_t)targets->list[i].id));
		else
			printf("%" PRIu64 "\n", targets->list[i].id);
		if (status == CLI_OK)
			status = code;
	}
	if (cli->json)
		cli_print_json(json_pack("{s:O}", "killed", killed));
	json_decref(killed);
	return status;
}

int cli_sandbox_kill(struct cli *cli, int argc, char **argv)
{
	struct control_client *client = NULL;
	struct targets targets = {0};
	struct error err;
	int status = parse_ids(cli, argc, argv, &targets);
	int r = 0;

	if (status == 0)
		r = query_rows(cli->directory, CONTROL_LIST, on_row, &targets, &err);
	if (status == 0 && r == 0)
		r = control_client_connect(cli->directory, &client, &err);
	if (r < 0)
		status = cli_fail(cli, &err, NULL);
	else if (status == 0)
		status = kill_all(cli, client, &targets);
	control_client_destroy(client);
	free(targets.list);
	return status;
}
