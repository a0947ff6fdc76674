/* The compiled filter, evaluated offline for every number, against the table that it came from. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/seccomp.h"
#include "nsjail-lite/seccomp_policy.h"

#define NUMBERS	       1024
#define ERRNO(e)       (SECCOMP_RET_ERRNO | (e))
#define NETLINK_AUDIT_ 9

static struct seccomp_program program;

static int set_up(void **state)
{
	(void)state;
	return seccomp_compile(&program, NULL);
}

static uint32_t evaluate(uint32_t number, const uint64_t arguments[6])
{
	return seccomp_evaluate(&program, AUDIT_ARCH_X86_64, number, arguments);
}

static void expect(int number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint32_t value)
{
	const uint64_t arguments[6] = {a0, a1, a2, a3};

	assert_int_equal(evaluate((uint32_t)number, arguments), value);
}

/* Row of a number, read from the table independently of the compiler; NULL: no row. */
static const struct seccomp_row *row_of(int wanted)
{
	for (size_t i = 0; i < seccomp_policy_count; i++) {
		auto_free char *calls = strdup(seccomp_policy[i].calls);
		char *save = NULL;

		for (char *w = strtok_r(calls, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			char *equals = strchr(w, '=');

			if (equals ? atoi(equals + 1) == wanted
				   : seccomp_syscall_resolve_name(w) == wanted)
				return &seccomp_policy[i];
		}
	}
	return NULL;
}

static void every_number_is_answered_as_its_row_says(void **state)
{
	static const uint64_t zero[6];

	(void)state;
	for (int n = 0; n < NUMBERS; n++) {
		const struct seccomp_row *row = row_of(n);
		enum seccomp_action action = row ? row->action : ACTION_ENOSYS;
		uint32_t value = evaluate((uint32_t)n, zero);

		if (action == ACTION_ALLOW)
			assert_int_equal(value, SECCOMP_RET_ALLOW);
		else if (action == ACTION_EPERM)
			assert_int_equal(value, ERRNO(EPERM));
		else if (action == ACTION_ENOSYS)
			assert_int_equal(value, ERRNO(ENOSYS));
	}
}

static void clone_makes_threads_but_no_namespaces(void **state)
{
	static const uint64_t denied[] = {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET};

	(void)state;
	expect(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | 17, 0, 0, 0, SECCOMP_RET_ALLOW);
	expect(SYS_clone, 0x80 | 17, 0, 0, 0, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
		expect(SYS_clone, denied[i] | 17, 0, 0, 0, ERRNO(EPERM));
		expect(SYS_unshare, denied[i], 0, 0, 0, ERRNO(EPERM));
	}
	expect(SYS_unshare, 0x80 /* CLONE_NEWTIME */, 0, 0, 0, ERRNO(EPERM));
	expect(SYS_unshare, CLONE_FS | CLONE_FILES, 0, 0, 0, SECCOMP_RET_ALLOW);
	expect(435 /* clone3 */, 0, 0, 0, 0, ERRNO(ENOSYS));
}

static void sockets_are_of_common_families_and_protocols(void **state)
{
	static const uint64_t rare[] = {132, 33, 136, 115, 262};

	(void)state;
	expect(SYS_socket, AF_UNIX, SOCK_SEQPACKET, 0, 0, SECCOMP_RET_ALLOW);
	expect(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6, 0, SECCOMP_RET_ALLOW);
	expect(SYS_socket, AF_INET6, SOCK_DGRAM, 17, 0, SECCOMP_RET_ALLOW);
	expect(SYS_socket, AF_INET, SOCK_DGRAM, 1, 0, SECCOMP_RET_ALLOW);
	for (uint64_t family = 3; family < 64; family++)
		if (family != AF_INET6 && family != AF_NETLINK)
			expect(SYS_socket, family, SOCK_STREAM, 0, 0, ERRNO(EAFNOSUPPORT));
	for (size_t i = 0; i < ARRAY_SIZE(rare); i++) {
		expect(SYS_socket, AF_INET, SOCK_STREAM, rare[i], 0, ERRNO(EPROTONOSUPPORT));
		expect(SYS_socket, AF_INET6, SOCK_STREAM, rare[i], 0, ERRNO(EPROTONOSUPPORT));
	}
	expect(SYS_socket, AF_INET, SOCK_SEQPACKET, 0, 0, ERRNO(ESOCKTNOSUPPORT));
	expect(SYS_socket, AF_INET, 6 /* DCCP */, 0, 0, ERRNO(ESOCKTNOSUPPORT));
	expect(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 0, SECCOMP_RET_ALLOW);
	expect(SYS_socketpair, 30 /* TIPC */, SOCK_STREAM, 0, 0, ERRNO(EAFNOSUPPORT));
}

static void netlink_is_for_routes_only_and_audit_is_said_to_be_absent(void **state)
{
	(void)state;
	expect(SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0, SECCOMP_RET_ALLOW);
	for (uint64_t protocol = 1; protocol < 32; protocol++)
		expect(SYS_socket, AF_NETLINK, SOCK_RAW, protocol, 0, ERRNO(EAFNOSUPPORT));
}

static void setsockopt_attaches_nothing_to_the_kernel(void **state)
{
	static const uint64_t denied[][2] = {
		{6, 31}, {17, 100}, {0, 64}, {41, 64}, {SOL_SOCKET, 50}, {SOL_SOCKET, 52}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		expect(SYS_setsockopt, 3, denied[i][0], denied[i][1], 0, ERRNO(EPERM));
	expect(SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEADDR, 0, SECCOMP_RET_ALLOW);
	expect(SYS_setsockopt, 3, 6, 1, 0, SECCOMP_RET_ALLOW);
	expect(SYS_setsockopt, 3, 17, 31, 0, SECCOMP_RET_ALLOW);
}

static void no_ioctl_pushes_input_even_with_high_bits_set(void **state)
{
	static const uint64_t denied[] = {0x5412, 0x541c, 0x5423};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
		expect(SYS_ioctl, 0, denied[i], 0, 0, ERRNO(EPERM));
		expect(SYS_ioctl, 0, denied[i] | UINT64_C(1) << 32, 0, 0, ERRNO(EPERM));
	}
	expect(SYS_ioctl, 0, 0x5413 /* TIOCGWINSZ */, 0, 0, SECCOMP_RET_ALLOW);
}

static void personality_stays_linux(void **state)
{
	static const uint64_t allowed[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		expect(SYS_personality, allowed[i], 0, 0, 0, SECCOMP_RET_ALLOW);
	expect(SYS_personality, 0x0040000 /* no randomisation */, 0, 0, 0, ERRNO(EPERM));
	expect(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */, 0, 0, 0, ERRNO(EPERM));
}

static void out_of_band_data_is_refused_both_ways(void **state)
{
	(void)state;
	expect(SYS_sendto, 3, 0, 0, MSG_OOB, ERRNO(EOPNOTSUPP));
	expect(SYS_recvfrom, 3, 0, 0, MSG_OOB | MSG_DONTWAIT, ERRNO(EOPNOTSUPP));
	expect(SYS_sendmsg, 3, 0, MSG_OOB, 0, ERRNO(EOPNOTSUPP));
	expect(SYS_recvmsg, 3, 0, MSG_OOB, 0, ERRNO(EOPNOTSUPP));
	expect(SYS_sendmmsg, 3, 0, 0, MSG_OOB, ERRNO(EOPNOTSUPP));
	expect(SYS_recvmmsg, 3, 0, 0, MSG_OOB, ERRNO(EOPNOTSUPP));
	expect(SYS_sendto, 3, 0, 0, MSG_NOSIGNAL, SECCOMP_RET_ALLOW);
	expect(SYS_recvmsg, 3, 0, MSG_CMSG_CLOEXEC, 0, SECCOMP_RET_ALLOW);
}

static void every_row_has_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < seccomp_policy_count; i++)
		assert_true(strlen(seccomp_policy[i].reason) >= 8);
}

static void the_program_is_small_enough_to_load_fast(void **state)
{
	(void)state;
	assert_in_range(program.count, 100, 200);
}

static void calls_that_change_the_host_are_refused(void **state)
{
	static const int calls[] = {SYS_mount, SYS_umount2, SYS_pivot_root, SYS_setns, SYS_bpf,
		SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_keyctl, SYS_request_key,
		SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot,
		SYS_settimeofday, SYS_clock_settime, SYS_acct, SYS_swapon, SYS_swapoff,
		SYS_quotactl, SYS_syslog, SYS_iopl, SYS_ioperm, SYS_open_by_handle_at, SYS_kcmp,
		SYS_process_vm_readv, SYS_process_vm_writev, SYS_fanotify_init, SYS_move_pages,
		SYS_mbind, SYS_migrate_pages, SYS_vhangup, SYS_modify_ldt};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		expect(calls[i], 0, 0, 0, 0, ERRNO(EPERM));
	for (int n = 425; n <= 427; n++) /* io_uring */
		expect(n, 0, 0, 0, 0, ERRNO(ENOSYS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_is_answered_as_its_row_says),
		cmocka_unit_test(clone_makes_threads_but_no_namespaces),
		cmocka_unit_test(sockets_are_of_common_families_and_protocols),
		cmocka_unit_test(netlink_is_for_routes_only_and_audit_is_said_to_be_absent),
		cmocka_unit_test(setsockopt_attaches_nothing_to_the_kernel),
		cmocka_unit_test(no_ioctl_pushes_input_even_with_high_bits_set),
		cmocka_unit_test(personality_stays_linux),
		cmocka_unit_test(out_of_band_data_is_refused_both_ways),
		cmocka_unit_test(calls_that_change_the_host_are_refused),
		cmocka_unit_test(every_row_has_a_reason),
		cmocka_unit_test(the_program_is_small_enough_to_load_fast),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
