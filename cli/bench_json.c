/* bench_json.c - for programs, hearth bench --compare among them. */
#include "cli/bench_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/bench_figures.h"
#include "cli/bench_stats.h"
#include "cli/cli.h"

static void set_us(json_t *object, const char *key, uint64_t ns)
{
	json_object_set_new(object, key, json_real(bench_us(ns)));
}

static void set_number(json_t *object, const char *key, unsigned long value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_percentiles(json_t *object, const uint64_t *ns, unsigned long count)
{
	for (size_t i = 0; i < BENCH_QUANTILES; i++) {
		unsigned quantile = bench_quantiles[i].quantile;

		if (bench_supports(count, quantile))
			set_us(object, bench_quantiles[i].key,
				bench_percentile(ns, count, quantile));
		else
			json_object_set_new(object, bench_quantiles[i].key, json_null());
	}
}

static int compare_starts(const void *a, const void *b)
{
	const struct bench_sample *x = *(const struct bench_sample *const *)a;
	const struct bench_sample *y = *(const struct bench_sample *const *)b;

	return x->started_ns < y->started_ns ? -1 : x->started_ns > y->started_ns;
}

/* Latencies of one block, rounded: value, count, value, count. */
static json_t *block_json(uint64_t *ns, unsigned long count)
{
	json_t *block = json_array();
	unsigned long i = 0, from;

	bench_sort(ns, count);
	while (i < count) {
		from = i;
		while (i < count && ns[i] == ns[from])
			i++;
		json_array_append_new(block, json_integer((json_int_t)ns[from]));
		json_array_append_new(block, json_integer((json_int_t)(i - from)));
	}
	return block;
}

/* What bench --compare needs: BENCH_BLOCKS parts in the order of time. */
static int set_blocks(json_t *object, const struct bench_plan *plan,
	const struct bench_result *result, struct error *err)
{
	const unsigned long count = plan->count;
	auto_free const struct bench_sample **by_start = malloc(count * sizeof(*by_start));
	auto_free uint64_t *ns = malloc(count * sizeof(*ns));
	json_t *blocks = json_array();
	unsigned long i = 0, n;

	json_object_set_new(object, "blocks_ns", blocks);
	if (!by_start || !ns)
		return error_set(err, ENOMEM, "no memory for the figures");
	for (i = 0; i < count; i++)
		by_start[i] = &result->samples[i];
	qsort(by_start, count, sizeof(*by_start), compare_starts);
	i = 0;
	for (unsigned block = 0; block < BENCH_BLOCKS; block++) {
		for (n = 0; i < count && bench_block(i, count) == block; i++)
			ns[n++] = bench_round(by_start[i]->latency_ns);
		json_array_append_new(blocks, block_json(ns, n));
	}
	return 0;
}

static void set_rungs(json_t *object, const struct bench_figures *f)
{
	json_object_set_new(object, "rungs",
		json_pack("{s:I, s:I, s:I, s:I}", "ready", (json_int_t)f->ready, "built",
			(json_int_t)f->built, "waited", (json_int_t)f->waited, "refused",
			(json_int_t)f->refused));
	set_number(object, "hits", f->ready);
	set_number(object, "misses", f->built + f->waited + f->refused);
}

static void set_burst(json_t *object, const struct bench_plan *plan,
	const struct bench_result *result, const struct bench_burst *b)
{
	set_number(object, "burst", plan->burst);
	set_number(object, "batch", plan->batch);
	set_us(object, "first_us", b->first_ns);
	set_us(object, "median_us", b->median_ns);
	set_us(object, "last_us", b->last_ns);
	set_us(object, "last_max_us", b->last_max_ns);
	json_object_set_new(object, "in_order", json_boolean(!result->is_disordered));
}

static json_t *command_json(const char *const *argv)
{
	json_t *command = json_array();

	for (; *argv; argv++)
		json_array_append_new(command, cli_json_text(*argv));
	return command;
}

static void set_settings(
	json_t *object, const struct bench_plan *plan, const struct bench_result *result)
{
	json_object_set_new(object, "bench", json_string(plan->name));
	if (plan->kind == BENCH_EXEC || plan->kind == BENCH_CHURN)
		json_object_set_new(object, "command", command_json(plan->argv));
	set_number(object, "n", plan->count);
	set_number(object, "warmup", plan->warmup);
	set_number(object, "clients", plan->clients);
	set_number(object, "pause_us", plan->pause_us);
	set_number(object, "rate", plan->rate);
	json_object_set_new(object, "refill", json_boolean(plan->refill));
	json_object_set_new(object, "fresh", json_boolean(plan->fresh));
	set_number(object, "round", result->round);
}

static void set_stages(json_t *object, const struct bench_plan *plan, const struct bench_figures *f)
{
	const char *const *names = bench_stage_names(plan);
	json_t *stages = json_object();
	char key[32];

	for (int i = 0; i < BENCH_STAGES_MAX; i++) {
		if (!names[i])
			continue;
		snprintf(key, sizeof(key), "%s_p50_us", names[i]);
		set_us(stages, key, bench_percentile(f->stage_ns[i], plan->count, 5000));
	}
	json_object_set_new(object, "stages", stages);
}

static void set_floor(json_t *object, const struct bench_result *result)
{
	json_t *floor = json_object();

	set_number(floor, "n", result->floor_count);
	set_percentiles(floor, result->floor_ns, result->floor_count);
	json_object_set(object, "floor_p50_us", json_object_get(floor, "p50_us"));
	json_object_set_new(object, "floor", floor);
}

int bench_print_json(const struct bench_plan *plan, const struct bench_result *result,
	const struct bench_figures *f, struct error *err)
{
	json_t *object = json_object();
	int r;

	set_settings(object, plan, result);
	set_percentiles(object, f->latency_ns, plan->count);
	set_floor(object, result);
	set_stages(object, plan, f);
	if (bench_has_rungs(plan))
		set_rungs(object, f);
	if (f->per_second > 0)
		json_object_set_new(object, "per_second", json_real(f->per_second));
	if (plan->clients > 1) {
		set_us(object, "client_p50_min_us", f->client_low_ns);
		set_us(object, "client_p50_max_us", f->client_high_ns);
	}
	set_number(object, "cores", (unsigned long)result->environment.cores);
	json_object_set_new(object, "kernel", json_string(result->environment.kernel));
	json_object_set_new(object, "environment", bench_environment_json(&result->environment));
	if (plan->kind == BENCH_BURST)
		set_burst(object, plan, result, &f->burst);
	r = set_blocks(object, plan, result, err);
	if (r < 0)
		json_decref(object);
	else
		cli_print_json(object);
	return r;
}
