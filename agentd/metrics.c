#include "agentd/metrics.h"

#include "agentd/tool/tool.h"

_Static_assert(METRICS_SAMPLES_MAX >= 1 + METRICS_TOOLS_MAX * METRICS_TOOL_RESULTS +
					      METRICS_ROUTES * METRICS_CODES,
	"raise METRICS_SAMPLES_MAX");

void metrics_count_exec(struct metrics *metrics, uint64_t ns)
{
	stat_histogram_add(&metrics->execs, ns);
}

void metrics_count_tool(
	struct metrics *metrics, const struct tool *tool, enum metrics_tool_result result)
{
	for (size_t i = 0; i < tool_count && i < METRICS_TOOLS_MAX; i++)
		if (tool_table[i] == tool)
			metrics->tools[i][result]++;
}

void metrics_count_request(
	struct metrics *metrics, enum metrics_route route, enum metrics_code code)
{
	metrics->requests[route][code]++;
}

static size_t counter(struct stat_sample *to, enum stat_family family, const char *first,
	const char *second, uint64_t value)
{
	if (value == 0)
		return 0;
	*to = stat_sample(family, first, second, NULL);
	to->value = value;
	return 1;
}

size_t metrics_samples(const struct metrics *metrics, struct stat_sample *ret_samples)
{
	static const char *const results[] = {[METRICS_TOOL_OK] = "ok",
		[METRICS_TOOL_ERROR] = "error",
		[METRICS_TOOL_LOST] = "lost"};
	static const char *const routes[] = {
		[METRICS_ROUTE_METRICS] = "/metrics", [METRICS_ROUTE_OTHER] = "other"};
	static const char *const codes[] = {[METRICS_CODE_200] = "200",
		[METRICS_CODE_404] = "404",
		[METRICS_CODE_405] = "405",
		[METRICS_CODE_503] = "503"};
	size_t n = 0;

	ret_samples[n] = stat_sample(STAT_EXEC_DURATION, NULL, NULL, NULL);
	ret_samples[n++].histogram = metrics->execs;
	for (size_t i = 0; i < tool_count && i < METRICS_TOOLS_MAX; i++)
		for (size_t j = 0; j < METRICS_TOOL_RESULTS; j++)
			n += counter(&ret_samples[n], STAT_TOOL_CALLS, tool_table[i]->name,
				results[j], metrics->tools[i][j]);
	for (size_t i = 0; i < METRICS_ROUTES; i++)
		for (size_t j = 0; j < METRICS_CODES; j++)
			n += counter(&ret_samples[n], STAT_HTTP_REQUESTS, routes[i], codes[j],
				metrics->requests[i][j]);
	return n;
}
