/*
 * metrics.h - what agentd counts of its own work; its listener (metrics_http.h) shows it.
 */
#ifndef AGENTD_METRICS_H
#define AGENTD_METRICS_H
#include <stddef.h>
#include <stdint.h>

#include "proto/stat.h"

#define METRICS_COUNTERS_MAX 256 /* pairs of labels; more are counted as "other" */
#define METRICS_SAMPLES_MAX  (2 + METRICS_COUNTERS_MAX) /* that metrics_samples() may give */

struct tool;

enum metrics_tool_result {
	METRICS_TOOL_OK,
	METRICS_TOOL_ERROR, /* it has answered so */
	METRICS_TOOL_LOST,  /* its sandbox ended */
	METRICS_TOOL_RESULTS
};

struct metrics_counter {
	enum stat_family family;
	char first[STAT_LABEL_SIZE], second[STAT_LABEL_SIZE];
	uint64_t value;
};

/* Zeroed at the start. */
struct metrics {
	struct stat_histogram execs, models;
	struct metrics_counter counters[METRICS_COUNTERS_MAX];
	unsigned counter_count;
};

/* A command of sandbox.exec has ended, or could not start: ns since it was asked for. */
void metrics_count_exec(struct metrics *metrics, uint64_t ns);
void metrics_count_tool(
	struct metrics *metrics, const struct tool *tool, enum metrics_tool_result result);
/* route: a path of a table ("/v1/models/:id" without what stands for :id), or "other". */
void metrics_count_request(struct metrics *metrics, const char *route, int status);
/* A turn of an agent has ended so: stop, tools, length, error ... */
void metrics_count_turn(struct metrics *metrics, const char *agent, const char *finish);
/* A request to a model has ended: ns since it was asked, tries and waits included. */
void metrics_count_model(
	struct metrics *metrics, uint64_t ns, uint64_t prompt_tokens, uint64_t completion_tokens);

/* Into room for METRICS_SAMPLES_MAX. Returns how many: all that is not 0, and the histograms. */
size_t metrics_samples(const struct metrics *metrics, struct stat_sample *ret_samples);
#endif
