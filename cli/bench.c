/*
 * bench.c - hearth bench acquire, exec, churn, miss, burst: from the command line to a plan and its report.
 *
 * A sample is what a client waits for, by CLOCK_MONOTONIC around it, in a process that does nothing else.
 * Beside each figure stands its floor: the same without Hearth, in the same run.
 */
#include "cli/bench.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/bench_figures.h"
#include "cli/bench_report.h"
#include "cli/bench_svg.h"
#include "cli/cli.h"
#include "proto/control.h"

#define PAUSE_US_MAX 10000000
#define RATE_MAX     1000000
#define BURSTS_MAX   1000

static const char *const kinds[] = {
	[BENCH_ACQUIRE] = "acquire",
	[BENCH_EXEC] = "exec",
	[BENCH_CHURN] = "churn",
	[BENCH_MISS] = "miss",
	[BENCH_BURST] = "burst",
};

static enum bench_kind kind_of(const char *word)
{
	enum bench_kind kind = 0;

	while (strcmp(kinds[kind], word) != 0)
		kind++; /* the table of commands has no other words */
	return kind;
}

/* -n is how many are asked for at once, and --rounds how often. */
static int parse_burst(const struct cli *cli, struct bench_plan *plan)
{
	unsigned long rounds = 1;
	int r = cli_option_number(cli, "count", 1, BENCH_HELD_MAX, 100, &plan->burst);

	if (r == 0)
		r = cli_option_number(
			cli, "batch", 1, CONTROL_BATCH_MAX, CONTROL_BATCH_MAX, &plan->batch);
	if (r == 0)
		r = cli_option_number(cli, "rounds", 1, BURSTS_MAX, 1, &rounds);
	plan->count = plan->burst * rounds;
	if (r == 0 && plan->count > BENCH_SAMPLES_MAX)
		return cli_usage_error(cli, "more than %d samples", BENCH_SAMPLES_MAX);
	if (r == 0 && plan->burst % plan->clients)
		return cli_usage_error(
			cli, "-n %lu is no multiple of %lu clients", plan->burst, plan->clients);
	return r;
}

static int parse_numbers(const struct cli *cli, struct bench_plan *plan)
{
	int r = cli_option_number(cli, "clients", 1, BENCH_CLIENTS_MAX, 1, &plan->clients);

	if (r == 0)
		r = cli_option_number(cli, "pause-us", 0, PAUSE_US_MAX, 0, &plan->pause_us);
	if (r == 0)
		r = cli_option_number(cli, "warmup", 0, BENCH_SAMPLES_MAX, 0, &plan->warmup);
	if (r == 0)
		r = cli_option_number(cli, "rate", 1, RATE_MAX, 0, &plan->rate);
	if (r != 0 || plan->kind == BENCH_BURST)
		return r == 0 ? parse_burst(cli, plan) : r;
	r = cli_option_number(cli, "count", 1, BENCH_SAMPLES_MAX, 1000, &plan->count);
	if (r == 0 && plan->count < plan->clients)
		return cli_usage_error(
			cli, "-n %lu is less than %lu clients", plan->count, plan->clients);
	return r;
}

static int parse_plan(const struct cli *cli, char **argv, struct bench_plan *plan)
{
	static const char *const true_command[] = {"/bin/true", NULL};
	const char *image = cli_option(cli, "image");
	int r;

	*plan = (struct bench_plan){
		.kind = kind_of(argv[0]),
		.name = argv[0],
		.directory = cli->directory,
		.image = image ? image : "",
		.refill = cli_option(cli, "refill"),
		.fresh = cli_option(cli, "fresh"),
		.quiet = cli->quiet || cli->json,
		.argv = argv[1] ? (const char *const *)(argv + 1) : true_command,
	};
	r = parse_numbers(cli, plan);
	if (r == 0 && image && !text_is_name(image, CONTROL_NAME_MAX - 1))
		return cli_usage_error(cli, "--image '%.40s': 1 to %d of a-z 0-9 . _ - are wanted",
			image, CONTROL_NAME_MAX - 1);
	if (r == 0 && plan->rate && plan->pause_us)
		return cli_usage_error(cli, "--rate says when a sample starts: give no --pause-us");
	return r;
}

static int draw(const char *path, const struct bench_plan *plan, const struct bench_result *result,
	const struct bench_figures *figures, struct error *err)
{
	char title[160];

	snprintf(title, sizeof(title),
		"hearth bench %s: n=%lu, %lu client%s, pause %lu us; grey: floor", plan->name,
		plan->count, plan->clients, plan->clients > 1 ? "s" : "", plan->pause_us);
	return bench_write_svg(path, title, figures->latency_ns, plan->count, result->floor_ns,
		result->floor_count, err);
}

static int show(const struct cli *cli, const struct bench_plan *plan,
	const struct bench_result *result, struct error *err)
{
	const char *csv = cli_option(cli, "csv"), *svg = cli_option(cli, "svg");
	struct bench_figures figures;
	int r = bench_figures_init(&figures, plan, result, err);

	if (r == 0)
		r = bench_report(cli, plan, result, &figures, err);
	if (r == 0 && csv)
		r = bench_write_csv(csv, plan, result, err);
	if (r == 0 && svg)
		r = draw(svg, plan, result, &figures, err);
	bench_figures_finish(&figures);
	return r;
}

int cli_bench(struct cli *cli, int argc, char **argv)
{
	struct bench_result result;
	struct bench_plan plan;
	struct error err;
	int r;

	(void)argc;
	r = parse_plan(cli, argv, &plan);
	if (r != 0)
		return r;
	r = bench_run(&plan, &result, &err);
	if (r == 0)
		r = show(cli, &plan, &result, &err);
	bench_result_finish(&plan, &result);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}
