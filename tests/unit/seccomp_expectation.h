/*
 * seccomp_expectation.h - what a sandbox may call, written down a second time.
 *
 * Nothing here is made from the policy table: whoever changes the table changes this too, or the
 * tests of the filter fail.
 */
#ifndef TESTS_SECCOMP_EXPECTATION_H
#define TESTS_SECCOMP_EXPECTATION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seccomp_program;
struct seccomp_row;

#define EXPECTATION_X32 0x40000000u

/* A call as the filter sees it. */
struct probe {
	uint32_t arch, number;
	uint64_t arguments[6];
};

/* A SECCOMP_RET_ value. */
uint32_t expectation_of(const struct probe *probe);

/* Numbers that Linux gave to a call, x86-64: 0..334, then 335, 336, 424.. */
bool expectation_is_call(uint32_t number);

/*
 * Evaluate the program for every number, with arguments that each of the checks refuses and with
 * those that it allows. The count of answers that are not the expected ones; the first of them goes
 * to ret_probe, which may be NULL.
 */
size_t expectation_differences(const struct seccomp_program *program, struct probe *ret_probe);
#endif
