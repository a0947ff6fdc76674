/*
 * seccomp.h - compile the policy table (seccomp_policy.h) into a BPF interval tree.
 *
 * Host side, at start: libseccomp resolves names to numbers. The result is plain instructions that a
 * builder hands to each child, which loads them raw.
 */
#ifndef NSJAIL_LITE_SECCOMP_H
#define NSJAIL_LITE_SECCOMP_H
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct seccomp_row;

#define SECCOMP_PROGRAM_MAX 1024

struct seccomp_program {
	uint32_t count;
	struct sock_filter instructions[SECCOMP_PROGRAM_MAX];
};

int seccomp_compile(struct seccomp_program *ret_program, struct error *err);

/* The same of any rows. -EINVAL: a word is no call, or stands twice; -E2BIG: too many intervals. */
int seccomp_compile_rows(const struct seccomp_row *rows, size_t row_count,
	struct seccomp_program *ret_program, struct error *err);

/* What the kernel would answer for a call: a SECCOMP_RET_ value. Interprets the program; for tests and doctor. */
uint32_t seccomp_evaluate(const struct seccomp_program *program, uint32_t arch, uint32_t number,
	const uint64_t arguments[6]);
#endif
