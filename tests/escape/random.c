/*
 * E78 system calls of random numbers with random arguments, from many short-lived processes.
 *
 * The arguments are what calls take: small numbers, fds, flags, addresses of zeroes, of names and of
 * nothing. What the processes do to each other is theirs; the caller counts what is left afterwards.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define NUMBERS	       1024
#define KNOWN	       470 /* about as many have a meaning: every second number is of these */
#define PROCESSES      256
#define TOGETHER       16
#define CALLS	       64
#define PATIENCE_STEPS 5 /* of 10 ms */

struct counts {
	unsigned granted, refused, unknown;
};

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static long argument(uint64_t *state)
{
	static char zeroes[4096], name[] = "/tmp/hearth-random";
	uint64_t r = next(state);

	switch (r % 8) {
	case 0:
		return (long)(next(state) % 16); /* an fd, a small number */
	case 1:
		return (long)(1UL << (next(state) % 64)); /* a flag */
	case 2:
		return (long)next(state);
	case 3:
		return -(long)(next(state) % 16);
	case 4:
		return (long)name;
	case 5:
		return (long)(next(state) % 70000);
	default:
		return (long)zeroes;
	}
}

static _Noreturn void call_at_random(uint64_t seed, struct counts *counts)
{
	uint64_t state = seed;

	for (int i = 0; i < CALLS; i++) {
		long number = (long)(next(&state) % (i % 2 ? KNOWN : NUMBERS));
		long r;

		if (number == SYS_exit || number == SYS_exit_group)
			continue;
		r = syscall(number, argument(&state), argument(&state), argument(&state),
			argument(&state), argument(&state), argument(&state));
		if (r >= 0)
			counts->granted++;
		else if (errno == EPERM)
			counts->refused++;
		else if (errno == ENOSYS)
			counts->unknown++;
	}
	_exit(0);
}

static void run_some(uint64_t seed, struct counts *counts)
{
	pid_t pids[TOGETHER];

	for (unsigned i = 0; i < TOGETHER; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			call_at_random((seed + i + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1, counts);
	}
	for (int step = 0; step < PATIENCE_STEPS; step++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return; /* ECHILD */
		poll(NULL, 0, 10);
	}
	for (unsigned i = 0; i < TOGETHER; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) >= 0)
		poll(NULL, 0, 1);
}

int random_calls(uint64_t seed)
{
	struct counts *counts = mmap(
		NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (counts == MAP_FAILED)
		return 1;
	for (uint64_t i = 0; i < PROCESSES; i += TOGETHER)
		run_some(seed * PROCESSES + i, counts);
	dprintf(STDOUT_FILENO, "\nrandom %u %u %u\n", counts->granted, counts->refused,
		counts->unknown);
	return 0;
}
