/* sandbox_net.c - hearth sandbox net: another egress profile for a sandbox that is leased. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "proto/network.h"

int cli_sandbox_net(struct cli *cli, int argc, char **argv)
{
	struct control_net request = {0};
	const char *net = argv[2];
	struct error err;
	uint64_t id;
	int r;

	(void)argc;
	r = cli_operand_sandbox(cli, argv[1], &id);
	if (r != 0)
		return r;
	if (!network_profile_find(net))
		return cli_usage_error(
			cli, "'%.40s': the profiles are: %s", net, NETWORK_PROFILE_NAMES);
	text_copy(request.net, sizeof(request.net), net);
	r = query_lease(cli->directory, id, CONTROL_NET, &request, sizeof(request), NULL, 0, &err);
	if (r < 0)
		return cli_fail(cli, &err, r == -ESRCH ? "see hearth sandbox ls" : NULL);
	if (cli->json)
		cli_print_json(json_pack("{s:I, s:s}", "id", (json_int_t)id, "net", net));
	else if (!cli->quiet)
		printf("%" PRIu64 ": %s\n", id, net);
	return CLI_OK;
}
