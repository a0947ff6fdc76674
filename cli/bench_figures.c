#include "cli/bench_figures.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/bench_stats.h"

const struct bench_quantile bench_quantiles[BENCH_QUANTILES] = {{"p50_us", 5000}, {"p90_us", 9000},
	{"p99_us", 9900}, {"p999_us", 9990}, {"p9999_us", 9999}, {"max_us", 10000}};

const char *const *bench_stage_names(const struct bench_plan *plan)
{
	static const char *const acquire[BENCH_STAGES_MAX] = {"wait", "queue", "bind", "build"};
	static const char *const open_loop[BENCH_STAGES_MAX] = {
		"wait", "queue", "bind", "build", "late"};
	static const char *const fresh[BENCH_STAGES_MAX] = {"acquire", "exec"};
	static const char *const churn[BENCH_STAGES_MAX] = {"create", "exec", "destroy"};
	static const char *const none[BENCH_STAGES_MAX] = {NULL};

	switch (plan->kind) {
	case BENCH_ACQUIRE:
	case BENCH_MISS:
	case BENCH_BURST:
		return plan->rate ? open_loop : acquire;
	case BENCH_EXEC:
		return plan->fresh ? fresh : none;
	case BENCH_CHURN:
		return churn;
	}
	return none;
}

bool bench_has_rungs(const struct bench_plan *plan)
{
	return plan->kind != BENCH_EXEC || plan->fresh;
}

/* stage -1: of the whole. */
static uint64_t *sorted(const struct bench_sample *samples, unsigned long count, int stage)
{
	uint64_t *ns = malloc(count * sizeof(*ns));

	if (!ns)
		return NULL;
	for (unsigned long i = 0; i < count; i++)
		ns[i] = stage < 0 ? samples[i].latency_ns : samples[i].stage_ns[stage];
	bench_sort(ns, count);
	return ns;
}

static void count_rungs(
	struct bench_figures *f, const struct bench_plan *plan, const struct bench_result *result)
{
	for (unsigned long i = 0; i < plan->count; i++) {
		uint32_t rung = result->samples[i].rung;

		f->ready += rung == RUNG_READY || rung == RUNG_BOUND;
		f->built += rung == RUNG_BUILT;
		f->waited += rung == RUNG_WAITED;
	}
	f->refused = plan->count - f->ready - f->built - f->waited;
}

static int compare_clients(
	struct bench_figures *f, const struct bench_plan *plan, const struct bench_result *result)
{
	const struct bench_sample *samples = result->samples;

	f->client_low_ns = UINT64_MAX;
	for (unsigned i = 0; i < plan->clients; i++) {
		unsigned long count = bench_share(plan->count, plan->clients, i);
		auto_free uint64_t *ns = sorted(samples, count, -1);
		uint64_t median;

		if (!ns)
			return -ENOMEM;
		median = bench_percentile(ns, count, 5000);
		if (median < f->client_low_ns)
			f->client_low_ns = median;
		if (median > f->client_high_ns)
			f->client_high_ns = median;
		samples += count;
	}
	return 0;
}

/* From the first start to the last end: of what goes on without pauses between rounds. */
static double rate_of(const struct bench_plan *plan, const struct bench_result *result)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned long i = 0; i < plan->count; i++) {
		const struct bench_sample *sample = &result->samples[i];

		if (sample->started_ns < first)
			first = sample->started_ns;
		if (sample->started_ns + sample->latency_ns > last)
			last = sample->started_ns + sample->latency_ns;
	}
	return last > first ? (double)plan->count / ((double)(last - first) / 1e9) : 0;
}

static int count_bursts(
	struct bench_figures *f, const struct bench_plan *plan, const struct bench_result *result)
{
	const unsigned long rounds = plan->count / plan->burst, part = plan->burst / plan->clients;
	auto_free uint64_t *all = malloc(3 * rounds * sizeof(*all));
	auto_free uint64_t *burst = malloc(plan->burst * sizeof(*burst));
	uint64_t *first = all, *median = all + rounds, *last = all + 2 * rounds;

	if (!all || !burst)
		return -ENOMEM;
	for (unsigned long i = 0; i < rounds; i++) {
		for (unsigned long k = 0; k < plan->burst; k++) /* client by client */
			burst[k] = result->samples[k / part * part * rounds + i * part + k % part]
					   .latency_ns;
		bench_sort(burst, plan->burst);
		first[i] = burst[0];
		median[i] = bench_percentile(burst, plan->burst, 5000);
		last[i] = burst[plan->burst - 1];
	}
	bench_sort(first, rounds);
	bench_sort(median, rounds);
	bench_sort(last, rounds);
	f->burst = (struct bench_burst){bench_percentile(first, rounds, 5000),
		bench_percentile(median, rounds, 5000), bench_percentile(last, rounds, 5000),
		last[rounds - 1]};
	return 0;
}

void bench_figures_finish(struct bench_figures *f)
{
	free(f->latency_ns);
	for (int i = 0; i < BENCH_STAGES_MAX; i++)
		free(f->stage_ns[i]);
}

int bench_figures_init(struct bench_figures *f, const struct bench_plan *plan,
	const struct bench_result *result, struct error *err)
{
	const char *const *names = bench_stage_names(plan);
	bool is_short;

	*f = (struct bench_figures){.latency_ns = sorted(result->samples, plan->count, -1)};
	is_short = !f->latency_ns || compare_clients(f, plan, result) < 0;
	for (int i = 0; i < BENCH_STAGES_MAX; i++) {
		if (names[i])
			f->stage_ns[i] = sorted(result->samples, plan->count, i);
		is_short = is_short || (names[i] && !f->stage_ns[i]);
	}
	count_rungs(f, plan, result);
	if (plan->rate || plan->kind == BENCH_CHURN)
		f->per_second = rate_of(plan, result);
	if (plan->kind == BENCH_BURST)
		is_short = count_bursts(f, plan, result) < 0 || is_short;
	return is_short ? error_set(err, ENOMEM, "no memory for the figures") : 0;
}
