/*
 * top_view.h - what hearth top shows: one look at an instance, and its text and JSON.
 */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/control.h"

#define TOP_POOLS_MAX  16  /* as many as an instance can have */
#define TOP_LEASES_MAX 100 /* those that are held the longest; the others are only counted */
#define TOP_PATHS      4   /* of acquires: ready, bound, built, waited */
#define TOP_REASONS    (REFUSED_STOPPING + 1)

struct error;

/* One look. Counters are since the start of the supervisor. */
struct top_view {
	uint64_t taken_ms; /* clock_now_ms() */
	unsigned pool_count, lease_count, frozen_count, leases_kept;
	struct control_pool_row pools[TOP_POOLS_MAX];
	struct control_sandbox_row leases[TOP_LEASES_MAX]; /* the longest held first */
	struct stat_histogram paths[TOP_PATHS];		   /* those that were served */
	uint64_t refused[TOP_REASONS];			   /* by enum control_refusal */
	uint64_t misses;
};

/* Ask the supervisor. 0 or -errno. */
int top_view_take(const char *directory, struct top_view *ret_view, struct error *err);

/* As text; rates are those since `before` (NULL: none are told). Lines end with \n, no control codes. */
void top_view_write(FILE *to, const char *directory, const struct top_view *view,
	const struct top_view *before);

/* One object, the caller's. */
json_t *top_view_json(const struct top_view *view, const struct top_view *before);
#endif
