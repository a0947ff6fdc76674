/* doctor.c - hearth doctor: what this host lacks, why, and the fix. */
#include "nsjail-lite/doctor/doctor.h"

#include <jansson.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/drop.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "images/image.h"

static const struct cli_column columns[] = {
	{"CHECK", false},
	{"VERDICT", false},
	{"FOUND", false},
	{"FIX", false},
};

static const struct cli_column fact_columns[] = {
	{"HOST", false},
	{"", false},
};

struct report {
	const struct cli *cli;
	struct cli_table *facts, *table; /* for people */
	json_t *host, *checks;		 /* for programs */
};

static void add_fact(void *arg, const char *name, const char *value)
{
	struct report *report = arg;

	if (report->cli->json) {
		json_object_set_new(report->host, name, json_string(value));
		return;
	}
	cli_table_add(report->facts, "%s", name);
	cli_table_add(report->facts, "%s", value);
}

static void add_result(void *arg, const struct doctor_result *result)
{
	struct report *report = arg;
	const char *verdict = doctor_verdict_name(result->verdict);

	if (report->cli->json) {
		json_t *row = json_pack("{s:s, s:b, s:s, s:s}", "check", result->name, "required",
			result->is_required, "verdict", verdict, "found", result->detail);

		if (result->error)
			json_object_set_new(row, "errno", json_string(error_name(result->error)));
		if (result->fix[0])
			json_object_set_new(row, "fix", json_string(result->fix));
		json_array_append_new(report->checks, row);
		return;
	}
	if (report->cli->quiet && result->verdict == DOCTOR_PASS)
		return;
	cli_table_add(report->table, "%s", result->name);
	cli_table_add(report->table, "%s", verdict);
	if (result->error)
		cli_table_add(report->table, "%s (%s)", result->detail, error_name(result->error));
	else
		cli_table_add(report->table, "%s", result->detail);
	cli_table_add(report->table, "%s", result->fix);
}

static int print_table(struct report *report, const struct doctor_summary *s, struct error *err)
{
	int r = cli_table_print(report->table, err);

	if (r < 0 || report->cli->quiet)
		return r;
	putchar('\n');
	r = cli_table_print(report->facts, err);
	printf("\n%u passed, %u warned, %u failed, %u unknown: %s\n", s->count[DOCTOR_PASS],
		s->count[DOCTOR_WARN], s->count[DOCTOR_FAIL], s->count[DOCTOR_UNKNOWN],
		s->is_failed	   ? "this host cannot run Hearth yet"
		: s->is_incomplete ? "not everything could be tried"
				   : "this host can run Hearth");
	return r;
}

static int print(struct report *report, const struct doctor_summary *s, struct error *err)
{
	if (!report->cli->json)
		return print_table(report, s, err);
	cli_print_json(json_pack("{s:O, s:O, s:i, s:i, s:i, s:i, s:b}", "checks", report->checks,
		"host", report->host, "passed", (int)s->count[DOCTOR_PASS], "warned",
		(int)s->count[DOCTOR_WARN], "failed", (int)s->count[DOCTOR_FAIL], "unknown",
		(int)s->count[DOCTOR_UNKNOWN], "supported", !s->is_failed && !s->is_incomplete));
	return 0;
}

static int examine(
	const struct cli *cli, struct report *report, struct doctor_summary *s, struct error *err)
{
	const char *store = cli_option(cli, "store");
	const struct doctor_options options = {
		.store = store ? store : IMAGE_STORE_DEFAULT, .user = DROP_USER};
	int r = cli_table_create(cli, "checks", columns, ARRAY_SIZE(columns), &report->table, err);

	if (r == 0)
		r = cli_table_create(
			cli, "host", fact_columns, ARRAY_SIZE(fact_columns), &report->facts, err);
	report->host = json_object();
	report->checks = json_array();
	if (r < 0)
		return r;
	doctor_run(&options, add_result, report, s);
	if (!cli->quiet)
		doctor_facts(&options, add_fact, report);
	return print(report, s, err);
}

int cli_doctor(struct cli *cli, int argc, char **argv)
{
	struct report report = {.cli = cli};
	struct doctor_summary summary = {.count = {0}};
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	r = examine(cli, &report, &summary, &err);
	cli_table_destroy(report.table);
	cli_table_destroy(report.facts);
	json_decref(report.host);
	json_decref(report.checks);
	if (r < 0)
		return cli_fail(cli, &err, NULL);
	if (summary.is_failed)
		return CLI_UNSUPPORTED;
	return summary.is_incomplete ? CLI_FAILED : CLI_OK;
}
