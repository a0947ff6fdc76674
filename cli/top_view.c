#include "cli/top_view.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/query.h"

#define BAR_WIDTH  40
#define BOUND_TEXT 24

static const char *const path_names[TOP_PATHS] = {"ready", "bound", "built", "waited"};

static void on_pool(void *arg, const struct message_header *row)
{
	struct top_view *view = arg;

	if (view->pool_count < TOP_POOLS_MAX)
		view->pools[view->pool_count++] =
			*(const struct control_pool_row *)(const void *)row;
}

/* Among those that are held the longest, in order; the shortest of them falls out. */
static void keep_lease(struct top_view *view, const struct control_sandbox_row *row)
{
	unsigned at = view->leases_kept;

	while (at > 0 && view->leases[at - 1].lease_age_ms < row->lease_age_ms)
		at--;
	if (at == TOP_LEASES_MAX)
		return;
	if (view->leases_kept < TOP_LEASES_MAX)
		view->leases_kept++;
	memmove(&view->leases[at + 1], &view->leases[at],
		(view->leases_kept - 1 - at) * sizeof(view->leases[0]));
	view->leases[at] = *row;
}

static void on_sandbox(void *arg, const struct message_header *header)
{
	const struct control_sandbox_row *row = (const void *)header;
	struct top_view *view = arg;

	if (row->state != SANDBOX_LEASED)
		return;
	view->lease_count++;
	view->frozen_count += row->is_frozen;
	keep_lease(view, row);
}

static void on_acquires(struct top_view *view, const struct stat_sample *sample)
{
	for (size_t i = 0; i < TOP_PATHS; i++)
		if (strcmp(sample->labels[1], path_names[i]) == 0)
			stat_histogram_merge(&view->paths[i], &sample->histogram);
	for (uint32_t i = REFUSED_DENIED; i < TOP_REASONS; i++)
		if (strcmp(sample->labels[2], control_refusal_name(i)) == 0)
			view->refused[i] += sample->histogram.count;
}

static void on_stat(void *arg, const struct message_header *header)
{
	const struct stat_sample *sample =
		&((const struct control_stat_row *)(const void *)header)->sample;
	struct top_view *view = arg;

	if (sample->family == STAT_ACQUIRE_DURATION)
		on_acquires(view, sample);
	else if (sample->family == STAT_POOL_MISSES)
		view->misses += sample->value;
}

int top_view_take(const char *directory, struct top_view *ret_view, struct error *err)
{
	int r;

	memset(ret_view, 0, sizeof(*ret_view));
	ret_view->taken_ms = clock_now_ms();
	r = query_rows(directory, CONTROL_POOLS, on_pool, ret_view, err);
	if (r == 0)
		r = query_rows(directory, CONTROL_LIST, on_sandbox, ret_view, err);
	if (r == 0)
		r = query_rows(directory, CONTROL_STATS, on_stat, ret_view, err);
	return r;
}

static struct stat_histogram all_paths(const struct top_view *view)
{
	struct stat_histogram all = {0};

	for (size_t i = 0; i < TOP_PATHS; i++)
		stat_histogram_merge(&all, &view->paths[i]);
	return all;
}

/* Per second between two looks; 0: nothing to compare with, or the supervisor has begun anew. */
static double rate(
	uint64_t now, uint64_t then, const struct top_view *view, const struct top_view *before)
{
	if (!before || view->taken_ms <= before->taken_ms || now < then)
		return 0;
	return (double)(now - then) * 1000.0 / (double)(view->taken_ms - before->taken_ms);
}

static uint64_t served(const struct control_pool_row *row)
{
	return row->hits + row->built + row->waited;
}

/* The same pool's row of an earlier look, or NULL. */
static const struct control_pool_row *find_pool(const struct top_view *view, const char *name)
{
	for (unsigned i = 0; view && i < view->pool_count; i++)
		if (strcmp(view->pools[i].template_name, name) == 0)
			return &view->pools[i];
	return NULL;
}

static double pool_rate(const struct control_pool_row *row, const struct top_view *view,
	const struct top_view *before)
{
	const struct control_pool_row *then = find_pool(before, row->template_name);

	return then ? rate(served(row), served(then), view, before) : 0;
}

/* A reason comes from a builder: what could move the cursor is shown as ?. */
static void write_reason(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc(*text >= ' ' && *text <= '~' ? *text : '?', to);
}

static void write_pools(FILE *to, const struct top_view *view, const struct top_view *before)
{
	fprintf(to, "%-16s %5s %5s %6s %6s %6s %6s %6s %6s %7s %9s\n", "POOL", "MIN", "MAX",
		"TARGET", "READY", "BUILD", "LEASED", "FROZEN", "WAIT", "DISCARD", "ACQUIRE/S");
	for (unsigned i = 0; i < view->pool_count; i++) {
		const struct control_pool_row *row = &view->pools[i];

		fprintf(to, "%-16s %5u %5u %6u %6u %6u %6u %6u %6u %7u %9.1f\n", row->template_name,
			row->min, row->max, row->target, row->ready, row->building, row->leased,
			row->frozen, row->waiting, row->discarding, pool_rate(row, view, before));
		if (!row->broken[0])
			continue;
		fputs("  broken: ", to);
		write_reason(to, row->broken);
		fputc('\n', to);
	}
}

/* "<=25us", ">5s", "-". */
static const char *bound_text(uint64_t ns, char text[static BOUND_TEXT])
{
	if (ns == 0)
		snprintf(text, BOUND_TEXT, "-");
	else if (ns == UINT64_MAX)
		snprintf(text, BOUND_TEXT, ">5s");
	else if (ns < NS_PER_MS)
		snprintf(text, BOUND_TEXT, "<=%uus", (unsigned)(ns / NS_PER_US));
	else if (ns < NS_PER_S)
		snprintf(text, BOUND_TEXT, "<=%gms", (double)ns / 1e6);
	else
		snprintf(text, BOUND_TEXT, "<=%gs", (double)ns / 1e9);
	return text;
}

static void write_paths(FILE *to, const struct top_view *view, const struct top_view *before)
{
	fprintf(to, "\n%-10s %10s %8s %8s %8s\n", "ACQUIRES", "COUNT", "PER S", "P50", "P99");
	for (size_t i = 0; i < TOP_PATHS; i++) {
		const struct stat_histogram *h = &view->paths[i];
		char p50[BOUND_TEXT], p99[BOUND_TEXT];

		fprintf(to, "%-10s %10" PRIu64 " %8.1f %8s %8s\n", path_names[i], h->count,
			rate(h->count, before ? before->paths[i].count : 0, view, before),
			bound_text(stat_histogram_bound(h, 50), p50),
			bound_text(stat_histogram_bound(h, 99), p99));
	}
}

/* Only the buckets from the first to the last that have any. */
static void write_histogram(FILE *to, const struct top_view *view)
{
	const struct stat_histogram all = all_paths(view);
	uint64_t most = 1, below = 0;
	size_t first = STAT_BUCKETS, last = 0;
	char text[BOUND_TEXT];

	for (size_t i = 0; i < STAT_BUCKETS; i++) {
		if (all.buckets[i] == 0)
			continue;
		first = i < first ? i : first;
		last = i;
		most = all.buckets[i] > most ? all.buckets[i] : most;
		below += all.buckets[i];
	}
	fputs("\nLATENCY of acquires since the start\n", to);
	for (size_t i = first; i <= last && first < STAT_BUCKETS; i++) {
		int width = (int)(all.buckets[i] * BAR_WIDTH / most);

		if (width == 0 && all.buckets[i] > 0)
			width = 1;
		fprintf(to, "%8s %10" PRIu64 " %.*s\n", bound_text(stat_bucket_ns[i], text),
			all.buckets[i], width, "########################################");
	}
	if (all.count > below)
		fprintf(to, "%8s %10" PRIu64 "\n", bound_text(UINT64_MAX, text), all.count - below);
}

static void write_misses(FILE *to, const struct top_view *view, const struct top_view *before)
{
	fprintf(to, "\nMISSES %" PRIu64 " (%.1f per s): built %" PRIu64 ", waited %" PRIu64,
		view->misses, rate(view->misses, before ? before->misses : 0, view, before),
		view->paths[2].count, view->paths[3].count);
	fputs("; REFUSED", to);
	for (uint32_t i = REFUSED_DENIED; i < TOP_REASONS; i++)
		if (view->refused[i] > 0)
			fprintf(to, " %s %" PRIu64, control_refusal_name(i), view->refused[i]);
	fputc('\n', to);
}

static void write_leases(FILE *to, const struct top_view *view)
{
	fprintf(to, "\nLEASES %u, %u frozen\n", view->lease_count, view->frozen_count);
	if (view->leases_kept > 0)
		fprintf(to, "%10s %-16s %10s %8s %10s\n", "ID", "POOL", "PID", "UID", "HELD S");
	for (unsigned i = 0; i < view->leases_kept; i++) {
		const struct control_sandbox_row *row = &view->leases[i];

		fprintf(to, "%10" PRIu64 " %-16s %10u %8u %10.1f%s\n", row->handle.sandbox,
			row->template_name, row->owner_pid, row->owner_uid,
			(double)row->lease_age_ms / 1e3, row->is_frozen ? " frozen" : "");
	}
	if (view->lease_count > view->leases_kept)
		fprintf(to, "%10s and %u more\n", "", view->lease_count - view->leases_kept);
}

void top_view_write(
	FILE *to, const char *directory, const struct top_view *view, const struct top_view *before)
{
	fprintf(to, "hearth top - %s\n\n", directory);
	write_pools(to, view, before);
	write_paths(to, view, before);
	write_histogram(to, view);
	write_misses(to, view, before);
	write_leases(to, view);
}

static json_t *pool_json(const struct control_pool_row *row, const struct top_view *view,
	const struct top_view *before)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "pool",
		row->template_name, "min", (json_int_t)row->min, "max", (json_int_t)row->max,
		"target", (json_int_t)row->target, "ready", (json_int_t)row->ready, "building",
		(json_int_t)row->building, "leased", (json_int_t)row->leased, "frozen",
		(json_int_t)row->frozen, "discarding", (json_int_t)row->discarding, "waiting",
		(json_int_t)row->waiting, "acquires_per_s", pool_rate(row, view, before));
}

/* Bounds in seconds; what lies beyond the last is count minus all of them. */
static json_t *path_json(const struct stat_histogram *h)
{
	json_t *buckets = json_array();

	for (size_t i = 0; i < STAT_BUCKETS; i++)
		json_array_append_new(buckets, json_pack("[f, I]", (double)stat_bucket_ns[i] / 1e9,
						       (json_int_t)h->buckets[i]));
	return json_pack("{s:I, s:f, s:o}", "count", (json_int_t)h->count, "sum_s",
		(double)h->sum_ns / 1e9, "buckets", buckets);
}

static json_t *lease_json(const struct control_sandbox_row *row)
{
	return json_pack("{s:I, s:s, s:I, s:I, s:I, s:b}", "id", (json_int_t)row->handle.sandbox,
		"pool", row->template_name, "owner_pid", (json_int_t)row->owner_pid, "owner_uid",
		(json_int_t)row->owner_uid, "lease_age_ms", (json_int_t)row->lease_age_ms,
		"is_frozen", (int)row->is_frozen);
}

json_t *top_view_json(const struct top_view *view, const struct top_view *before)
{
	json_t *pools = json_array(), *paths = json_object(), *refused = json_object();
	json_t *leases = json_array();

	for (unsigned i = 0; i < view->pool_count; i++)
		json_array_append_new(pools, pool_json(&view->pools[i], view, before));
	for (size_t i = 0; i < TOP_PATHS; i++)
		json_object_set_new(paths, path_names[i], path_json(&view->paths[i]));
	for (uint32_t i = REFUSED_DENIED; i < TOP_REASONS; i++)
		if (view->refused[i] > 0)
			json_object_set_new(refused, control_refusal_name(i),
				json_integer((json_int_t)view->refused[i]));
	for (unsigned i = 0; i < view->leases_kept; i++)
		json_array_append_new(leases, lease_json(&view->leases[i]));
	return json_pack("{s:o, s:o, s:I, s:o, s:I, s:I, s:o}", "pools", pools, "acquires", paths,
		"misses", (json_int_t)view->misses, "refused", refused, "leased",
		(json_int_t)view->lease_count, "frozen", (json_int_t)view->frozen_count, "leases",
		leases);
}
