/* bench_compare.c - hearth bench --compare: two results of --json, and whether they differ. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/bench_stats.h"
#include "cli/cli.h"
#include "cli/table.h"

struct result {
	const char *path;
	json_t *json;
	const char *bench; /* "acquire", of json */
	struct bench_distribution distribution;
};

static const struct {
	const char *name;
	unsigned quantile;
} compared[] = {{"p50", 5000}, {"p99", 9900}};

static const char *verdict_name(enum bench_verdict verdict)
{
	switch (verdict) {
	case BENCH_TOO_FEW:
		return "n is too small";
	case BENCH_NO_CHANGE:
		return "no change";
	case BENCH_FASTER:
		return "faster";
	case BENCH_SLOWER:
		return "slower";
	}
	return "?";
}

static void result_finish(struct result *result)
{
	json_decref(result->json);
	free(result->distribution.cells);
}

/* Value, count, value, count. False: it is something else. */
static bool read_block(struct bench_distribution *d, const json_t *block, unsigned number)
{
	if (!json_is_array(block) || json_array_size(block) % 2)
		return false;
	for (size_t i = 0; i < json_array_size(block); i += 2) {
		const json_t *value = json_array_get(block, i);
		json_int_t ns = json_integer_value(value);
		json_int_t count = json_integer_value(json_array_get(block, i + 1));

		if (!json_is_integer(value) || ns < 0 || count < 1 || count > UINT32_MAX)
			return false;
		d->cells[d->cell_count++] =
			(struct bench_cell){(uint64_t)ns, number, (uint32_t)count};
		d->n += (unsigned long)count;
	}
	return true;
}

static int read_blocks(struct result *result, struct error *err)
{
	const json_t *blocks = json_object_get(result->json, "blocks_ns");
	struct bench_distribution *d = &result->distribution;
	size_t cells = 0;
	bool is_good = result->bench && json_array_size(blocks) == BENCH_BLOCKS;

	for (size_t i = 0; is_good && i < BENCH_BLOCKS; i++)
		cells += json_array_size(json_array_get(blocks, i)) / 2;
	d->cells = calloc(cells + 1, sizeof(*d->cells));
	if (!d->cells)
		return error_set(err, ENOMEM, "%s: out of memory", result->path);
	for (unsigned i = 0; is_good && i < BENCH_BLOCKS; i++)
		is_good = read_block(d, json_array_get(blocks, i), i);
	if (!is_good)
		return error_set(
			err, EINVAL, "%s: not a result of hearth bench --json", result->path);
	bench_sort_cells(d);
	return 0;
}

static int result_load(struct result *result, const char *path, struct error *err)
{
	json_error_t why;

	*result = (struct result){.path = path, .json = json_load_file(path, 0, &why)};
	if (!result->json && json_error_code(&why) == json_error_cannot_open_file)
		return error_errno(err, "%s", path);
	if (!result->json)
		return error_set(err, EINVAL, "%s:%d: %s", path, why.line, why.text);
	result->bench = json_string_value(json_object_get(result->json, "bench"));
	return read_blocks(result, err);
}

/* A difference may be theirs. */
static void warn_of_settings(const struct cli *cli, const struct result *a, const struct result *b)
{
	static const char *const keys[] = {
		"command", "clients", "pause_us", "rate", "refill", "fresh", "burst", "batch"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *x = json_object_get(a->json, keys[i]);
		const json_t *y = json_object_get(b->json, keys[i]);

		if (x != y && !json_equal(x, y) && !cli->quiet && !cli->json)
			fprintf(stderr, "hearth: warning: %s is not the same in both\n", keys[i]);
	}
}

static json_t *side_json(const struct result *result)
{
	return json_pack("{s:o*, s:I}", "file", cli_json_text(result->path), "n",
		(json_int_t)result->distribution.n);
}

static double in_us(double ns)
{
	return ns / 1e3;
}

static int print_json(const struct result *a, const struct result *b, struct error *err)
{
	json_t *quantiles = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(compared); i++) {
		struct bench_difference d;
		int r = bench_compare(
			&a->distribution, &b->distribution, compared[i].quantile, &d, err);
		json_t *row;

		if (r < 0) {
			json_decref(quantiles);
			return r;
		}
		row = json_pack("{s:s, s:s}", "quantile", compared[i].name, "verdict",
			verdict_name(d.verdict));
		if (d.verdict != BENCH_TOO_FEW) {
			json_t *more = json_pack("{s:f, s:f, s:f, s:f, s:f}", "a_us",
				in_us((double)d.a_ns), "b_us", in_us((double)d.b_ns),
				"difference_us", in_us((double)d.b_ns - (double)d.a_ns), "low_us",
				in_us(d.low_ns), "high_us", in_us(d.high_ns));

			json_object_update(row, more);
			json_decref(more);
		}
		json_array_append_new(quantiles, row);
	}
	cli_print_json(json_pack("{s:s, s:o, s:o, s:o}", "bench", a->bench, "a", side_json(a), "b",
		side_json(b), "quantiles", quantiles));
	return 0;
}

static int add_row(struct cli_table *table, size_t i, const struct result *a,
	const struct result *b, struct error *err)
{
	struct bench_difference d;
	int r = bench_compare(&a->distribution, &b->distribution, compared[i].quantile, &d, err);
	double before = in_us((double)d.a_ns), after = in_us((double)d.b_ns);

	if (r < 0)
		return r;
	cli_table_add(table, "%s", compared[i].name);
	cli_table_add(table, "%s", verdict_name(d.verdict));
	if (d.verdict == BENCH_TOO_FEW) {
		for (int column = 0; column < 4; column++)
			cli_table_add(table, "-");
		return 0;
	}
	cli_table_add(table, "%.1f", before);
	cli_table_add(table, "%.1f", after);
	cli_table_add(table, "%+.1f", after - before);
	cli_table_add(table, "%+.1f .. %+.1f", in_us(d.low_ns), in_us(d.high_ns));
	return 0;
}

static int print_table(
	const struct cli *cli, const struct result *a, const struct result *b, struct error *err)
{
	static const struct cli_column columns[] = {{"QUANTILE", false}, {"VERDICT", false},
		{"A_US", true}, {"B_US", true}, {"DIFFERENCE_US", true}, {"INTERVAL_95", true}};
	struct cli_table *table;
	int r = cli_table_create(cli, "compare", columns, ARRAY_SIZE(columns), &table, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(compared); i++)
		r = add_row(table, i, a, b, err);
	if (r == 0)
		r = cli_table_print(table, err);
	cli_table_destroy(table);
	return r;
}

int cli_bench_compare(struct cli *cli, int argc, char **argv)
{
	struct result a, b = {0};
	struct error err;
	int r;

	(void)argc;
	r = result_load(&a, argv[1], &err);
	if (r == 0)
		r = result_load(&b, argv[2], &err);
	if (r == 0 && strcmp(a.bench, b.bench) != 0)
		r = error_set(&err, EINVAL, "%s is of bench %s, %s of bench %s", a.path, a.bench,
			b.path, b.bench);
	if (r == 0) {
		warn_of_settings(cli, &a, &b);
		r = cli->json ? print_json(&a, &b, &err) : print_table(cli, &a, &b, &err);
	}
	result_finish(&a);
	result_finish(&b);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}
