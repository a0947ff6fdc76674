/* Namespaces as Hearth makes them: four with the birth of a child, the others by a process for itself. */
#include <errno.h>
#include <linux/if.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/doctor/world.h"
#include "nsjail-lite/jail.h"
#include "nsjail-lite/kernel.h"

#define BORN_INTO (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)
#define FIRST_UID (16 * JAIL_UIDS)

/* In a chroot no user namespace may be made; joining one's own mount namespace leads back to its root. */
static int leave_chroot(void)
{
	auto_close int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	return fd < 0 || setns(fd, CLONE_NEWNS) < 0 ? -errno : 0;
}

static int loopback_up(void)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};

	strcpy(request.ifr_name, "lo");
	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* In the child: an errno as its exit status. EEXIST: the namespace is still the old one. */
static int enter(const struct doctor_check *check, const char *link, const char *before)
{
	char now[64] = "";
	int r = 0;

	if (check->number == CLONE_NEWUSER)
		r = leave_chroot();
	if (r == 0 && !(check->number & BORN_INTO) && unshare((int)check->number) < 0)
		r = -errno;
	if (r == 0 && (readlink(link, now, sizeof(now) - 1) < 0 || strcmp(now, before) == 0))
		r = -EEXIST;
	if (r == 0 && check->number == CLONE_NEWNET)
		r = loopback_up();
	return -r;
}

int try_namespace(struct check_attempt *attempt, struct error *err)
{
	const struct doctor_check *check = attempt->check;
	struct clone_args args = {.flags = check->number & BORN_INTO, .exit_signal = SIGCHLD};
	char link[32], before[64] = "";
	long pid;

	snprintf(link, sizeof(link), "/proc/self/ns/%s", check->text);
	if (readlink(link, before, sizeof(before) - 1) < 0)
		return error_errno(err, "%s", link);
	pid = kernel_clone3(&args);
	if (pid == 0)
		_exit(enter(check, link, before));
	if (pid < 0)
		return error_errno(err, "clone3");
	return check_wait((int)pid, err, check->number & BORN_INTO ? "clone3" : "unshare");
}

/* In the child: a user namespace, held until it is killed. */
static _Noreturn void hold_userns(int ready_fd)
{
	char result = 0;

	if (leave_chroot() < 0 || unshare(CLONE_NEWUSER) < 0)
		result = (char)errno;
	fd_write_full(ready_fd, &result, 1);
	for (;;)
		pause();
}

static int write_map(pid_t pid, const char *name, struct error *err)
{
	unsigned inside, outside, count;
	char path[64], map[64], text[128];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	snprintf(map, sizeof(map), "0 %u %u", FIRST_UID, JAIL_UIDS);
	r = file_write_at(AT_FDCWD, path, map, err);
	if (r < 0)
		return r;
	if (file_read_at(AT_FDCWD, path, text, sizeof(text), err) < 0 ||
		sscanf(text, "%u %u %u", &inside, &outside, &count) != 3 || inside != 0 ||
		outside != FIRST_UID || count != JAIL_UIDS)
		return error_set(err, EBADMSG, "%s: another map than was written", name);
	return 0;
}

int world_userns_start(struct world_userns *userns, struct error *err)
{
	char result = EIO;
	int fds[2], r;

	userns->pid = -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");
	userns->pid = process_fork();
	if (userns->pid == 0)
		hold_userns(fds[1]);
	fd_close(fds[1]);
	if (userns->pid > 0)
		fd_read_full(fds[0], &result, 1);
	fd_close(fds[0]);
	r = result ? error_set(err, result, "user namespace: %s", strerror(result)) : 0;
	if (r == 0)
		r = write_map(userns->pid, "uid_map", err);
	return r < 0 ? r : write_map(userns->pid, "gid_map", err);
}

int world_userns_open(const struct world_userns *userns, struct error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", userns->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "open user namespace") : fd;
}

void world_userns_stop(struct world_userns *userns)
{
	if (userns->pid <= 0)
		return;
	kill(userns->pid, SIGKILL);
	waitpid(userns->pid, NULL, 0);
}

int try_id_map(struct check_attempt *attempt, struct error *err)
{
	struct world_userns userns;
	int r = world_userns_start(&userns, err);

	world_userns_stop(&userns);
	return r < 0 ? r : check_found(attempt, "%u uids and gids", JAIL_UIDS);
}

int try_pidfd(struct check_attempt *attempt, struct error *err)
{
	int fd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD};
	siginfo_t info = {0};
	pid_t parent = getpid();
	long pid = kernel_clone3(&args);
	auto_close int second = -1;

	(void)attempt;
	if (pid == 0) {
		process_die_with(parent);
		pause();
		_exit(0);
	}
	if (pid < 0)
		return error_errno(err, "clone3 with CLONE_PIDFD");
	second = kernel_pidfd_open((pid_t)pid);
	if (second < 0)
		return error_errno(err, "pidfd_open");
	if (kernel_pidfd_send_signal(fd, SIGKILL) < 0)
		return error_errno(err, "pidfd_send_signal");
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED) < 0)
		return error_errno(err, "waitid");
	return info.si_status == SIGKILL ? 0 : error_set(err, EBADMSG, "waitid: another end");
}

int try_close_range(struct check_attempt *attempt, struct error *err)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)attempt;
	if (fd < 0)
		return error_errno(err, "/dev/null");
	if (kernel_close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_UNSHARE) < 0)
		return error_errno(err, "close_range");
	return fcntl(fd, F_GETFD) < 0 ? 0 : error_set(err, EBADF, "close_range: still open");
}

int try_openat2(struct check_attempt *attempt, struct error *err)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/proc", &how, sizeof(how));

	(void)attempt;
	/* Below the working directory there need not be such a name; that it was looked up is enough. */
	if (fd < 0 && errno != ENOENT)
		return error_errno(err, "openat2");
	return 0;
}
