/*
 * bench_environment.h - where and when a figure was measured: without that it is none.
 */
#ifndef CLI_BENCH_ENVIRONMENT_H
#define CLI_BENCH_ENVIRONMENT_H
#include <jansson.h>

#include "proto/control.h"

struct bench_environment {
	char kernel[65]; /* release */
	char cpu[65];	 /* model; empty: unknown */
	long cores;	 /* online */
	const char *cgroups;
	double load_start, load_end;  /* of the last minute */
	struct control_pool_row pool; /* as the run began */
};

/* All but the pool and the load at the end. */
void bench_environment_begin(struct bench_environment *environment);
void bench_environment_end(struct bench_environment *environment);

/* NULL: out of memory. */
json_t *bench_environment_json(const struct bench_environment *environment);
/* Lines on stdout. */
void bench_environment_print(const struct bench_environment *environment);
#endif
