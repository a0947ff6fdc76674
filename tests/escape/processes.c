/*
 * E68 personality   E69 memory and files of PID 1   E70 ptrace of PID 1   E71 signals to PID 1
 * E74 priorities   E75 more locked memory than allowed
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define PATIENCE_MS	 100	      /* for a signal to show */
#define LOCKED_BYTES	 (128u << 20) /* twice the sandbox's limit */
#define IOPRIO_REAL_TIME (1 << 13)

static int try_memory(const struct probe *p)
{
	char byte = 'x';
	struct iovec own = {&byte, 1}, other = {(void *)(uintptr_t)0x400000, 1};

	return probe_result(syscall(p->number, (long)probe_target, &own, 1UL, &other, 1UL, 0UL));
}

/* p->text: below /proc/PID. */
static int try_open(const struct probe *p)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", probe_target, p->text);
	return probe_result(open(path, (int)p->number | O_CLOEXEC));
}

static int try_readlink(const struct probe *p)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/%s", probe_target, p->text);
	return probe_result(readlink(path, text, sizeof(text)));
}

static int try_kcmp(const struct probe *p)
{
	(void)p;
	return probe_result(syscall(SYS_kcmp, getpid(), probe_target, 1 /* memory */, 0, 0));
}

static int try_pidfd_getfd(const struct probe *p)
{
	long pidfd = syscall(SYS_pidfd_open, probe_target, 0);

	return pidfd < 0 ? -errno : probe_result(syscall(SYS_pidfd_getfd, pidfd, p->number, 0));
}

static int try_process_madvise(const struct probe *p)
{
	struct iovec range = {(void *)(uintptr_t)0x400000, 4096};
	long pidfd = syscall(SYS_pidfd_open, probe_target, 0);

	(void)p;
	if (pidfd < 0)
		return -errno;
	return probe_result(syscall(SYS_process_madvise, pidfd, &range, 1, MADV_COLD, 0));
}

static int try_prlimit(const struct probe *p)
{
	struct rlimit limit = {64, 64};

	return probe_result(syscall(SYS_prlimit64, probe_target, p->number, &limit, NULL));
}

static int try_ptrace(const struct probe *p)
{
	return probe_result(syscall(SYS_ptrace, p->number, (long)probe_target, 0L, p->other));
}

/* Stopped, or gone? */
static bool is_hurt(int pidfd)
{
	struct pollfd gone = {.fd = pidfd, .events = POLLIN};
	char path[32], line[256] = "";
	const char *state;
	int fd;

	for (int waited = 0; waited < PATIENCE_MS; waited += 5) {
		if (poll(&gone, 1, 5) == 1)
			return true;
		snprintf(path, sizeof(path), "/proc/%d/stat", probe_target);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
			return true;
		close(fd);
		state = strrchr(line, ')');
		if (state && (state[2] == 'T' || state[2] == 't'))
			return true;
	}
	return false;
}

enum sender { KILL, TKILL, TGKILL, PIDFD, QUEUE, EVERYBODY };

static long send_signal(long sender, int pidfd, int number)
{
	siginfo_t info = {.si_code = SI_QUEUE, .si_signo = number};

	switch ((enum sender)sender) {
	case KILL:
		return kill(probe_target, number);
	case TKILL:
		return syscall(SYS_tkill, probe_target, number);
	case TGKILL:
		return syscall(SYS_tgkill, probe_target, probe_target, number);
	case PIDFD:
		return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
	case QUEUE:
		return syscall(SYS_rt_sigqueueinfo, probe_target, number, &info);
	case EVERYBODY:
		return kill(-1, number);
	}
	return -1;
}

static int try_signal(const struct probe *p)
{
	int pidfd = (int)syscall(SYS_pidfd_open, probe_target, 0);

	if (pidfd < 0)
		return -errno;
	if (send_signal(p->other, pidfd, (int)p->number) < 0)
		return -errno;
	return is_hurt(pidfd) ? 0 : -UNCHANGED;
}

static int try_scheduler(const struct probe *p)
{
	struct sched_param priority = {.sched_priority = 1};

	return probe_result(
		syscall(SYS_sched_setscheduler, p->other ? probe_target : 0, p->number, &priority));
}

static int try_deadline(const struct probe *p)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attributes = {.size = 48,
		.policy = 6,
		.runtime = 1000000,
		.deadline = 10000000,
		.period = 10000000};

	(void)p;
	return probe_result(syscall(SYS_sched_setattr, 0, &attributes, 0));
}

static int try_raise_limit(const struct probe *p)
{
	struct rlimit limit;

	if (getrlimit((int)p->number, &limit) < 0)
		return -errno;
	limit.rlim_max = limit.rlim_cur = RLIM_INFINITY;
	return probe_result(setrlimit((int)p->number, &limit));
}

enum locker { MLOCK, MLOCK2, MLOCKALL, MAP_LOCK, LOCK_SHM };

static int try_lock(const struct probe *p)
{
	void *memory = mmap(NULL, LOCKED_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			(p->number == MAP_LOCK ? MAP_LOCKED : 0),
		-1, 0);
	int id;

	if (memory == MAP_FAILED)
		return -errno;
	switch ((enum locker)p->number) {
	case MLOCK:
		return probe_result(mlock(memory, LOCKED_BYTES));
	case MLOCK2:
		return probe_result(syscall(SYS_mlock2, memory, LOCKED_BYTES, 0));
	case MLOCKALL:
		return probe_result(mlockall(MCL_CURRENT));
	case MAP_LOCK:
		return 0;
	case LOCK_SHM:
		id = shmget(IPC_PRIVATE, LOCKED_BYTES, IPC_CREAT | 0600);
		return id < 0 ? -errno : probe_result(shmctl(id, SHM_LOCK, NULL));
	}
	return -EINVAL;
}

/* clang-format off */
#define PERSONALITY(title, flags) {.id = "E68", .name = "personality: " title, \
	.call = {SYS_personality, flags}, .refused = {EPERM}, .control = {WORKED}}
#define REACH(title, function, refusal, ...) {.id = "E69", .name = title, .attempt = function, \
	.refused = {refusal}, .control = {WORKED}, __VA_ARGS__}
#define PTRACE(title, request, data, ...) {.id = "E70", .name = "ptrace: " title, \
	.attempt = try_ptrace, .number = request, .other = data, .refused = {EPERM}, \
	.control = {__VA_ARGS__}}
#define SIGNAL(title, signal, sender, ...) {.id = "E71", .name = title " to PID 1", \
	.attempt = try_signal, .number = signal, .other = sender, \
	.refused = {UNCHANGED, __VA_ARGS__}, .control = {WORKED}}
#define LOCK(title, way, ...) {.id = "E75", .name = title " of twice the limit", \
	.attempt = try_lock, .number = way, .refused = {__VA_ARGS__}, .control = {WORKED}}

static const struct probe rows[] = {
	PERSONALITY("fixed addresses", ADDR_NO_RANDOMIZE),
	PERSONALITY("everything readable runs", READ_IMPLIES_EXEC),
	PERSONALITY("a page at address 0", MMAP_PAGE_ZERO),
	PERSONALITY("the old layout", ADDR_COMPAT_LAYOUT),
	PERSONALITY("three gigabytes", ADDR_LIMIT_3GB),
	PERSONALITY("sticky timeouts", STICKY_TIMEOUTS),
	PERSONALITY("another system", PER_BSD),

	{.id = "E69", .name = "process_vm_readv of PID 1", .attempt = try_memory,
		.number = SYS_process_vm_readv, .refused = {EPERM}, .control = {WORKED, EFAULT}},
	{.id = "E69", .name = "process_vm_writev of PID 1", .attempt = try_memory,
		.number = SYS_process_vm_writev, .refused = {EPERM}, .control = {WORKED, EFAULT}},
	REACH("kcmp with PID 1", try_kcmp, EPERM, .number = 0),
	REACH("pidfd_getfd of PID 1's channel", try_pidfd_getfd, EPERM, .number = 1),
	{.id = "E69", .name = "process_madvise of PID 1", .attempt = try_process_madvise,
		.refused = {EPERM}, .control = {WORKED, ENOMEM}},
	REACH("/proc/1/mem for writing", try_open, EACCES, .text = "mem", .number = O_RDWR),
	REACH("/proc/1/maps", try_open, EACCES, .text = "maps"),
	REACH("/proc/1/fd", try_open, EACCES, .text = "fd", .number = O_DIRECTORY),
	REACH("/proc/1/syscall", try_open, EACCES, .text = "syscall"),
	REACH("/proc/1/cwd", try_readlink, EACCES, .text = "cwd"),
	REACH("/proc/1/root", try_readlink, EACCES, .text = "root"),
	REACH("/proc/1/exe", try_readlink, EACCES, .text = "exe"),
	REACH("limits of PID 1: files", try_prlimit, EPERM, .number = RLIMIT_NOFILE),
	REACH("limits of PID 1: processes", try_prlimit, EPERM, .number = RLIMIT_NPROC),

	PTRACE("attach", PTRACE_ATTACH, 0, WORKED),
	PTRACE("seize", 0x4206 /* PTRACE_SEIZE */, 0, WORKED),
	PTRACE("seize, and the death of the tracer its death", 0x4206, 0x100000, WORKED),

	SIGNAL("SIGKILL", SIGKILL, KILL), SIGNAL("SIGSTOP", SIGSTOP, KILL),
	SIGNAL("SIGTERM", SIGTERM, KILL), SIGNAL("SIGHUP", SIGHUP, KILL),
	SIGNAL("SIGINT", SIGINT, KILL), SIGNAL("SIGQUIT", SIGQUIT, KILL),
	SIGNAL("SIGSEGV", SIGSEGV, KILL), SIGNAL("SIGABRT", SIGABRT, KILL),
	SIGNAL("SIGUSR1", SIGUSR1, KILL), SIGNAL("SIGPIPE", SIGPIPE, KILL),
	SIGNAL("SIGALRM", SIGALRM, KILL),
	SIGNAL("SIGSYS", SIGSYS, KILL), SIGNAL("a real-time signal", 34, KILL),
	SIGNAL("the last real-time signal", 64, KILL),
	SIGNAL("SIGKILL by tkill", SIGKILL, TKILL), SIGNAL("SIGKILL by tgkill", SIGKILL, TGKILL),
	SIGNAL("SIGKILL by pidfd", SIGKILL, PIDFD), SIGNAL("SIGSTOP by pidfd", SIGSTOP, PIDFD),
	SIGNAL("SIGKILL by queue", SIGKILL, QUEUE), SIGNAL("SIGTERM by queue", SIGTERM, QUEUE),
	/* Its runner dies with everybody else, and takes it along. */
	SIGNAL("SIGKILL to everybody, and so", SIGKILL, EVERYBODY, OTHER_DEATH),
	SIGNAL("SIGSTOP to everybody, and so", SIGSTOP, EVERYBODY, HUNG),

	{.id = "E74", .name = "nice -20", .call = {SYS_setpriority, PRIO_PROCESS, 0, -20},
		.refused = {EACCES}, .control = {WORKED}},
	{.id = "E74", .name = "nice -1 of everybody", .call = {SYS_setpriority, PRIO_USER, 0, -1},
		.refused = {EACCES, EPERM}, .control = {WORKED}},
	{.id = "E74", .name = "real time, first come", .attempt = try_scheduler, .number = SCHED_FIFO,
		.refused = {EPERM}, .control = {WORKED}},
	{.id = "E74", .name = "real time, round robin", .attempt = try_scheduler, .number = SCHED_RR,
		.refused = {EPERM}, .control = {WORKED}},
	{.id = "E74", .name = "real time for PID 1", .attempt = try_scheduler, .number = SCHED_FIFO,
		.other = 1, .refused = {EPERM}, .control = {WORKED}},
	{.id = "E74", .name = "deadlines", .attempt = try_deadline, .refused = {EPERM},
		.control = {WORKED}},
	{.id = "E74", .name = "real time of disks", .call = {SYS_ioprio_set, 1, 0, IOPRIO_REAL_TIME},
		.refused = {EPERM}, .control = {WORKED}},

	LOCK("mlock", MLOCK, ENOMEM), LOCK("mlock2", MLOCK2, ENOMEM),
	LOCK("mlockall", MLOCKALL, ENOMEM), LOCK("mmap, locked", MAP_LOCK, EAGAIN),
	LOCK("shared memory, locked", LOCK_SHM, EPERM, ENOMEM),
	/* The root of a container may lack the right to raise limits: EPERM. */
	{.id = "E75", .name = "hard limit of locked memory", .attempt = try_raise_limit,
		.number = RLIMIT_MEMLOCK, .refused = {EPERM}, .control = {WORKED, EPERM},
		.may_be_absent = true},
	{.id = "E75", .name = "hard limit of open files", .attempt = try_raise_limit,
		.number = RLIMIT_NOFILE, .refused = {EPERM}, .control = {WORKED, EPERM},
		.may_be_absent = true},
};
/* clang-format on */

const struct probe_family probe_processes = PROBE_FAMILY(rows);
