#include "supervisor/stats.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "nsjail-lite/builder/link.h"
#include "pool/pool.h"
#include "proto/limit_text.h"
#include "supervisor/pool_host.h"
#include "supervisor/supervisor.h"

void stats_leased(struct stats *stats, uint32_t pool, enum control_rung rung, uint64_t wait_ns,
	uint64_t bind_ns)
{
	stat_histogram_add(&stats->pools[pool].leased[rung], wait_ns);
	if (bind_ns > 0)
		stat_histogram_add(&stats->bind, bind_ns);
}

void stats_refused(
	struct stats *stats, uint32_t pool, enum control_refusal refusal, uint64_t wait_ns)
{
	stat_histogram_add(&stats->pools[pool].refused[refusal], wait_ns);
}

uint64_t stats_refusals(const struct stats_pool *pool)
{
	uint64_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pool->refused); i++)
		count += pool->refused[i].count;
	return count;
}

void stats_built(struct stats *stats, const struct jail_stages *stages)
{
	for (uint32_t i = 0; i < STAGE_COUNT; i++)
		stat_histogram_add(&stats->stages[i], stages->ns[i]);
}

void stats_failed(struct stats *stats, enum stats_failed what, uint32_t error)
{
	for (size_t i = 0; i < STATS_FAILURES_MAX; i++) {
		if (stats->failures[i].count == 0) {
			stats->failures[i].what = what;
			stats->failures[i].error = error;
		}
		if (stats->failures[i].what == what && stats->failures[i].error == error) {
			stats->failures[i].count++;
			return;
		}
	}
	stats->other_failures++;
}

void stats_ended(struct stats *stats, const struct link_ended *ended)
{
	if (ended->was_asked)
		stat_histogram_add(&stats->destroy, ended->kill_ns);
	stats->oom_kills += ended->usage.oom_kills;
	for (size_t bit = 0; bit < ARRAY_SIZE(stats->limit_hits); bit++)
		stats->limit_hits[bit] += ended->limits_hit >> bit & 1;
}

/* Where the samples go. */
struct visit {
	void (*on_sample)(void *arg, const struct stat_sample *sample);
	void *arg;
};

static void tell(const struct visit *visit, struct stat_sample sample, uint64_t value)
{
	sample.value = value;
	visit->on_sample(visit->arg, &sample);
}

static void tell_histogram(const struct visit *visit, struct stat_sample sample,
	const struct stat_histogram *histogram)
{
	if (histogram->count == 0)
		return;
	sample.histogram = *histogram;
	visit->on_sample(visit->arg, &sample);
}

static void tell_acquires(
	const struct visit *visit, const char *name, const struct stats_pool *pool)
{
	for (uint32_t i = RUNG_READY; i <= RUNG_BOUND; i++)
		tell_histogram(visit,
			stat_sample(STAT_ACQUIRE_DURATION, name, control_rung_name(i), "ok"),
			&pool->leased[i]);
	for (uint32_t i = REFUSED_DENIED; i <= REFUSED_STOPPING; i++)
		tell_histogram(visit,
			stat_sample(STAT_ACQUIRE_DURATION, name, "none", control_refusal_name(i)),
			&pool->refused[i]);
}

static void tell_states(
	const struct visit *visit, const char *name, const struct pool_counters *now)
{
	const uint32_t counts[] = {[SANDBOX_BUILDING] = now->building,
		[SANDBOX_READY] = now->ready,
		[SANDBOX_LEASED] = now->leased,
		[SANDBOX_DISCARDING] = now->discarding};

	for (uint32_t i = SANDBOX_BUILDING; i <= SANDBOX_DISCARDING; i++)
		tell(visit, stat_sample(STAT_POOL_SANDBOXES, name, control_state_name(i), NULL),
			counts[i]);
}

static void tell_pool(
	const struct visit *visit, const struct stats_pool *counted, const struct pool_host *pool)
{
	const char *name = pool->section->name;
	struct pool_counters now;

	pool_get_counters(pool->pool, &now);
	tell_acquires(visit, name, counted);
	tell_states(visit, name, &now);
	tell(visit, stat_sample(STAT_POOL_TARGET, name, NULL, NULL), pool_target(pool->pool));
	tell(visit, stat_sample(STAT_POOL_MISSES, name, NULL, NULL), now.misses);
}

static void tell_stages(const struct visit *visit, const struct stats *stats)
{
	for (uint32_t i = 0; i < STAGE_COUNT; i++)
		tell_histogram(visit,
			stat_sample(STAT_STAGE_DURATION, jail_stage_name(i), NULL, NULL),
			&stats->stages[i]);
	tell_histogram(visit, stat_sample(STAT_STAGE_DURATION, "bind", NULL, NULL), &stats->bind);
	tell_histogram(
		visit, stat_sample(STAT_STAGE_DURATION, "destroy", NULL, NULL), &stats->destroy);
}

static void tell_failures(const struct visit *visit, const struct stats *stats)
{
	static const char *const names[] = {[STATS_FAILED_SLOT] = "slot",
		[STATS_FAILED_BUILD] = "build",
		[STATS_FAILED_BIND] = "bind",
		[STATS_FAILED_NETWORK] = "network"};

	for (size_t i = 0; i < STATS_FAILURES_MAX && stats->failures[i].count > 0; i++) {
		uint32_t error = stats->failures[i].error;

		tell(visit,
			stat_sample(STAT_CREATE_FAILURES, names[stats->failures[i].what],
				error ? error_name((int)error) : "unknown", NULL),
			stats->failures[i].count);
	}
	if (stats->other_failures > 0)
		tell(visit, stat_sample(STAT_CREATE_FAILURES, "other", "other", NULL),
			stats->other_failures);
}

static void tell_sandboxes(const struct visit *visit, const struct stats *stats)
{
	char kind[LIMIT_TEXT_MAX];

	tell(visit, stat_sample(STAT_OOM_KILLS, NULL, NULL, NULL), stats->oom_kills);
	for (size_t bit = 0; bit < ARRAY_SIZE(stats->limit_hits); bit++)
		if (stats->limit_hits[bit] > 0)
			tell(visit,
				stat_sample(
					STAT_LIMIT_HITS, limit_names(1u << bit, kind), NULL, NULL),
				stats->limit_hits[bit]);
	tell(visit, stat_sample(STAT_ORPHANS_REAPED, NULL, NULL, NULL), stats->orphans);
}

void stats_for_each(const struct supervisor *supervisor,
	void (*on_sample)(void *arg, const struct stat_sample *sample), void *arg)
{
	const struct visit visit = {on_sample, arg};
	const struct stats *stats = &supervisor->stats;

	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		tell_pool(&visit, &stats->pools[i], supervisor->pools[i]);
	tell_stages(&visit, stats);
	tell_failures(&visit, stats);
	tell_sandboxes(&visit, stats);
}
