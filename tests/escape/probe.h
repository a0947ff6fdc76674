/*
 * probe.h - one attempt to get out of a sandbox, as a row of a table.
 *
 * The program escape-probe makes one attempt in one process and prints how it ended. The runner
 * (escape.c) lets it run in a fresh sandbox, where it has to be refused, and once more with all rights
 * in a world without walls (world.h): there the same program has to succeed, or at least to come as far
 * as the kernel's own "no", so that a probe that never could work is not taken for a wall.
 *
 * Compiled twice: with musl into escape-probe, with glibc into the runner, which reads the tables only.
 */
#ifndef TESTS_ESCAPE_PROBE_H
#define TESTS_ESCAPE_PROBE_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROBE_PROGRAM	   "/escape-probe" /* inside, and in the control's world */
#define PROBE_OUTCOMES_MAX 5

/* How an attempt ended: an errno, or one of these. */
enum outcome {
	WORKED = 4096,
	UNCHANGED,    /* every call was granted, and nothing came of it */
	SIGSYS_DEATH, /* by the filter */
	OTHER_DEATH,  /* by another signal */
	WORLD_ENDED,  /* PID 1 went along */
	HUNG,	      /* still running at the time limit */
};

struct probe {
	const char *id;	  /* "E14" */
	const char *name; /* what is tried */
	/* 0 when it worked, else the negative errno or outcome. NULL: the system call below. */
	int (*attempt)(const struct probe *p);
	long call[7];	  /* number and arguments */
	const char *text; /* these three are the attempt's */
	long number, other;
	/* What is accepted inside and in the control; the rest is 0. */
	int refused[PROBE_OUTCOMES_MAX], control[PROBE_OUTCOMES_MAX];
	bool may_be_absent;   /* a kernel without it answers the control as the wall does */
	bool in_host_cgroups; /* the control stays in the initial cgroup namespace */
};

struct probe_family {
	const struct probe *probes;
	size_t count;
};
#define PROBE_FAMILY(rows)                                                                         \
	{                                                                                          \
		(rows), sizeof(rows) / sizeof((rows)[0])                                           \
	}

extern const struct probe_family *const probe_families[]; /* NULL-terminated */

/* The n-th row of all families, or NULL. */
const struct probe *probe_at(size_t index);

/*
 * What the runner tells the program. The target is the process to attack: PID 1 inside, a sleeping
 * process in the control, because no kernel lets PID 1 be killed from within. The marker is a file of
 * the host, which must not be found. In the control fd PROBE_HOST_FD is left open on its root.
 */
#define PROBE_HOST_FD 9
extern pid_t probe_target;
extern const char *probe_marker;
extern bool probe_is_control;

/* "worked", "EPERM", ... */
const char *probe_outcome_name(int outcome);

/* 0 or -errno, of what a call returned. */
int probe_result(long r);
#endif
