#include "cli/lease_options.h"

#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "cli/cli.h"
#include "proto/control.h"
#include "proto/network.h"

#define MEMORY_MAX (UINT64_C(16) << 40) /* as of a pool: no template has more */
#define PIDS_MAX   (1u << 22)
#define CPUS_MAX   1024

/* A name; left empty when the option was not given. */
static int parse_name(const struct cli *cli, const char *option, char *name, size_t size)
{
	const char *text = cli_option(cli, option);

	if (!text)
		return 0;
	if (!text_is_name(text, size - 1))
		return cli_usage_error(cli,
			"--%s '%.80s': 1 to %zu of a-z 0-9 . _ - are wanted, a letter or digit "
			"first",
			option, text, size - 1);
	return text_copy(name, size, text);
}

static int parse_net(const struct cli *cli, struct control_acquire *request)
{
	const char *net = cli_option(cli, "net");

	if (!net)
		return 0;
	if (!network_profile_find(net))
		return cli_usage_error(
			cli, "--net '%.40s': the profiles are: %s", net, NETWORK_PROFILE_NAMES);
	return text_copy(request->net, sizeof(request->net), net);
}

static int parse_limits(const struct cli *cli, struct control_acquire *request)
{
	const char *memory = cli_option(cli, "memory"), *cpus = cli_option(cli, "cpus");
	unsigned long pids = 0;
	int r;

	if (memory && number_parse_size(memory, 1, MEMORY_MAX, &request->memory_bytes) < 0)
		return cli_usage_error(
			cli, "--memory '%.40s': a size such as 64M, 2G is wanted", memory);
	if (cpus && number_parse_milli(cpus, 1, CPUS_MAX * 1000, &request->cpu_milli) < 0)
		return cli_usage_error(cli,
			"--cpus '%.40s': a number such as 0.5, 2 is wanted, at most %d", cpus,
			CPUS_MAX);
	r = cli_option_number(cli, "pids", 1, PIDS_MAX, 0, &pids);
	request->pids = pids;
	return r;
}

int lease_options_parse(const struct cli *cli, struct control_acquire *ret_request)
{
	struct control_acquire *request = ret_request;
	int r;

	memset(request, 0, sizeof(*request));
	r = parse_name(cli, "image", request->template_name, sizeof(request->template_name));
	if (r == 0)
		r = parse_net(cli, request);
	if (r == 0)
		r = parse_name(cli, "workspace", request->workspace, sizeof(request->workspace));
	if (r == 0)
		r = parse_name(cli, "hostname", request->hostname, sizeof(request->hostname));
	if (r == 0)
		r = parse_limits(cli, request);
	return r;
}
