/*
 * hearth-agentd - what clients talk to: JSON-RPC on agentd.sock, tools that work in sandboxes, and with a project its agents, by HTTP on
 * api.sock too.
 *
 * It leases sandboxes from the supervisor for its clients and speaks to each guest over the channel
 * that comes with the lease. JSON ends here, and so does everything hostile: requests of clients,
 * output of commands, files of sandboxes. So it is user hearth without a capability: started as root
 * it opens DIR, connects to DIR/control.sock, listens on DIR/agentd.sock, DIR/metrics.sock and
 * DIR/api.sock, opens the project's folder, reads the keys of models, and then drops, before the first client is let in.
 * After the drop what it opens lies below descriptors that it has, but for what libcurl needs: certificates, resolv.conf.
 *
 *   clients --agentd.sock--> client -> method -> call -> sandbox --channel--> guest
 *                                       |                  |
 *                                       +------ control.sock: ACQUIRE RELEASE TOUCH LIST POOLS STATS
 *   clients --api.sock, 127.0.0.1--> api -> run (loop) -> upstream --HTTPS--> models
 *                                             |  +-> store (a thread of its own)
 *                                             +-> tool -> sandbox
 *   Prometheus --metrics.sock, 127.0.0.1--> metrics_http
 *
 * One libevent loop, no callback that waits. A lease belongs to the connection that
 * acquired it and ends with it, or to a run of an agent. Each request has exactly one answer, whatever dies: the client, the
 * sandbox, the supervisor. Without the supervisor there is nothing left to serve: agentd answers what
 * is open and exits 1; whoever started it, starts it again. SIGTERM and SIGINT: the same, exit 0.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agentd/agent.h"
#include "agentd/loopback.h"
#include "agentd/privilege.h"
#include "agentd/server.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/number.h"
#include "base/unix_socket.h"
#include "proto/instance.h"

#define USER_NAME   "hearth"
#define SOCKET_MODE 0660

static void show_usage(FILE *to)
{
	fprintf(to,
		"usage: hearth-agentd [--dir DIR] [--metrics-port PORT] [--project FOLDER "
		"[--api-port PORT] [--scripted SOCKET]]\n"
		"       hearth-agentd --check FOLDER [--json]\n"
		"Serve JSON-RPC on DIR/agentd.sock (" INSTANCE_DIRECTORY_DEFAULT
		") with sandboxes of the supervisor at DIR/control.sock,\n"
		"and metrics on DIR/metrics.sock and, with --metrics-port, on 127.0.0.1:PORT.\n"
		"With --project also the agents of FOLDER, by HTTP on DIR/api.sock and, with "
		"--api-port,\non 127.0.0.1:PORT. Models without a key are asked at SOCKET, where "
		"hearth-scripted-model answers.\n"
		"--check only says what is wrong with FOLDER.\n");
}

struct options {
	const char *directory;
	const char *check; /* a project to judge, instead of serving */
	bool json;
	uint64_t metrics_port; /* 0: none */
	struct agent_options agent;
};

static int parse_port(const char *name, uint64_t *ret_port)
{
	int r = number_parse(optarg, 1, 65535, ret_port);

	if (r < 0)
		fprintf(stderr, "%s '%s': a port is wanted, 1 to 65535\n", name, optarg);
	return r;
}

/* 0: go on with *ret_options. Otherwise 1 + the exit status. */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},
		{"metrics-port", required_argument, NULL, 'm'},
		{"project", required_argument, NULL, 'p'},
		{"api-port", required_argument, NULL, 'a'},
		{"scripted", required_argument, NULL, 's'},
		{"check", required_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'd':
			ret_options->directory = optarg;
			break;
		case 'm':
			if (parse_port("--metrics-port", &ret_options->metrics_port) < 0)
				return 1 + 2;
			break;
		case 'a':
			if (parse_port("--api-port", &ret_options->agent.api_port) < 0)
				return 1 + 2;
			break;
		case 'p':
			ret_options->agent.project = optarg;
			break;
		case 's':
			ret_options->agent.scripted = optarg;
			break;
		case 'c':
			ret_options->check = optarg;
			break;
		case 'j':
			ret_options->json = true;
			break;
		case 'h':
			show_usage(stdout);
			return 1;
		case 'v':
			printf("hearth-agentd %s\n", PACKAGE_VERSION);
			return 1;
		default:
			show_usage(stderr);
			return 1 + 2;
		}
	}
	if (optind == argc)
		return 0;
	show_usage(stderr);
	return 1 + 2;
}

static int listen_all(int dirfd, const struct options *options, gid_t gid,
	struct server_listeners *listeners, struct error *err)
{
	int *port = &listeners->metrics[1];
	int r;

	r = listeners->agentd = unix_socket_listen(
		dirfd, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, SOCKET_MODE, gid, err);
	if (r >= 0)
		r = listeners->metrics[0] = unix_socket_listen(
			dirfd, INSTANCE_METRICS_SOCKET, SOCK_STREAM, SOCKET_MODE, gid, err);
	if (r < 0 || !options->metrics_port)
		return r < 0 ? r : 0;
	r = *port = loopback_listen((unsigned)options->metrics_port, err);
	return r < 0 ? error_prefix(err, r, "metrics") : 0;
}

/* Everything that has a path: after it, privileges are dropped. */
static int open_all(const struct options *options, struct event_base *base,
	struct control_client **ret_control, struct server_listeners *listeners,
	struct agent_parts *parts, struct error *err)
{
	auto_close int dirfd = open(options->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct privilege_user user = {.gid = (gid_t)-1};
	struct control_client *control = NULL;
	bool is_root = geteuid() == 0;
	int r = 0;

	if (dirfd < 0)
		return error_errno(err, "open %s", options->directory);
	if (is_root)
		r = privilege_find(USER_NAME, &user, err);
	if (r == 0)
		r = control_client_connect(options->directory, &control, err);
	if (r < 0)
		return r;
	r = listen_all(dirfd, options, user.gid, listeners, err);
	if (r == 0)
		r = agent_open(parts, &options->agent, base, dirfd, user.gid, err);
	if (r == 0)
		r = privilege_drop(&user, err);
	if (r < 0) {
		control_client_destroy(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

static void on_signal(evutil_socket_t number, short events, void *arg)
{
	(void)events;
	log_info("%s: ending", strsignal(number));
	server_stop(arg, "shutdown", 0);
}

static void ignore_signal(int number)
{
	(void)number;
}

/*
 * The loop takes them while it runs. One that comes before that, waits. One that comes after it, finds
 * what was there before the loop: a handler that does nothing, so that a second SIGTERM does not change
 * the exit status. (SIG_IGN would also discard one that waits.)
 */
static void hold_signals(bool on)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
	if (!on)
		return;
	signal(SIGTERM, ignore_signal);
	signal(SIGINT, ignore_signal);
}

static int serve(struct event_base *base, struct control_client *control,
	const struct server_listeners *listeners, struct agent_parts *parts)
{
	static struct server server;
	struct event *term, *interrupt;
	struct error err;

	if (server_init(&server, base, listeners, control, &err) < 0 ||
		agent_start(&server, parts, &err) < 0) {
		log_error("%s", err.text);
		server_finish(&server);
		return 1;
	}
	term = evsignal_new(base, SIGTERM, on_signal, &server);
	interrupt = evsignal_new(base, SIGINT, on_signal, &server);
	if (!term || !interrupt || event_add(term, NULL) < 0 || event_add(interrupt, NULL) < 0) {
		log_error("signals: out of memory");
		server.exit_code = 1;
	} else {
		hold_signals(false);
		log_info("ready");
		event_base_dispatch(base);
	}
	server_finish(&server);
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	return server.exit_code;
}

int main(int argc, char **argv)
{
	struct options options = {.directory = INSTANCE_DIRECTORY_DEFAULT};
	struct server_listeners listeners = {-1, {-1, -1}};
	struct agent_parts parts;
	struct control_client *control = NULL;
	struct event_base *base;
	struct error err;
	int code;
	int r = parse_options(argc, argv, &options);

	if (r > 0)
		return r - 1;
	if (options.check)
		return agent_check(options.check, options.json, stdout);
	options.agent.directory = options.directory;
	log_open("hearth-agentd");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of its writer */
	hold_signals(true);
	base = event_base_new();
	if (!base) {
		log_error("event loop: out of memory");
		return 1;
	}
	if (open_all(&options, base, &control, &listeners, &parts, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	code = serve(base, control, &listeners, &parts);
	event_base_free(base);
	return code;
}
