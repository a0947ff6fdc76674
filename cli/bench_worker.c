/* bench_worker.c - the orders, when a sample starts, and what is kept of it. */
#include "cli/bench_worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/drop.h"
#include "cli/bench_command.h"
#include "cli/bench_sample.h"

#define NEAR_NS (100 * NS_PER_US) /* a timer is late by half of it: look at the clock instead */

void bench_rest(unsigned long pause_us)
{
	struct timespec ts = {(time_t)(pause_us / 1000000), (long)(pause_us % 1000000) * 1000};

	if (pause_us)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void wait_until(uint64_t ns)
{
	uint64_t near_ns = ns - NEAR_NS;
	struct timespec ts = {(time_t)(near_ns / NS_PER_S), (long)(near_ns % NS_PER_S)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	while (clock_now_ns() < ns)
		sched_yield();
}

/* When arrival number k of this client is meant to start: those of all clients are evenly apart. */
static uint64_t arrival_ns(const struct bench_worker *w, uint64_t start_ns, unsigned long k)
{
	return start_ns + (k * w->plan->clients + w->index) * NS_PER_S / w->plan->rate;
}

/* From the intended start on: what a late start costs is a stage of its own, and in the latency. */
static void count_from(struct bench_sample *sample, uint64_t intended_ns)
{
	uint64_t late_ns = sample->started_ns - intended_ns;

	sample->started_ns = intended_ns;
	sample->latency_ns += late_ns;
	sample->stage_ns[BENCH_STAGES_MAX - 1] = late_ns;
}

static void keep(struct bench_worker *w, struct bench_sample *sample)
{
	struct bench_sample *to = &w->samples[w->taken];

	if (w->thrown < w->warmup) {
		w->thrown++;
		return;
	}
	if (!sample->floor_ns)
		sample->floor_ns = to->floor_ns; /* BENCH_FLOOR */
	sample->client = w->index;
	*to = *sample;
	w->taken++;
}

/* 0; 1: the round ends here, and why is in err; -errno. */
static int take(struct bench_worker *w, const struct bench_order *order, struct error *err)
{
	int r = 0;

	for (unsigned long k = 0; r == 0 && k < order->attempts && w->taken < w->share; k++) {
		struct bench_sample sample = {0};
		uint64_t intended_ns = 0;

		if (w->plan->rate) {
			intended_ns = arrival_ns(w, order->start_ns, k);
			wait_until(intended_ns);
		}
		bench_rest(w->plan->pause_us);
		bench_client_discard_news(&w->client);
		r = bench_sample_take(w, &sample, err);
		if (r == 0 && intended_ns)
			count_from(&sample, intended_ns);
		if (r == 0)
			keep(w, &sample);
		if (r == BENCH_NO_SAMPLE)
			r = 0;
	}
	return r;
}

/* All clients are woken for the same moment. */
static int take_burst(struct bench_worker *w, const struct bench_order *order, struct error *err)
{
	struct bench_sample *samples = &w->samples[w->taken];

	if (order->attempts > w->share - w->taken || order->attempts > w->client.held_max)
		return error_set(err, EINVAL, "a burst of %u", order->attempts);
	wait_until(order->start_ns);
	for (uint32_t i = 0; i < order->attempts; i++)
		samples[i].client = w->index;
	w->taken += order->attempts;
	return bench_sample_burst(w, samples, order->attempts, err);
}

static int measure_floor(struct bench_worker *w, uint32_t attempts)
{
	for (uint32_t i = 0; i < attempts && i < w->share; i++)
		/* A command that the host does not have, or not like this, has no floor. */
		if (bench_command_on_host(w->plan->argv, &w->samples[i].floor_ns) < 0) {
			for (uint32_t k = 0; k <= i; k++)
				w->samples[k].floor_ns = 0;
			break;
		}
	return 0;
}

static int obey(struct bench_worker *w, const struct bench_order *order, struct error *err)
{
	switch ((enum bench_what)order->what) {
	case BENCH_TAKE:
		return w->plan->kind == BENCH_BURST ? take_burst(w, order, err)
						    : take(w, order, err);
	case BENCH_RELEASE:
		return bench_client_release_all(&w->client, err);
	case BENCH_DRAIN:
		return bench_sample_drain(w, err);
	case BENCH_FLOOR:
		return measure_floor(w, order->attempts);
	}
	return error_set(err, EINVAL, "order %u", order->what);
}

static bool talks_to_guests(const struct bench_plan *plan)
{
	return plan->kind == BENCH_EXEC || plan->kind == BENCH_CHURN;
}

/* Connected as whoever called; the connection keeps that. Then, where guests are read, user hearth. */
static int set_up(struct bench_worker *w, struct error *err)
{
	struct rlimit files;
	int r;

	/* A round holds a descriptor for each sandbox. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	r = bench_client_connect(&w->client, w->plan->directory, BENCH_HELD_MAX, err);
	if (r == 0 && talks_to_guests(w->plan))
		r = drop_privileges(err);
	/* After that: another user's parent death signal is forgotten. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Page faults are not the supervisor's. */
	memset(w->samples, 0, w->share * sizeof(*w->samples));
	memset(w->client.held, 0, w->client.held ? BENCH_HELD_MAX * sizeof(*w->client.held) : 0);
	return r;
}

static void report(const struct bench_worker *w, int link, int result, const struct error *err)
{
	struct bench_report report = {
		.result = result,
		.taken = (uint32_t)(w->taken + w->thrown),
		.held = w->client.held_count,
		.held_most = w->held_most,
		.is_disordered = w->is_disordered,
	};

	if (result != 0)
		report.err = *err;
	send(link, &report, sizeof(report), MSG_NOSIGNAL);
}

_Noreturn void bench_worker_main(
	const struct bench_plan *plan, unsigned index, int link, struct bench_sample *samples)
{
	struct bench_worker w = {
		.plan = plan,
		.index = index,
		.share = bench_share(plan->count, plan->clients, index),
		.warmup = bench_share(plan->warmup, plan->clients, index),
		.samples = samples,
		.client.socket = -1,
	};
	struct bench_order order;
	struct error err;

	report(&w, link, set_up(&w, &err), &err);
	while (recv(link, &order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		w.held_most = 0;
		report(&w, link, obey(&w, &order, &err), &err);
	}
	bench_sample_finish(&w);
	bench_client_finish(&w.client);
	_exit(0);
}
