/*
 * hearth-scripted-model - no model: a program that follows a script, over the same wire as real ones.
 *
 * With it an instance can be tried without a provider's key, and tests have a model that says what they want, also
 * badly: cut, stalled, byte by byte. It runs as any user, opens nothing but its socket and its scenario, and each of
 * its replies says what it is. docs/scripted-model.md tells how to write a scenario.
 *
 *   client --HTTP--> door -> service -> chat: what is asked, in either dialect
 *                              |-> scenario: which step comes next, or chat_answer()
 *                              |-> speech: the step, piece by piece, as openai.c and anthropic.c write it
 *                              '-> wire: these bytes, as the step wants them sent
 *
 * One thread, one libevent loop. "ready URL" on stdout once it listens; SIGTERM and SIGINT end it with 0.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agentd/loopback.h"
#include "agentd/scripted/scenario.h"
#include "agentd/scripted/service.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/number.h"
#include "base/unix_socket.h"

#define PROGRAM	    "hearth-scripted-model"
#define SOCKET_MODE 0660

struct options {
	const char *socket_path; /* NULL: none */
	const char *scenario;	 /* NULL: none */
	uint64_t fd, port;
	bool has_fd, has_port;
};

static void show_usage(FILE *to)
{
	fprintf(to, "usage: " PROGRAM " --socket PATH | --fd N | --port N [--scenario FILE]\n"
		    "Be a language model that follows a script: on a Unix socket, on a listening "
		    "socket\n"
		    "that was passed on as descriptor N, or on 127.0.0.1 (port 0: any).\n");
}

static int refuse_option(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, PROGRAM ": --%s '%s': %s\n", option, value, wanted);
	return 1 + 2;
}

/* 0: go on. Otherwise 1 + the exit status. */
static int read_option(int c, struct options *options)
{
	switch (c) {
	case 's':
		options->socket_path = optarg;
		return 0;
	case 'c':
		options->scenario = optarg;
		return 0;
	case 'f':
		options->has_fd = true;
		if (number_parse(optarg, 3, INT32_MAX, &options->fd) < 0)
			return refuse_option("fd", optarg, "a descriptor is wanted, 3 or more");
		return 0;
	case 'p':
		options->has_port = true;
		if (number_parse(optarg, 0, 65535, &options->port) < 0)
			return refuse_option("port", optarg, "a port is wanted, 0 to 65535");
		return 0;
	case 'h':
		show_usage(stdout);
		return 1;
	case 'v':
		printf(PROGRAM " %s\n", PACKAGE_VERSION);
		return 1;
	default:
		show_usage(stderr);
		return 1 + 2;
	}
}

/* As read_option(). */
static int parse_options(int argc, char **argv, struct options *ret_options)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"fd", required_argument, NULL, 'f'},
		{"port", required_argument, NULL, 'p'},
		{"scenario", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		r = read_option(c, ret_options);
	if (r != 0)
		return r;
	if (optind == argc &&
		!!ret_options->socket_path + ret_options->has_fd + ret_options->has_port == 1)
		return 0;
	show_usage(stderr);
	return 1 + 2;
}

/* One that our parent has bound and listens on. */
static int take_listener(int fd, struct error *err)
{
	int is_listening = 0;
	socklen_t size = sizeof(is_listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) < 0)
		return error_errno(err, "--fd %d", fd);
	if (!is_listening)
		return error_set(err, EINVAL, "--fd %d: a listening socket is wanted", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fd_set_nonblocking(fd, true) < 0)
		return error_errno(err, "--fd %d", fd);
	return fd;
}

/* Returns the listener, or -errno. */
static int listen_as_told(const struct options *options, struct error *err)
{
	if (options->socket_path)
		return unix_socket_listen(
			AT_FDCWD, options->socket_path, SOCK_STREAM, SOCKET_MODE, (gid_t)-1, err);
	if (options->has_fd)
		return take_listener((int)options->fd, err);
	return loopback_listen((unsigned)options->port, err);
}

/* The base URL that a client is configured with; a Unix socket has only its path. */
static void tell_ready(const struct options *options, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} address = {0};
	socklen_t size = sizeof(address);

	getsockname(fd, &address.any, &size);
	if (address.any.sa_family == AF_INET)
		printf("ready http://127.0.0.1:%u/v1\n", ntohs(address.in.sin_port));
	else
		printf("ready unix:%s\n",
			options->socket_path ? options->socket_path : address.un.sun_path);
	fflush(stdout);
}

static void on_signal(evutil_socket_t number, short events, void *arg)
{
	(void)number;
	(void)events;
	event_base_loopbreak(arg);
}

/* Returns the exit status. The listener is taken over. */
static int serve(struct event_base *base, const struct options *options, int listener,
	struct scenario *scenario)
{
	struct service *service = NULL;
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
	struct error err = {.text = "out of memory"};
	int code = 1;

	if (!term || !interrupt || event_add(term, NULL) < 0 || event_add(interrupt, NULL) < 0)
		fd_close(listener);
	else if (service_start(base, listener, scenario, &service, &err) == 0)
		code = 0;
	if (code == 0) {
		tell_ready(options, listener);
		event_base_dispatch(base);
	} else {
		fprintf(stderr, PROGRAM ": %s\n", err.text);
	}
	service_stop(service);
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	return code;
}

/* As serve(). */
static int run(const struct options *options, struct scenario *scenario)
{
	struct error err = {.text = "out of memory"};
	struct event_base *base = event_base_new();
	int listener = base ? listen_as_told(options, &err) : -1;
	int code = 1;

	if (listener >= 0)
		code = serve(base, options, listener, scenario);
	else
		fprintf(stderr, PROGRAM ": %s\n", err.text);
	if (listener >= 0 && options->socket_path)
		unlink(options->socket_path);
	if (base)
		event_base_free(base);
	return code;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct scenario *scenario = NULL;
	struct error err;
	int code;
	int r = parse_options(argc, argv, &options);

	if (r > 0)
		return r - 1;
	signal(SIGPIPE, SIG_IGN);
	if (options.scenario && scenario_read(options.scenario, &scenario, &err) < 0) {
		fprintf(stderr, PROGRAM ": %s: %s\n", options.scenario, err.text);
		return 2;
	}
	code = run(&options, scenario);
	scenario_destroy(scenario);
	return code;
}
