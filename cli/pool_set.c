/* pool_set.c - hearth pool set: how many sandboxes a pool keeps, changed while it serves. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "pool/pool.h"
#include "proto/control_client.h"

#define TIMEOUT_MS 10000

/* "min=4", "max=16", each at most once. 0, or the exit code of a printed usage error. */
static int parse_change(const struct cli *cli, const char *word, struct control_pool_set *request)
{
	static const struct {
		const char *prefix;
		uint32_t what;
		uint64_t least;
	} known[] = {{"min=", POOL_SET_MIN, 0}, {"max=", POOL_SET_MAX, 1}};
	uint64_t value;

	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(known[i].prefix);

		if (strncmp(word, known[i].prefix, length) != 0)
			continue;
		if (request->what & known[i].what)
			return cli_usage_error(cli, "%s is given twice", known[i].prefix);
		if (number_parse(word + length, known[i].least, POOL_SANDBOXES_MAX, &value) < 0)
			return cli_usage_error(cli,
				"'%.40s': a whole number from %llu to %u is wanted", word,
				(unsigned long long)known[i].least, POOL_SANDBOXES_MAX);
		request->what |= known[i].what;
		*(known[i].what == POOL_SET_MIN ? &request->min : &request->max) = (uint32_t)value;
		return 0;
	}
	return cli_usage_error(cli, "'%.40s': min=N or max=N is wanted", word);
}

static int parse(const struct cli *cli, int argc, char **argv, struct control_pool_set *request)
{
	int status = 0;

	if (!text_is_name(argv[1], sizeof(request->template_name) - 1))
		return cli_usage_error(
			cli, "'%.40s': a pool's name is wanted, see hearth pool ls", argv[1]);
	text_copy(request->template_name, sizeof(request->template_name), argv[1]);
	for (int i = 2; status == 0 && i < argc; i++)
		status = parse_change(cli, argv[i], request);
	if (status == 0 && request->what == POOL_SET_ALL && request->min > request->max)
		return cli_usage_error(
			cli, "min=%u is more than max=%u", request->min, request->max);
	return status;
}

/* What is not given stays: a min beyond the max in force is as wrong as one beyond a max that is given. */
static int check(const struct cli *cli, const struct control_pool_set *request,
	const struct control_pool_row *row)
{
	if (request->what == POOL_SET_MIN && request->min > row->max)
		return cli_usage_error(cli,
			"min=%u is more than max=%u, which is in force: give max=%u as well",
			request->min, row->max, request->min);
	if (request->what == POOL_SET_MAX && request->max < row->min)
		return cli_usage_error(cli,
			"max=%u is less than min=%u, which is in force: give min=%u as well",
			request->max, row->min, request->max);
	return 0;
}

static int change(const char *directory, struct control_pool_set *request, struct error *err)
{
	struct control_client *client = NULL;
	int r = control_client_connect(directory, &client, err);

	if (r < 0)
		return r;
	r = control_client_call(client, CONTROL_POOL_SET, request, sizeof(*request), NULL, 0, NULL,
		TIMEOUT_MS, NULL, err);
	control_client_destroy(client);
	return r;
}

int cli_pool_set(struct cli *cli, int argc, char **argv)
{
	struct control_pool_set request = {0};
	struct control_pool_row row;
	struct error err;
	int r = parse(cli, argc, argv, &request);

	if (r != 0)
		return r;
	r = query_pool(cli->directory, argv[1], &row, &err);
	if (r == 0 && check(cli, &request, &row) != 0)
		return CLI_USAGE;
	if (r == 0)
		r = change(cli->directory, &request, &err);
	if (r == 0)
		r = query_pool(cli->directory, argv[1], &row, &err);
	if (r < 0)
		return cli_fail(cli, &err, r == -ENOENT ? "see hearth pool ls" : NULL);
	if (cli->json)
		cli_print_json(json_pack("{s:s, s:I, s:I}", "pool", row.template_name, "min",
			(json_int_t)row.min, "max", (json_int_t)row.max));
	else if (!cli->quiet)
		printf("%s: min %u, max %u\n", row.template_name, row.min, row.max);
	return CLI_OK;
}
