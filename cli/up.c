/*
 * up.c - hearth up: an instance with one pool, in the background, ready to serve.
 *
 * Configuration, image, supervisor, agentd, then wait for the pool. Whatever fails on the way, and
 * Ctrl-C, ends with everything stopped again; the configuration and the logs stay, to tell why.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/up_config.h"
#include "cli/up_start.h"

static int start_all(struct up_start *up, struct error *err)
{
	int r = up_start_supervisor(up, err);

	if (r == 0)
		r = up_start_agentd(up, NULL, err);
	if (r == 0)
		r = up_start_wait_ready(up, err);
	return r;
}

/* 0: nothing runs there. */
static int check_nothing_runs(const struct up_start *up, struct error *err)
{
	int r = up_start_is_answered(up, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);

	return r == 1 ? error_set(err, EEXIST, "instance %s: it runs already", up->directory) : r;
}

int cli_up(struct cli *cli, int argc, char **argv)
{
	struct up_config config;
	struct up_start up;
	const char *advice = NULL;
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = up_config_parse(cli, &(struct up_config){0}, &config);
	if (r != 0)
		return r;
	if (geteuid() != 0) {
		error_set(&err, EPERM, "an instance is started by root only");
		return cli_fail(cli, &err, "run it as root");
	}
	up_start_init(&up, cli, &config);
	up_start_catch_signals();
	r = up_start_find_directory(&up, &err);
	if (r == 0)
		r = check_nothing_runs(&up, &err);
	if (r == 0)
		r = up_start_image(&up, &err);
	if (r == 0) {
		r = start_all(&up, &err);
		if (r < 0)
			r = up_start_take_back(&up, r, &err);
		advice = "the logs are in the instance's directory";
	}
	if (r == -EEXIST || r == -EBUSY)
		advice = "stop it with hearth down, or choose another --dir";
	if (r < 0)
		return cli_fail(cli, &err, advice);
	if (cli->json)
		cli_print_json(json_pack("{s:s, s:s, s:I}", "directory", up.directory, "pool",
			config.image, "ready", (json_int_t)config.pool));
	else if (!cli->quiet)
		printf("hearth: %lu sandboxes of %s are ready in %s\n", config.pool, config.image,
			up.directory);
	return CLI_OK;
}
