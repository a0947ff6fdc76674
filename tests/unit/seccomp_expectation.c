#include "tests/unit/seccomp_expectation.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "nsjail-lite/seccomp.h"

#define ERRNO(e)	  (SECCOMP_RET_ERRNO | (e))
#define NEWEST		  470u
#define FIRST_COMMON	  424u	      /* from here on all architectures share the numbers */
#define NAMESPACES	  0x7e020000u /* NS, CGROUP, UTS, IPC, USER, PID, NET */
#define NEW_TIME	  0x80u
#define OOB		  1u
#define IS_ONE_OF(x, ...) is_one_of((x), (const uint32_t[]){__VA_ARGS__, 0})

/* Answered EPERM whatever the arguments. */
static const uint16_t refused[] = {
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_move_mount,
	SYS_open_tree,
	467 /* open_tree_attr */,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_setns,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_add_key,
	SYS_keyctl,
	SYS_request_key,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_create_module,
	SYS_query_module,
	SYS_get_kernel_syms,
	SYS_reboot,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	SYS_acct,
	SYS_swapon,
	SYS_swapoff,
	SYS_quotactl,
	443 /* quotactl_fd */,
	SYS_syslog,
	SYS_iopl,
	SYS_ioperm,
	SYS_open_by_handle_at,
	SYS_kcmp,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	438 /* pidfd_getfd */,
	SYS_fanotify_init,
	SYS_fanotify_mark,
	SYS_lookup_dcookie,
	SYS_move_pages,
	SYS_mbind,
	450 /* set_mempolicy_home_node */,
	SYS_migrate_pages,
	SYS_vhangup,
	SYS_modify_ldt,
	SYS_ustat,
	SYS_uselib,
	SYS_nfsservctl,
	SYS__sysctl,
	SYS_sysfs,
	440 /* process_madvise */,
	459 /* lsm_get_self_attr */,
	460 /* lsm_set_self_attr */,
	461 /* lsm_list_modules */,
};

/* Answered ENOSYS, as if Linux did not have them. */
static const uint16_t absent[] = {
	SYS_getpmsg,
	SYS_putpmsg,
	SYS_afs_syscall,
	SYS_tuxcall,
	SYS_security,
	SYS_vserver,
	335 /* uretprobe */,
	336 /* uprobe */,
	425 /* io_uring_setup */,
	426 /* io_uring_enter */,
	427 /* io_uring_register */,
	435 /* clone3 */,
	447 /* memfd_secret */,
	451 /* cachestat */,
	457 /* statmount */,
	458 /* listmount */,
	468 /* file_getattr */,
	469 /* file_setattr */,
	470 /* listns */,
};

static bool is_in(const uint16_t *list, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == number)
			return true;
	return false;
}

/* In a list that ends in 0, which is not in it. */
static bool is_one_of(uint32_t x, const uint32_t *list)
{
	for (; *list; list++)
		if (*list == x)
			return true;
	return false;
}

static uint32_t of_socket(uint32_t family, uint32_t type, uint32_t protocol)
{
	if (family == 1 /* unix */ || (family == 16 /* netlink */ && protocol == 0 /* route */))
		return SECCOMP_RET_ALLOW;
	if (family != 2 /* inet */ && family != 10 /* inet6 */)
		return ERRNO(EAFNOSUPPORT);
	if ((type & 0xf) > 3 /* after stream, datagram and raw, which needs a capability */)
		return ERRNO(ESOCKTNOSUPPORT);
	if (IS_ONE_OF(protocol, 33 /* DCCP */, 115 /* L2TP */, 132 /* SCTP */, 136 /* UDPLITE */,
		    262 /* MPTCP */))
		return ERRNO(EPROTONOSUPPORT);
	return SECCOMP_RET_ALLOW;
}

static bool is_refused_option(uint32_t level, uint32_t option)
{
	switch (level) {
	case 0: /* ip: netfilter's rules */
	case 41:
		return IS_ONE_OF(option, 64, 65);
	case 1: /* socket: eBPF, and programs of reuseport groups */
		return IS_ONE_OF(option, 50, 51, 52);
	case 6: /* tcp: upper-layer protocols */
		return option == 31;
	case 17: /* udp: encapsulation */
		return option == 100;
	}
	return false;
}

/* The filter and the kernel look at the low half of these. */
static uint32_t of_arguments(uint32_t number, const uint64_t arguments[6])
{
	uint32_t a0 = (uint32_t)arguments[0], a1 = (uint32_t)arguments[1];
	uint32_t a2 = (uint32_t)arguments[2], a3 = (uint32_t)arguments[3];

	switch (number) {
	case SYS_clone:
		return a0 & NAMESPACES ? ERRNO(EPERM) : SECCOMP_RET_ALLOW;
	case SYS_unshare:
		return a0 & (NAMESPACES | NEW_TIME) ? ERRNO(EPERM) : SECCOMP_RET_ALLOW;
	case SYS_socket:
		return of_socket(a0, a1, a2);
	case SYS_socketpair:
		return a0 == 1 ? SECCOMP_RET_ALLOW : ERRNO(EAFNOSUPPORT);
	case SYS_setsockopt:
		return is_refused_option(a1, a2) ? ERRNO(EPERM) : SECCOMP_RET_ALLOW;
	case SYS_ioctl: /* TIOCSTI, TIOCLINUX, TIOCSETD, FIBMAP, FIEMAP */
		return IS_ONE_OF(a1, 0x5412, 0x541c, 0x5423, 1, 0xc020660b) ? ERRNO(EPERM)
									    : SECCOMP_RET_ALLOW;
	case SYS_personality:
		return a0 == 0 || IS_ONE_OF(a0, 8, 0x20000, 0x20008, 0xffffffff) ? SECCOMP_RET_ALLOW
										 : ERRNO(EPERM);
	case SYS_sendto:
	case SYS_recvfrom:
	case SYS_sendmmsg:
	case SYS_recvmmsg:
		return a3 & OOB ? ERRNO(EOPNOTSUPP) : SECCOMP_RET_ALLOW;
	case SYS_sendmsg:
	case SYS_recvmsg:
		return a2 & OOB ? ERRNO(EOPNOTSUPP) : SECCOMP_RET_ALLOW;
	}
	return SECCOMP_RET_ALLOW;
}

bool expectation_is_call(uint32_t number)
{
	return number <= 336 || (number >= FIRST_COMMON && number <= NEWEST);
}

uint32_t expectation_of(const struct probe *probe)
{
	if (probe->arch != AUDIT_ARCH_X86_64)
		return SECCOMP_RET_KILL_PROCESS;
	if (probe->number >= EXPECTATION_X32 && probe->number != UINT32_MAX)
		return SECCOMP_RET_KILL_PROCESS;
	if (!expectation_is_call(probe->number) || is_in(absent, ARRAY_SIZE(absent), probe->number))
		return ERRNO(ENOSYS);
	if (is_in(refused, ARRAY_SIZE(refused), probe->number))
		return ERRNO(EPERM);
	return of_arguments(probe->number, probe->arguments);
}

/* Each check of arguments refuses one of these that all others allow, and the other way round. */
static const uint64_t samples[][6] = {
	{0},
	{0x10000000 /* NEWUSER */},
	{0, 0x5412 /* TIOCSTI */},
	{0, 0, OOB},
	{0, 0, 0, OOB},
	{NEW_TIME},
	{1, 1, 0, 0},
	{1, 6, 31},
	{2, 1, 132},
	{8, 17, 100},
	{10, 2, 17},
	{16, 3, 9},
	{0x20008, 0x541c},
	{0x40000, 1, 50, 0},
};

size_t expectation_differences(const struct seccomp_program *program, struct probe *ret_probe)
{
	size_t differences = 0;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		for (uint32_t number = 0; number <= 1024; number++) {
			struct probe probe = {.arch = AUDIT_ARCH_X86_64, .number = number};

			memcpy(probe.arguments, samples[i], sizeof(samples[i]));
			if (seccomp_evaluate(program, probe.arch, number, probe.arguments) ==
				expectation_of(&probe))
				continue;
			if (differences++ == 0 && ret_probe)
				*ret_probe = probe;
		}
	}
	return differences;
}
