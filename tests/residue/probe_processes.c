/* What a tenant leaves in processes and terminals. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/residue/probe.h"

#define OPEN_FILES 4096 /* of a sandbox whose template says nothing */

/* Names of processes; the kernel keeps 15 bytes. */
static void name_self(char kind)
{
	char name[16];

	snprintf(name, sizeof(name), CANARY "%c", kind);
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* Processes of this name in one of these states. */
static void look_for(char kind, const char *states)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char name[32];

	snprintf(name, sizeof(name), "(" CANARY "%c) ", kind);
	while (proc && (entry = readdir(proc))) {
		char path[64], text[512];
		const char *at;

		snprintf(path, sizeof(path), "/proc/%.16s/stat", entry->d_name);
		if (probe_read(path, text, sizeof(text)) < 0)
			continue;
		at = strstr(text, name);
		if (at && strchr(states, at[strlen(name)]))
			probe_found("%.60s", text);
	}
	if (proc)
		closedir(proc);
}

/* A child of the command, in its session, that outlives it. */
int leave_running(void)
{
	pid_t child;

	fflush(stdout);
	name_self('r');
	child = fork();
	if (child != 0) {
		prctl(PR_SET_NAME, "residue-probe", 0, 0, 0);
		return child < 0 ? -errno : 0;
	}
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	for (;;)
		pause();
}

void look_running(void)
{
	look_for('r', "RS");
}

static int be_daemon(void)
{
	name_self('d');
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return 0;
}

int leave_daemon(void)
{
	return probe_daemon(be_daemon);
}

void look_daemon(void)
{
	look_for('d', "RS");
}

/* Until the child has come to this state. */
static int wait_state(pid_t pid, char state)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		const char *at =
			probe_read(path, text, sizeof(text)) < 0 ? NULL : strrchr(text, ')');

		if (!at)
			return -ESRCH;
		if (at[2] == state)
			return 0;
		usleep(200);
	}
}

static int hold_stopped(void)
{
	pid_t child = fork();

	if (child == 0) {
		name_self('s');
		raise(SIGSTOP);
		_exit(0);
	}
	return wait_state(child, 'T');
}

int leave_stopped(void)
{
	return probe_daemon(hold_stopped);
}

void look_stopped(void)
{
	look_for('s', "T");
}

/* One in the stop of a tracer, and one that waits for its vforked child: nothing interrupts that. */
static int hold_traced(void)
{
	pid_t child = fork();

	if (child == 0) {
		name_self('t');
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	if (wait_state(child, 't') < 0)
		return -EIO;
	child = fork();
	if (child == 0) {
		name_self('t');
		if (vfork() == 0)
			for (;;)
				pause();
		_exit(0);
	}
	return wait_state(child, 'D');
}

int leave_traced(void)
{
	return probe_daemon(hold_traced);
}

void look_traced(void)
{
	look_for('t', "tD");
}

static int hold_zombie(void)
{
	pid_t child = fork();

	if (child == 0) {
		name_self('z');
		_exit(0);
	}
	return wait_state(child, 'Z');
}

int leave_zombie(void)
{
	return probe_daemon(hold_zombie);
}

void look_zombie(void)
{
	look_for('z', "Z");
}

/* What a shell hands down to what it starts; kept in this process, so look from within it. */
int leave_shell_state(void)
{
	struct rlimit few = {64, 64};
	struct sigaction ignored = {.sa_handler = SIG_IGN};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	umask(0);
	/* PID 1 too, from which everything inherits: it is out of reach. */
	prlimit(1, RLIMIT_NOFILE, &few, NULL);
	setpriority(PRIO_PROCESS, 1, 10);
	if (setrlimit(RLIMIT_NOFILE, &few) < 0 || setpriority(PRIO_PROCESS, 0, 10) < 0 ||
		setenv("HEARTH_CANARY", CANARY, 1) < 0 || chdir("/tmp") < 0 ||
		sigprocmask(SIG_BLOCK, &blocked, NULL) < 0 ||
		sigaction(SIGPIPE, &ignored, NULL) < 0)
		return -errno;
	return 0;
}

static void look_at_signals(void)
{
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int s = 1; s < 65; s++) {
		struct sigaction action;

		if (s >= 32 && s < 35) /* the C library's own */
			continue;
		if (sigismember(&blocked, s) == 1)
			probe_found("signal %d is blocked", s);
		if (sigaction(s, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			probe_found("signal %d is ignored", s);
	}
}

extern char **environ;

void look_shell_state(void)
{
	struct rlimit files;
	char cwd[256] = "";
	mode_t mask = umask(022);

	if (mask != 022)
		probe_found("umask %o", mask);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur != OPEN_FILES)
		probe_found("%llu open files", (unsigned long long)files.rlim_cur);
	if (getpriority(PRIO_PROCESS, 0) != 0)
		probe_found("nice %d", getpriority(PRIO_PROCESS, 0));
	if (!getcwd(cwd, sizeof(cwd)) || strcmp(cwd, "/root") != 0)
		probe_found("cwd %s", cwd);
	for (char **e = environ; *e; e++)
		if (strstr(*e, CANARY))
			probe_found("environment %s", *e);
	if (isatty(0) || isatty(1))
		probe_found("a terminal");
	look_at_signals();
}

static int hold_terminal(void)
{
	struct termios t;
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	if (fd < 0 || unlockpt(fd) < 0 || tcgetattr(fd, &t) < 0)
		return -errno;
	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	tcsetattr(fd, TCSANOW, &t);
	return write(fd, CANARY "\n", strlen(CANARY) + 1) < 0 ? -errno : 0;
}

int leave_terminal(void)
{
	return probe_daemon(hold_terminal);
}

void look_terminal(void)
{
	DIR *dir = opendir("/dev/pts");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			probe_found("/dev/pts/%s", entry->d_name);
	if (dir)
		closedir(dir);
}
