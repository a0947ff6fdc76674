/*
 * The compiled filter against an expectation of its own (seccomp_expectation.h), for every number on
 * every ABI; and the proof that this comparison notices each change of the table: a row or a word
 * that is missing, a word in a row of another action.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/seccomp.h"
#include "nsjail-lite/seccomp_policy.h"
#include "tests/unit/seccomp_expectation.h"

#define NUMBERS	    1024u
#define ROWS_MAX    64
#define LAST_ACTION ACTION_CHECK_OOB_ARG3
#define WORDS_MAX   160
#define WORD_MAX    32

/* Every ABI that seccomp knows a name for, but this one. */
static const uint32_t foreign[] = {AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_ARMEB,
	AUDIT_ARCH_AARCH64, AUDIT_ARCH_ALPHA, AUDIT_ARCH_ARCOMPACT, AUDIT_ARCH_ARCOMPACTBE,
	AUDIT_ARCH_ARCV2, AUDIT_ARCH_ARCV2BE, AUDIT_ARCH_C6X, AUDIT_ARCH_C6XBE, AUDIT_ARCH_CRIS,
	AUDIT_ARCH_CSKY, AUDIT_ARCH_FRV, AUDIT_ARCH_H8300, AUDIT_ARCH_HEXAGON, AUDIT_ARCH_IA64,
	AUDIT_ARCH_M32R, AUDIT_ARCH_M68K, AUDIT_ARCH_MICROBLAZE, AUDIT_ARCH_MIPS, AUDIT_ARCH_MIPSEL,
	AUDIT_ARCH_MIPS64, AUDIT_ARCH_MIPS64N32, AUDIT_ARCH_MIPSEL64, AUDIT_ARCH_MIPSEL64N32,
	AUDIT_ARCH_NDS32, AUDIT_ARCH_NDS32BE, AUDIT_ARCH_NIOS2, AUDIT_ARCH_OPENRISC,
	AUDIT_ARCH_PARISC, AUDIT_ARCH_PARISC64, AUDIT_ARCH_PPC, AUDIT_ARCH_PPC64,
	AUDIT_ARCH_PPC64LE, AUDIT_ARCH_RISCV32, AUDIT_ARCH_RISCV64, AUDIT_ARCH_S390,
	AUDIT_ARCH_S390X, AUDIT_ARCH_SH, AUDIT_ARCH_SHEL, AUDIT_ARCH_SH64, AUDIT_ARCH_SHEL64,
	AUDIT_ARCH_SPARC, AUDIT_ARCH_SPARC64, AUDIT_ARCH_TILEGX, AUDIT_ARCH_TILEGX32,
	AUDIT_ARCH_TILEPRO, AUDIT_ARCH_UNICORE, AUDIT_ARCH_XTENSA, AUDIT_ARCH_LOONGARCH32,
	AUDIT_ARCH_LOONGARCH64, 0, UINT32_MAX, AUDIT_ARCH_X86_64 ^ 1};

static struct seccomp_program program;

static int set_up(void **state)
{
	(void)state;
	return seccomp_compile(&program, NULL);
}

static void compare(const struct probe *probe)
{
	uint32_t expected = expectation_of(probe);
	uint32_t is = seccomp_evaluate(&program, probe->arch, probe->number, probe->arguments);

	if (is != expected)
		fail_msg("arch %#x call %u (%#lx %#lx %#lx %#lx): %#x, expected %#x", probe->arch,
			probe->number, probe->arguments[0], probe->arguments[1],
			probe->arguments[2], probe->arguments[3], is, expected);
}

/* With the upper halves of the arguments clear, and with each single one and all set. */
static void compare_call(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	static const uint64_t high[] = {
		0, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_C(0xffffffff) << 32};

	for (size_t i = 0; i < ARRAY_SIZE(high); i++)
		compare(&(struct probe){AUDIT_ARCH_X86_64, number,
			{a0 | high[i], a1 | high[i], a2 | high[i], a3 | high[i]}});
}

static void every_number_is_answered_as_expected_whatever_its_arguments(void **state)
{
	struct probe probe;

	(void)state;
	if (expectation_differences(&program, &probe) > 0)
		compare(&probe); /* says which */
	for (uint32_t n = 0; n <= NUMBERS; n++)
		compare_call(n, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX);
}

static void numbers_beyond_the_newest_call_do_not_exist(void **state)
{
	static const uint32_t numbers[] = {
		SECCOMP_NEWEST + 1, 1023, 1024, 1025, 4096, 65535, 65536, 0x3fffffff, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		compare_call(numbers[i], 0, 0, 0, 0);
		assert_int_equal(seccomp_evaluate(&program, AUDIT_ARCH_X86_64, numbers[i],
					 (const uint64_t[6]){0}),
			SECCOMP_RET_ERRNO | ENOSYS);
	}
}

static void every_number_of_every_foreign_abi_ends_the_process(void **state)
{
	static const uint32_t more[] = {1024, EXPECTATION_X32, EXPECTATION_X32 | 520, UINT32_MAX};
	static const uint64_t zero[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		for (uint32_t n = 0; n < NUMBERS; n++)
			assert_int_equal(seccomp_evaluate(&program, foreign[i], n, zero),
				SECCOMP_RET_KILL_PROCESS);
		for (size_t k = 0; k < ARRAY_SIZE(more); k++)
			assert_int_equal(seccomp_evaluate(&program, foreign[i], more[k], zero),
				SECCOMP_RET_KILL_PROCESS);
	}
	for (uint32_t n = 0; n <= NUMBERS; n++) /* x32 */
		assert_int_equal(
			seccomp_evaluate(&program, AUDIT_ARCH_X86_64, n | EXPECTATION_X32, zero),
			SECCOMP_RET_KILL_PROCESS);
}

static void clone_and_unshare_are_judged_by_each_flag(void **state)
{
	(void)state;
	for (unsigned one = 0; one < 64; one++)
		for (unsigned two = 0; two < 64; two++) {
			uint64_t flags = UINT64_C(1) << one | UINT64_C(1) << two;

			compare_call(SYS_clone, flags, 0, 0, 0);
			compare_call(SYS_clone, flags | 17 /* SIGCHLD */, 0, 0, 0);
			compare_call(SYS_unshare, flags, 0, 0, 0);
		}
}

static void socket_is_judged_by_family_type_and_protocol(void **state)
{
	(void)state;
	for (uint64_t family = 0; family < 64; family++)
		for (uint64_t type = 0; type < 16; type++)
			for (uint64_t protocol = 0; protocol < 300; protocol++) {
				compare_call(SYS_socket, family, type, protocol, 0);
				compare_call(SYS_socket, family, type | 02004000, protocol, 0);
			}
	for (uint64_t family = 0; family < 64; family++)
		compare_call(SYS_socketpair, family, 1, 0, 0);
}

static void setsockopt_is_judged_by_level_and_option(void **state)
{
	(void)state;
	for (uint64_t level = 0; level < 300; level++)
		for (uint64_t option = 0; option < 160; option++)
			compare_call(SYS_setsockopt, 3, level, option, 0);
}

static void ioctl_is_judged_by_the_low_half_of_its_number(void **state)
{
	(void)state;
	for (uint64_t number = 0; number < 0x10000; number++)
		compare_call(SYS_ioctl, 0, number, 0, 0);
	for (unsigned bit = 16; bit < 32; bit++)
		compare_call(SYS_ioctl, 0, UINT64_C(0x5412) | UINT64_C(1) << bit, 0, 0);
	for (unsigned bit = 0; bit < 64; bit++)
		compare_call(SYS_ioctl, 0, UINT64_C(0xc020660b) ^ UINT64_C(1) << bit, 0, 0);
	compare_call(SYS_ioctl, 0, 0xc020660b, 0, 0);
}

static void personality_is_judged_by_its_value(void **state)
{
	(void)state;
	for (uint64_t value = 0; value < 0x20100; value++)
		compare_call(SYS_personality, value, 0, 0, 0);
	for (unsigned bit = 0; bit < 32; bit++)
		compare_call(SYS_personality, UINT64_C(1) << bit | 8, 0, 0, 0);
	compare_call(SYS_personality, UINT32_MAX, 0, 0, 0);
	compare_call(SYS_personality, UINT32_MAX - 1, 0, 0, 0);
}

static void out_of_band_data_is_judged_in_each_of_six_calls(void **state)
{
	static const uint32_t calls[] = {
		SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t flag = UINT64_C(1) << bit;

			compare_call(calls[i], 3, 0, flag, 0);
			compare_call(calls[i], 3, 0, 0, flag);
			compare_call(calls[i], 3, 0, flag | 1, 0);
			compare_call(calls[i], 3, 0, 0, flag | 1);
			compare_call(calls[i], flag | 1, flag | 1, 0, 0);
		}
}

static size_t split(const char *calls, char words[WORDS_MAX][WORD_MAX])
{
	size_t count = 0;

	while (*calls) {
		size_t length = strcspn(calls, " ");

		assert_in_range(length, 1, WORD_MAX - 1);
		assert_in_range(count, 0, WORDS_MAX - 1);
		memcpy(words[count], calls, length);
		words[count++][length] = '\0';
		calls += length;
		calls += strspn(calls, " ");
	}
	return count;
}

static void name_numbers(const struct seccomp_row *rows, size_t count, bool named[NUMBERS])
{
	char words[WORDS_MAX][WORD_MAX];

	for (size_t i = 0; i < count; i++) {
		size_t word_count = split(rows[i].calls, words);

		for (size_t k = 0; k < word_count; k++) {
			char *equals = strchr(words[k], '=');
			int n = equals ? atoi(equals + 1) : seccomp_syscall_resolve_name(words[k]);

			if (n >= 0)
				named[n] = true;
		}
	}
}

/* What these tests would say to such a table: is a verdict wrong, or has a call no row? */
static bool is_noticed(const struct seccomp_row *rows, size_t count)
{
	struct seccomp_program changed;
	bool named[NUMBERS] = {false};
	struct error err;

	if (seccomp_compile_rows(rows, count, &changed, &err) < 0)
		fail_msg("%s", err.text);
	if (expectation_differences(&changed, NULL) > 0)
		return true;
	name_numbers(rows, count, named);
	for (uint32_t n = 0; n < NUMBERS; n++)
		if (named[n] != expectation_is_call(n))
			return true;
	return false;
}

static void every_call_stands_in_a_row_and_nothing_is_noticed(void **state)
{
	(void)state;
	assert_false(is_noticed(seccomp_policy, seccomp_policy_count));
}

static void each_missing_row_is_noticed(void **state)
{
	struct seccomp_row rows[ROWS_MAX];

	(void)state;
	assert_in_range(seccomp_policy_count, 2, ROWS_MAX);
	for (size_t i = 0; i < seccomp_policy_count; i++) {
		memcpy(rows, seccomp_policy, seccomp_policy_count * sizeof(rows[0]));
		rows[i] = rows[seccomp_policy_count - 1];
		if (!is_noticed(rows, seccomp_policy_count - 1))
			fail_msg("without row %zu (%s) no test fails", i, seccomp_policy[i].calls);
	}
}

/* The table with word k of row i left out, or with it in one more row of this action. */
static bool is_change_noticed(size_t i, const char words[WORDS_MAX][WORD_MAX], size_t word_count,
	size_t k, const enum seccomp_action *action)
{
	struct seccomp_row rows[ROWS_MAX + 1];
	char calls[WORDS_MAX * WORD_MAX] = "";
	char *end = calls;

	for (size_t n = 0; n < word_count; n++)
		if (n != k)
			end += sprintf(end, "%s%s", end == calls ? "" : " ", words[n]);
	memcpy(rows, seccomp_policy, seccomp_policy_count * sizeof(rows[0]));
	rows[i].calls = calls;
	if (action)
		rows[seccomp_policy_count] = (struct seccomp_row){*action, "moved", words[k]};
	return is_noticed(rows, seccomp_policy_count + (action ? 1 : 0));
}

static void each_missing_word_is_noticed(void **state)
{
	char words[WORDS_MAX][WORD_MAX];

	(void)state;
	for (size_t i = 0; i < seccomp_policy_count; i++) {
		size_t count = split(seccomp_policy[i].calls, words);

		for (size_t k = 0; k < count; k++)
			if (!is_change_noticed(i, words, count, k, NULL))
				fail_msg("without %s no test fails", words[k]);
	}
}

static void each_word_in_a_row_of_another_action_is_noticed(void **state)
{
	char words[WORDS_MAX][WORD_MAX];

	(void)state;
	for (size_t i = 0; i < seccomp_policy_count; i++) {
		size_t count = split(seccomp_policy[i].calls, words);

		for (size_t k = 0; k < count; k++)
			for (enum seccomp_action a = 0; a <= LAST_ACTION; a++)
				if (a != seccomp_policy[i].action &&
					!is_change_noticed(i, words, count, k, &a))
					fail_msg("%s may have action %d", words[k], a);
	}
}

static void a_table_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		const char *calls, *why;
	} bad[] = {
		{"read no_such_call", "no_such_call is no system call"},
		{"read write read", "read stands in two rows"},
		{"read=1", "read is call 0, the table says 1"},
		{"future=1024", "not a number below 1024"},
		{"future=-1", "not a number below 1024"},
		{"future=", "not a number below 1024"},
		{"future=471x", "not a number below 1024"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct seccomp_row row = {ACTION_ALLOW, "for this test", bad[i].calls};
		struct seccomp_program unused;
		struct error err;

		assert_int_equal(seccomp_compile_rows(&row, 1, &unused, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_is_answered_as_expected_whatever_its_arguments),
		cmocka_unit_test(numbers_beyond_the_newest_call_do_not_exist),
		cmocka_unit_test(every_number_of_every_foreign_abi_ends_the_process),
		cmocka_unit_test(clone_and_unshare_are_judged_by_each_flag),
		cmocka_unit_test(socket_is_judged_by_family_type_and_protocol),
		cmocka_unit_test(setsockopt_is_judged_by_level_and_option),
		cmocka_unit_test(ioctl_is_judged_by_the_low_half_of_its_number),
		cmocka_unit_test(personality_is_judged_by_its_value),
		cmocka_unit_test(out_of_band_data_is_judged_in_each_of_six_calls),
		cmocka_unit_test(every_call_stands_in_a_row_and_nothing_is_noticed),
		cmocka_unit_test(each_missing_row_is_noticed),
		cmocka_unit_test(each_missing_word_is_noticed),
		cmocka_unit_test(each_word_in_a_row_of_another_action_is_noticed),
		cmocka_unit_test(a_table_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
