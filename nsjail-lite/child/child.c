#include "nsjail-lite/child/child.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "nsjail-lite/guest/place.h"
#include "nsjail-lite/kernel.h"

#define CAP_BIT(c) (UINT64_C(1) << (c))

/*
 * What root keeps inside. Every entry has its reason; add one only with another.
 *   CHOWN DAC_OVERRIDE FOWNER FSETID: package managers own what they unpack
 *   KILL SETUID SETGID SETPCAP: su, daemons that drop privileges
 *   SETFCAP: dpkg of packages with file capabilities
 *   NET_BIND_SERVICE: servers check for it; what opens port 80 is the slot's network namespace
 *   SYS_CHROOT: debootstrap-like tools, sshd
 *   AUDIT_WRITE: PAM, which otherwise refuses su
 */
static const uint64_t kept_capabilities =
	CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) |
	CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP) |
	CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_SYS_CHROOT) |
	CAP_BIT(CAP_AUDIT_WRITE);

/*
 * As many processors as the quota is worth, other ones for each slot. It only tells nproc and its like
 * how many threads pay: root inside may take more, and gets no more time for it.
 */
static int take_cpus(const struct child_plan *plan)
{
	const cpu_set_t *allowed = plan->allowed_cpus;
	unsigned count = (unsigned)CPU_COUNT(allowed), seen = 0;
	cpu_set_t taken;

	if (plan->cpus == 0 || plan->cpus >= count)
		return (int)syscall(SYS_sched_setaffinity, 0, sizeof(*allowed), allowed);
	CPU_ZERO(&taken);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed) &&
			(seen++ + count - plan->first_cpu % count) % count < plan->cpus)
			CPU_SET(cpu, &taken);
	return (int)syscall(SYS_sched_setaffinity, 0, sizeof(taken), &taken);
}

static int join(const struct child_plan *plan, const char **ret_what)
{
	int r;

	*ret_what = "affinity";
	if (take_cpus(plan) < 0)
		return -errno;
	*ret_what = "cgroup tasks";
	r = cgroup_join_self(plan->cgroup);
	if (r < 0)
		return r;
	*ret_what = "network namespace";
	if (setns(plan->netns_fd, CLONE_NEWNET) < 0)
		return -errno;
	/* After joining, or /proc/self/cgroup tells the names above. */
	*ret_what = "cgroup namespace";
	return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

/* Needs the initial user namespace's CAP_SYS_NICE and CAP_SYS_ADMIN: the last things that do. */
static int leave_builder(const struct child_plan *plan, const char **ret_what)
{
	int r;

	*ret_what = "hostname";
	if (sethostname(plan->hostname, strlen(plan->hostname)) < 0)
		return -errno;
	/* The builder's low priority would go on to everything that the sandbox runs. */
	*ret_what = "priority";
	r = place_priority(PLACE_SLICE_SHORT_NS);
	if (r < 0)
		return r;
	*ret_what = "user namespace";
	return setns(plan->userns_fd, CLONE_NEWUSER) < 0 ? -errno : 0;
}

/* Once it is not dumpable this file is not its own any more. */
static int open_oom_score(int proc_fd, const char **ret_what)
{
	auto_close int fd = openat(proc_fd, "1/oom_score_adj", O_WRONLY | O_CLOEXEC);

	*ret_what = "oom_score_adj";
	return fd < 0 || dup3(fd, CHILD_OOM_FD, O_CLOEXEC) < 0 ? -errno : 0;
}

static int drop_bounding_set(void)
{
	for (unsigned c = 0; c < 64; c++) {
		if (kept_capabilities & CAP_BIT(c))
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return errno == EINVAL ? 0 : -errno; /* past the kernel's last one */
	}
	return 0;
}

static int become_root_inside(const char **ret_what)
{
	int r;

	*ret_what = "setgroups";
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return -errno;
	*ret_what = "setresgid";
	if (syscall(SYS_setresgid, 0, 0, 0) < 0)
		return -errno;
	*ret_what = "setresuid";
	if (syscall(SYS_setresuid, 0, 0, 0) < 0)
		return -errno;
	*ret_what = "setsid";
	if (setsid() < 0)
		return -errno;
	umask(022);
	*ret_what = "bounding set";
	r = drop_bounding_set();
	if (r < 0)
		return r;
	*ret_what = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* A sandbox dies with its builder. After the uid change, which clears this. */
	*ret_what = "parent death signal";
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

static int keep_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(kept_capabilities >> (32 * i));
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int filter(const struct child_plan *plan, const char **ret_what)
{
	int r;

	*ret_what = "seccomp";
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, plan->filter) < 0)
		return -errno;
	*ret_what = "capabilities";
	r = keep_capabilities();
	if (r < 0)
		return r;
	*ret_what = "dumpable";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	prctl(PR_SET_NAME, "hearth-guest", 0, 0, 0);
	memset(plan->arguments, 0, plan->arguments_size);
	return 0;
}

/* Its own fd table at last, holding 0..7; then the limits, which a crowded table would exceed. */
static int own_fds(const struct child_plan *plan, const char **ret_what)
{
	struct rlimit files = {plan->open_files, plan->open_files};
	struct rlimit none = {0, 0};
	int null_fd;

	*ret_what = "close_range";
	if (kernel_close_range(CHILD_LAST_FD + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return -errno;
	if (plan->cgroup->memory_events_fd < 0)
		fd_close(CHILD_MEMORY_FD);
	if (plan->cgroup->pids_events_fd < 0)
		fd_close(CHILD_PIDS_FD);
	*ret_what = "/dev/null";
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return -errno;
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null_fd, fd) < 0)
			return -errno;
	fd_close(null_fd);
	if (fcntl(CHILD_CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	*ret_what = "limits";
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return 0;
}

/* Apply everything; *report says how far it came. */
static int apply(const struct child_plan *plan, struct child_report *report, const char **ret_what)
{
	uint64_t before = clock_now_ns(), now;
	int proc_fd = -1;
	int r = 0;

	for (report->stage = STAGE_JOIN; report->stage < STAGE_COUNT; report->stage++) {
		switch ((enum jail_stage)report->stage) {
		case STAGE_CGROUP:
		case STAGE_ROOT:
		case STAGE_CLONE:
		case STAGE_COUNT:
			break; /* the builder's */
		case STAGE_JOIN:
			r = join(plan, ret_what);
			break;
		case STAGE_MOUNTS:
			r = child_mount_all(plan, &proc_fd, ret_what);
			break;
		case STAGE_MASKS:
			r = child_cover_proc(plan, proc_fd, ret_what);
			if (r == 0)
				r = open_oom_score(proc_fd, ret_what);
			fd_close(proc_fd);
			break;
		case STAGE_PIVOT:
			r = child_enter_root(plan, ret_what);
			break;
		case STAGE_USERNS:
			r = leave_builder(plan, ret_what);
			break;
		case STAGE_CREDENTIALS:
			r = become_root_inside(ret_what);
			break;
		case STAGE_SECCOMP:
			r = filter(plan, ret_what);
			break;
		case STAGE_READY:
			r = own_fds(plan, ret_what);
			break;
		}
		if (r < 0)
			return r;
		now = clock_now_ns();
		report->stage_ns[report->stage] = now - before;
		before = now;
	}
	return 0;
}

_Noreturn void child_run(const struct child_plan *plan)
{
	struct child_report report = {0};
	const char *what = "";
	int r = apply(plan, &report, &what);

	if (r < 0) {
		report.error = (uint32_t)-r;
		strncpy(report.what, what, sizeof(report.what) - 1);
	}
	if (fd_write_full(CHILD_REPORT_FD, &report, sizeof(report)) < 0 || r < 0)
		_exit(1);
	fd_close(CHILD_REPORT_FD);
	guest_main(CHILD_CHANNEL_FD,
		&(struct guest_events){
			plan->cgroup->memory_events_fd < 0 ? -1 : CHILD_MEMORY_FD,
			plan->cgroup->pids_events_fd < 0 ? -1 : CHILD_PIDS_FD,
			CHILD_OOM_FD,
		},
		plan->defaults);
}
