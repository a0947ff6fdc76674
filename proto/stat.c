#include "proto/stat.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

const uint64_t stat_bucket_ns[STAT_BUCKETS] = {
	25 * NS_PER_US,
	50 * NS_PER_US,
	100 * NS_PER_US,
	250 * NS_PER_US,
	500 * NS_PER_US,
	1 * NS_PER_MS,
	2500 * NS_PER_US,
	5 * NS_PER_MS,
	10 * NS_PER_MS,
	25 * NS_PER_MS,
	50 * NS_PER_MS,
	100 * NS_PER_MS,
	250 * NS_PER_MS,
	500 * NS_PER_MS,
	1 * NS_PER_S,
	2500 * NS_PER_MS,
	5 * NS_PER_S,
};

static const struct stat_family_info families[] = {
	[STAT_ACQUIRE_DURATION] = {"hearth_acquire_duration_seconds",
		"From the arrival of an acquire to its answer. path: ready, bound, built, waited; "
		"none when it was refused.",
		STAT_HISTOGRAM, {"template", "path", "result"}},
	[STAT_STAGE_DURATION] = {"hearth_stage_duration_seconds",
		"Each stage of a build, binding, and destroying from kill to proven death.",
		STAT_HISTOGRAM, {"stage"}},
	[STAT_POOL_SANDBOXES] = {"hearth_pool_sandboxes", "Sandboxes of a pool by state, now.",
		STAT_GAUGE, {"template", "state"}},
	[STAT_POOL_TARGET] = {"hearth_pool_target",
		"Ready sandboxes that a pool wants now, by demand.", STAT_GAUGE, {"template"}},
	[STAT_POOL_MISSES] = {"hearth_pool_misses_total",
		"Acquires that found no sandbox ready, served or not.", STAT_COUNTER, {"template"}},
	[STAT_CREATE_FAILURES] = {"hearth_create_failures_total",
		"Builds and bindings that failed, by what failed and errno.", STAT_COUNTER,
		{"stage", "errno"}},
	[STAT_OOM_KILLS] = {"hearth_sandbox_oom_kills_total",
		"Processes in sandboxes that were killed by their memory limit.", STAT_COUNTER,
		{NULL}},
	[STAT_LIMIT_HITS] = {"hearth_sandbox_limit_hits_total",
		"Sandboxes that hit a limit of this kind while they lived.", STAT_COUNTER,
		{"kind"}},
	[STAT_ORPHANS_REAPED] = {"hearth_orphans_reaped_total",
		"Sandboxes that a killed supervisor or a lost builder left and that were ended.",
		STAT_COUNTER, {NULL}},
	[STAT_EXEC_DURATION] = {"hearth_exec_duration_seconds",
		"From a request to run a command in a sandbox to its end.", STAT_HISTOGRAM, {NULL}},
	[STAT_TOOL_CALLS] = {"hearth_tool_calls_total", "Calls of tools by their result.",
		STAT_COUNTER, {"tool", "result"}},
	[STAT_HTTP_REQUESTS] = {"hearth_http_requests_total",
		"HTTP requests that were answered, by route and status.", STAT_COUNTER,
		{"route", "code"}},
	[STAT_TURNS] = {"hearth_turns_total", "Turns of agents, by how each ended.", STAT_COUNTER,
		{"agent", "finish"}},
	[STAT_MODEL_DURATION] = {"hearth_llm_request_duration_seconds",
		"From a request to a model to its end, tries and waits included.", STAT_HISTOGRAM,
		{NULL}},
	[STAT_MODEL_TOKENS] = {"hearth_llm_tokens_total",
		"Tokens that models were given (in) and gave (out), as they say.", STAT_COUNTER,
		{"direction"}},
};
_Static_assert(ARRAY_SIZE(families) == STAT_FAMILY_LAST + 1, "each family has a row");

const struct stat_family_info *stat_family_info(uint32_t family)
{
	return family < ARRAY_SIZE(families) && families[family].name ? &families[family] : NULL;
}

void stat_histogram_add(struct stat_histogram *histogram, uint64_t ns)
{
	size_t i = 0;

	while (i < STAT_BUCKETS && ns > stat_bucket_ns[i])
		i++;
	if (i < STAT_BUCKETS)
		histogram->buckets[i]++;
	histogram->count++;
	histogram->sum_ns += ns;
}

void stat_histogram_merge(struct stat_histogram *into, const struct stat_histogram *from)
{
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	for (size_t i = 0; i < STAT_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

uint64_t stat_histogram_bound(const struct stat_histogram *histogram, unsigned percent)
{
	uint64_t rank = (histogram->count * percent + 99) / 100, seen = 0;

	if (histogram->count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (size_t i = 0; i < STAT_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen >= rank)
			return stat_bucket_ns[i];
	}
	return UINT64_MAX;
}

struct stat_sample stat_sample(
	enum stat_family family, const char *first, const char *second, const char *third)
{
	const char *const labels[STAT_LABELS_MAX] = {first, second, third};
	struct stat_sample sample = {.family = family};

	for (size_t i = 0; i < STAT_LABELS_MAX && labels[i]; i++)
		text_copy(sample.labels[i], sizeof(sample.labels[i]), labels[i]);
	return sample;
}

/* As the format wants it: within quotes, a backslash before what would end them. */
static void write_escaped(FILE *to, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", to);
		else if (*value == '\\' || *value == '"')
			fprintf(to, "\\%c", *value);
		else
			fputc(*value, to);
	}
}

/* Exact, without zeros that say nothing: 0.000025, 1, 2.5. */
static void write_seconds(FILE *to, uint64_t ns)
{
	uint64_t rest = ns % NS_PER_S;
	int digits = 9;

	fprintf(to, "%" PRIu64, ns / NS_PER_S);
	if (rest == 0)
		return;
	for (; rest % 10 == 0; rest /= 10)
		digits--;
	fprintf(to, ".%0*" PRIu64, digits, rest);
}

/* The sample's labels and, with bound, the one of a bucket: UINT64_MAX is the last, without an end. */
static void write_labels(FILE *to, const struct stat_family_info *family,
	const struct stat_sample *sample, const uint64_t *bound)
{
	const char *before = "{";

	for (size_t i = 0; i < STAT_LABELS_MAX && family->labels[i]; i++) {
		fprintf(to, "%s%s=\"", before, family->labels[i]);
		write_escaped(to, sample->labels[i]);
		fputc('"', to);
		before = ",";
	}
	if (bound) {
		fprintf(to, "%sle=\"", before);
		if (*bound == UINT64_MAX)
			fputs("+Inf", to);
		else
			write_seconds(to, *bound);
		fputc('"', to);
		before = ",";
	}
	if (*before == ',')
		fputc('}', to);
}

static void write_histogram(
	FILE *to, const struct stat_family_info *family, const struct stat_sample *sample)
{
	const struct stat_histogram *histogram = &sample->histogram;
	const uint64_t no_end = UINT64_MAX;
	uint64_t below = 0;

	for (size_t i = 0; i < STAT_BUCKETS; i++) {
		below += histogram->buckets[i];
		fprintf(to, "%s_bucket", family->name);
		write_labels(to, family, sample, &stat_bucket_ns[i]);
		fprintf(to, " %" PRIu64 "\n", below);
	}
	fprintf(to, "%s_bucket", family->name);
	write_labels(to, family, sample, &no_end);
	fprintf(to, " %" PRIu64 "\n%s_sum", histogram->count, family->name);
	write_labels(to, family, sample, NULL);
	fputc(' ', to);
	write_seconds(to, histogram->sum_ns);
	fprintf(to, "\n%s_count", family->name);
	write_labels(to, family, sample, NULL);
	fprintf(to, " %" PRIu64 "\n", histogram->count);
}

static void write_head(FILE *to, const struct stat_family_info *family)
{
	static const char *const types[] = {
		[STAT_COUNTER] = "counter", [STAT_GAUGE] = "gauge", [STAT_HISTOGRAM] = "histogram"};

	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
		types[family->type]);
}

static void write_family(FILE *to, uint32_t number, const struct stat_sample *samples, size_t count)
{
	const struct stat_family_info *family = stat_family_info(number);
	bool has_head = false;

	for (size_t i = 0; i < count; i++) {
		if (samples[i].family != number)
			continue;
		if (!has_head)
			write_head(to, family);
		has_head = true;
		if (family->type == STAT_HISTOGRAM) {
			write_histogram(to, family, &samples[i]);
			continue;
		}
		fputs(family->name, to);
		write_labels(to, family, &samples[i], NULL);
		fprintf(to, " %" PRIu64 "\n", samples[i].value);
	}
}

void stat_write(FILE *to, const struct stat_sample *samples, size_t count)
{
	for (uint32_t number = 1; number <= STAT_FAMILY_LAST; number++)
		write_family(to, number, samples, count);
}
