#include "cli/ask.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/drop.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/rpc_link.h"

int ask_open(const struct cli *cli, struct rpc_link **ret_link, struct error *err)
{
	struct rpc_link *link;
	int r = rpc_link_open(cli->directory, &link, err);

	if (r < 0)
		return r;
	r = drop_privileges(err);
	if (r < 0) {
		rpc_link_close(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

int ask(const struct cli *cli, const char *method, json_t *params, json_t **ret_result,
	struct error *err)
{
	struct rpc_link *link;
	int r = ask_open(cli, &link, err);

	if (r < 0) {
		json_decref(params);
		return r;
	}
	r = rpc_link_call(link, method, params, ret_result, err);
	rpc_link_close(link);
	return r;
}

const char *ask_advice(const struct error *err)
{
	if (err->code == ENOSYS)
		return "this agentd serves no project: start one with hearth start";
	return NULL;
}

int ask_each(const struct cli *cli, const char *method, const char *done, int argc, char **argv,
	json_t **ret_last)
{
	struct rpc_link *link;
	json_auto_t *last = NULL;
	json_t *ids = json_array();
	struct error err;
	int status = CLI_OK;

	if (ask_open(cli, &link, &err) < 0) {
		json_decref(ids);
		return cli_fail(cli, &err, ask_advice(&err));
	}
	for (int i = 1; i < argc; i++) {
		json_t *result = NULL;
		int code = CLI_OK;

		if (rpc_link_call(link, method, json_pack("{s:s}", "id", argv[i]), &result, &err) <
			0)
			code = cli_fail(cli, &err, ask_advice(&err));
		else if (cli->json)
			json_array_append_new(ids, json_string(argv[i]));
		else
			printf("%s\n", argv[i]);
		if (result) {
			json_decref(last);
			last = result;
		}
		if (status == CLI_OK)
			status = code;
	}
	rpc_link_close(link);
	if (cli->json)
		cli_print_json(json_pack("{s:O}", done, ids));
	json_decref(ids);
	if (ret_last)
		*ret_last = take_ptr(&last);
	return status;
}
