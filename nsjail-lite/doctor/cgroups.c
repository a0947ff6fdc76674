/* Cgroups of our own: a limit is written and read back, a child is born into one, frozen and killed. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"
#include "nsjail-lite/cgroup/cgroup.h"
#include "nsjail-lite/doctor/check.h"
#include "nsjail-lite/io_disk.h"
#include "nsjail-lite/kernel.h"

#define MEMORY_BYTES (UINT64_C(64) << 20)
#define PIDS	     32
#define CPU_MILLI    500
#define IO_BPS	     (UINT64_C(64) << 20)
#define WAIT_MS	     2000
#define NAME	     "t"

int try_cgroups(struct check_attempt *attempt, struct error *err)
{
	struct cgroup_base base;
	char text[DOCTOR_TEXT_MAX];
	int r = cgroup_base_open(attempt->instance, NULL, &base, err);

	if (r < 0)
		return r;
	cgroup_describe(&base, text, sizeof(text));
	cgroup_base_close(&base);
	r = cgroup_base_destroy(attempt->instance, err);
	return r < 0 ? r : check_found(attempt, "%s", text);
}

/* The files of each controller that must hold what was asked for, and the text that they then hold. */
struct knob {
	const char *v1, *v2;
	const char *v1_text, *v2_text;
};

static const struct knob knobs[CGROUP_CONTROLLERS] = {
	[CGROUP_MEMORY] = {"memory.limit_in_bytes", "memory.max", "67108864", "67108864"},
	[CGROUP_PIDS] = {"pids.max", "pids.max", "32", "32"},
	[CGROUP_CPU] = {"cpu.cfs_quota_us", "cpu.max", "50000", "50000 100000"},
	[CGROUP_IO] = {"blkio.throttle.read_bps_device", "io.max", " 67108864", "rbps=67108864"},
};

static int ask_for(struct check_attempt *attempt, struct jail_limits *limits, struct error *err)
{
	switch ((enum cgroup_controller)attempt->check->number) {
	case CGROUP_MEMORY:
		limits->memory_bytes = MEMORY_BYTES;
		break;
	case CGROUP_PIDS:
		limits->pids = PIDS;
		break;
	case CGROUP_CPU:
		limits->cpu_milli = CPU_MILLI;
		break;
	case CGROUP_IO: {
		auto_close int fd = open(attempt->options->store, O_RDONLY | O_CLOEXEC);

		limits->io_read_bps = IO_BPS;
		if (fd < 0)
			fd = open("/", O_RDONLY | O_CLOEXEC);
		return io_disk_find(fd, &limits->io_major, &limits->io_minor, err);
	}
	case CGROUP_CONTROLLERS:
		break;
	}
	return 0;
}

static int read_back(const struct cgroup_base *base, enum cgroup_controller c, struct error *err)
{
	bool is_v1 = base->place[c] == CGROUP_V1;
	const char *wanted = is_v1 ? knobs[c].v1_text : knobs[c].v2_text;
	char path[96], text[512];
	ssize_t n;

	snprintf(path, sizeof(path), NAME "/%s", is_v1 ? knobs[c].v1 : knobs[c].v2);
	n = file_read_at(is_v1 ? base->v1_fd[c] : base->v2_fd, path, text, sizeof(text), err);
	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	if (!strstr(text, wanted))
		return error_set(err, EBADMSG, "%s holds \"%s\", not the limit", path, text);
	return 0;
}

static int limit_in(
	struct check_attempt *attempt, const struct cgroup_base *base, struct error *err)
{
	enum cgroup_controller c = (enum cgroup_controller)attempt->check->number;
	struct jail_limits limits = {0};
	struct cgroup cgroup;
	int r;

	if (base->place[c] == CGROUP_ABSENT) {
		attempt->on_failure = DOCTOR_WARN;
		return error_set(err, ENODEV, "no hierarchy has the controller");
	}
	r = ask_for(attempt, &limits, err);
	if (r < 0)
		return r;
	r = cgroup_create(base, NAME, &limits, &cgroup, err);
	if (r < 0)
		return r;
	r = read_back(base, c, err);
	cgroup_close(&cgroup);
	cgroup_remove(base, NAME, NULL);
	return r < 0 ? r
		     : check_found(attempt, base->place[c] == CGROUP_V1
						    ? "written and read back, v1"
						    : "written and read back, v2");
}

/* Run act in a base of our own, which ends with it. */
static int in_base(struct check_attempt *attempt,
	int (*act)(
		struct check_attempt *attempt, const struct cgroup_base *base, struct error *err),
	struct error *err)
{
	struct cgroup_base base;
	int r = cgroup_base_open(attempt->instance, NULL, &base, err);

	if (r < 0)
		return r;
	r = act(attempt, &base, err);
	cgroup_base_close(&base);
	cgroup_base_destroy(attempt->instance, NULL);
	return r;
}

int try_cgroup_limit(struct check_attempt *attempt, struct error *err)
{
	return in_base(attempt, limit_in, err);
}

/* Born into the v2 tree, as a sandbox is. */
static int birth(const struct cgroup_base *base, pid_t *ret_pid, struct error *err)
{
	static const struct jail_limits none;
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	struct cgroup cgroup;
	pid_t parent = getpid();
	int r;

	if (base->v2_fd < 0)
		return error_set(err, ENODEV, "no v2 tree is mounted");
	r = cgroup_create(base, NAME, &none, &cgroup, err);
	if (r < 0)
		return r;
	args.cgroup = (unsigned)cgroup.v2_fd;
	*ret_pid = (pid_t)kernel_clone3(&args);
	if (*ret_pid == 0) {
		process_die_with(parent);
		for (;;)
			pause();
	}
	if (*ret_pid < 0)
		r = error_errno(err, "clone3 with CLONE_INTO_CGROUP");
	cgroup_close(&cgroup);
	return r;
}

static void bury(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int birth_in(
	struct check_attempt *attempt, const struct cgroup_base *base, struct error *err)
{
	pid_t pid = -1;
	int r;

	/* Without a v2 tree the child joins by itself. */
	if (base->v2_fd < 0)
		attempt->on_failure = DOCTOR_WARN;
	r = birth(base, &pid, err);
	if (r == 0 && cgroup_is_empty(base, NAME) != 0)
		r = error_set(err, EBADMSG, "the child is not in its cgroup");
	if (pid > 0)
		bury(pid);
	return r;
}

int try_cgroup_birth(struct check_attempt *attempt, struct error *err)
{
	return in_base(attempt, birth_in, err);
}

static int kill_in(struct check_attempt *attempt, const struct cgroup_base *base, struct error *err)
{
	pid_t pid = -1;
	siginfo_t info = {0};
	int r = birth(base, &pid, err);

	(void)attempt;
	if (r == 0)
		r = file_write_at(base->v2_fd, NAME "/cgroup.kill", "1", err);
	if (r == 0 && (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 ||
			      info.si_status != SIGKILL))
		r = error_set(err, EBADMSG, "cgroup.kill: the child lives");
	if (pid > 0)
		bury(pid);
	return r;
}

int try_cgroup_kill(struct check_attempt *attempt, struct error *err)
{
	return in_base(attempt, kill_in, err);
}

/* The file tells by POLLPRI when it has changed. */
static int wait_until_frozen(const struct cgroup_base *base, struct error *err)
{
	auto_close int fd = openat(base->v2_fd, NAME "/cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	char text[256];

	if (fd < 0)
		return error_errno(err, "cgroup.events");
	for (;;) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return error_errno(err, "cgroup.events");
		text[n] = '\0';
		if (strstr(text, "frozen 1"))
			return 0;
		if (poll(&p, 1, WAIT_MS) == 0)
			return error_set(err, ETIMEDOUT, "cgroup.freeze: the child still runs");
	}
}

static int freeze_in(
	struct check_attempt *attempt, const struct cgroup_base *base, struct error *err)
{
	pid_t pid = -1;
	int r = birth(base, &pid, err);

	(void)attempt;
	if (r == 0)
		r = cgroup_freeze(base, NAME, true, err);
	if (r == 0)
		r = wait_until_frozen(base, err);
	cgroup_freeze(base, NAME, false, NULL);
	if (pid > 0)
		bury(pid);
	return r;
}

int try_cgroup_freeze(struct check_attempt *attempt, struct error *err)
{
	return in_base(attempt, freeze_in, err);
}
