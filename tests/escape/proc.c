/*
 * What /proc and /sys would tell or change.
 *
 * E48 writes   E49 reads   E50 PID 1's directory   E51 mounts by name   E53 scores of the OOM killer
 * E55 pressure triggers
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define FLOOD	  64
#define ONLY_OPEN 1 /* a read would take something from the host, or wait */

/* A cover is the null device: whatever is granted, nothing comes of it. */
static bool is_covered(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* The control opens only: these are the host's. */
static int try_write(const struct probe *p)
{
	int fd = open(p->text, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (is_covered(fd))
		return -UNCHANGED;
	return probe_is_control ? 0 : probe_result(write(fd, "0", 1));
}

/* Something in a directory, or the first word of a file: some give no less. */
static int try_read(const struct probe *p)
{
	int fd = open(p->text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char word[8];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			return 0;
	if (directory || is_covered(fd))
		return -UNCHANGED;
	if (p->number & ONLY_OPEN)
		return 0;
	n = read(fd, word, sizeof(word));
	return n < 0 ? -errno : n == 0 ? -UNCHANGED : 0;
}

/* Below the target's directory: a link is read, the rest as above. */
static int try_target(const struct probe *p)
{
	char path[64], link[4096];
	struct probe below = *p;

	if (p->other)
		snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", probe_target, probe_target,
			p->text);
	else
		snprintf(path, sizeof(path), "/proc/%d/%s", probe_target, p->text);
	below.text = path;
	if (readlink(path, link, sizeof(link)) >= 0)
		return 0;
	return errno == EINVAL ? try_read(&below) : -errno;
}

/* The mounts are told, but not by names of the host: the directory of the marker is one. */
static int try_mounts(const struct probe *p)
{
	static const char *const telling[] = {"/var/lib", "hearth-escape", "/dev/shm/hearth",
		"/images/", "/dev/vda", "/dev/sda", "/home/", "builder"};
	static char text[65536];
	int fd = open(p->text, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++)
		if (strstr(text, telling[i]))
			return 0;
	return size ? -UNCHANGED : -ENODATA;
}

static int try_score(const struct probe *p)
{
	char path[64], number[16];
	int fd, n = snprintf(number, sizeof(number), "%ld", p->number);

	if (p->other)
		if (p->other)
			snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", probe_target,
				probe_target, p->text);
		else
			snprintf(path, sizeof(path), "/proc/%d/%s", probe_target, p->text);
	else
		snprintf(path, sizeof(path), "/proc/self/%s", p->text);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : probe_result(write(fd, number, (size_t)n));
}

/* As many as fit; each keeps a place in the kernel's lists. */
static int try_trigger(const struct probe *p)
{
	int fd = -1, made = 0;

	for (int i = 0; i < (p->number ? FLOOD : 1); i++) {
		fd = open(p->text, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || write(fd, "some 200000 2000000", 20) < 0)
			break;
		made++;
	}
	return made ? 0 : -errno;
}

/* clang-format off */
#define WRITE(path) \
	{.id = "E48", .name = "write " path, \
		.refused = {EACCES, EROFS, ENOENT, EPERM, UNCHANGED}, .control = {WORKED, ENOENT}, \
		.may_be_absent = true, .attempt = try_write, .text = path}
/* Every kernel has these. */
#define WRITE_ALWAYS(path) \
	{.id = "E48", .name = "write " path, .refused = {EACCES, EROFS, UNCHANGED}, \
		.control = {WORKED}, .attempt = try_write, .text = path}
#define READ(path, how) \
	{.id = "E49", .name = "read " path, .refused = {EACCES, EPERM, ENOENT, UNCHANGED}, \
		.control = {WORKED, ENOENT, UNCHANGED}, .may_be_absent = true, \
		.attempt = try_read, .text = path, .number = how}
#define READ_ALWAYS(path) \
	{.id = "E49", .name = "read " path, .refused = {EACCES, EPERM, ENOENT, UNCHANGED}, \
		.control = {WORKED}, .attempt = try_read, .text = path}
#define TARGET(path) \
	{.id = "E50", .name = "/proc/1/" path, .refused = {EACCES, EPERM}, .control = {WORKED}, \
		.attempt = try_target, .text = path}
#define THREAD(path) \
	{.id = "E50", .name = "/proc/1/task/1/" path, .refused = {EACCES, EPERM}, \
		.control = {WORKED}, .attempt = try_target, .text = path, .other = 1}
/* Of a kernel that may lack it, or of a process that may have none. */
#define TARGET_MAYBE(path) \
	{.id = "E50", .name = "/proc/1/" path, .refused = {EACCES, EPERM, ENOENT}, \
		.control = {WORKED, ENOENT, UNCHANGED}, .may_be_absent = true, \
		.attempt = try_target, .text = path}
#define MOUNTS(path) \
	{.id = "E51", .name = path " names nothing of the host", .refused = {UNCHANGED, EACCES}, \
		.control = {WORKED}, .attempt = try_mounts, .text = path}
/* Lower than it was: a host's root without CAP_SYS_RESOURCE may not either. */
#define SCORE(file, title, score, of_target) \
	{.id = "E53", .name = title, .refused = {EACCES, EPERM}, .control = {WORKED, EACCES}, \
		.may_be_absent = true, .attempt = try_score, .text = file, .number = score, \
		.other = of_target}
#define TRIGGER(resource, title, many) \
	{.id = "E55", .name = title " of " resource, .refused = {EROFS, EACCES, ENOENT}, \
		.control = {WORKED, ENOENT, EOPNOTSUPP}, .may_be_absent = true, \
		.attempt = try_trigger, .text = "/proc/pressure/" resource, .number = many}

static const struct probe rows[] = {
	WRITE_ALWAYS("/proc/sys/kernel/core_pattern"), WRITE("/proc/sys/kernel/modprobe"),
	WRITE("/proc/sys/kernel/hotplug"), WRITE("/proc/sys/kernel/poweroff_cmd"),
	WRITE("/sys/kernel/uevent_helper"), WRITE("/proc/sysrq-trigger"),
	WRITE("/proc/sys/kernel/sysrq"), WRITE_ALWAYS("/proc/sys/vm/drop_caches"),
	WRITE_ALWAYS("/proc/sys/vm/overcommit_memory"), WRITE("/proc/sys/fs/binfmt_misc/register"),
	WRITE("/proc/mtrr"), WRITE_ALWAYS("/proc/irq/default_smp_affinity"),
	WRITE_ALWAYS("/proc/sys/kernel/pid_max"), WRITE_ALWAYS("/proc/sys/kernel/panic"),
	WRITE_ALWAYS("/proc/sys/kernel/printk"), WRITE("/proc/sys/net/ipv4/ip_forward"),
	WRITE_ALWAYS("/proc/sys/kernel/msgmax"), WRITE_ALWAYS("/proc/sys/kernel/threads-max"),
	WRITE("/proc/sys/kernel/ns_last_pid"), WRITE("/proc/sys/fs/protected_symlinks"),
	WRITE("/proc/sys/kernel/randomize_va_space"), WRITE("/proc/sys/kernel/kptr_restrict"),
	WRITE("/proc/scsi/scsi"), WRITE("/proc/acpi/wakeup"), WRITE("/proc/bus/pci/00/00.0"),
	WRITE("/sys/fs/cgroup/cgroup.procs"), WRITE("/sys/power/state"),

	READ("/proc/kcore", 0), READ("/proc/kmsg", ONLY_OPEN), READ_ALWAYS("/proc/kallsyms"),
	READ("/proc/keys", 0), READ("/proc/timer_list", 0), READ_ALWAYS("/proc/iomem"),
	READ("/proc/ioports", 0), READ("/proc/slabinfo", 0), READ_ALWAYS("/proc/vmallocinfo"),
	READ("/proc/kpagecount", 0), READ("/proc/kpageflags", 0), READ("/proc/kpagecgroup", 0),
	READ("/proc/config.gz", 0), READ_ALWAYS("/proc/cmdline"), READ("/proc/bootconfig", 0),
	READ_ALWAYS("/proc/interrupts"), READ("/proc/sched_debug", 0),
	READ("/proc/latency_stats", 0), READ("/proc/pagetypeinfo", 0), READ("/proc/mtrr", 0),
	READ_ALWAYS("/proc/diskstats"), READ_ALWAYS("/proc/partitions"),
	READ("/proc/acpi", 0), READ("/proc/scsi", 0), READ("/proc/asound", 0),
	READ("/sys/class/dmi/id/product_uuid", 0), READ("/sys/firmware/efi/efivars", 0),
	READ("/sys/kernel/btf/vmlinux", 0), READ("/sys/kernel/notes", 0), READ("/sys/block", 0),

	TARGET("root"), TARGET("cwd"), TARGET("exe"), TARGET("environ"), TARGET("maps"),
	TARGET("smaps"), TARGET("auxv"), TARGET("fd"), TARGET("fdinfo"), TARGET("ns/mnt"),
	TARGET("ns/user"), TARGET("ns/net"), TARGET("ns/pid"), TARGET("mountstats"),
	TARGET("pagemap"), TARGET("map_files"), THREAD("fd"), THREAD("environ"), THREAD("root"),
	TARGET_MAYBE("io"), TARGET_MAYBE("stack"), TARGET_MAYBE("syscall"),
	TARGET_MAYBE("personality"), TARGET_MAYBE("numa_maps"),
	{.id = "E50", .name = "/proc/1/mem", .refused = {EACCES, EPERM}, .control = {WORKED, EIO},
		.attempt = try_target, .text = "mem"},

	MOUNTS("/proc/self/mountinfo"), MOUNTS("/proc/self/mounts"),
	MOUNTS("/proc/1/mountinfo"), MOUNTS("/proc/1/mounts"), MOUNTS("/proc/thread-self/mountinfo"),

	SCORE("oom_score_adj", "oom_score_adj -1000", -1000, 0),
	SCORE("oom_score_adj", "oom_score_adj -1", -1, 0),
	SCORE("oom_adj", "oom_adj -17", -17, 0),
	SCORE("oom_score_adj", "oom_score_adj of PID 1", -1000, 1),
	SCORE("oom_score_adj", "oom_score_adj of PID 1, higher", 1000, 1),

	TRIGGER("cpu", "a trigger", 0), TRIGGER("memory", "a trigger", 0), TRIGGER("io", "a trigger", 0),
	TRIGGER("cpu", "a flood of triggers", 1), TRIGGER("memory", "a flood of triggers", 1),
	TRIGGER("io", "a flood of triggers", 1),
};
/* clang-format on */

const struct probe_family probe_proc = PROBE_FAMILY(rows);
