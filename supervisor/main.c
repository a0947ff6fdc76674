/*
 * main.c - hearth-supervisor: keeps pools of warm sandboxes and leases them out.
 *
 * Theory of operation. One process, root, one libevent loop, no callback of which waits. It speaks
 * to clients on control.sock (control.c, client.c, request.c) and to its builders on their links
 * (builder_link.c, builder_messages.c). Between the two stands the pool (pool/), which decides without a
 * system call; pool_host.c turns its decisions into acts, sandbox.c is the supervisor's half of each
 * sandbox, lease.c says whose it is.
 *
 *   ACQUIRE: request.c -> pool_acquire() pops a ready sandbox -> lease.c sends its channel. That is
 *   all: the replacement which the pool asks for meanwhile waits in build_queue.c for the next turn.
 *   Then the client talks to the sandbox directly; no byte of a sandbox is ever read here.
 *
 *   With something of the lease's own (binding.c) the builder, hearth-network (network.c) or both are asked
 *   in between; they alone make a client wait.
 *
 *   Build: build_queue.c picks a builder with a free slot (slots.c) -> LINK_BUILD -> LINK_BUILT with
 *   the channel, whose hang-up is watched -> pool_built() -> ready, or granted to a waiter.
 *
 *   End: release, deadline, idle limit or the end of the owner's connection -> LINK_KILL ->
 *   LINK_ENDED (proven dead) -> its slot is free, once flushed, the pool builds another. A sandbox that dies by
 *   itself comes in at LINK_ENDED or as a hang-up.
 *
 * A builder that dies takes its sandboxes along and is replaced; see builder_link.h. What a client
 * sends is judged by proto/check.c before anything else reads it; no name, path, uid or command of
 * a client goes further than a comparison.
 *
 * Life: lock the directory, remove what an earlier run left (recover.c), take cgroups and uid
 * ranges (host.c), serve, drain at SIGTERM, give all back. A kill -9 anywhere skips the end and the next
 * start makes up for it.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/unix_socket.h"
#include "supervisor/config.h"
#include "supervisor/directory.h"
#include "supervisor/host.h"
#include "supervisor/host_check.h"
#include "supervisor/recover.h"
#include "supervisor/supervisor.h"

#define PROGRAM	     "hearth-supervisor"
#define EXIT_USAGE   2
#define CONFIG_HOST  HEARTH_SYSCONFDIR "/" INSTANCE_CONFIG
#define SOCKET_MODE  0660
#define PATH_LONGEST 4096

static const char usage[] =
	"usage: " PROGRAM " [--dir DIR] [--config FILE] [--recover]\n"
	"\n"
	"Keep pools of warm sandboxes and lease them out on DIR/control.sock.\n"
	"\n"
	"  --dir DIR      directory of the instance (default " INSTANCE_DIRECTORY_DEFAULT ")\n"
	"  --config FILE  read this instead of DIR/hearth.conf or " CONFIG_HOST "\n"
	"  --recover      remove what a killed run of this instance left, then exit\n"
	"  --version      print the version, then exit\n"
	"  --help         print this, then exit\n";

struct options {
	const char *dir, *config;
	bool recover;
};

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"dir", required_argument, NULL, 'd'},
		{"config", required_argument, NULL, 'c'},
		{"recover", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*options = (struct options){.dir = INSTANCE_DIRECTORY_DEFAULT};
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'd')
			options->dir = optarg;
		else if (c == 'c')
			options->config = optarg;
		else if (c == 'r')
			options->recover = true;
		else if (c == 'v')
			return puts(PACKAGE_STRING) < 0;
		else if (c == 'h')
			return fputs(usage, stdout) < 0;
		else
			return EXIT_USAGE;
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, PROGRAM ": '%s' is no option: see " PROGRAM " --help\n", argv[optind]);
	return EXIT_USAGE;
}

static int load_config(
	const struct options *options, struct supervisor_config *config, struct error *err)
{
	char path[PATH_LONGEST];
	int r;

	if (options->config)
		return supervisor_config_load(options->config, config, err);
	snprintf(path, sizeof(path), "%s/" INSTANCE_CONFIG, options->dir);
	r = supervisor_config_load(path, config, err);
	if (r != -ENOENT)
		return r;
	r = supervisor_config_load(CONFIG_HOST, config, err);
	if (r == -ENOENT)
		return error_set(
			err, ENOENT, "no configuration: neither %s nor " CONFIG_HOST, path);
	return r;
}

static int find_user(
	const struct supervisor_config *config, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
	const struct passwd *user = getpwnam(config->user);

	if (!user)
		return error_set(err, ENOENT,
			"no user '%s' on this host: useradd --system --user-group %s", config->user,
			config->user);
	*ret_uid = user->pw_uid;
	*ret_gid = user->pw_gid;
	return 0;
}

static void on_stop(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number;
	(void)what;
	supervisor_drain(arg);
}

/* Whoever is told to stop during the start does so once it can give back what it has taken. */
static void hold_stops(int how)
{
	sigset_t stops;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigprocmask(how, &stops, NULL);
}

/* Serve until told to stop. */
static int run(struct supervisor *supervisor, struct error *err)
{
	struct event *term = evsignal_new(supervisor->events, SIGTERM, on_stop, supervisor);
	struct event *interrupt = evsignal_new(supervisor->events, SIGINT, on_stop, supervisor);
	int r = 0;

	if (!term || !interrupt || event_add(term, NULL) < 0 || event_add(interrupt, NULL) < 0)
		r = error_set(err, ENOMEM, "signals: out of memory");
	else
		hold_stops(SIG_UNBLOCK);
	if (r == 0)
		r = supervisor_start(supervisor, err);
	if (r == 0) {
		log_info("serving");
		r = supervisor_run(supervisor);
		if (r < 0)
			error_set(err, -r, "ended because %s", supervisor->failure_text);
	}
	/* From here on the end is certain and short: a second signal must not leave half of it. */
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	return r;
}

static int listen_and_run(const struct directory *directory, const struct supervisor_config *config,
	struct host *host, unsigned orphans, struct error *err)
{
	struct supervisor_host ways = {
		.start_builder = host_start_builder,
		.start_network = host_start_network,
		.arg = host,
		.workspaces_fd = host->workspaces_fd,
		.workspace_uid = JAIL_WORKSPACE_UID,
		.first_uid = host->first_uid,
		.can_freeze = host->base.v2_fd >= 0 || host->base.v1_fd[CGROUP_FREEZER] >= 0,
		.orphans = orphans,
	};
	struct supervisor *supervisor = NULL;
	gid_t gid = 0;
	int fd, r;

	r = find_user(config, &ways.user_uid, &gid, err);
	if (r < 0)
		return r;
	fd = unix_socket_listen(
		directory->fd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, SOCKET_MODE, gid, err);
	if (fd < 0)
		return fd;
	r = supervisor_create(config, &ways, fd, &supervisor, err);
	if (r == 0)
		r = run(supervisor, err);
	unlinkat(directory->fd, INSTANCE_CONTROL_SOCKET, 0);
	supervisor_destroy(supervisor);
	return r;
}

/* Everything between the recovery of the last run and that of this one. */
static int serve(const struct options *options, const struct directory *directory, unsigned orphans,
	struct error *err)
{
	static struct supervisor_config config;
	static struct host host;
	struct error recovery_err;
	int r, end;

	r = load_config(options, &config, err);
	if (r == 0)
		r = host_check(&config, err);
	if (r < 0)
		return r;
	hold_stops(SIG_BLOCK);
	r = host_open(directory->id, &config, &host, err);
	if (r == 0)
		r = listen_and_run(directory, &config, &host, orphans, err);
	host_close(&host);
	end = recover(directory->id, config.network.is_on, NULL, &recovery_err);
	if (end < 0)
		log_error("%s", recovery_err.text);
	if (r == 0 && end < 0)
		return error_set(err, -end, "not everything could be removed");
	return r;
}

static int run_instance(const struct options *options, struct error *err)
{
	struct directory directory;
	struct recovery recovery = {0};
	int r;

	if (geteuid() != 0)
		return error_set(err, EPERM, "must be started by root");
	r = directory_open(options->dir, &directory, err);
	if (r < 0)
		return r;
	r = recover(directory.id, true, &recovery, err);
	if (r == 0 && recovery.is_found)
		log_event(LOG_LEVEL_WARNING, "recovered", "instance", directory.id, "what",
			"an earlier run was killed: what it left has been removed", NULL);
	if (r == 0 && options->recover)
		unlinkat(directory.fd, INSTANCE_CONTROL_SOCKET, 0);
	else if (r == 0)
		r = serve(options, &directory, recovery.orphans, err);
	directory_close(&directory);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;
	struct error err;
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	log_open(PROGRAM);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, as an exec keeps it, no child could be waited for */
	if (run_instance(&options, &err) < 0) {
		log_error("%s: %s", options.dir, err.text);
		return EXIT_FAILURE;
	}
	if (!options.recover)
		log_info("stopped");
	return EXIT_SUCCESS;
}
