/*
 * Random rows for the compiler of the policy: first a text of calls, cut at newlines into rows of the
 * action that a first letter names; and again as pairs of a number and an action. A program that comes
 * out is one that the kernel would take, and answers as its rows say.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/seccomp.h"
#include "nsjail-lite/seccomp_policy.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/text.h"

#define ROWS_MAX 64
#define ACTIONS	 (ACTION_CHECK_OOB_ARG3 + 1)
#define NUMBERS	 1024

static struct seccomp_program program;

/* What the kernel's own checker asks for: jumps forward and inside, a return at the end. */
static void check_program(void)
{
	if (program.count == 0 || program.count > SECCOMP_PROGRAM_MAX)
		abort();
	for (uint32_t i = 0; i < program.count; i++) {
		const struct sock_filter *in = &program.instructions[i];
		uint32_t left = program.count - i - 1;

		switch (BPF_CLASS(in->code)) {
		case BPF_JMP:
			if (BPF_OP(in->code) == BPF_JA ? in->k >= left
						       : in->jt >= left || in->jf >= left)
				abort();
			break;
		case BPF_LD:
			if (in->k % 4 != 0 || in->k >= sizeof(struct seccomp_data))
				abort();
			break;
		}
	}
	if (BPF_CLASS(program.instructions[program.count - 1].code) != BPF_RET)
		abort();
}

static bool compile(const struct seccomp_row *rows, size_t count)
{
	struct error err = {0};
	int r = seccomp_compile_rows(rows, count, &program, &err);

	if (r < 0 && ((r != -EINVAL && r != -E2BIG) || err.code != -r || err.text[0] == '\0'))
		abort();
	if (r == 0)
		check_program();
	return r == 0;
}

static void compile_text(const uint8_t *data, size_t size)
{
	auto_free char *text = fuzz_next_text(&data, &size);
	struct seccomp_row rows[ROWS_MAX];
	char *rest = text, *line;
	size_t count = 0;

	while (count < ROWS_MAX && (line = strsep(&rest, "\n"))) {
		if (*line == '\0')
			continue;
		rows[count++] = (struct seccomp_row){
			(enum seccomp_action)((unsigned char)*line % ACTIONS), "fuzz", line + 1};
	}
	compile(rows, count);
}

static uint32_t value_of(enum seccomp_action action)
{
	return action == ACTION_ALLOW	? SECCOMP_RET_ALLOW
	       : action == ACTION_EPERM ? SECCOMP_RET_ERRNO | EPERM
					: SECCOMP_RET_ERRNO | ENOSYS;
}

/* Two bytes of a number and one of an action each; the last word on a number counts. */
static void compile_numbers(const uint8_t *data, size_t size)
{
	static char calls[ACTIONS][NUMBERS * 16];
	size_t used[ACTIONS] = {0};
	enum seccomp_action actions[NUMBERS];
	bool named[NUMBERS] = {false};
	struct seccomp_row rows[ACTIONS];
	static const uint64_t arguments[6];

	for (; size >= 3; data += 3, size -= 3) {
		size_t n = (size_t)(data[0] << 8 | data[1]) % NUMBERS;

		named[n] = true;
		actions[n] = (enum seccomp_action)(data[2] % ACTIONS);
	}
	for (int a = 0; a < ACTIONS; a++)
		calls[a][0] = '\0';
	for (int n = 0; n < NUMBERS; n++) {
		enum seccomp_action a;

		if (!named[n])
			actions[n] = ACTION_ENOSYS;
		a = actions[n];
		if (named[n])
			used[a] += (size_t)sprintf(calls[a] + used[a], "hearth_%d=%d ", n, n);
	}
	for (int a = 0; a < ACTIONS; a++)
		rows[a] = (struct seccomp_row){(enum seccomp_action)a, "fuzz", calls[a]};
	if (!compile(rows, ACTIONS))
		return;
	for (uint32_t n = 0; n < NUMBERS; n++)
		if (actions[n] <= ACTION_ENOSYS && seccomp_evaluate(&program, AUDIT_ARCH_X86_64, n,
							   arguments) != value_of(actions[n]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	compile_text(data, size);
	compile_numbers(data, size);
	return 0;
}
