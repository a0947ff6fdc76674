/*
 * up.c - hearth up: an instance with one pool, in the background, ready to serve.
 *
 * Configuration, image, supervisor, agentd, then wait for the pool. Whatever fails on the way, and
 * Ctrl-C, ends with everything stopped again; the configuration and the logs stay, to tell why.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/instance.h"
#include "cli/progress.h"
#include "cli/query.h"
#include "cli/up_config.h"
#include "images/image.h"
#include "proto/instance.h"

#define LOOK_EVERY_MS	5
#define ANSWER_MS	60000 /* for a daemon to open its socket; an image may be copied first */
#define STANDSTILL_MS	30000 /* without one more sandbox ready */
#define FAILURES_ENOUGH 3     /* builds failed while the pool calls itself broken */
#define MESSAGE_KEY	"\"message\":\""
#define LOG_TAIL	4096

struct up_daemon {
	const char *name, *log;
	off_t log_start; /* what stands before it is of an earlier run */
	int pidfd;	 /* -1: not started */
};

struct up {
	struct cli *cli;
	struct up_config config;
	char directory[INSTANCE_PATH_MAX]; /* real path */
	char id[INSTANCE_ID_SIZE];
	struct up_daemon supervisor, agentd;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int signal)
{
	(void)signal;
	is_interrupted = 1;
}

/* Interrupts poll(2), so that up() can take back what it did. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* The last line that it logged, which is where it says why it ended. */
static void read_last_line(
	const struct up *up, const struct up_daemon *daemon, char *line, size_t size)
{
	off_t start = daemon->log_start;
	char path[INSTANCE_PATH_MAX + 32], text[LOG_TAIL + 1], *last, *message;
	auto_close int fd = -1;
	ssize_t n = -1;

	snprintf(path, sizeof(path), "%s/%s", up->directory, daemon->log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		off_t end = lseek(fd, 0, SEEK_END);

		n = pread(fd, text, LOG_TAIL, end > start + LOG_TAIL ? end - LOG_TAIL : start);
	}
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n > 0 ? n : 0] = '\0';
	last = strrchr(text, '\n');
	last = last ? last + 1 : text;
	/* A line of JSON with a sentence: the sentence alone. */
	message = strstr(last, MESSAGE_KEY);
	if (message) {
		last = message + strlen(MESSAGE_KEY);
		last[strcspn(last, "\"")] = '\0';
	}
	snprintf(line, size, "%.*s", (int)size - 1, last);
}

static int say_ended(const struct up *up, const struct up_daemon *daemon, struct error *err)
{
	char line[200];

	read_last_line(up, daemon, line, sizeof(line));
	return error_set(
		err, ECHILD, "%s ended: %s", daemon->name, *line ? line : "it said nothing");
}

/* Let a moment pass, or less when a daemon ends or a signal comes: then that is the failure. */
static int look_on(const struct up *up, struct error *err)
{
	struct pollfd p[] = {
		{.fd = up->supervisor.pidfd, .events = POLLIN},
		{.fd = up->agentd.pidfd, .events = POLLIN},
	};

	poll(p, ARRAY_SIZE(p), LOOK_EVERY_MS);
	if (is_interrupted)
		return error_set(err, EINTR, "interrupted");
	if (p[0].revents)
		return say_ended(up, &up->supervisor, err);
	if (p[1].revents)
		return say_ended(up, &up->agentd, err);
	return 0;
}

static int wait_for_socket(const struct up *up, const char *name, int type, struct error *err)
{
	uint64_t until = clock_now_ms() + ANSWER_MS;

	for (;;) {
		auto_close int pidfd = instance_listener(up->directory, name, type, err);
		int r;

		if (pidfd >= 0)
			return 0;
		r = look_on(up, err);
		if (r < 0)
			return r;
		if (clock_now_ms() > until)
			return error_set(err, ETIMEDOUT, "%s/%s: nobody listens after %d s",
				up->directory, name, ANSWER_MS / 1000);
	}
}

static int wait_until_ready(const struct up *up, struct error *err)
{
	struct cli_progress progress;
	struct control_pool_row row;
	uint32_t ready = 0;
	uint64_t since_ms = clock_now_ms();
	int r;

	cli_progress_start(&progress, !up->cli->json && !up->cli->quiet);
	do {
		r = query_pool(up->directory, up->config.image, &row, err);
		if (r < 0 || row.ready >= up->config.pool)
			break;
		cli_progress_report(&progress, (int)(row.ready * 1000ul / up->config.pool),
			"building sandboxes");
		if (row.ready > ready) {
			ready = row.ready;
			since_ms = clock_now_ms();
		}
		r = look_on(up, err);
		/* Without a failure it is the budget of memory that keeps it from building. */
		if (r == 0 && row.broken[0] && !row.building &&
			(row.build_failures == 0 || row.build_failures >= FAILURES_ENOUGH))
			r = error_set(err, EIO, "pool %s: %s", up->config.image, row.broken);
		if (r == 0 && clock_now_ms() - since_ms > STANDSTILL_MS)
			r = error_set(err, ETIMEDOUT, "pool %s: %u of %lu ready, none more in %d s",
				up->config.image, row.ready, up->config.pool, STANDSTILL_MS / 1000);
	} while (r == 0);
	cli_progress_finish(&progress);
	return r;
}

/* The store's images are built by hearth-image, which links what this program does without. */
static int build_missing_image(const struct up *up, struct error *err)
{
	char manifest[256], program[INSTANCE_PATH_MAX];
	char *argv[] = {program, (char *)"image", (char *)"build", (char *)up->config.image, NULL};
	int r, status;
	pid_t pid;

	snprintf(manifest, sizeof(manifest), "%s/%s/manifest.json", IMAGE_STORE_DEFAULT,
		up->config.image);
	if (access(manifest, F_OK) == 0)
		return 0;
	r = instance_program(
		"libexec/hearth/hearth-image", HEARTH_LIBEXECDIR "/hearth-image", program, err);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execv(program, argv);
		_exit(127);
	}
	if (pid < 0)
		return error_errno(err, "start %s", program);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, "wait for %s", program);
	if (is_interrupted)
		return error_set(err, EINTR, "interrupted");
	if (status != 0)
		return error_set(err,
			WIFEXITED(status) && WEXITSTATUS(status) == CLI_NOT_FOUND ? ENOENT : ECHILD,
			"image %s: it is not in %s and building it failed", up->config.image,
			IMAGE_STORE_DEFAULT);
	return 0;
}

static int start_daemon(
	struct up *up, struct up_daemon *daemon, const char *cgroup_id, struct error *err)
{
	char program[INSTANCE_PATH_MAX], relative[64], installed[256], path[INSTANCE_PATH_MAX + 32];
	char *argv[] = {program, (char *)"--dir", up->directory, NULL};
	struct stat st;
	int r;

	snprintf(relative, sizeof(relative), "sbin/%s", daemon->name);
	snprintf(installed, sizeof(installed), "%s/%s", HEARTH_SBINDIR, daemon->name);
	snprintf(path, sizeof(path), "%s/%s", up->directory, daemon->log);
	daemon->log_start = stat(path, &st) == 0 ? st.st_size : 0;
	r = instance_program(relative, installed, program, err);
	if (r == 0)
		r = instance_start(argv, path, cgroup_id, err);
	if (r < 0)
		return r;
	daemon->pidfd = r;
	return 0;
}

static int start_all(struct up *up, struct error *err)
{
	int r = up_config_write(up->cli, &up->config, up->directory, err);

	if (r == 0)
		r = start_daemon(up, &up->supervisor, NULL, err);
	if (r == 0)
		r = wait_for_socket(up, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);
	/* The supervisor has made the cgroup and ended what an earlier run left in it. */
	if (r == 0)
		r = start_daemon(up, &up->agentd, up->id, err);
	if (r == 0)
		r = wait_for_socket(up, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, err);
	if (r == 0)
		r = wait_until_ready(up, err);
	return r;
}

/* Whatever fails here fails again, and is said, at the next hearth down. */
static void take_back(struct up *up)
{
	struct error err;

	if (up->agentd.pidfd >= 0)
		instance_end(up->agentd.pidfd, INSTANCE_AGENTD_STOP_MS, &err);
	if (up->supervisor.pidfd >= 0)
		instance_end(up->supervisor.pidfd, INSTANCE_SUPERVISOR_STOP_MS, &err);
	if (up->supervisor.pidfd >= 0 && instance_stop(up->directory, NULL, &err) < 0)
		fprintf(stderr, "hearth: stop what was started: %s\n", err.text);
}

static int find_directory(struct up *up, struct error *err)
{
	const char *directory = up->cli->directory;
	int r = file_make_directories(directory, 0755, err);

	if (r < 0)
		return r;
	if (!realpath(directory, up->directory))
		return error_errno(err, "%s", directory);
	return instance_id(up->directory, up->id, err);
}

/* 0: nothing runs there. */
static int check_nothing_runs(const struct up *up, struct error *err)
{
	auto_close int pidfd =
		instance_listener(up->directory, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);

	if (pidfd >= 0)
		return error_set(err, EEXIST, "instance %s: it runs already", up->directory);
	return pidfd == -ENOENT || pidfd == -ECONNREFUSED ? 0 : pidfd;
}

int cli_up(struct cli *cli, int argc, char **argv)
{
	struct up up = {.cli = cli,
		.supervisor = {"hearth-supervisor", "supervisor.log", 0, -1},
		.agentd = {"hearth-agentd", "agentd.log", 0, -1}};
	const char *advice = NULL;
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = up_config_parse(cli, &up.config);
	if (r != 0)
		return r;
	if (geteuid() != 0) {
		error_set(&err, EPERM, "an instance is started by root only");
		return cli_fail(cli, &err, "run it as root");
	}
	catch_signals();
	r = find_directory(&up, &err);
	if (r == 0) {
		r = check_nothing_runs(&up, &err);
		advice = r == -EEXIST ? "stop it with hearth down, or choose another --dir" : NULL;
	}
	if (r == 0)
		r = build_missing_image(&up, &err);
	if (r == 0) {
		r = start_all(&up, &err);
		if (r < 0)
			take_back(&up);
		advice = r < 0 ? "the logs are in the instance's directory" : NULL;
	}
	if (r < 0)
		return cli_fail(cli, &err, advice);
	if (cli->json)
		cli_print_json(json_pack("{s:s, s:s, s:I}", "directory", up.directory, "pool",
			up.config.image, "ready", (json_int_t)up.config.pool));
	else if (!cli->quiet)
		printf("hearth: %lu sandboxes of %s are ready in %s\n", up.config.pool,
			up.config.image, up.directory);
	return CLI_OK;
}
