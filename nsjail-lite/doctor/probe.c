/* hearth-doctor-probe - what a hostile program would try first, from inside. See probe.h. musl-static. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nsjail-lite/doctor/probe.h"

#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#define PATH_LONGEST 512

static int can_open(const char *prefix, const char *path, int how)
{
	char full[PATH_LONGEST];

	snprintf(full, sizeof(full), "%s%s", prefix, path);
	return open(full, how | O_CLOEXEC) >= 0;
}

/* Without a right to read it: only root of the host has that. */
static int try_marker(const char *path)
{
	if (can_open("", path, O_PATH))
		return PROBE_READ;
	if (can_open("../../../../../../../..", path, O_PATH))
		return PROBE_READ_ABOVE;
	return can_open("/proc/1/root", path, O_PATH) ? PROBE_READ_BY_INIT : PROBE_REFUSED;
}

static int try_mount(void)
{
	if (mount("hearth-doctor", "/proc", "tmpfs", 0, NULL) == 0)
		return PROBE_MOUNT;
	if (syscall(SYS_fsopen, "tmpfs", 0) >= 0)
		return PROBE_FSOPEN;
	return umount2("/proc", MNT_DETACH) == 0 ? PROBE_UMOUNT : PROBE_REFUSED;
}

static int try_unshare(void)
{
	int pid;

	if (unshare(CLONE_NEWUSER) == 0)
		return PROBE_UNSHARE_USER;
	if (unshare(CLONE_NEWNS) == 0)
		return PROBE_UNSHARE_MOUNT;
	pid = (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	return pid > 0 ? PROBE_CLONE_USER : PROBE_REFUSED;
}

/* When PID 1 dies of it, so do we: the sandbox's end is then the result. */
static int try_init(void)
{
	if (ptrace(PTRACE_ATTACH, 1, 0, 0) == 0)
		return PROBE_TRACE_INIT;
	if (ptrace(PTRACE_SEIZE, 1, 0, 0) == 0)
		return PROBE_TRACE_INIT;
	kill(1, SIGKILL);
	kill(1, SIGSTOP);
	return can_open("", "/proc/1/mem", O_RDONLY) ? PROBE_KILL_INIT : PROBE_REFUSED;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "nothing") == 0)
		return PROBE_REFUSED;
	if (strcmp(what, "marker") == 0 && argc == 3)
		return try_marker(argv[2]);
	if (strcmp(what, "mount") == 0)
		return try_mount();
	if (strcmp(what, "unshare") == 0)
		return try_unshare();
	if (strcmp(what, "init") == 0)
		return try_init();
	return PROBE_USAGE;
}
