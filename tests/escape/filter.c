/*
 * E76 the calls of 32-bit programs   E77 the numbers of the x32 ABI, and impossible ones
 * E79 filters of one's own   E80 notifications, synchronisation and tracers of filters
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define X32		     0x40000000L
#define TRACE_SUSPEND_FILTER (1 << 21) /* PTRACE_O_SUSPEND_SECCOMP */
#define TRACE_GET_FILTER     0x420c
#define AF_ALG_		     38

static uint32_t alg[] = {AF_ALG_, SOCK_SEQPACKET, 0};

/* p->call with 32-bit numbers. The program is linked low, so that its addresses fit. */
static int try_int_0x80(const struct probe *p)
{
	long r = p->call[0];

	__asm__ volatile("int $0x80"
			 : "+a"(r)
			 : "b"(p->call[1]), "c"(p->call[2]), "d"(p->call[3]), "S"(0L), "D"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r < 0 ? (int)r : 0;
}

static struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
static struct sock_fprog allow_all = {1, allow};

enum loader { BY_SECCOMP, BY_PRCTL, ON_ALL_THREADS, LOGGED };

static int load(const struct sock_fprog *program, long how)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	switch ((enum loader)how) {
	case BY_SECCOMP:
		return probe_result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program));
	case BY_PRCTL:
		return probe_result(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0));
	case ON_ALL_THREADS:
		return probe_result(syscall(
			SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program));
	case LOGGED:
		return probe_result(syscall(
			SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, program));
	}
	return -EINVAL;
}

static int try_load(const struct probe *p)
{
	int r = load(&allow_all, p->number);

	/* -EIO: no refusal, but a probe that does not work. */
	return r < 0 ? -EIO : probe_result(unshare(CLONE_NEWUSER));
}

int filter_load_and_unshare(void)
{
	return try_load(&(struct probe){.number = BY_SECCOMP});
}

/* Itself out of memory, as a loader that the sandbox has brought along. */
static int try_loader_in_memory(const struct probe *p)
{
	int fd = memfd_create("loader", 0), from = open(PROBE_PROGRAM, O_RDONLY | O_CLOEXEC);
	char buffer[65536], *arguments[] = {"loader", "--load", NULL};
	int status;
	ssize_t n;
	pid_t pid;

	(void)p;
	if (fd < 0 || from < 0)
		return -EIO;
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			return -EIO;
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", arguments, NULL, AT_EMPTY_PATH);
		_exit(EIO);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

/* Ask a supervisor of one's own about unshare, who lets it go on. The child shares the table of fds. */
static int try_notification(const struct probe *p)
{
	static struct sock_filter ask[] = {
		{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
		{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_unshare},
		{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
		{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
	static const struct sock_fprog program = {4, ask};
	struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
	struct seccomp_notif question = {0};
	struct pollfd polls[2] = {{.events = POLLIN}, {.events = POLLIN}};
	int pipe_fds[2], listener = -1, status;
	long pid;

	(void)p;
	if (pipe(pipe_fds) < 0)
		return -EIO;
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
		if (write(pipe_fds[1], &listener, sizeof(listener)) < 0 || listener < 0)
			_exit(EIO);
		_exit(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
	}
	if (pid < 0 || read(pipe_fds[0], &listener, sizeof(listener)) < 0)
		return -EIO;
	polls[0].fd = listener;
	polls[1].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (poll(polls, 2, 5000) > 0 && (polls[0].revents & POLLIN) &&
		ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) == 0) {
		answer.id = question.id;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	if (waitpid((pid_t)pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

/* A child calls getpid; the tracer makes it another call, after the filter would have seen it. */
static int try_change_number(const struct probe *p)
{
	struct user_regs_struct registers;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		long r;

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		r = syscall(SYS_getppid);
		_exit(r < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -EIO;
	do {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 ||
			waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
			ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0)
			return -EIO;
	} while (registers.orig_rax != SYS_getppid);
	registers.orig_rax = (unsigned long)p->number;
	registers.rdi = (unsigned long)p->other;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &registers) < 0 ||
		ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
		return -EIO;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

static int try_trace_option(const struct probe *p)
{
	pid_t pid = fork();
	long r;
	int status;

	if (pid == 0) {
		load(&allow_all, BY_SECCOMP);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -EIO;
	/* The request is p->number; it counts filters, or takes options. */
	r = probe_result(ptrace((int)p->number, pid, NULL, (void *)(uintptr_t)p->other));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return (int)r;
}

/* clang-format off */
/* Death by another signal: a kernel without 32-bit programs. */
#define OLD(title, ...) {.id = "E76", .name = "int 0x80: " title, .attempt = try_int_0x80, \
	.call = {__VA_ARGS__}, .refused = {SIGSYS_DEATH}, \
	.control = {WORKED, EAFNOSUPPORT, ENOSYS, OTHER_DEATH}}
/* ENOSYS: a kernel without x32, as most are. */
#define FOREIGN(title, ...) {.id = "E77", .name = title, .call = {__VA_ARGS__}, \
	.refused = {SIGSYS_DEATH}, .control = {WORKED, ENOSYS, EFAULT, EBADF}}
#define LOADED(family, title, how) {.id = family, .name = title, .attempt = try_load, \
	.number = how, .refused = {EPERM}, .control = {WORKED}}
#define CHANGED(title, call_number, argument) {.id = "E80", .name = title, \
	.attempt = try_change_number, .number = call_number, .other = argument, \
	.refused = {EPERM}, .control = {WORKED}}

static const struct probe rows[] = {
	OLD("getpid", 20), OLD("socketcall for the kernel's cryptography", 102, 1, (long)alg),
	OLD("socket for the kernel's cryptography", 359, AF_ALG_, SOCK_SEQPACKET, 0),
	OLD("a new user namespace", 310, CLONE_NEWUSER), OLD("a new session keyring", 288, 1, 0),
	OLD("a raw packet socket", 359, AF_PACKET, SOCK_RAW, 0x300), OLD("a call of no number", 9999),

	FOREIGN("x32: getpid", X32 | SYS_getpid),
	FOREIGN("x32: a new user namespace", X32 | SYS_unshare, CLONE_NEWUSER),
	FOREIGN("x32: ioctl", X32 | 514, 0, 0, 0), FOREIGN("x32: ptrace", X32 | 521, 99, 0, 0, 0),
	FOREIGN("x32: the last number", X32 | 0x3ff),
	FOREIGN("the largest number", 0x7fffffff), FOREIGN("a negative number", -2),
	/* To which some kernels answer before they ask the filter. */
	{.id = "E77", .name = "the number that is none", .call = {-1},
		.refused = {SIGSYS_DEATH, ENOSYS}, .control = {ENOSYS}, .may_be_absent = true},
	{.id = "E77", .name = "a number whose high half is not 0",
		.call = {0x100000000L | SYS_unshare, CLONE_NEWUSER}, .refused = {EPERM},
		.control = {WORKED}},

	LOADED("E79", "a filter that allows everything", BY_SECCOMP),
	LOADED("E79", "a filter that allows everything, by prctl", BY_PRCTL),
	LOADED("E79", "a filter that allows everything, and logs", LOGGED),
	{.id = "E79", .name = "a loader of filters out of memory", .attempt = try_loader_in_memory,
		.refused = {EPERM}, .control = {WORKED}},

	LOADED("E80", "a filter that allows everything, on all threads", ON_ALL_THREADS),
	{.id = "E80", .name = "a supervisor of one's own says continue", .attempt = try_notification,
		.refused = {EPERM}, .control = {WORKED}},
	CHANGED("a tracer turns a call into unshare", SYS_unshare, CLONE_NEWUSER),
	CHANGED("a tracer turns a call into syslog", SYS_syslog, 10),
	CHANGED("a tracer turns a call into userfaultfd", SYS_userfaultfd, 0),
	/* EINVAL: a kernel that cannot suspend filters. */
	{.id = "E80", .name = "a tracer suspends the filter", .attempt = try_trace_option,
		.number = PTRACE_SETOPTIONS, .other = TRACE_SUSPEND_FILTER, .refused = {EPERM},
		.control = {WORKED, EINVAL}},
	{.id = "E80", .name = "a tracer reads the filter", .attempt = try_trace_option,
		.number = TRACE_GET_FILTER, .refused = {EACCES, EIO}, .control = {WORKED, EIO},
		.may_be_absent = true},
};
/* clang-format on */

const struct probe_family probe_filter = PROBE_FAMILY(rows);
