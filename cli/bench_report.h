/*
 * bench_report.h - a run's figures: a table for people or one JSON object, and a file of its samples.
 */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H
#include "cli/bench_run.h"

struct bench_figures;
struct cli;
struct error;

/* On stdout, as the command line wants it. 0 or -errno. */
int bench_report(const struct cli *cli, const struct bench_plan *plan,
	const struct bench_result *result, const struct bench_figures *figures, struct error *err);
int bench_print_json(const struct bench_plan *plan, const struct bench_result *result,
	const struct bench_figures *figures, struct error *err);

/* A line for each sample, below a head. Replaces the file. 0 or -errno. */
int bench_write_csv(const char *path, const struct bench_plan *plan,
	const struct bench_result *result, struct error *err);
#endif
