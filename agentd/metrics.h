/*
 * metrics.h - what agentd counts of its own work; its listener (metrics_http.h) shows it.
 */
#ifndef AGENTD_METRICS_H
#define AGENTD_METRICS_H
#include <stddef.h>
#include <stdint.h>

#include "proto/stat.h"

#define METRICS_TOOLS_MAX   16
#define METRICS_SAMPLES_MAX 128 /* that metrics_samples() may give */

struct tool;

enum metrics_tool_result {
	METRICS_TOOL_OK,
	METRICS_TOOL_ERROR, /* it has answered so */
	METRICS_TOOL_LOST,  /* its sandbox ended */
	METRICS_TOOL_RESULTS
};

enum metrics_route { METRICS_ROUTE_METRICS, METRICS_ROUTE_OTHER, METRICS_ROUTES };
enum metrics_code {
	METRICS_CODE_200,
	METRICS_CODE_404,
	METRICS_CODE_405,
	METRICS_CODE_503,
	METRICS_CODES
};

/* Zeroed at the start. */
struct metrics {
	struct stat_histogram execs;
	uint64_t tools[METRICS_TOOLS_MAX][METRICS_TOOL_RESULTS]; /* as in tool_table */
	uint64_t requests[METRICS_ROUTES][METRICS_CODES];
};

/* A command of sandbox.exec has ended, or could not start: ns since it was asked for. */
void metrics_count_exec(struct metrics *metrics, uint64_t ns);
void metrics_count_tool(
	struct metrics *metrics, const struct tool *tool, enum metrics_tool_result result);
void metrics_count_request(
	struct metrics *metrics, enum metrics_route route, enum metrics_code code);

/* Into room for METRICS_SAMPLES_MAX. Returns how many: all that is not 0, and the histogram. */
size_t metrics_samples(const struct metrics *metrics, struct stat_sample *ret_samples);
#endif
