/*
 * start.c - hearth start: an instance that serves one project, in the foreground.
 *
 *   folder -> supervisor (or the one that runs there) -> script, where there is no key -> agentd -> said, and watched
 *
 * What was started here ends with it, in the other order. The project is foreign: what stands in it is read by agentd
 * only, and what agentd says of it by a child that is user hearth.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/project_folder.h"
#include "cli/start_model.h"
#include "cli/start_report.h"
#include "cli/up_config.h"
#include "cli/up_start.h"

#define PORT_DEFAULT 3890
#define POOL_DEFAULT 4
#define SAID_MAX     4096 /* of a report that failed */

struct start {
	struct cli *cli;
	struct up_start up;
	struct up_config config;
	unsigned long port;
	const char *script; /* NULL: none */
	bool is_scripted;
	char *project; /* real path */
	const char *advice;
};

static int prepare_project(struct start *start, struct error *err)
{
	const char *path = cli_option(start->cli, "project");
	auto_close int project = -1, folder = -1;
	int r;

	start->project = realpath(path ? path : ".", NULL);
	if (!start->project)
		return error_errno(err, "project %s", path ? path : ".");
	project = open(start->project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (project < 0)
		return error_errno(err, "project %s", start->project);
	folder = project_folder_open(project, NULL, err);
	if (folder == -ENOENT)
		start->advice = "make one with hearth init, or name another with --project";
	if (folder < 0)
		return error_prefix(err, folder, "%.150s", start->project);
	r = project_folder_check_entrance(project, err);
	if (r == -EACCES)
		start->advice = "let others pass with chmod o+x";
	if (r < 0)
		return error_prefix(err, r, "%.150s", start->project);
	r = project_folder_share(folder, err);
	if (r == 0)
		r = project_folder_make_state(folder, err);
	return r;
}

/* The one that runs there, or one of our own. */
static int have_supervisor(struct start *start, struct error *err)
{
	struct up_start *up = &start->up;
	int r = up_start_is_answered(up, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, err);

	if (r == 1) {
		start->advice = "stop it with hearth down, or choose another --dir";
		return error_set(
			err, EEXIST, "instance %s: an agentd serves there already", up->directory);
	}
	if (r == 0)
		r = up_start_is_answered(up, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);
	if (r == 1 && !start->cli->json && !start->cli->quiet)
		printf("hearth: the sandboxes are those of the supervisor that runs in %s\n",
			up->directory);
	if (r != 0)
		return r < 0 ? r : 0;
	r = up_start_image(up, err);
	if (r < 0)
		return r;
	r = up_start_supervisor(up, err);
	start->advice = r == -EEXIST || r == -EBUSY
				? "stop it with hearth down, or choose another --dir"
				: "the logs are in the instance's directory";
	return r;
}

static int have_agentd(struct start *start, struct error *err)
{
	char port[16], socket[INSTANCE_PATH_MAX + 32];
	const char *options[UP_START_AGENTD_OPTIONS_MAX] = {
		"--project", start->project, "--api-port", port};

	snprintf(port, sizeof(port), "%lu", start->port);
	snprintf(socket, sizeof(socket), "%s/" INSTANCE_MODEL_SOCKET, start->up.directory);
	if (start->is_scripted) {
		options[4] = "--scripted";
		options[5] = socket;
	}
	start->advice = "the logs are in the instance's directory";
	return up_start_agentd(&start->up, options, err);
}

static int start_all(struct start *start, struct error *err)
{
	struct up_start *up = &start->up;
	int r;

	if (start->script && access(start->script, R_OK) < 0)
		return error_errno(err, "%s", start->script);
	r = prepare_project(start, err);
	if (r == 0)
		r = up_start_find_directory(up, err);
	if (r == 0)
		r = have_supervisor(start, err);
	if (r == 0 && start->is_scripted)
		r = start_model(up, start->script, err);
	if (r == 0)
		r = have_agentd(start, err);
	if (r == 0 && up->supervisor.pidfd >= 0)
		r = up_start_wait_ready(up, err);
	return r;
}

/* By a child, for what it reads is foreign: what it complains of is kept in said. Its exit code. */
static int run_report(const struct start *start, int said)
{
	const struct start_report report = {.port = start->port,
		.project = start->project,
		.directory = start->up.directory,
		.net = start->up.supervisor.pidfd >= 0 ? start->config.net : NULL,
		.is_scripted = start->is_scripted};
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(said, STDERR_FILENO);
		_exit(start_report(start->cli, &report));
	}
	if (pid < 0)
		return CLI_FAILED;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CLI_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
}

/* 0: with the exit code of what was said. -ECHILD: a daemon has ended, and that is why it failed. -errno. */
static int report(const struct start *start, int *ret_status, struct error *err)
{
	auto_close int said = memfd_create("said", MFD_CLOEXEC);
	char text[SAID_MAX];
	ssize_t n;

	if (said < 0)
		return error_errno(err, "report");
	*ret_status = run_report(start, said);
	if (*ret_status != CLI_OK) {
		int r = up_start_look(&start->up, UP_START_ENDS_MS, err);

		if (r < 0)
			return r;
	}
	n = pread(said, text, sizeof(text), 0);
	if (n > 0)
		fwrite(text, 1, (size_t)n, stderr);
	return 0;
}

/* Until a signal, which is how it is to end: 0; or until one of the daemons ends: -ECHILD. */
static int watch(const struct start *start, struct error *err)
{
	int r;

	do
		r = up_start_look(&start->up, -1, err);
	while (r == 0);
	return r == -EINTR ? 0 : r;
}

/* Of an agentd of ours. A socket that nobody listens on is no harm, but no use either. */
static void clean_up(const struct start *start)
{
	static const char *const names[] = {INSTANCE_AGENTD_SOCKET, INSTANCE_API_SOCKET,
		INSTANCE_METRICS_SOCKET, INSTANCE_MODEL_SOCKET};
	auto_close int dirfd = open(start->up.directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (up_start_is_answered(&start->up, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, NULL) != 0)
		return; /* they are another's */
	for (size_t i = 0; dirfd >= 0 && i < ARRAY_SIZE(names); i++)
		unlinkat(dirfd, names[i], 0);
}

static int run(struct start *start)
{
	struct error err;
	bool had_agentd;
	int status = CLI_OK;
	int r = start_all(start, &err);

	if (r == 0) {
		start->advice = "the logs are in the instance's directory";
		r = report(start, &status, &err);
	}
	if (r == 0 && status == CLI_OK)
		r = watch(start, &err);
	had_agentd = start->up.agentd.pidfd >= 0 || start->up.model.pidfd >= 0;
	r = up_start_take_back(&start->up, r, &err);
	if (had_agentd)
		clean_up(start);
	if (r < 0)
		return cli_fail(start->cli, &err, start->advice);
	if (status == CLI_OK && !start->cli->json && !start->cli->quiet)
		printf("hearth: stopped\n");
	return status;
}

int cli_start(struct cli *cli, int argc, char **argv)
{
	const struct up_config defaults = {.image = "base", .pool = POOL_DEFAULT};
	struct start start = {.cli = cli, .script = cli_option(cli, "script")};
	struct error err;
	int status = up_config_parse(cli, &defaults, &start.config);

	(void)argc;
	(void)argv;
	if (status == 0)
		status = cli_option_number(cli, "port", 1, 65535, PORT_DEFAULT, &start.port);
	if (status != 0)
		return status;
	if (geteuid() != 0) {
		error_set(&err, EPERM, "sandboxes are made by root only");
		return cli_fail(cli, &err, "run it as root");
	}
	start.is_scripted = start.script || !start_model_has_key();
	up_start_init(&start.up, cli, &start.config);
	start.up.has_keys =
		!start.script; /* it stands in for models without a key: for all of them */
	up_start_catch_signals();
	status = run(&start);
	free(start.project);
	return status;
}
