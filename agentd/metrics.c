#include "agentd/metrics.h"

#include <stdio.h>
#include <string.h>

#include "agentd/tool/tool.h"

#define OTHER "other"

/* One more pair of labels; the last place is kept for what finds none. */
static struct metrics_counter *add(
	struct metrics *metrics, enum stat_family family, const char *first, const char *second)
{
	struct metrics_counter *counter = &metrics->counters[metrics->counter_count++];

	counter->family = family;
	snprintf(counter->first, sizeof(counter->first), "%s", first);
	snprintf(counter->second, sizeof(counter->second), "%s", second);
	return counter;
}

static struct metrics_counter *find(
	struct metrics *metrics, enum stat_family family, const char *first, const char *second)
{
	for (unsigned i = 0; i < metrics->counter_count; i++) {
		struct metrics_counter *counter = &metrics->counters[i];

		if (counter->family == family &&
			strncmp(counter->first, first, STAT_LABEL_SIZE - 1) == 0 &&
			strncmp(counter->second, second, STAT_LABEL_SIZE - 1) == 0)
			return counter;
	}
	return NULL;
}

static void count(struct metrics *metrics, enum stat_family family, const char *first,
	const char *second, uint64_t n)
{
	struct metrics_counter *counter = find(metrics, family, first, second);

	if (!counter && metrics->counter_count + STAT_FAMILY_LAST < METRICS_COUNTERS_MAX)
		counter = add(metrics, family, first, second);
	if (!counter)
		counter = find(metrics, family, OTHER, OTHER);
	if (!counter)
		counter = add(metrics, family, OTHER, OTHER);
	counter->value += n;
}

void metrics_count_exec(struct metrics *metrics, uint64_t ns)
{
	stat_histogram_add(&metrics->execs, ns);
}

void metrics_count_tool(
	struct metrics *metrics, const struct tool *tool, enum metrics_tool_result result)
{
	static const char *const results[] = {[METRICS_TOOL_OK] = "ok",
		[METRICS_TOOL_ERROR] = "error",
		[METRICS_TOOL_LOST] = "lost"};

	count(metrics, STAT_TOOL_CALLS, tool->name, results[result], 1);
}

void metrics_count_request(struct metrics *metrics, const char *route, int status)
{
	char code[12];

	snprintf(code, sizeof(code), "%d", status);
	count(metrics, STAT_HTTP_REQUESTS, route, code, 1);
}

void metrics_count_turn(struct metrics *metrics, const char *agent, const char *finish)
{
	count(metrics, STAT_TURNS, agent, finish, 1);
}

void metrics_count_model(
	struct metrics *metrics, uint64_t ns, uint64_t prompt_tokens, uint64_t completion_tokens)
{
	stat_histogram_add(&metrics->models, ns);
	count(metrics, STAT_MODEL_TOKENS, "in", "", prompt_tokens);
	count(metrics, STAT_MODEL_TOKENS, "out", "", completion_tokens);
}

size_t metrics_samples(const struct metrics *metrics, struct stat_sample *ret_samples)
{
	size_t n = 0;

	ret_samples[n] = stat_sample(STAT_EXEC_DURATION, NULL, NULL, NULL);
	ret_samples[n++].histogram = metrics->execs;
	ret_samples[n] = stat_sample(STAT_MODEL_DURATION, NULL, NULL, NULL);
	ret_samples[n++].histogram = metrics->models;
	for (unsigned i = 0; i < metrics->counter_count; i++) {
		const struct metrics_counter *counter = &metrics->counters[i];

		if (counter->value == 0)
			continue;
		ret_samples[n] =
			stat_sample(counter->family, counter->first, counter->second, NULL);
		ret_samples[n++].value = counter->value;
	}
	return n;
}
