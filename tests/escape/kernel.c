/*
 * The kernel's own machinery, one call each.
 *
 * E56 bpf   E57 perf   E58 userfaultfd   E59 io_uring   E60 keyrings   E61 kexec   E62 modules
 * E63 reboot   E64 clocks   E65 acct, swap, quota   E66 syslog   E67 ports and descriptor tables
 * E72 fanotify, dcookies   E73 pages of others
 *
 * The controls do no harm: where a call that succeeds would change the host, its arguments are wrong in
 * a way that the kernel only looks at after it has granted the right.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "tests/escape/families.h"

static union bpf_attr map = {
	.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
static struct bpf_insn return_0[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
static union bpf_attr program = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
	.insn_cnt = 2,
	.insns = (unsigned long)return_0,
	.license = (unsigned long)"GPL"};
static union bpf_attr next_id;

static struct perf_event_attr software = {.type = PERF_TYPE_SOFTWARE,
	.size = sizeof(software),
	.config = PERF_COUNT_SW_TASK_CLOCK,
	.exclude_kernel = 1};
static struct perf_event_attr kernel_too = {
	.type = PERF_TYPE_SOFTWARE, .size = sizeof(kernel_too), .config = PERF_COUNT_SW_CPU_CLOCK};
static char ring[128]; /* struct io_uring_params */
static char garbage[64] = "no module";
static struct timeval wrong_time = {.tv_usec = 2000000};
static struct timespec wrong_timespec = {.tv_nsec = 2000000000};
static struct timex same_status = {.modes = ADJ_SETOFFSET}; /* by nothing */
static char buffer[4096];
static char ldt[16]; /* struct user_desc */

/* A module's file must be one, so that the kernel looks into it. */
static int try_finit_module(const struct probe *p)
{
	int fd = open(PROBE_PROGRAM, O_RDONLY | O_CLOEXEC);

	(void)p;
	return fd < 0 ? -errno : probe_result(syscall(SYS_finit_module, fd, "", 0));
}

static int try_io_uring(const struct probe *p)
{
	long fd = syscall(SYS_io_uring_setup, 1, ring);

	if (p->number == SYS_io_uring_enter)
		return probe_result(syscall(SYS_io_uring_enter, fd, 0, 0, 0, NULL, 0));
	/* IORING_REGISTER_PROBE */
	return probe_result(syscall(SYS_io_uring_register, fd, 8, buffer, 0));
}

static int try_move_pages(const struct probe *p)
{
	void *page = (void *)((unsigned long)buffer & ~4095UL);
	int status;

	(void)p;
	return probe_result(syscall(SYS_move_pages, probe_target, 1, &page, NULL, &status, 0));
}

static int try_migrate_pages(const struct probe *p)
{
	unsigned long nodes = 1;

	(void)p;
	return probe_result(syscall(SYS_migrate_pages, probe_target, 8, &nodes, &nodes));
}

static int try_mbind(const struct probe *p)
{
	void *page = (void *)((unsigned long)buffer & ~4095UL);

	(void)p;
	return probe_result(syscall(SYS_mbind, page, 4096, 0, NULL, 0, 0));
}

/* clang-format off */
#define CALL(family, title, ...) \
	{.id = family, .name = title, .refused = {EPERM}, .control = {WORKED}, .call = {__VA_ARGS__}}
/* The control comes as far as this errno. */
#define CALL_TO(family, title, reached, ...) \
	{.id = family, .name = title, .refused = {EPERM}, .control = reached, .call = {__VA_ARGS__}}
#define REACHED(...) {__VA_ARGS__}
#define REBOOT(command, ...) \
	{.id = "E63", .name = "reboot(" #command ")", .refused = {EPERM}, .control = {__VA_ARGS__}, \
		.call = {SYS_reboot, (long)LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, \
			(long)LINUX_REBOOT_CMD_##command, (long)"x"}}

static const struct probe rows[] = {
	CALL("E56", "bpf(MAP_CREATE)", SYS_bpf, BPF_MAP_CREATE, (long)&map, sizeof(map)),
	CALL("E56", "bpf(PROG_LOAD)", SYS_bpf, BPF_PROG_LOAD, (long)&program, sizeof(program)),
	CALL_TO("E56", "bpf(OBJ_GET)", REACHED(EINVAL, EFAULT), SYS_bpf, BPF_OBJ_GET, (long)&next_id,
		sizeof(next_id)),
	CALL_TO("E56", "bpf(PROG_GET_NEXT_ID)", REACHED(WORKED, ENOENT), SYS_bpf,
		BPF_PROG_GET_NEXT_ID, (long)&next_id, sizeof(next_id)),
	CALL_TO("E56", "bpf(BTF_LOAD)", REACHED(EINVAL, EFAULT), SYS_bpf, BPF_BTF_LOAD,
		(long)&next_id, sizeof(next_id)),

	CALL("E57", "perf of oneself", SYS_perf_event_open, (long)&software, 0, -1, -1, 0),
	CALL("E57", "perf of the kernel", SYS_perf_event_open, (long)&kernel_too, 0, -1, -1, 0),
	CALL("E57", "perf of a whole processor", SYS_perf_event_open, (long)&kernel_too, -1, 0, -1, 0),
	CALL("E57", "perf of PID 1", SYS_perf_event_open, (long)&software, 1, -1, -1, 0),

	CALL("E58", "userfaultfd", SYS_userfaultfd, O_CLOEXEC),
	CALL("E58", "userfaultfd of user mode only", SYS_userfaultfd, 1 | O_CLOEXEC),

	{.id = "E59", .name = "io_uring_setup", .refused = {ENOSYS}, .control = {WORKED},
		.call = {SYS_io_uring_setup, 1, (long)ring}},
	{.id = "E59", .name = "io_uring_enter", .refused = {ENOSYS}, .control = {WORKED},
		.attempt = try_io_uring, .number = SYS_io_uring_enter},
	{.id = "E59", .name = "io_uring_register", .refused = {ENOSYS}, .control = {WORKED},
		.attempt = try_io_uring, .number = SYS_io_uring_register},

	CALL("E60", "add_key", SYS_add_key, (long)"user", (long)"hearth", (long)"x", 1, -2),
	CALL("E60", "keyctl of the user's keyring", SYS_keyctl, 0, -4, 1),
	CALL("E60", "keyctl of a session keyring", SYS_keyctl, 1, (long)"hearth"),
	CALL_TO("E60", "request_key", REACHED(ENOKEY), SYS_request_key, (long)"user",
		(long)"hearth-none", 0, 0),
	CALL("E60", "keyctl of the persistent keyring", SYS_keyctl, 22, -1, -2),

	/* Flags that do not exist; ENOSYS: a kernel without it. */
	CALL_TO("E61", "kexec_load", REACHED(EINVAL, ENOSYS), SYS_kexec_load, 0, 0, 0, 0xffff),
	CALL_TO("E61", "kexec_file_load", REACHED(EINVAL, ENOSYS), SYS_kexec_file_load, -1, -1, 0, 0,
		0xffff),

	CALL_TO("E62", "init_module", REACHED(ENOEXEC, ENOSYS), SYS_init_module, (long)garbage,
		sizeof(garbage), (long)""),
	{.id = "E62", .name = "finit_module", .refused = {EPERM}, .control = {ENOEXEC, ENOSYS},
		.attempt = try_finit_module},
	CALL_TO("E62", "delete_module", REACHED(ENOENT, ENOSYS), SYS_delete_module,
		(long)"hearth_none", O_NONBLOCK),
	CALL_TO("E62", "create_module", REACHED(ENOSYS), SYS_create_module, (long)"x", 4096),
	CALL_TO("E62", "query_module", REACHED(ENOSYS), SYS_query_module, 0, 0, 0, 0, 0),
	CALL_TO("E62", "get_kernel_syms", REACHED(ENOSYS), SYS_get_kernel_syms, 0),

	/* In a pid namespace it ends that one only, and knows four commands. */
	REBOOT(RESTART, WORLD_ENDED), REBOOT(HALT, WORLD_ENDED), REBOOT(POWER_OFF, WORLD_ENDED),
	REBOOT(RESTART2, WORLD_ENDED), REBOOT(CAD_ON, EINVAL), REBOOT(CAD_OFF, EINVAL),
	REBOOT(SW_SUSPEND, EINVAL), REBOOT(KEXEC, EINVAL),

	CALL_TO("E64", "settimeofday", REACHED(EINVAL), SYS_settimeofday, (long)&wrong_time, 0),
	CALL_TO("E64", "clock_settime of real time", REACHED(EINVAL), SYS_clock_settime,
		CLOCK_REALTIME, (long)&wrong_timespec),
	CALL_TO("E64", "clock_settime of monotonic time", REACHED(EINVAL), SYS_clock_settime,
		CLOCK_MONOTONIC, (long)&wrong_timespec),
	CALL("E64", "adjtimex", SYS_adjtimex, (long)&same_status),
	CALL("E64", "clock_adjtime", SYS_clock_adjtime, CLOCK_REALTIME, (long)&same_status),

	CALL_TO("E65", "acct", REACHED(ENOENT, ENOSYS), SYS_acct, (long)"/none"),
	CALL_TO("E65", "swapon", REACHED(ENOENT, ENOSYS), SYS_swapon, (long)"/none", 0),
	CALL_TO("E65", "swapoff", REACHED(ENOENT, ENOSYS), SYS_swapoff, (long)"/none"),
	CALL_TO("E65", "quotactl", REACHED(ENOENT, ENOSYS, ENODEV), SYS_quotactl, 0x80000700,
		(long)"/none", 0, 0),
	CALL_TO("E65", "quotactl_fd", REACHED(EBADF, ENOSYS), 443 /* not in every header */, -1, 0x80000700, 0, 0),

	CALL("E66", "syslog: read everything", SYS_syslog, 3, (long)buffer, sizeof(buffer)),
	CALL("E66", "syslog: how much is unread", SYS_syslog, 9, 0, 0),
	CALL("E66", "syslog: how large it is", SYS_syslog, 10, 0, 0),
	CALL_TO("E66", "syslog: set the console's level", REACHED(EINVAL), SYS_syslog, 8, 0, 99),

	CALL_TO("E67", "iopl", REACHED(WORKED, ENOSYS), SYS_iopl, 3),
	CALL_TO("E67", "ioperm", REACHED(WORKED, ENOSYS), SYS_ioperm, 0x80, 1, 1),
	CALL_TO("E67", "modify_ldt: read", REACHED(WORKED, ENOSYS), SYS_modify_ldt, 0, (long)buffer,
		64),
	CALL_TO("E67", "modify_ldt: write", REACHED(WORKED, ENOSYS), SYS_modify_ldt, 1, (long)ldt,
		sizeof(ldt)),

	CALL("E72", "fanotify of everything", SYS_fanotify_init, 0, O_RDONLY),
	CALL("E72", "fanotify without rights", SYS_fanotify_init, 0x200 /* FAN_REPORT_FID */, O_RDONLY),
	CALL_TO("E72", "fanotify_mark", REACHED(EBADF), SYS_fanotify_mark, -1, 1, 1, AT_FDCWD, 0),
	CALL_TO("E72", "lookup_dcookie", REACHED(EINVAL, ENOSYS), SYS_lookup_dcookie, 0, (long)buffer,
		sizeof(buffer)),

	{.id = "E73", .name = "move_pages of PID 1", .refused = {EPERM}, .control = {WORKED, ENOSYS},
		.attempt = try_move_pages},
	{.id = "E73", .name = "migrate_pages of PID 1", .refused = {EPERM},
		.control = {WORKED, ENOSYS}, .attempt = try_migrate_pages},
	{.id = "E73", .name = "mbind", .refused = {EPERM}, .control = {WORKED, ENOSYS},
		.attempt = try_mbind},
};
/* clang-format on */

const struct probe_family probe_kernel = PROBE_FAMILY(rows);
