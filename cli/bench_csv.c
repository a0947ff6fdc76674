/* bench_csv.c - every sample. */
#include <stdio.h>

#include "base/error.h"
#include "cli/bench_report.h"
#include "proto/control.h"

static void write_head(FILE *file, const char *const *names)
{
	fputs("sample,client,started_us,latency_us,rung,floor_us", file);
	for (int i = 0; i < BENCH_STAGES_MAX; i++)
		if (names[i])
			fprintf(file, ",%s_us", names[i]);
	fputc('\n', file);
}

/* started_us counts from the first of all. */
static void write_sample(FILE *file, const char *const *names, const struct bench_sample *sample,
	unsigned long number, uint64_t first_ns)
{
	fprintf(file, "%lu,%u,%.3f,%.3f,%s,", number, sample->client + 1,
		(double)(sample->started_ns - first_ns) / 1e3, (double)sample->latency_ns / 1e3,
		sample->rung ? control_rung_name(sample->rung) : "");
	if (sample->floor_ns)
		fprintf(file, "%.3f", (double)sample->floor_ns / 1e3);
	for (int i = 0; i < BENCH_STAGES_MAX; i++)
		if (names[i])
			fprintf(file, ",%.3f", (double)sample->stage_ns[i] / 1e3);
	fputc('\n', file);
}

int bench_write_csv(const char *path, const struct bench_plan *plan,
	const struct bench_result *result, struct error *err)
{
	const char *const *names = bench_stage_names(plan);
	uint64_t first_ns = UINT64_MAX;
	FILE *file = fopen(path, "we");
	bool is_bad;

	if (!file)
		return error_errno(err, "%s", path);
	for (unsigned long i = 0; i < plan->count; i++)
		if (result->samples[i].started_ns < first_ns)
			first_ns = result->samples[i].started_ns;
	write_head(file, names);
	for (unsigned long i = 0; i < plan->count; i++)
		write_sample(file, names, &result->samples[i], i + 1, first_ns);
	is_bad = ferror(file);
	if (fclose(file) != 0 || is_bad)
		return error_errno(err, "%s", path);
	return 0;
}
