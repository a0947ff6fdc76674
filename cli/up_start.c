#include "cli/up_start.h"

#include <errno.h>
#include <fcntl.h>
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
#include "cli/log_reason.h"
#include "cli/progress.h"
#include "cli/query.h"
#include "cli/up_config.h"
#include "images/image.h"

#define LOOK_EVERY_MS	5
#define ANSWER_MS	60000 /* for a daemon to open its socket; an image may be copied first */
#define STANDSTILL_MS	30000 /* without one more sandbox ready */
#define FAILURES_ENOUGH 3     /* builds failed while the pool calls itself broken */

static volatile sig_atomic_t is_interrupted;
static const int caught[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int signal)
{
	(void)signal;
	is_interrupted = 1;
}

void up_start_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &action, NULL);
}

void up_start_init(struct up_start *up, const struct cli *cli, const struct up_config *config)
{
	*up = (struct up_start){.cli = cli,
		.config = config,
		.lock_fd = -1,
		.has_keys = true,
		.supervisor = {"hearth-supervisor", "supervisor.log", 0, -1},
		.agentd = {"hearth-agentd", "agentd.log", 0, -1},
		.model = {"hearth-scripted-model", "model.log", 0, -1}};
}

static int say_ended(const struct up_start *up, const struct up_daemon *daemon, struct error *err)
{
	char path[INSTANCE_PATH_MAX + 32], reason[200];
	siginfo_t end = {0};

	waitid(P_PIDFD, (id_t)daemon->pidfd, &end, WEXITED | WNOHANG | WNOWAIT);
	if (end.si_code == CLD_KILLED || end.si_code == CLD_DUMPED)
		return error_set(
			err, ECHILD, "%s ended: killed by signal %d", daemon->name, end.si_status);
	snprintf(path, sizeof(path), "%s/%s", up->directory, daemon->log);
	log_reason_of_file(path, daemon->log_start, reason, sizeof(reason));
	if (*reason)
		return error_set(err, ECHILD, "%s ended: %s", daemon->name, reason);
	return error_set(err, ECHILD, "%s ended: status %d", daemon->name, end.si_status);
}

/* A signal that comes just before the wait is not lost: it is let in by the wait only. */
static void wait_for_any(struct pollfd *p, size_t count, int timeout_ms)
{
	const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	sigset_t held, before;

	sigemptyset(&held);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaddset(&held, caught[i]);
	sigprocmask(SIG_BLOCK, &held, &before);
	if (!is_interrupted)
		ppoll(p, count, timeout_ms < 0 ? NULL : &timeout, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int up_start_look(const struct up_start *up, int timeout_ms, struct error *err)
{
	const struct up_daemon *const daemons[] = {&up->supervisor, &up->agentd, &up->model};
	struct pollfd p[ARRAY_SIZE(daemons)] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(daemons); i++)
		p[i] = (struct pollfd){.fd = daemons[i]->pidfd, .events = POLLIN};
	wait_for_any(p, ARRAY_SIZE(p), timeout_ms);
	if (is_interrupted)
		return error_set(err, EINTR, "interrupted");
	for (size_t i = 0; i < ARRAY_SIZE(daemons); i++) {
		if (!p[i].revents)
			continue;
		/* The supervisor's end takes the others along: then it is the reason. */
		if (i > 0 && p[0].fd >= 0 && poll(&p[0], 1, UP_START_ENDS_MS) > 0)
			i = 0;
		return say_ended(up, daemons[i], err);
	}
	return 0;
}

/* Somebody else's daemon, which was faster, is not what we wait for: ours will say so, and end. */
static bool is_child(int pidfd)
{
	return waitid(P_PIDFD, (id_t)pidfd, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static int wait_for_socket(const struct up_start *up, const char *name, int type, struct error *err)
{
	uint64_t until = clock_now_ms() + ANSWER_MS;

	for (;;) {
		auto_close int pidfd = instance_listener(up->directory, name, type, err);
		int r;

		if (pidfd >= 0 && is_child(pidfd))
			return 0;
		r = up_start_look(up, LOOK_EVERY_MS, err);
		if (r < 0)
			return r;
		if (clock_now_ms() > until)
			return error_set(err, ETIMEDOUT, "%s/%s: nobody listens after %d s",
				up->directory, name, ANSWER_MS / 1000);
	}
}

int up_start_wait_ready(const struct up_start *up, struct error *err)
{
	const struct up_config *config = up->config;
	struct cli_progress progress;
	struct control_pool_row row;
	struct error ended;
	uint32_t ready = 0;
	uint64_t since_ms = clock_now_ms();
	int r;

	cli_progress_start(&progress, !up->cli->json && !up->cli->quiet);
	do {
		r = query_pool(up->directory, config->image, &row, err);
		/* Whether it ended tells why. */
		if (r < 0 && up_start_look(up, UP_START_ENDS_MS, &ended) < 0) {
			*err = ended;
			r = -ended.code;
		}
		if (r < 0 || row.ready >= config->pool)
			break;
		cli_progress_report(
			&progress, (int)(row.ready * 1000ul / config->pool), "building sandboxes");
		if (row.ready > ready) {
			ready = row.ready;
			since_ms = clock_now_ms();
		}
		r = up_start_look(up, LOOK_EVERY_MS, err);
		/* Without a failure it is the budget of memory that keeps it from building. */
		if (r == 0 && row.broken[0] && !row.building &&
			(row.build_failures == 0 || row.build_failures >= FAILURES_ENOUGH))
			r = error_set(err, EIO, "pool %s: %s", config->image, row.broken);
		if (r == 0 && clock_now_ms() - since_ms > STANDSTILL_MS)
			r = error_set(err, ETIMEDOUT, "pool %s: %u of %lu ready, none more in %d s",
				config->image, row.ready, config->pool, STANDSTILL_MS / 1000);
	} while (r == 0);
	cli_progress_finish(&progress);
	return r;
}

/* It says itself how far it is, and why it failed. The exit status, or -errno. */
static int run_image_program(char *const argv[], struct error *err)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		instance_forget_keys();
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0)
		return error_errno(err, "start %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, "wait for %s", argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The store's images are built by hearth-image, which links what this program does without. */
int up_start_image(const struct up_start *up, struct error *err)
{
	char manifest[256], program[INSTANCE_PATH_MAX];
	char *argv[] = {program, (char *)"image", (char *)"build", (char *)up->config->image,
		(char *)"--json", NULL};
	bool is_silent = up->cli->json || up->cli->quiet;
	struct error reason = {.text = ""};
	int r;

	snprintf(manifest, sizeof(manifest), "%s/%s/manifest.json", IMAGE_STORE_DEFAULT,
		up->config->image);
	if (access(manifest, F_OK) == 0)
		return 0;
	r = instance_program(
		"libexec/hearth/hearth-image", HEARTH_LIBEXECDIR "/hearth-image", program, err);
	if (r < 0)
		return r;
	if (!is_silent)
		argv[4] = NULL;
	r = is_silent ? instance_run_program(argv, &reason) : run_image_program(argv, &reason);
	if (is_interrupted)
		return error_set(err, EINTR, "interrupted");
	if (r == 0)
		return 0;
	return error_set(err, r == CLI_NOT_FOUND ? ENOENT : ECHILD,
		"image %s: it is not in %s and building it failed%s%s", up->config->image,
		IMAGE_STORE_DEFAULT, *reason.text ? ": " : "", reason.text);
}

void up_start_log_path(const struct up_start *up, struct up_daemon *daemon, char *path, size_t size)
{
	struct stat st;

	snprintf(path, size, "%s/%s", up->directory, daemon->log);
	daemon->log_start = stat(path, &st) == 0 ? st.st_size : 0;
}

static int start_daemon(struct up_start *up, struct up_daemon *daemon, const char *const *options,
	const char *cgroup_id, struct error *err)
{
	char program[INSTANCE_PATH_MAX], relative[64], installed[256], log[INSTANCE_PATH_MAX + 32];
	const char *argv[3 + UP_START_AGENTD_OPTIONS_MAX + 1] = {program, "--dir", up->directory};
	struct instance_child child = {.log = log,
		.cgroup_id = cgroup_id,
		.fd = -1,
		.has_keys = daemon == &up->agentd && up->has_keys};
	int r;

	for (size_t i = 0; options && options[i] && i < UP_START_AGENTD_OPTIONS_MAX; i++)
		argv[3 + i] = options[i];
	snprintf(relative, sizeof(relative), "sbin/%s", daemon->name);
	snprintf(installed, sizeof(installed), "%s/%s", HEARTH_SBINDIR, daemon->name);
	up_start_log_path(up, daemon, log, sizeof(log));
	r = instance_program(relative, installed, program, err);
	if (r == 0)
		r = instance_start((char *const *)argv, &child, err);
	if (r < 0)
		return r;
	daemon->pidfd = r;
	return 0;
}

int up_start_supervisor(struct up_start *up, struct error *err)
{
	int r = up->lock_fd = instance_reserve(up->directory, err);

	if (r >= 0)
		r = up_config_write(up->cli, up->config, up->directory, err);
	if (r == 0)
		r = start_daemon(up, &up->supervisor, NULL, NULL, err);
	if (r == 0)
		r = wait_for_socket(up, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);
	return r;
}

/* The supervisor has made the cgroup that it joins, and ended what an earlier run left in it. */
int up_start_agentd(struct up_start *up, const char *const *options, struct error *err)
{
	int r = start_daemon(up, &up->agentd, options, up->id, err);

	if (r == 0)
		r = wait_for_socket(up, INSTANCE_AGENTD_SOCKET, SOCK_STREAM, err);
	return r;
}

static void end(struct up_daemon *daemon, int timeout_ms)
{
	struct error err;

	if (daemon->pidfd < 0)
		return;
	instance_end(daemon->pidfd, timeout_ms, &err);
	fd_close(daemon->pidfd);
	daemon->pidfd = -1;
}

int up_start_take_back(struct up_start *up, int r, struct error *err)
{
	bool had_supervisor = up->supervisor.pidfd >= 0;
	struct error why = {0};
	size_t length;

	end(&up->agentd, INSTANCE_AGENTD_STOP_MS);
	end(&up->model, INSTANCE_AGENTD_STOP_MS);
	end(&up->supervisor, INSTANCE_SUPERVISOR_STOP_MS);
	/* Where another one serves, ours never began. */
	if (had_supervisor && instance_clear(up->directory, &why) == -EEXIST)
		why.code = 0;
	fd_close(take_fd(&up->lock_fd));
	if (why.code == 0)
		return r;
	if (r == 0)
		return error_set(err, why.code, "stop what was started: %s", why.text);
	length = strlen(err->text);
	snprintf(err->text + length, sizeof(err->text) - length, "; stop what was started: %s",
		why.text);
	return r;
}

int up_start_find_directory(struct up_start *up, struct error *err)
{
	const char *directory = up->cli->directory;
	int r = file_make_directories(directory, 0755, err);

	if (r == 0)
		r = instance_open(directory, err);
	if (r < 0)
		return r;
	close(r);
	if (!realpath(directory, up->directory))
		return error_errno(err, "%s", directory);
	return instance_id(up->directory, up->id, err);
}

int up_start_is_answered(const struct up_start *up, const char *name, int type, struct error *err)
{
	auto_close int pidfd = instance_listener(up->directory, name, type, err);

	if (pidfd >= 0)
		return 1;
	return pidfd == -ENOENT || pidfd == -ECONNREFUSED ? 0 : pidfd;
}
