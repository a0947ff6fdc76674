/*
 * E28 securebits   E29 capabilities beyond the bounding set   E30 files that carry rights
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define STRANGER 1 /* a user who is not root */

struct capabilities {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[2];
};

static int capabilities_get(struct capabilities *c)
{
	memset(c, 0, sizeof(*c));
	c->header.version = _LINUX_CAPABILITY_VERSION_3;
	return probe_result(syscall(SYS_capget, &c->header, c->data));
}

static bool holds(long capability)
{
	struct capabilities c;

	return capabilities_get(&c) == 0 &&
	       (c.data[capability / 32].effective & (1U << (capability % 32)));
}

static int try_capset(const struct probe *p)
{
	struct capabilities c;
	uint32_t bit = 1U << (p->number % 32);
	int r = capabilities_get(&c);

	if (r < 0)
		return r;
	c.data[p->number / 32].effective |= bit;
	c.data[p->number / 32].permitted |= bit;
	return probe_result(syscall(SYS_capset, &c.header, c.data));
}

static int try_inheritable(const struct probe *p)
{
	struct capabilities c;
	int r = capabilities_get(&c);

	if (r < 0)
		return r;
	c.data[p->number / 32].inheritable |= 1U << (p->number % 32);
	return probe_result(syscall(SYS_capset, &c.header, c.data));
}

/* Raising needs it permitted and inheritable. */
static int try_ambient(const struct probe *p)
{
	try_inheritable(p);
	return probe_result(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, p->number, 0, 0));
}

/* With these bits another user keeps what he has, or root by exec gets what he lacks. */
static int try_securebits(const struct probe *p)
{
	if (prctl(PR_SET_SECUREBITS, p->number, 0, 0, 0) < 0)
		return -errno;
	if (p->other && syscall(SYS_setresuid, STRANGER, STRANGER, STRANGER) < 0)
		return -errno;
	if (!p->other)
		return holds(CAP_SYS_ADMIN) ? 0 : -UNCHANGED;
	try_capset(&(struct probe){.number = CAP_SYS_ADMIN});
	return holds(CAP_SYS_ADMIN) ? 0 : -UNCHANGED;
}

/* A copy of this program; the rights are put on it after it is written, which would take them away. */
static int copy_self(const char *path)
{
	char buffer[65536];
	int from = open(PROBE_PROGRAM, O_RDONLY | O_CLOEXEC);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	if (from < 0 || to < 0)
		return -errno;
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)n) != n)
			return -errno;
	close(from);
	close(to);
	return 0;
}

/* Run it as a stranger; it says by its exit status whether its rights have come: program.c. */
static int run_as_stranger(const char *path, const char *question)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (syscall(SYS_setresgid, STRANGER, STRANGER, STRANGER) < 0 ||
			syscall(SYS_setresuid, STRANGER, STRANGER, STRANGER) < 0)
			_exit(2);
		execl(path, path, "--has", question, NULL);
		_exit(errno == EPERM ? 3 : 2);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 2)
		return -EIO;
	if (WEXITSTATUS(status) == 3)
		return -EPERM;
	return WEXITSTATUS(status) == 0 ? 0 : -UNCHANGED;
}

static int try_file_capability(const struct probe *p)
{
	struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE};
	char question[16];
	int r = copy_self("/tmp/capable");

	if (r < 0)
		return r;
	data.data[p->number / 32].permitted = 1U << (p->number % 32);
	if (setxattr("/tmp/capable", "security.capability", &data, sizeof(data), 0) < 0)
		return -errno;
	snprintf(question, sizeof(question), "%ld", p->number);
	return run_as_stranger("/tmp/capable", question);
}

static int try_set_id(const struct probe *p)
{
	int r = copy_self("/tmp/setid");

	if (r < 0)
		return r;
	if (chmod("/tmp/setid", (mode_t)p->number) < 0)
		return -errno;
	return run_as_stranger("/tmp/setid", p->text);
}

/* Ids that the sandbox's range does not hold. */
static int try_unmapped_id(const struct probe *p)
{
	return probe_result(syscall(p->number, p->other, p->other, p->other));
}

static int try_chown_unmapped(const struct probe *p)
{
	int fd = open("/tmp/owned", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : probe_result(fchown(fd, (uid_t)p->other, (gid_t)p->other));
}

bool identity_has(const char *question)
{
	if (strcmp(question, "uid") == 0)
		return geteuid() == 0;
	if (strcmp(question, "gid") == 0)
		return getegid() == 0;
	return holds(atol(question));
}

/* clang-format off */
#define CAPSET(c) {.id = "E29", .name = "capset(" #c ")", .attempt = try_capset, .number = c, \
	.refused = {EPERM}, .control = {WORKED}}
#define FILE_CAPABILITY(c) {.id = "E30", .name = "exec of a file with " #c, \
	.attempt = try_file_capability, .number = c, .refused = {EPERM, UNCHANGED}, \
	.control = {WORKED}}

static const struct probe rows[] = {
	{.id = "E28", .name = "securebits: keep capabilities past setuid", .attempt = try_securebits,
		.number = SECBIT_KEEP_CAPS, .other = 1, .refused = {UNCHANGED}, .control = {WORKED}},
	{.id = "E28", .name = "securebits: no fix-up at setuid", .attempt = try_securebits,
		.number = SECBIT_NO_SETUID_FIXUP, .other = 1, .refused = {UNCHANGED},
		.control = {WORKED}},
	{.id = "E28", .name = "securebits: root is nobody special", .attempt = try_securebits,
		.number = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, .refused = {UNCHANGED},
		.control = {WORKED}},

	CAPSET(CAP_DAC_READ_SEARCH), CAPSET(CAP_LINUX_IMMUTABLE), CAPSET(CAP_NET_BROADCAST),
	CAPSET(CAP_NET_ADMIN), CAPSET(CAP_NET_RAW), CAPSET(CAP_IPC_LOCK), CAPSET(CAP_IPC_OWNER),
	CAPSET(CAP_SYS_MODULE), CAPSET(CAP_SYS_RAWIO), CAPSET(CAP_SYS_PTRACE),
	CAPSET(CAP_SYS_PACCT), CAPSET(CAP_SYS_ADMIN), CAPSET(CAP_SYS_BOOT), CAPSET(CAP_SYS_NICE),
	CAPSET(CAP_SYS_TIME), CAPSET(CAP_SYS_TTY_CONFIG), CAPSET(CAP_MKNOD), CAPSET(CAP_LEASE),
	CAPSET(CAP_AUDIT_CONTROL), CAPSET(CAP_MAC_OVERRIDE), CAPSET(CAP_MAC_ADMIN),
	CAPSET(CAP_SYSLOG), CAPSET(CAP_WAKE_ALARM), CAPSET(CAP_BLOCK_SUSPEND),
	CAPSET(CAP_AUDIT_READ), CAPSET(38 /* CAP_PERFMON */), CAPSET(39 /* CAP_BPF */),
	CAPSET(40 /* CAP_CHECKPOINT_RESTORE */),
	/* The root of a container may lack it himself. */
	{.id = "E29", .name = "capset(CAP_SYS_RESOURCE)", .attempt = try_capset,
		.number = CAP_SYS_RESOURCE, .refused = {EPERM}, .control = {WORKED, EPERM},
		.may_be_absent = true},
	{.id = "E29", .name = "CAP_SYS_ADMIN inheritable", .attempt = try_inheritable,
		.number = CAP_SYS_ADMIN, .refused = {EPERM}, .control = {WORKED}},
	{.id = "E29", .name = "CAP_SYS_ADMIN ambient", .attempt = try_ambient,
		.number = CAP_SYS_ADMIN, .refused = {EPERM}, .control = {WORKED}},
	{.id = "E29", .name = "setresuid to an id outside of the range", .attempt = try_unmapped_id,
		.number = SYS_setresuid, .other = 100000, .refused = {EINVAL}, .control = {WORKED}},
	{.id = "E29", .name = "setresgid to an id outside of the range", .attempt = try_unmapped_id,
		.number = SYS_setresgid, .other = 100000, .refused = {EINVAL}, .control = {WORKED}},
	{.id = "E29", .name = "chown to an id outside of the range", .attempt = try_chown_unmapped,
		.other = 100000, .refused = {EINVAL}, .control = {WORKED}},

	FILE_CAPABILITY(CAP_SYS_ADMIN), FILE_CAPABILITY(CAP_NET_RAW), FILE_CAPABILITY(CAP_SYS_PTRACE),
	{.id = "E30", .name = "exec of a setuid file as another user", .attempt = try_set_id,
		.number = 04755, .text = "uid", .refused = {UNCHANGED}, .control = {WORKED}},
	{.id = "E30", .name = "exec of a setgid file as another user", .attempt = try_set_id,
		.number = 02755, .text = "gid", .refused = {UNCHANGED}, .control = {WORKED}},
};
/* clang-format on */

const struct probe_family probe_identity = PROBE_FAMILY(rows);
