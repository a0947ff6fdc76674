#define _GNU_SOURCE 1 /* environ, pipe2, close_range */
#include "images/recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "images/manifest.h"

#define LINE_MAX_SIZE 8192
#define LOG_TAIL_SIZE 4096

/* A running recipe. */
struct run {
	const struct image_progress *progress;
	struct manifest_draft *draft;
	int pidfd;
	int out_fd; /* the script's output; -1 after its end */
	size_t length;
	char line[LINE_MAX_SIZE];
};

/* What a recipe may know of its caller's environment: how this host reaches the network. */
static const char *const passed_on[] = {"HOME", "http_proxy", "https_proxy", "all_proxy",
	"no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NPM_CONFIG_REGISTRY",
	"npm_config_registry", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"};

#define ENV_FIXED 3

static void fill_environment(char *libexec, char **env)
{
	size_t count = 0;

	env[count++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[count++] = "LC_ALL=C.UTF-8";
	env[count++] = libexec;
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
		size_t length = strlen(passed_on[i]);
		char **p = environ;

		/* The first of them, as getenv(3): nothing keeps a caller from giving the same name twice. */
		while (*p && (strncmp(*p, passed_on[i], length) != 0 || (*p)[length] != '='))
			p++;
		if (*p)
			env[count++] = *p;
	}
	env[count] = NULL;
}

static void child_fail(const char *what)
{
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
	_exit(127);
}

/* A /proc of the new pid namespace, which the script's programs read. Nothing goes to the host. */
static void child_mount_proc(void)
{
	/* In a chroot neither needs to be a mount point. */
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount(NULL, "/proc", NULL, MS_PRIVATE, NULL);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		child_fail("mount /proc");
}

_Noreturn static void child_main(const struct recipe *recipe, int out_fd, char *libexec)
{
	char *env[ENV_FIXED + ARRAY_SIZE(passed_on) + 1];
	char *argv[] = {(char *)recipe->script, (char *)recipe->root, (char *)recipe->work,
		(char *)recipe->cache, NULL};
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	dup2(recipe->log_fd, STDERR_FILENO);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
		child_fail("set up the recipe");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setsid() < 0)
		child_fail("set up the recipe");
	child_mount_proc();
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
		fcntl(recipe->lock_fd, F_SETFD, 0) < 0)
		child_fail("set up the recipe");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	fill_environment(libexec, env);
	execve(recipe->script, argv, env);
	child_fail(recipe->script);
	_exit(127);
}

/* "HEARTH_LIBEXECDIR=DIR": the script's tree's own libexec when it has one, else the installed one. */
static void format_libexec(const char *script, char *to, size_t size)
{
	static const char recipes[] = "/share/hearth/recipes/";
	const char *at = strstr(script, recipes);

	snprintf(to, size, "HEARTH_LIBEXECDIR=%.*s/libexec/hearth", at ? (int)(at - script) : 0,
		script);
	if (!at || access(strchr(to, '/'), X_OK) < 0)
		snprintf(to, size, "HEARTH_LIBEXECDIR=" HEARTH_LIBEXECDIR);
}

static int start(const struct recipe *recipe, struct run *run, struct error *err)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS,
		.pidfd = (uintptr_t)&run->pidfd,
		.exit_signal = SIGCHLD,
	};
	char libexec[4096];
	int ends[2];
	long pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");
	format_libexec(recipe->script, libexec, sizeof(libexec));
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child_main(recipe, ends[1], libexec);
	fd_close(ends[1]);
	if (pid < 0) {
		fd_close(ends[0]);
		return error_errno(err, "start the recipe: clone");
	}
	run->out_fd = ends[0];
	return 0;
}

static int on_line(struct run *run, const char *line, struct error *err)
{
	static const char word[] = "progress ";
	unsigned long permille;
	char *end;

	if (strncmp(line, word, strlen(word)) != 0)
		return manifest_draft_add(run->draft, line, err);
	permille = strtoul(line + strlen(word), &end, 10);
	if (*end != ' ' || permille > 1000)
		return error_set(err, EPROTO, "the recipe said \"%.100s\"", line);
	if (run->progress)
		run->progress->report(run->progress->arg, (int)permille, end + 1);
	return 0;
}

/* 0 also at the end of its output, which is then closed. The last line may lack its newline. */
static int on_output(struct run *run, struct error *err)
{
	ssize_t n = read(run->out_fd, run->line + run->length, sizeof(run->line) - run->length);
	char *begin = run->line, *newline;
	int r = 0;

	if (n < 0)
		return errno == EINTR ? 0 : error_errno(err, "read from the recipe");
	if (n == 0) {
		fd_close(take_fd(&run->out_fd));
		run->line[run->length] = '\0'; /* there is room: a full line is an error */
		return run->length > 0 ? on_line(run, run->line, err) : 0;
	}
	run->length += (size_t)n;
	while (r == 0 && (newline = memchr(begin, '\n', run->length))) {
		*newline = '\0';
		r = on_line(run, begin, err);
		run->length -= (size_t)(newline + 1 - begin);
		begin = newline + 1;
	}
	memmove(run->line, begin, run->length);
	if (r == 0 && run->length == sizeof(run->line))
		r = error_set(
			err, EPROTO, "the recipe said a line of over %d bytes", LINE_MAX_SIZE);
	return r;
}

/* Until the script has ended, which closes its output. After a failure it is killed and waited for. */
static int listen_to(const struct recipe *recipe, struct run *run, struct error *err)
{
	struct pollfd polls[] = {{.events = POLLIN}, {.fd = run->pidfd, .events = POLLIN},
		{.fd = recipe->interrupt_fd, .events = POLLIN}};
	int r = 0;

	while (run->out_fd >= 0 || !polls[1].revents) {
		polls[0].fd = run->out_fd;
		if (poll(polls, ARRAY_SIZE(polls), -1) < 0)
			continue; /* EINTR: the fds are good and few */
		if (polls[0].revents && r == 0)
			r = on_output(run, err);
		if (polls[2].revents && r == 0)
			r = error_set(err, EINTR, "interrupted");
		if (r < 0) {
			polls[2].fd = -1;
			fd_close(take_fd(&run->out_fd));
			syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0);
		}
	}
	return r;
}

/* The last line of the log, which by the recipes' custom says why. */
static void last_line(int log_fd, char *tail, size_t size)
{
	off_t end = lseek(log_fd, 0, SEEK_END);
	ssize_t n =
		pread(log_fd, tail, size - 1, end > (off_t)size - 1 ? end - (off_t)size + 1 : 0);
	char *line;

	while (n > 0 && tail[n - 1] == '\n')
		n--;
	tail[n > 0 ? n : 0] = '\0';
	line = strrchr(tail, '\n');
	if (line)
		memmove(tail, line + 1, strlen(line));
	for (char *p = tail; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

/* The log may have had no room for the reason, or the recipe has removed what did not fit. */
static bool is_out_of_space(int log_fd, const char *tail)
{
	struct statvfs fs;

	return strstr(tail, strerror(ENOSPC)) ||
	       (fstatvfs(log_fd, &fs) == 0 && fs.f_blocks > 0 && fs.f_bavail == 0);
}

static int explain(const struct recipe *recipe, const siginfo_t *info, struct error *err)
{
	char tail[LOG_TAIL_SIZE];
	int code;

	if (info->si_code == CLD_EXITED && info->si_status == 0)
		return 0;
	last_line(recipe->log_fd, tail, sizeof(tail));
	code = is_out_of_space(recipe->log_fd, tail) ? ENOSPC : EIO;
	if (tail[0])
		return error_set(err, code, "%s", tail);
	return error_set(err, code, "the recipe %s %d%s",
		info->si_code == CLD_EXITED ? "ended with" : "was killed by signal",
		info->si_status, code == ENOSPC ? ": the store is full" : "");
}

int recipe_run(const struct recipe *recipe, const struct image_progress *progress,
	struct manifest_draft *draft, struct error *err)
{
	struct run run = {.progress = progress, .draft = draft, .pidfd = -1, .out_fd = -1};
	siginfo_t info = {0};
	int r = start(recipe, &run, err);

	if (r < 0)
		return r;
	r = listen_to(recipe, &run, err);
	fd_close(run.out_fd);
	if (waitid(P_PIDFD, (id_t)run.pidfd, &info, WEXITED) < 0 && r == 0)
		r = error_errno(err, "wait for the recipe");
	fd_close(run.pidfd);
	return r < 0 ? r : explain(recipe, &info, err);
}
