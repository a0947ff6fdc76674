/* bench_report.c - for people. */
#include "cli/bench_report.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "cli/bench_figures.h"
#include "cli/bench_stats.h"
#include "cli/cli.h"
#include "cli/table.h"

static void add_row(
	struct cli_table *table, const char *name, const uint64_t *ns, unsigned long count)
{
	cli_table_add(table, "%s", name);
	cli_table_add(table, "%lu", count);
	for (size_t i = 0; i < BENCH_QUANTILES; i++) {
		unsigned quantile = bench_quantiles[i].quantile;

		if (bench_supports(count, quantile))
			cli_table_add(
				table, "%.1f", bench_us(bench_percentile(ns, count, quantile)));
		else
			cli_table_add(table, "-");
	}
}

static void print_settings(const struct bench_plan *plan, const struct bench_result *result,
	const struct bench_figures *f)
{
	printf("%lu client%s, pause %lu us", plan->clients, plan->clients > 1 ? "s" : "",
		plan->pause_us);
	if (plan->rate)
		printf(", %lu arrivals a second", plan->rate);
	if (plan->warmup)
		printf(", after %lu not counted", plan->warmup);
	if (bench_has_rungs(plan))
		printf("; at most %u held; ready %lu, built %lu, waited %lu, refused %lu",
			result->round, f->ready, f->built, f->waited, f->refused);
	printf("\n");
	if (f->per_second > 0)
		printf("%.1f a second\n", f->per_second);
	if (plan->clients > 1)
		printf("p50 of the clients from %.1f to %.1f us\n", bench_us(f->client_low_ns),
			bench_us(f->client_high_ns));
}

static void print_burst(const struct bench_plan *plan, const struct bench_result *result,
	const struct bench_burst *b)
{
	printf("%lu at once, %lu in a message, %lu times: first %.1f, median %.1f, last %.1f us "
	       "(at "
	       "most %.1f), %s\n",
		plan->burst, plan->batch, plan->count / plan->burst, bench_us(b->first_ns),
		bench_us(b->median_ns), bench_us(b->last_ns), bench_us(b->last_max_ns),
		result->is_disordered ? "NOT in order" : "in order");
}

static int print_table(const struct cli *cli, const struct bench_plan *plan,
	const struct bench_result *result, const struct bench_figures *f, struct error *err)
{
	static const struct cli_column columns[] = {{"WHAT", false}, {"N", true}, {"P50_US", true},
		{"P90_US", true}, {"P99_US", true}, {"P999_US", true}, {"P9999_US", true},
		{"MAX_US", true}};
	const char *const *names = bench_stage_names(plan);
	struct cli_table *table;
	int r = cli_table_create(cli, "bench", columns, ARRAY_SIZE(columns), &table, err);

	if (r < 0)
		return r;
	add_row(table, plan->name, f->latency_ns, plan->count);
	add_row(table, "floor", result->floor_ns, result->floor_count);
	for (int i = 0; i < BENCH_STAGES_MAX; i++)
		if (names[i])
			add_row(table, names[i], f->stage_ns[i], plan->count);
	r = cli_table_print(table, err);
	cli_table_destroy(table);
	if (r < 0 || plan->quiet)
		return r;
	print_settings(plan, result, f);
	if (plan->kind == BENCH_BURST)
		print_burst(plan, result, &f->burst);
	bench_environment_print(&result->environment);
	return r;
}

int bench_report(const struct cli *cli, const struct bench_plan *plan,
	const struct bench_result *result, const struct bench_figures *figures, struct error *err)
{
	return cli->json ? bench_print_json(plan, result, figures, err)
			 : print_table(cli, plan, result, figures, err);
}
